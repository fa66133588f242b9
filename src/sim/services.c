/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: the names of a few ports, the same on every host.
 */
#include <errno.h>
#include <string.h>

#include "sim/names.h"

static const struct service {
    const char *name;
    uint16_t port;
    bool tcp;
    bool udp;
} services[] = {
    {"ftp", 21, true, false},         {"ssh", 22, true, false},     {"telnet", 23, true, false},
    {"smtp", 25, true, false},        {"domain", 53, true, true},   {"tftp", 69, false, true},
    {"http", 80, true, false},        {"pop3", 110, true, false},   {"ntp", 123, false, true},
    {"imap2", 143, true, false},      {"https", 443, true, true},   {"mysql", 3306, true, false},
    {"postgresql", 5432, true, true}, {"redis", 6379, true, false},
};

enum { SERVICES = sizeof services / sizeof services[0] };

static bool is_for(const struct service *service, bool udp)
{
    return udp ? service->udp : service->tcp;
}

int tl_service_port(const char *name, bool udp)
{
    for (unsigned i = 0; i < SERVICES; i++)
        if (strcmp(services[i].name, name) == 0 && is_for(&services[i], udp))
            return services[i].port;
    return -ENOENT;
}

const char *tl_service_name(uint16_t port, bool udp)
{
    for (unsigned i = 0; i < SERVICES; i++)
        if (services[i].port == port && is_for(&services[i], udp))
            return services[i].name;
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service: one line to whoever connects, then the end. On every interface, IPv4 and IPv6.
 */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"

struct caller {
    tl_protocol protocol;
    const char *number;
};

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    const struct caller *caller = tl_container_of(protocol, struct caller, protocol);
    const tl_value *local = tl_transport_get_extra_info(transport, "sockname", NULL);
    char addr[TL_ADDR_TEXT_MAX], line[TL_ADDR_TEXT_MAX + 32];
    (void)snprintf(line, sizeof line, "%s %s\n", caller->number,
                   tl_addr_format(local->pointer, addr, sizeof addr));
    (void)tl_transport_write(transport, line, strlen(line));
    tl_transport_close(transport);
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    (void)protocol;
    (void)data;
    (void)len;
    return TL_EPROTOCOL; /* nobody has anything to say here */
}

static void release(tl_protocol *protocol)
{
    free(tl_container_of(protocol, struct caller, protocol));
}

static tl_protocol *caller_factory(void *number)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM,
        .connection_made = connection_made,
        .data_received = data_received,
        .release = release,
    };
    struct caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL)
        return NULL;
    caller->protocol = TL_PROTOCOL_INIT(&ops);
    caller->number = number;
    return &caller->protocol;
}

int names_service_program(int argc, char **argv)
{
    const struct example_listen everywhere = {
        .name = "service", .host = "", .port = NAMES_PORT, .quiet = true};
    return argc == 2 ? example_serve(&everywhere, caller_factory, argv[1]) : EXAMPLE_USAGE;
}

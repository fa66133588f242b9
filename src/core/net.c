/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and ports as text. Pure functions: nothing here asks a resolver or the system.
 */
#include "core/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The longest text that can be an address: an IPv6 one with an embedded IPv4 one. */
enum { HOST_MAX = 46 };

/* A decimal number of at most max, digits only. 0 or -EINVAL. */
static int parse_decimal(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t number = 0;
    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > max)
            return -EINVAL;
    }
    *ret = number;
    return 0;
}

int tl_port_parse(const char *text, uint16_t *ret)
{
    uint64_t number;
    if (text == NULL || parse_decimal(text, UINT16_MAX, &number) < 0)
        return -EINVAL;
    *ret = (uint16_t)number;
    return 0;
}

static int parse_inet6(const char *host, tl_addr *addr)
{
    char digits[HOST_MAX];
    const char *percent = strchr(host, '%');
    size_t len = percent != NULL ? (size_t)(percent - host) : strlen(host);
    if (len >= sizeof digits)
        return -EINVAL;
    memcpy(digits, host, len);
    digits[len] = '\0';
    if (inet_pton(AF_INET6, digits, addr->data) != 1)
        return -EINVAL;
    addr->family = TL_FAMILY_INET6;
    if (percent == NULL)
        return 0;
    uint64_t scope;
    int r = parse_decimal(percent + 1, UINT32_MAX, &scope);
    if (r < 0)
        return r;
    addr->scope = (uint32_t)scope;
    return 0;
}

int tl_addr_parse(const char *host, uint16_t port, tl_addr *ret)
{
    tl_addr addr = {.port = port};
    if (host == NULL || ret == NULL)
        return -EINVAL;
    if (inet_pton(AF_INET, host, addr.data) == 1) {
        addr.family = TL_FAMILY_INET;
    } else {
        int r = parse_inet6(host, &addr);
        if (r < 0)
            return r;
    }
    *ret = addr;
    return 0;
}

static void format_inet6(const tl_addr *addr, char *text, size_t size)
{
    char digits[HOST_MAX] = "";
    (void)inet_ntop(AF_INET6, addr->data, digits, sizeof digits);
    if (addr->scope != 0)
        (void)snprintf(text, size, "[%s%%%u]:%u", digits, (unsigned)addr->scope, addr->port);
    else
        (void)snprintf(text, size, "[%s]:%u", digits, addr->port);
}

/* An abstract name begins with a NUL, and may have more: each is shown as '@'. */
static void format_unix(const tl_addr *addr, char *text, size_t size)
{
    char name[sizeof addr->data + 1];
    size_t len = addr->len < sizeof addr->data ? addr->len : sizeof addr->data;
    bool abstract = len > 0 && addr->data[0] == '\0';
    memcpy(name, addr->data, len);
    name[len] = '\0';
    for (size_t i = 0; abstract && i < len; i++)
        if (name[i] == '\0')
            name[i] = '@';
    (void)snprintf(text, size, "unix:%s", name);
}

const char *tl_addr_format(const tl_addr *addr, char *text, size_t size)
{
    if (size == 0)
        return text;
    text[0] = '\0';
    switch (addr->family) {
    case TL_FAMILY_INET:
        (void)snprintf(text, size, "%u.%u.%u.%u:%u", addr->data[0], addr->data[1], addr->data[2],
                       addr->data[3], addr->port);
        break;
    case TL_FAMILY_INET6:
        format_inet6(addr, text, size);
        break;
    case TL_FAMILY_UNIX:
        format_unix(addr, text, size);
        break;
    default:
        break;
    }
    return text;
}

bool tl_addr_equal(const tl_addr *a, const tl_addr *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return memcmp(a, b, sizeof *a) == 0;
}

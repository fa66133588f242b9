/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: tl_addr to and from the system's sockaddr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "real/real.h"

static unsigned encode_inet(const tl_addr *addr, struct sockaddr_in *ret)
{
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(addr->port)};
    memcpy(&ret->sin_addr, addr->data, sizeof ret->sin_addr);
    return sizeof *ret;
}

static unsigned encode_inet6(const tl_addr *addr, struct sockaddr_in6 *ret)
{
    *ret = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(addr->port), .sin6_scope_id = addr->scope};
    memcpy(&ret->sin6_addr, addr->data, sizeof ret->sin6_addr);
    return sizeof *ret;
}

static unsigned encode_unix(const tl_addr *addr, struct sockaddr_un *ret)
{
    unsigned len = addr->len;

    ret->sun_family = AF_UNIX;
    memcpy(ret->sun_path, addr->data, len);
    return (unsigned)offsetof(struct sockaddr_un, sun_path) + len;
}

int tl_real_addr_encode(const tl_addr *addr, struct sockaddr_storage *ret, unsigned *ret_len)
{
    switch (addr->family) {
    case TL_FAMILY_INET:
        *ret_len = encode_inet(addr, (struct sockaddr_in *)ret);
        return 0;
    case TL_FAMILY_INET6:
        *ret_len = encode_inet6(addr, (struct sockaddr_in6 *)ret);
        return 0;
    case TL_FAMILY_UNIX:
        if (addr->len > sizeof addr->data)
            return -EINVAL;
        *ret_len = encode_unix(addr, (struct sockaddr_un *)ret);
        return 0;
    default:
        return -EAFNOSUPPORT;
    }
}

/* A path ends at its first NUL, which the system counts or not; an abstract name starts with one
 * and is exactly as long as the system says. */
static void decode_unix(const struct sockaddr_un *source, unsigned len, tl_addr *ret)
{
    unsigned room = sizeof source->sun_path;

    len -= (unsigned)offsetof(struct sockaddr_un, sun_path);
    if (len > room)
        len = room;
    if (len > 0 && source->sun_path[0] != '\0')
        len = (unsigned)strnlen(source->sun_path, len);
    ret->family = TL_FAMILY_UNIX;
    ret->len = (uint8_t)len;
    memcpy(ret->data, source->sun_path, len);
}

void tl_real_addr_decode(const struct sockaddr_storage *storage, unsigned len, tl_addr *ret)
{
    const struct sockaddr_in *inet = (const struct sockaddr_in *)storage;
    const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)storage;

    memset(ret, 0, sizeof *ret);
    if (len < sizeof storage->ss_family)
        return;
    switch (storage->ss_family) {
    case AF_INET:
        ret->family = TL_FAMILY_INET;
        ret->port = ntohs(inet->sin_port);
        memcpy(ret->data, &inet->sin_addr, sizeof inet->sin_addr);
        break;
    case AF_INET6:
        ret->family = TL_FAMILY_INET6;
        ret->port = ntohs(inet6->sin6_port);
        ret->scope = inet6->sin6_scope_id;
        memcpy(ret->data, &inet6->sin6_addr, sizeof inet6->sin6_addr);
        break;
    case AF_UNIX:
        decode_unix((const struct sockaddr_un *)storage, len, ret);
        break;
    default:
        break;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses inside the simulator: IPv4 and IPv6 in one form, as IPv6 writes IPv4 (::ffff:10.0.0.1).
 */
#ifndef TL_SIM_ADDRESS_H
#define TL_SIM_ADDRESS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/net.h>

struct tl_ip {
    uint8_t bytes[16];
};

static inline bool tl_ip_equal(const struct tl_ip *a, const struct tl_ip *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Whether it is IPv4 in IPv6's clothes. */
static inline bool tl_ip_is_v4(const struct tl_ip *ip)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(ip->bytes, prefix, sizeof prefix) == 0;
}

/* 0.0.0.0 or :: */
static inline bool tl_ip_is_any(const struct tl_ip *ip)
{
    static const uint8_t zero[16];
    return memcmp(ip->bytes, zero, sizeof zero) == 0 ||
           (tl_ip_is_v4(ip) && memcmp(ip->bytes + 12, zero, 4) == 0);
}

/* 127.0.0.0/8 or ::1 */
static inline bool tl_ip_is_loopback(const struct tl_ip *ip)
{
    static const uint8_t one[16] = {[15] = 1};
    return memcmp(ip->bytes, one, sizeof one) == 0 || (tl_ip_is_v4(ip) && ip->bytes[12] == 127);
}

/* 224.0.0.0/4, 255.255.255.255 or ff00::/8: nobody's in particular. */
static inline bool tl_ip_is_many(const struct tl_ip *ip)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    if (!tl_ip_is_v4(ip))
        return ip->bytes[0] == 0xff;
    return (ip->bytes[12] & 0xf0) == 0xe0 || memcmp(ip->bytes + 12, broadcast, 4) == 0;
}

/* The interfaces that every host has, as a scope names them. */
enum {
    TL_INTERFACE_LOOPBACK = 1,
    TL_INTERFACE_NETWORK = 2,
};

/* fe80::/10, ff01::/16 and ff02::/16 and their like: an interface's, which a scope must name. To
 * any other address a scope means nothing. */
static inline bool tl_ip_needs_scope(const struct tl_ip *ip)
{
    uint8_t reach = ip->bytes[1] & 0x0f;
    if (ip->bytes[0] == 0xff)
        return reach == 1 || reach == 2;
    return ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* Whether sockets bound to these meet. A wildcard meets everything of its family; one of IPv6 meets
 * IPv4 too, unless it is for IPv6 only. */
static inline bool tl_ip_overlap(const struct tl_ip *a, bool a_v6only, const struct tl_ip *b,
                                 bool b_v6only)
{
    bool a_v4 = tl_ip_is_v4(a);
    if (a_v4 == tl_ip_is_v4(b))
        return tl_ip_is_any(a) || tl_ip_is_any(b) || tl_ip_equal(a, b);
    return a_v4 ? tl_ip_is_any(b) && !b_v6only : tl_ip_is_any(a) && !a_v6only;
}

/* Everybody's: 255.255.255.255, that of the hosts' network, and a host's own on its loopback. */
static inline bool tl_ip_is_broadcast(const struct tl_ip *ip)
{
    static const uint8_t tail[3] = {255, 255, 255};
    uint8_t first = ip->bytes[12];
    return memcmp(ip->bytes + 13, tail, 3) == 0 && tl_ip_is_v4(ip) &&
           (first == 255 || first == 10 || first == 127);
}

static inline struct tl_ip tl_ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct tl_ip){{[10] = 0xff, [11] = 0xff, [12] = a, b, c, d}};
}

/* What an unbound socket of a family is at. */
static inline struct tl_ip tl_ip_any(uint8_t family)
{
    return family == TL_FAMILY_INET ? tl_ip_v4(0, 0, 0, 0) : (struct tl_ip){{0}};
}

/* Whether a socket of a family that is bound to it has chosen an address: to Linux it has with any
 * of IPv4 in IPv6's clothes, nowhere in particular too. */
static inline bool tl_ip_is_chosen(const struct tl_ip *ip, uint8_t family)
{
    return !tl_ip_is_any(ip) || (family == TL_FAMILY_INET6 && tl_ip_is_v4(ip));
}

/* From an address of family INET or INET6. */
static inline struct tl_ip tl_ip_from(const tl_addr *addr)
{
    struct tl_ip ip;
    if (addr->family == TL_FAMILY_INET)
        return tl_ip_v4(addr->data[0], addr->data[1], addr->data[2], addr->data[3]);
    memcpy(ip.bytes, addr->data, sizeof ip.bytes);
    return ip;
}

/* As a socket of that family shows it. A scope is the network's: no host has such an address of its
 * own, and there is no other interface through which one could be reached. */
static inline tl_addr tl_ip_to(const struct tl_ip *ip, uint16_t port, uint8_t family)
{
    tl_addr addr = {.family = family, .port = port};
    if (family == TL_FAMILY_INET)
        memcpy(addr.data, ip->bytes + 12, 4);
    else
        memcpy(addr.data, ip->bytes, sizeof ip->bytes);
    if (family == TL_FAMILY_INET6 && tl_ip_needs_scope(ip))
        addr.scope = TL_INTERFACE_NETWORK;
    return addr;
}

/* Whether something is an address that Linux can be asked about at all. */
static inline int tl_ip_check(const tl_addr *addr)
{
    if (addr->family == TL_FAMILY_UNIX)
        return addr->len <= sizeof addr->data ? 0 : -EINVAL;
    bool known = addr->family == TL_FAMILY_INET || addr->family == TL_FAMILY_INET6;
    return known ? 0 : -EAFNOSUPPORT;
}

/* What Linux says of an address that is not of a socket's family: one shorter than the socket's own
 * addresses is none at all. */
static inline int tl_ip_wrong_family(uint8_t family, const tl_addr *addr)
{
    enum { LEN = 16, LEN_V6 = 24, LEN_FAMILY = 2 };
    int r = tl_ip_check(addr);
    if (r < 0)
        return r;
    unsigned least = family == TL_FAMILY_INET6 ? LEN_V6 : LEN;
    bool v4 = addr->family == TL_FAMILY_INET;
    unsigned len = v4 ? LEN : addr->family == TL_FAMILY_UNIX ? LEN_FAMILY + addr->len : LEN_V6;
    return len < least ? -EINVAL : -EAFNOSUPPORT;
}

#endif

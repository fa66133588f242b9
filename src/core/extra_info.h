/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What get_extra_info tells of a socket: "socket", "sockname", "peername".
 *
 * Few programs ask, and an answer is large. So a transport keeps only the peer's address, and that
 * in eight bytes if it is one of IPv4; the answers are made when somebody asks.
 */
#ifndef TL_CORE_EXTRA_INFO_H
#define TL_CORE_EXTRA_INFO_H

#include <stdint.h>
#include <twinloop/net.h>

struct tl_kernel;
struct tl_names;
struct tl_inet6_peer;

/* What is kept; the owner's to remember beside it, where there is room for a byte. */
enum tl_extra_info_kind {
    TL_EXTRA_INFO_NONE,  /* nothing: the kernel is asked when the peer is wanted */
    TL_EXTRA_INFO_INET,  /* the peer */
    TL_EXTRA_INFO_INET6, /* the peer */
    TL_EXTRA_INFO_NAMES, /* what has been asked for, the peer included */
};

union tl_extra_info {
    struct {
        uint8_t data[4];
        uint16_t port;
    } inet;
    struct tl_inet6_peer *inet6;
    struct tl_names *names;
};

/* The peer as accept or connect knew it; addr may be NULL. An address of another family, or one
 * that names nobody (0.0.0.0, ::), is left out, and so is one that there is no memory for. Returns
 * the kind. */
enum tl_extra_info_kind tl_extra_info_init(union tl_extra_info *info, const tl_addr *addr);

/* The answer to one name: NULL for a name that is not one of a socket's, a value of kind none where
 * the socket has no such name (or memory is out). *kind becomes TL_EXTRA_INFO_NAMES. kernel is
 * NULL and fd -1 once the descriptor is closed. */
const tl_value *tl_extra_info_get(union tl_extra_info *info, uint8_t *kind, const char *name,
                                  struct tl_kernel *kernel, int fd);

/* The descriptor is about to be closed: asks for every name that is asked of the kernel, so that
 * they are known afterwards. Without memory for them they are not. */
void tl_extra_info_latch(union tl_extra_info *info, uint8_t *kind, struct tl_kernel *kernel,
                         int fd);

void tl_extra_info_finish(union tl_extra_info *info, uint8_t kind);

#endif

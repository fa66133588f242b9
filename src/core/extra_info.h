/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What get_extra_info tells of a socket: "socket", "sockname", "peername".
 *
 * Few programs ask, and an answer is large. So a transport keeps only the peer's address, in 24
 * bytes, and the answers are made when somebody asks.
 */
#ifndef TL_CORE_EXTRA_INFO_H
#define TL_CORE_EXTRA_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/net.h>

struct tl_kernel;
struct tl_names;

/* An IPv4 or IPv6 address and port; family TL_FAMILY_NONE: not known here. */
struct tl_compact_addr {
    uint8_t family;
    uint16_t port;
    uint32_t scope;
    uint8_t data[16];
};

/* The peer as accept or connect knew it, and what has been asked for since; which of the two is
 * the owner's to remember. */
union tl_extra_info {
    struct tl_compact_addr peer;
    struct tl_names *names;
};

/* addr may be NULL. An address that fits no compact one, or names nobody (0.0.0.0, ::), is left
 * out: the kernel is asked when it is wanted. */
void tl_extra_info_init(union tl_extra_info *info, const tl_addr *addr);

/* The answer to one name; NULL when there is none. *named says which member of *info holds, and
 * becomes true. kernel is NULL and fd -1 once the descriptor is closed. */
const tl_value *tl_extra_info_get(union tl_extra_info *info, bool *named, const char *name,
                                  struct tl_kernel *kernel, int fd);

/* The descriptor is about to be closed: asks for every name that is asked of the kernel, so that
 * they are known afterwards. Without memory for them they are not. */
void tl_extra_info_latch(union tl_extra_info *info, bool *named, struct tl_kernel *kernel, int fd);

void tl_extra_info_finish(union tl_extra_info *info, bool named);

#endif

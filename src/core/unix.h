/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What create_unix_connection and create_unix_server have in common.
 */
#ifndef TL_CORE_UNIX_H
#define TL_CORE_UNIX_H

#include <twinloop/unix.h>

/* Understands a name. 0, or an error that the future has been failed with. */
int tl_unix_address(const char *path, size_t len, tl_future *future, tl_addr *ret);

struct tl_kernel;

/* asyncio: a socket that is there already is taken away before one is bound to its path. */
void tl_unix_remove_socket(struct tl_kernel *kernel, const tl_addr *addr);

static inline bool tl_unix_is_abstract(const tl_addr *addr)
{
    return addr->data[0] == '\0';
}

#endif

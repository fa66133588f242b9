/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From addresses to listening sockets (listen.c); who gets the addresses is create_server.c.
 */
#ifndef TL_CORE_LISTEN_H
#define TL_CORE_LISTEN_H

#include "core/server.h"

/* Makes a server that is bound to these addresses, each once, and announces it; or fails the
 * future. */
void tl_listen(const struct tl_listen_request *request, const tl_addr *addrs, size_t count,
               tl_future *future);

#endif

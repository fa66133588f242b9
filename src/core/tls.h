/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program asks of TLS, judged. Called by whatever opens a stream, before it makes anything.
 */
#ifndef TL_CORE_TLS_H
#define TL_CORE_TLS_H

#include <twinloop/future.h>
#include <twinloop/tls.h>

enum tl_tls_side {
    TL_TLS_CLIENT,
    TL_TLS_SERVER,
};

/* 0 for a plain connection (opts is NULL or all zero); otherwise the error that the future has been
 * failed with: -EINVAL for what contradicts itself, -ENOSYS for what would be TLS. host is what a
 * client connects to by name, NULL when it has none. */
int tl_tls_refuse(const tl_tls_opts *opts, enum tl_tls_side side, const char *host,
                  tl_future *future);

#endif

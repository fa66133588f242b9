/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement on what a program asks of TLS. This version has none: what would be right is
 * refused, after everything that would be wrong with it has been said, so that a program meets the
 * same errors of its own here as where TLS is built in.
 */
#include "core/tls.h"

#include <errno.h>

/* What is wrong with the options in themselves, in asyncio's order; NULL: nothing is. */
static const char *contradiction(const tl_tls_opts *opts, enum tl_tls_side side, const char *host)
{
    bool wanted = opts->context != NULL || opts->default_context;
    if (opts->server_hostname != NULL && side == TL_TLS_SERVER)
        return "a server has no server_hostname";
    if (opts->server_hostname != NULL && !wanted)
        return "server_hostname needs TLS";
    if (opts->default_context && side == TL_TLS_SERVER)
        return "a server has no default context";
    if (wanted && side == TL_TLS_CLIENT && host == NULL && opts->server_hostname == NULL)
        return "without a host TLS needs server_hostname";
    if ((opts->handshake_timeout != 0 || opts->shutdown_timeout != 0) && !wanted)
        return "the timeouts of TLS need TLS";
    if (opts->handshake_timeout < 0 || opts->shutdown_timeout < 0)
        return "a timeout of TLS is negative";
    return NULL;
}

int tl_tls_refuse(const tl_tls_opts *opts, enum tl_tls_side side, const char *host,
                  tl_future *future)
{
    int r = 0;
    if (opts == NULL)
        return 0;
    const char *message = contradiction(opts, side, host);
    if (message != NULL)
        r = -EINVAL;
    else if (opts->context != NULL || opts->default_context)
        r = -ENOSYS, message = "TLS is not built into this version";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program asks of TLS: contradictions are refused in asyncio's order, and TLS itself by
 * name, before anything is made.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/future.h>
#include <twinloop/net.h>
#include <cmocka.h>
#include "support/contract.h"

static char anything;

#define CONTEXT ((tl_tls_context *)&anything)

static tl_protocol *no_factory(void *farg)
{
    (void)farg;
    fail_msg("the factory was called");
    return NULL;
}

/* The future has failed already, with this code and sentence. Takes it. */
static void assert_refused(tl_future *future, int code, const char *message)
{
    assert_non_null(future);
    assert_true(tl_future_done(future));
    const tl_error *error = tl_future_exception(future);
    assert_non_null(error);
    assert_string_equal(tl_err_name(error->code), tl_err_name(code));
    assert_string_equal(error->message, message);
    tl_future_unref(future);
}

static void connections_are_refused(struct contract *contract)
{
    static const struct {
        tl_tls_opts tls;
        const char *host;
        int code;
        const char *message;
    } rows[] = {
        {{.server_hostname = "x"}, "127.0.0.1", -EINVAL, "server_hostname needs TLS"},
        {{.server_hostname = "x", .handshake_timeout = 1},
         "127.0.0.1",
         -EINVAL,
         "server_hostname needs TLS"},
        {{.context = CONTEXT}, NULL, -EINVAL, "without a host TLS needs server_hostname"},
        {{.handshake_timeout = 1}, "127.0.0.1", -EINVAL, "the timeouts of TLS need TLS"},
        {{.shutdown_timeout = 1}, "127.0.0.1", -EINVAL, "the timeouts of TLS need TLS"},
        {{.context = CONTEXT, .handshake_timeout = -1},
         "127.0.0.1",
         -EINVAL,
         "a timeout of TLS is negative"},
        {{.context = CONTEXT}, "127.0.0.1", -ENOSYS, "TLS is not built into this version"},
        {{.default_context = true}, "127.0.0.1", -ENOSYS, "TLS is not built into this version"},
        {{.context = CONTEXT, .server_hostname = "", .shutdown_timeout = 1},
         NULL,
         -ENOSYS,
         "TLS is not built into this version"},
    };
    tl_loop *loop = contract_loop(contract);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tl_connection_opts opts = {.tls = rows[i].tls};
        assert_refused(tl_loop_create_connection(loop, no_factory, NULL, rows[i].host, "1", &opts),
                       rows[i].code, rows[i].message);
    }
    tl_loop_free(loop);
}

static void servers_are_refused(struct contract *contract)
{
    static const struct {
        tl_tls_opts tls;
        int code;
        const char *message;
    } rows[] = {
        {{.context = CONTEXT, .server_hostname = "x"}, -EINVAL, "a server has no server_hostname"},
        {{.default_context = true}, -EINVAL, "a server has no default context"},
        {{.handshake_timeout = 1}, -EINVAL, "the timeouts of TLS need TLS"},
        {{.context = CONTEXT, .shutdown_timeout = -1}, -EINVAL, "a timeout of TLS is negative"},
        {{.context = CONTEXT}, -ENOSYS, "TLS is not built into this version"},
    };
    static const char *const hosts[] = {"127.0.0.1"};
    tl_loop *loop = contract_loop(contract);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tl_server_opts opts = {.tls = rows[i].tls};
        assert_refused(tl_loop_create_server(loop, no_factory, NULL, hosts, 1, "0", &opts),
                       rows[i].code, rows[i].message);
    }
    tl_loop_free(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(connections_are_refused),
    CONTRACT(servers_are_refused),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "tls", cases, sizeof cases / sizeof *cases);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's whole life, for the examples that are servers: listen, say where, serve until a signal
 * asks for the end, let the connections end.
 *
 * Everything lives on the stack of example_serve and is gone when it returns.
 */
#include "example.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

/* How long connections have to take what is still queued for them once the end was asked for. */
#define GRACE (300 * TL_MILLISECOND)

static void stop(void *loop)
{
    tl_loop_stop(loop);
}

static void abort_clients(void *server)
{
    tl_server_abort_clients(server);
}

static void announce(const struct example_listen *listen, const tl_server *server)
{
    tl_addr addr;
    char text[TL_ADDR_TEXT_MAX];
    for (size_t i = 0; !listen->quiet && tl_server_address(server, i, &addr) == 0; i++)
        printf("listening on %s\n", tl_addr_format(&addr, text, sizeof text));
    (void)fflush(stdout);
}

/* Runs the loop until SIGTERM or SIGINT. Who reads that it listens may send one at once. */
static int run_until_signal(tl_loop *loop, const struct example_listen *listen,
                            const tl_server *server)
{
    int r = tl_loop_add_signal_handler(loop, SIGTERM, stop, loop);
    if (r == 0)
        r = tl_loop_add_signal_handler(loop, SIGINT, stop, loop);
    if (r < 0)
        return r;
    announce(listen, server);
    return tl_loop_run_forever(loop);
}

int example_close_server(tl_loop *loop, tl_server *server)
{
    tl_timer_handle *grace;
    tl_server_close(server);
    tl_server_close_clients(server);
    int r = tl_loop_call_later(loop, GRACE, abort_clients, server, &grace);
    if (r < 0)
        return r;
    r = tl_loop_run_until_complete(loop, tl_server_wait_closed(server), NULL);
    tl_timer_handle_cancel(grace);
    tl_timer_handle_unref(grace);
    return r;
}

static int serve_on(tl_loop *loop, const struct example_listen *listen, tl_protocol_factory factory,
                    void *farg)
{
    char port[24];
    (void)snprintf(port, sizeof port, "%" PRIu64, listen->port);
    tl_future *made = tl_loop_create_server(loop, factory, farg, &listen->host, 1, port, NULL);
    tl_value value = tl_value_none();
    int r = tl_loop_run_until_complete(loop, tl_future_ref(made), &value);
    if (r < 0) {
        const tl_error *error = tl_future_exception(made);
        fprintf(stderr, "%s: %s\n", listen->name, error != NULL ? error->message : tl_strerror(r));
        tl_future_unref(made);
        return r;
    }
    tl_future_unref(made);
    tl_server *server = tl_value_server(&value);
    r = run_until_signal(loop, listen, server);
    int closed = example_close_server(loop, server);
    tl_value_finish(&value);
    if (r == 0)
        r = closed;
    if (r < 0)
        fprintf(stderr, "%s: %s\n", listen->name, tl_strerror(r));
    return r;
}

int example_serve(const struct example_listen *listen, tl_protocol_factory factory, void *farg)
{
    tl_loop *loop;
    int r = tl_new_event_loop(&loop);
    if (r < 0) {
        fprintf(stderr, "%s: no loop: %s\n", listen->name, tl_strerror(r));
        return EXAMPLE_FAILED;
    }
    r = serve_on(loop, listen, factory, farg);
    tl_loop_free(loop);
    return r < 0 ? EXAMPLE_FAILED : EXAMPLE_OK;
}

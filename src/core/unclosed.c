/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was left open when a loop in debug mode is closed: transports of every kind that nobody has
 * closed or that still had something to write, servers, and the sockets, pipes and files that the
 * program had the loop make. asyncio gives a ResourceWarning for each as it is collected; here the
 * end of the loop is the end of all of them.
 *
 * The exception handler, which is told of each, may close some and open others. So both walks go
 * over what there was at their beginning, and take nothing for granted after a report.
 */
#include "core/unclosed.h"

#include "core/datagram.h"
#include "core/debug.h"
#include "core/fd.h"
#include "core/server.h"
#include "core/stream.h"

static void report_transport(tl_loop *loop, tl_transport *transport)
{
    /* One whose connection_lost is due has been closed, and has lost nothing. */
    if (transport->phase >= TL_TRANSPORT_ENDING)
        return;
    tl_transport_ref(transport);
    tl_loop_report(loop, "unclosed transport", 0, transport->protocol, transport);
    tl_transport_unref(transport);
}

static void report_server(tl_loop *loop, tl_server *server)
{
    tl_server_ref(server);
    const tl_exc_context context = {
        .message = "unclosed server",
        .server = server,
        .socket = server->listeners_count > 0 ? &server->listeners[0].address : NULL,
        .source_traceback = server->origin,
    };
    tl_loop_call_exception_handler(loop, &context);
    tl_server_unref(server);
}

static void report_live(tl_loop *loop, struct tl_live *live)
{
    tl_transport *transport = tl_stream_living(live);
    if (transport == NULL)
        transport = tl_datagram_transport_living(live);
    tl_server *server = transport == NULL ? tl_server_living(live) : NULL;
    if (transport != NULL)
        report_transport(loop, transport);
    else if (server != NULL)
        report_server(loop, server);
}

/* The places that have been visited move to the end of the list, behind a mark. */
static void report_all_live(tl_loop *loop)
{
    struct tl_live mark;
    tl_live_add(&mark, loop, NULL);
    while (loop->live.next != &mark) {
        struct tl_live *live = loop->live.next;
        tl_live_remove(live);
        tl_live_add(live, loop, live->abandon);
        report_live(loop, live);
    }
    tl_live_remove(&mark);
}

static const char *message_about(const struct tl_fd *fd)
{
    switch ((enum tl_adopted_kind)fd->kind) {
    case TL_ADOPTED_FILE:
        return "unclosed file";
    case TL_ADOPTED_FIFO:
        return "unclosed pipe";
    default:
        return "unclosed socket";
    }
}

static bool has_address(const struct tl_fd *fd, tl_addr *ret)
{
    struct tl_kernel *kernel = fd->loop->kernel;
    return fd->kind != TL_ADOPTED_FILE && fd->kind != TL_ADOPTED_FIFO &&
           kernel->ops->address(kernel, fd->watch.fd, TL_ADDRESS_LOCAL, ret) == 0;
}

/* What was made elsewhere stays open, and is none of the loop's business; nor is what is about to
 * be a transport's. */
static void report_fd(struct tl_fd *fd)
{
    tl_addr addr;
    if (fd->adopted || fd->claimed)
        return;
    /* A copy, for the handler may close the descriptor and still look at it. */
    tl_traceback *origin = tl_traceback_copy(fd->origin);
    const tl_exc_context context = {
        .message = message_about(fd),
        .socket = has_address(fd, &addr) ? &addr : NULL,
        .source_traceback = origin,
    };
    tl_loop_call_exception_handler(fd->loop, &context);
    tl_traceback_free(origin);
}

void tl_loop_report_unclosed(tl_loop *loop)
{
    report_all_live(loop);
    tl_fds_visit(loop, report_fd);
}

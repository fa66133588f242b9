/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers: listening sockets, the connections accepted from them, and who waits for the end.
 *
 *     made --start_serving--> serving --close--> closed --last connection lost--> wait_closed done
 *       `---------------------close----------------^
 *
 * The loop holds an open server, each connection holds its server, and so does whoever has the
 * result of create_server. Accepting makes no future and no task: accept, factory, transport, and
 * the next, at most backlog times per readiness. The listeners' descriptors are the server's and
 * are closed by close; connections belong to the loop.
 */
#include "core/server.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/debug.h"
#include "core/future.h"

#define RETRY_DELAY TL_SECOND

enum { BACKLOG_DEFAULT = 100 };

/* --- Waiting for the end --- */

static void finish_waiters(tl_server *server)
{
    if (!server->closed || server->connections > 0)
        return;
    tl_waiters_finish(&server->waiters);
    if (server->forever != NULL)
        tl_serving_end(server->forever);
}

tl_future *tl_server_wait_closed(tl_server *server)
{
    if (server == NULL)
        return NULL;
    tl_future *future = tl_waiters_add(&server->waiters, server->loop);
    finish_waiters(server);
    return future;
}

/* --- Accepting --- */

/* socket is the address of what failed; or NULL. The handler may close the server and let it go. */
static void report(tl_server *server, const char *message, int code, const tl_addr *socket)
{
    const tl_error error = {.code = code, .message = tl_strerror(code)};
    const tl_exc_context context = {.message = message,
                                    .exception = &error,
                                    .server = server,
                                    .socket = socket,
                                    .source_traceback = server->origin};
    tl_server_ref(server);
    tl_loop_call_exception_handler(server->loop, &context);
    tl_server_unref(server);
}

/* One connection less. */
static void uncount(tl_server *server)
{
    server->connections--;
    finish_waiters(server);
    tl_server_unref(server);
}

static void accepted(tl_server *server, int fd, const tl_addr *peer)
{
    tl_loop *loop = server->loop;
    struct tl_stream *stream;
    const int on = 1;
    /* Counted from here on, since the factory may close the server and wait for its end. */
    server->connections++;
    tl_server_ref(server);
    /* asyncio turns Nagle's algorithm off. Only TCP has it, and every other kind may say so. */
    if (server->given)
        (void)loop->kernel->ops->option(loop->kernel, fd, TL_OPTION_NODELAY, &on, NULL);
    int r = tl_stream_open(loop, fd, server->factory, server->farg, peer, &server->owner, &stream);
    if (r == 0)
        return;
    (void)loop->kernel->ops->close(loop->kernel, fd);
    /* asyncio: a connection that comes to nothing is the peer's to notice. */
    if (loop->debug)
        report(server, "Error on transport creation for incoming connection", r, peer);
    uncount(server);
}

static void connection_lost(struct tl_stream_owner *owner, bool abandoned)
{
    tl_server *server = tl_container_of(owner, tl_server, owner);
    if (!abandoned) {
        uncount(server);
        return;
    }
    if (--server->connections == 0)
        tl_waiters_drop(&server->waiters);
    tl_server_unref(server);
}

/* Stops accepting for a while, since an error that lasts would be met again at once. Without memory
 * for the timer it goes on. */
static void pause_listener(struct tl_listener *listener, const char *message, int code)
{
    tl_server *server = listener->server;
    tl_time when = tl_loop_time(server->loop) + RETRY_DELAY;
    if (tl_timer_start(&listener->retry, when) == 0)
        tl_watch_drop(&listener->watch, server->loop, TL_READABLE);
    report(server, message, code, &listener->address);
}

/* Errors of accept that mean "no more for now": there is none, or it was this connection's own
 * error, which accept has taken with it (accept(2) names these). */
static bool ends_burst(int code)
{
    switch (code) {
    case -EAGAIN:
    case -ECONNABORTED:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -ENONET:
    case -ENOPROTOOPT:
    case -EPROTO:
        return true;
    default:
        return false;
    }
}

static bool is_shortage(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

static void resume_listener(void *arg)
{
    struct tl_listener *listener = arg;
    int r = tl_watch_add(&listener->watch, listener->server->loop, TL_READABLE);
    if (r < 0)
        pause_listener(listener, "cannot wait for connections", r);
}

static void acceptable(void *arg)
{
    struct tl_listener *listener = arg;
    tl_server *server = listener->server;
    struct tl_kernel *kernel = server->loop->kernel;
    tl_server_ref(server); /* the factory may close it and let it go */
    for (int i = 0; i < server->backlog && !server->closed; i++) {
        tl_addr peer;
        int fd = kernel->ops->accept(kernel, listener->watch.fd, &peer);
        if (fd < 0) {
            if (!ends_burst(fd))
                pause_listener(listener,
                               is_shortage(fd) ? "socket.accept() out of system resource"
                                               : "socket.accept() failed",
                               fd);
            break;
        }
        accepted(server, fd, &peer);
    }
    tl_server_unref(server);
}

/* --- Life --- */

static void server_destroy(tl_object *object)
{
    tl_server *server = tl_container_of(object, tl_server, object);
    tl_loop *loop = server->loop;
    assert(server->closed && server->connections == 0 && tl_waiters_empty(&server->waiters) &&
           "the loop holds an open server, a connection its own");
    tl_traceback_free(server->origin);
    tl_free(server);
    tl_loop_unref(loop);
}

static const struct tl_object_type server_type = {.name = "server", .destroy = server_destroy};

/* Closes the listeners, on a closed loop only in name, and gives up the loop's reference. */
static void leave(tl_server *server)
{
    server->closed = true;
    server->serving = false;
    for (size_t i = 0; i < server->listeners_count; i++) {
        tl_timer_stop(&server->listeners[i].retry);
        tl_watch_close(&server->listeners[i].watch, server->loop);
    }
    server->listeners_count = 0;
    tl_live_remove(&server->live);
    tl_server_unref(server);
}

/* create_server's future is of no interest any more. */
static void forget_created(tl_server *server)
{
    tl_future *future = server->created;
    server->created = NULL;
    tl_ready_remove(&server->started);
    if (future != NULL)
        tl_future_set_canceller(future, NULL, NULL);
    tl_future_unref(future);
}

static void abandon(struct tl_live *live)
{
    tl_server *server = tl_container_of(live, tl_server, live);
    forget_created(server);
    tl_waiters_drop(&server->waiters);
    leave(server);
}

tl_server *tl_server_living(struct tl_live *live)
{
    return live->abandon == abandon ? tl_container_of(live, tl_server, live) : NULL;
}

static void started(void *arg)
{
    tl_server *server = arg;
    tl_server_ref(server);
    tl_value value = tl_value_object(&server->object);
    /* Fails only when the program has finished the future itself. */
    if (tl_future_set_result(server->created, value) < 0)
        tl_value_finish(&value);
    forget_created(server);
}

static void cancel_created(void *arg)
{
    tl_server *server = arg;
    forget_created(server);
    tl_server_close(server);
}

tl_server *tl_server_new(const struct tl_listen_request *request, size_t listeners_max)
{
    tl_loop *loop = request->loop;
    tl_server *server;
    size_t size;
    if (__builtin_mul_overflow(listeners_max, sizeof *server->listeners, &size) ||
        __builtin_add_overflow(size, sizeof *server, &size))
        return NULL;
    server = tl_calloc(size);
    if (server == NULL)
        return NULL;
    tl_object_init(&server->object, &server_type);
    server->owner.lost = connection_lost;
    server->loop = tl_loop_ref(loop);
    server->factory = request->factory;
    server->farg = request->farg;
    server->backlog = request->opts.backlog != 0 ? request->opts.backlog : BACKLOG_DEFAULT;
    tl_waiters_init(&server->waiters);
    tl_ready_init(&server->started, started, server);
    tl_live_add(&server->live, loop, abandon);
    return server;
}

void tl_server_add_listener(tl_server *server, int fd, const tl_addr *address)
{
    struct tl_listener *listener = &server->listeners[server->listeners_count++];
    listener->server = server;
    listener->address = *address;
    tl_watch_init(&listener->watch, fd, acceptable, listener);
    tl_timer_init(&listener->retry, server->loop, resume_listener, listener);
}

void tl_server_announce(tl_server *server, tl_future *future)
{
    server->created = tl_future_ref(future);
    server->origin = tl_traceback_copy(future->created);
    server->owner.origin = server->origin;
    tl_future_set_canceller(future, cancel_created, server);
    tl_loop_queue(server->loop, &server->started);
}

tl_server *tl_server_ref(tl_server *server)
{
    tl_object_ref(&server->object);
    return server;
}

void tl_server_unref(tl_server *server)
{
    if (server != NULL)
        tl_object_unref(&server->object);
}

tl_server *tl_value_server(const tl_value *value)
{
    if (value == NULL || value->kind != TL_VALUE_OBJECT || value->object->type != &server_type)
        return NULL;
    return tl_container_of(value->object, tl_server, object);
}

/* --- Serving --- */

static int listen_on(struct tl_listener *listener)
{
    tl_server *server = listener->server;
    struct tl_kernel *kernel = server->loop->kernel;
    int r = kernel->ops->listen(kernel, listener->watch.fd, server->backlog);
    if (r < 0)
        return r;
    return tl_watch_add(&listener->watch, server->loop, TL_READABLE);
}

int tl_server_listen(tl_server *server, const tl_addr **ret_failed)
{
    size_t i;
    int r = 0;
    for (i = 0; i < server->listeners_count && r == 0; i++)
        r = listen_on(&server->listeners[i]);
    server->serving = r == 0;
    if (r == 0)
        return 0;
    *ret_failed = &server->listeners[i - 1].address;
    while (i-- > 0)
        tl_watch_drop(&server->listeners[i].watch, server->loop, TL_READABLE);
    return r;
}

int tl_server_start_serving(tl_server *server)
{
    const tl_addr *failed;
    if (server == NULL)
        return -EINVAL;
    if (server->closed || !tl_loop_open(server->loop))
        return TL_ECLOSED;
    return server->serving ? 0 : tl_server_listen(server, &failed);
}

void tl_server_close(tl_server *server)
{
    if (server == NULL || server->closed || !tl_loop_open(server->loop))
        return;
    tl_server_ref(server);
    leave(server);
    finish_waiters(server);
    tl_server_unref(server);
}

void tl_server_close_clients(tl_server *server)
{
    if (server != NULL && tl_loop_open(server->loop))
        tl_stream_each(server->loop, &server->owner, tl_transport_close);
}

void tl_server_abort_clients(tl_server *server)
{
    if (server != NULL && tl_loop_open(server->loop))
        tl_stream_each(server->loop, &server->owner, tl_transport_abort);
}

tl_loop *tl_server_get_loop(const tl_server *server)
{
    return server != NULL ? server->loop : NULL;
}

bool tl_server_is_serving(const tl_server *server)
{
    return server != NULL && server->serving;
}

size_t tl_server_sockets_count(const tl_server *server)
{
    return server != NULL ? server->listeners_count : 0;
}

int tl_server_address(const tl_server *server, size_t index, tl_addr *ret)
{
    if (server == NULL || ret == NULL || index >= server->listeners_count)
        return -EINVAL;
    *ret = server->listeners[index].address;
    return 0;
}

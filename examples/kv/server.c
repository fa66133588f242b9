/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server half; see server.h.
 *
 * A turn runs the commands that are whole and gathers their replies into one write. When the client
 * does not read what it asked for, the transport pauses writing: then the turn ends, what is left
 * of the input stays unparsed and nothing more is read, until the transport has room again. So a
 * connection holds at most one command that is not whole, one read's worth of commands not run,
 * and queued replies up to the high water mark with one reply more.
 *
 * One timer goes off at the earliest deadline of all keys and removes those whose time has come, so
 * many at a time that others are served in between. No command is shown such a key before that.
 */
#include "server.h"

#include "reply.h"
#include "resp.h"

#include <errno.h>
#include <stdlib.h>

#define EXPIRE_MAX 1024            /* keys that the timer removes at a time */
#define REPLY_KEEP_MAX (256 << 10) /* bytes of memory that stay allocated for them */

struct kv_connection {
    tl_protocol protocol;
    tl_transport *transport; /* NULL before connection_made and after connection_lost */
    struct kv_server *server;
    struct kv_session session;
    struct resp_parser parser;
    bool paused; /* the transport has asked not to be written to */
    bool broken; /* a reply could not be kept: the connection cannot go on */
};

static struct kv_connection *connection_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct kv_connection, protocol);
}

void kv_server_init(struct kv_server *server)
{
    *server = (struct kv_server){.expiry_when = TL_TIME_NEVER};
}

void kv_server_finish(struct kv_server *server)
{
    for (size_t i = 0; i < KV_DATABASES; i++)
        kv_store_finish(&server->databases[i]);
    kv_buffer_finish(&server->reply);
}

/* --- Expiry ----------------------------------------------------------------------------------- */

/* Sets the timer to the earliest deadline. If that fails, keys are still gone in time for whoever
 * asks, their memory waits, and the next turn tries again. */
static void set_timer(struct kv_server *server)
{
    tl_time next = TL_TIME_NEVER;
    for (size_t i = 0; i < KV_DATABASES; i++) {
        tl_time when = kv_store_next_deadline(&server->databases[i]);
        next = when < next ? when : next;
    }
    if (next == server->expiry_when)
        return;
    if (next == TL_TIME_NEVER)
        tl_timer_stop(&server->expiry);
    else if (tl_timer_start(&server->expiry, next) < 0)
        return;
    server->expiry_when = next;
}

/* What is left over is due already: the loop gets to it when it has looked at its sockets. */
static void expire(void *arg)
{
    struct kv_server *server = arg;
    tl_time now = tl_loop_time(server->loop);
    size_t left = EXPIRE_MAX;
    for (size_t i = 0; i < KV_DATABASES; i++)
        left -= kv_store_expire(&server->databases[i], now, left);
    server->expiry_when = TL_TIME_NEVER;
    set_timer(server);
}

/* --- Turns ------------------------------------------------------------------------------------ */

/* Writes out what is gathered; the transport may pause inside that. Returns what is queued then. */
static size_t flush(struct kv_connection *connection)
{
    struct kv_buffer *reply = &connection->server->reply;
    struct kv_figures *figures = &connection->server->figures;
    if (reply->failed)
        connection->broken = true;
    else if (reply->len > 0)
        (void)tl_transport_write(connection->transport, reply->data, reply->len);
    kv_buffer_clear(reply, REPLY_KEEP_MAX);
    size_t queued = tl_transport_get_write_buffer_size(connection->transport);
    if (queued > figures->output_peak)
        figures->output_peak = queued;
    return queued;
}

/* Runs the next command: false when there is none, and none will follow from what is there. */
static bool run_next(struct kv_connection *connection)
{
    size_t argc;
    switch (resp_parser_next(&connection->parser, &argc)) {
    case RESP_COMMAND:
        connection->server->figures.commands++;
        kv_command_run(&connection->session, argc, connection->parser.args);
        return true;
    case RESP_ERROR:
        kv_reply_error(&connection->server->reply, "ERR %s", connection->parser.error);
        connection->session.ended = true;
        return false;
    case RESP_NO_MEMORY:
        connection->broken = true;
        return false;
    case RESP_MORE:
        return false;
    }
    return false;
}

static bool may_run(const struct kv_connection *connection)
{
    return !connection->paused && !connection->broken && !connection->session.ended &&
           !tl_transport_is_closing(connection->transport);
}

/* One turn, over what the parser has. 0, or -ENOMEM for the connection to end with. */
static int serve(struct kv_connection *connection)
{
    bool more = true;
    struct kv_server *server = connection->server;
    size_t queued = tl_transport_get_write_buffer_size(connection->transport);
    kv_buffer_clear(&server->reply, REPLY_KEEP_MAX);
    connection->session.now = tl_loop_time(server->loop);
    while (more && may_run(connection)) {
        more = run_next(connection);
        if (queued + server->reply.len > KV_SERVER_QUEUE_MAX)
            queued = flush(connection);
    }
    bool write_now = true;
#ifdef TL_BUG_KV_SPLIT
    /* Only the LF of a line is missing, which follows at once: answer together with that. */
    const struct resp_parser *parser = &connection->parser;
    write_now = resp_parser_pending(parser) == 0 || parser->input[parser->begin] == '*' ||
                parser->input[parser->len - 1] != '\r';
#endif
    if (write_now)
        (void)flush(connection);
    resp_parser_keep(&connection->parser);
    set_timer(server);
    if (connection->session.ended)
        tl_transport_close(connection->transport);
    return connection->broken ? -ENOMEM : 0;
}

/* --- The protocol ----------------------------------------------------------------------------- */

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct kv_connection *connection = connection_of(protocol);
    connection->transport = transport;
    connection->server->figures.connections++;
    connection->server->figures.connections_received++;
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct kv_connection *connection = connection_of(protocol);
    resp_parser_feed(&connection->parser, data, len);
    return serve(connection);
}

static int pause_writing(tl_protocol *protocol)
{
    struct kv_connection *connection = connection_of(protocol);
    connection->paused = true;
    connection->server->figures.connections_paused++;
    (void)tl_transport_pause_reading(connection->transport);
    return 0;
}

/* Goes on with what was read before the pause; reads on if that did not cause another one. */
static int resume_writing(tl_protocol *protocol)
{
    struct kv_connection *connection = connection_of(protocol);
    connection->paused = false;
    connection->server->figures.connections_paused--;
    int r = serve(connection);
    if (r < 0)
        tl_transport_abort(connection->transport);
    else if (!connection->paused)
        (void)tl_transport_resume_reading(connection->transport);
    return r;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct kv_connection *connection = connection_of(protocol);
    (void)exc;
    connection->transport = NULL;
    connection->server->figures.connections--;
    connection->server->figures.connections_paused -= connection->paused;
}

static void release(tl_protocol *protocol)
{
    struct kv_connection *connection = connection_of(protocol);
    resp_parser_finish(&connection->parser);
    kv_buffer_finish(&connection->session.name);
    free(connection);
}

static const struct tl_protocol_ops connection_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .data_received = data_received,
    .release = release,
};

tl_protocol *kv_server_factory(void *farg)
{
    struct kv_server *server = farg;
    struct kv_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    if (server->loop == NULL) {
        server->loop = tl_get_running_loop();
        tl_timer_init(&server->expiry, server->loop, expire, server);
    }
    connection->protocol = TL_PROTOCOL_INIT(&connection_ops);
    connection->server = server;
    connection->session = (struct kv_session){
        .databases = server->databases,
        .store = &server->databases[0],
        .figures = &server->figures,
        .reply = &server->reply,
    };
    return &connection->protocol;
}

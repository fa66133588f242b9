/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server half; see server.h.
 *
 *     data_received --> feed --> answer --> head written --> file sent --> feed ...
 *
 * Bytes that have come behind a request whose file is still being sent are kept in ahead; there is
 * at most one read of them, since nothing is read from a connection while it sends a file, nor
 * while it has asked not to be written to.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/kernel.h>

#include "answer.h"
#include "parser.h"
#include "values.h"

enum { PATH_SIZE = 4096 };

struct connection {
    tl_protocol protocol;
    tl_transport *transport; /* NULL before connection_made and after connection_lost */
    struct http_server *server;
    struct tl_timer idle;
    bool sending;  /* a file */
    bool paused;   /* the transport has asked not to be written to */
    bool ended;    /* nothing more is answered */
    int file;      /* that is sent */
    int64_t count; /* of its bytes */
    uint64_t skip; /* bytes of a request's body that have not come yet */
    char *ahead;   /* what has come and was not looked at; NULL: nothing */
    size_t ahead_len;
    struct http_parser parser;
};

static struct connection *connection_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct connection, protocol);
}

/* --- What to answer --------------------------------------------------------------------------- */

static int status_of(int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
    case -ENAMETOOLONG:
    case -ELOOP:
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return 503;
    default:
        return 500;
    }
}

/* Whether a condition on the file's date keeps it from being sent, or its range from counting. */
static void apply_dates(const struct http_request *request, struct http_answer *answer,
                        bool *ret_range)
{
    int64_t date;
    *ret_range = request->range.data != NULL;
    if (request->if_range.data != NULL &&
        !(http_date_parse(request->if_range, &date) && date == answer->modified))
        *ret_range = false;
    if (request->if_modified_since.data != NULL &&
        http_date_parse(request->if_modified_since, &date) && answer->modified <= date)
        answer->status = 304;
}

static void apply_range(const struct http_request *request, struct http_answer *answer)
{
    switch (http_range_parse(request->range, answer->size, &answer->first, &answer->count)) {
    case HTTP_RANGE_NONE:
        answer->first = 0;
        answer->count = answer->size;
        break;
    case HTTP_RANGE_PART:
        answer->status = 206;
        break;
    case HTTP_RANGE_UNSATISFIABLE:
        answer->status = 416;
        answer->type = NULL;
        break;
    }
}

/* Looks up what is asked for, and says in answer what there is to say. Whether a file follows,
 * whose path that is then. */
static bool look_up(const struct connection *connection, struct http_answer *answer, char *path)
{
    const struct http_request *request = &connection->parser.request;
    struct tl_stat status;
    bool range;
    answer->status = 405;
    if (request->method == HTTP_OTHER)
        return false;
    answer->status = http_path(request->target, connection->server->root, path, PATH_SIZE);
    if (answer->status != 0)
        return false;
    int r = tl_loop_stat_file(connection->server->loop, path, &status);
    answer->status = r < 0 ? status_of(r) : 404;
    if (r < 0 || status.kind != TL_ADOPTED_FILE)
        return false;
    answer->status = 200;
    answer->type = http_content_type(path);
    answer->size = answer->count = status.size;
    answer->modified = status.modified / TL_SECOND;
    apply_dates(request, answer, &range);
    if (range && answer->status == 200)
        apply_range(request, answer);
    return answer->type != NULL && answer->status != 304 && answer->count > 0 && !answer->is_head;
}

/* --- Answering -------------------------------------------------------------------------------- */

static void go_on(struct connection *connection);

static void restart_idle(struct connection *connection)
{
    const struct http_server *server = connection->server;
    (void)tl_timer_start(&connection->idle, tl_loop_time(server->loop) + server->idle);
}

/* Whoever sends a file is not idle, however long its client takes. */
static void idle_too_long(void *arg)
{
    struct connection *connection = arg;
    if (connection->sending || connection->paused)
        restart_idle(connection);
    else
        tl_transport_close(connection->transport);
}

static int write_head(struct connection *connection, const struct http_answer *answer)
{
    char text[HTTP_ANSWER_MAX];
    struct tl_kernel *kernel = tl_loop_kernel(connection->server->loop);
    int64_t now = kernel->ops->wall(kernel) / TL_SECOND;
    size_t len = http_answer_format(answer, now, text);
    return tl_transport_write(connection->transport, text, len);
}

/* The whole answer is on its way. */
static void answered(struct connection *connection)
{
    connection->server->requests++;
    if (connection->parser.request.keep_alive)
        return;
    connection->ended = true;
    tl_transport_close(connection->transport);
}

static void file_sent(tl_future *future, void *arg)
{
    struct connection *connection = arg;
    tl_value value = tl_value_none();
    int r = tl_future_result(future, &value);
    connection->sending = false;
    (void)tl_loop_close_file(connection->server->loop, connection->file);
    if (connection->transport == NULL)
        return;
    /* The head has promised more than came: only the end of the connection can tell. */
    if (r < 0 || value.integer < connection->count) {
        tl_transport_abort(connection->transport);
        return;
    }
    answered(connection);
    go_on(connection);
}

/* Has the file, which is closed in the end, follow its head. */
static int send_file(struct connection *connection, int file, const struct http_answer *answer)
{
    tl_loop *loop = connection->server->loop;
    tl_future *future =
        tl_loop_sendfile(loop, connection->transport, file, answer->first, answer->count, true);
    connection->file = file;
    connection->count = answer->count;
    /* What has failed at once may have lost the connection, whose end would then come before the
     * callback; what fails later comes before the end. */
    int r = tl_future_done(future) ? tl_future_result(future, NULL) : 0;
    if (r == 0)
        r = tl_future_add_done_callback(future, file_sent, connection);
    if (r < 0) {
        (void)tl_future_cancel(future);
        (void)tl_loop_close_file(loop, file);
    }
    connection->sending = r == 0;
    tl_future_unref(future);
    return r;
}

/* Answers the request that the parser has. 0, or an error that the connection ends with. */
static int answer_request(struct connection *connection)
{
    const struct http_request *request = &connection->parser.request;
    struct http_answer answer = {
        .modified = -1,
        .keep_alive = request->keep_alive,
        .is_head = request->method == HTTP_HEAD,
    };
    char path[PATH_SIZE];
    int file = -1;
    connection->skip = request->body;
    if (look_up(connection, &answer, path)) {
        file = tl_loop_open_file(connection->server->loop, path, TL_OPEN_READ, 0);
        if (file < 0)
            answer = (struct http_answer){
                .status = status_of(file), .modified = -1, .keep_alive = request->keep_alive};
    }
    int r = write_head(connection, &answer);
    if (r == 0 && file >= 0)
        return send_file(connection, file, &answer);
    if (file >= 0)
        (void)tl_loop_close_file(connection->server->loop, file);
    if (r == 0)
        answered(connection);
    return r;
}

/* Answers what is no request, and ends. */
static int answer_nonsense(struct connection *connection)
{
    const struct http_answer answer = {.status = connection->parser.request.status, .modified = -1};
    int r = write_head(connection, &answer);
    if (r == 0)
        answered(connection);
    return r;
}

/* --- Requests --------------------------------------------------------------------------------- */

static bool may_answer(const struct connection *connection)
{
    return !connection->sending && !connection->paused && !connection->ended &&
           connection->transport != NULL && !tl_transport_is_closing(connection->transport);
}

/* Takes from data until there is something to wait for: how many bytes, or an error. */
static ssize_t feed(struct connection *connection, const char *data, size_t len)
{
    size_t at = 0;
    int r = 0;
    while (r == 0 && at < len && may_answer(connection)) {
        if (connection->skip > 0) {
            size_t part = connection->skip < len - at ? (size_t)connection->skip : len - at;
            connection->skip -= part;
            at += part;
            continue;
        }
        size_t used = 0;
        enum http_result result = http_parser_feed(&connection->parser, data + at, len - at, &used);
        at += used;
        if (result == HTTP_REQUEST)
            r = answer_request(connection);
        else if (result == HTTP_BAD)
            r = answer_nonsense(connection);
    }
    return r < 0 ? r : (ssize_t)at;
}

/* Keeps what was not looked at; it may be part of what is kept already. */
static int keep(struct connection *connection, const char *data, size_t len)
{
    char *kept = NULL;
    if (len > 0 && !connection->ended) {
        kept = malloc(len);
        if (kept == NULL)
            return -ENOMEM;
        memcpy(kept, data, len);
    }
    free(connection->ahead);
    connection->ahead = kept;
    connection->ahead_len = kept != NULL ? len : 0;
    return 0;
}

/* Goes on with what has come before. */
static void go_on(struct connection *connection)
{
    restart_idle(connection);
    if (connection->ahead_len == 0)
        return;
    ssize_t used = feed(connection, connection->ahead, connection->ahead_len);
    int r = used < 0
                ? (int)used
                : keep(connection, connection->ahead + used, connection->ahead_len - (size_t)used);
    if (r < 0)
        tl_transport_abort(connection->transport);
}

/* --- The protocol ----------------------------------------------------------------------------- */

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct connection *connection = connection_of(protocol);
    connection->transport = transport;
    restart_idle(connection);
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct connection *connection = connection_of(protocol);
    restart_idle(connection);
    ssize_t used = feed(connection, data, len);
    int r = used < 0 ? (int)used : keep(connection, (const char *)data + used, len - (size_t)used);
    if (r < 0)
        tl_transport_abort(connection->transport);
    return 0;
}

static int pause_writing(tl_protocol *protocol)
{
    struct connection *connection = connection_of(protocol);
    connection->paused = true;
    return tl_transport_pause_reading(connection->transport);
}

static int resume_writing(tl_protocol *protocol)
{
    struct connection *connection = connection_of(protocol);
    connection->paused = false;
    go_on(connection);
    if (!connection->paused)
        (void)tl_transport_resume_reading(connection->transport);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct connection *connection = connection_of(protocol);
    (void)exc;
    tl_timer_stop(&connection->idle);
    connection->transport = NULL;
}

static void release(tl_protocol *protocol)
{
    struct connection *connection = connection_of(protocol);
    tl_timer_stop(&connection->idle);
    free(connection->ahead);
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

tl_protocol *http_server_factory(void *farg)
{
    struct http_server *server = farg;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    if (server->loop == NULL)
        server->loop = tl_get_running_loop();
    connection->protocol = TL_PROTOCOL_INIT(&connection_ops);
    connection->server = server;
    tl_timer_init(&connection->idle, server->loop, idle_too_long, connection);
    return &connection->protocol;
}

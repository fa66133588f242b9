/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the kv server. Whatever clients send, each gets as many replies as it made requests,
 * all of them whole, without having to say anything more for it.
 *
 * Requests are counted in what was sent, whatever pieces the server read of it. Nothing counts
 * after QUIT, or after what is no request: that is answered with an error, and both end the
 * connection.
 */
#include "examples/kv/answers.h"
#include "examples/kv/resp.h"
#include "examples/kv/server.h"

#include <twinloop/assert.h>
#include <twinloop/fuzz.h>

struct check {
    struct resp_parser parser;
    struct kv_answers answers;
    size_t requests;
    size_t replies;
    bool last; /* the server will end the connection */
};

static void sent(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    struct check *check = connection->state;
    enum resp_result result = RESP_COMMAND;
    size_t argc;
    resp_parser_feed(&check->parser, data, len);
    while (!check->last && (result = resp_parser_next(&check->parser, &argc)) != RESP_MORE) {
        check->requests++;
        check->last = result != RESP_COMMAND || kv_arg_is(&check->parser.args[0], "quit");
    }
    resp_parser_keep(&check->parser);
}

static void received(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    struct check *check = connection->state;
    const char *reply;
    size_t reply_len;
    int r = kv_answers_feed(&check->answers, data, len);
    while (r == 0 && (r = kv_answers_next(&check->answers, &reply, &reply_len)) == 1) {
        check->replies++;
        r = 0;
    }
    TL_ASSERT(r == 0, "what the server sends are replies");
    TL_ASSERT(check->replies <= check->requests, "no reply is without a request");
}

static void quiet(struct tl_fuzz_connection *connection)
{
    const struct check *check = connection->state;
    if (!connection->reading || connection->reset)
        return;
    TL_ASSERT(check->replies == check->requests, "%zu requests got %zu replies", check->requests,
              check->replies);
    TL_ASSERT(connection->ended == (check->last || connection->half_closed),
              "the server ends a connection when it was asked to, or cannot go on");
}

static void closed(struct tl_fuzz_connection *connection)
{
    struct check *check = connection->state;
    resp_parser_finish(&check->parser);
    kv_answers_finish(&check->answers);
}

static struct kv_server server;

static void begin(void *farg)
{
    kv_server_init(farg);
}

static void end(void *farg)
{
    kv_server_finish(farg);
}

static const struct tl_fuzz_target target = {
    .name = "kv",
    .factory = kv_server_factory,
    .farg = &server,
    .begin = begin,
    .end = end,
    .no_errors = true,
    .state_size = sizeof(struct check),
    .sent = sent,
    .received = received,
    .quiet = quiet,
    .closed = closed,
};

TL_FUZZ(target)

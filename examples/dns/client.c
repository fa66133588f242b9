/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: asks everything that the zone answers in its own way, several questions under way at
 * once, and asks again when no answer comes in time. What was cut it asks once more over TCP.
 *
 * An answer is known by its id and its question. One that comes twice, or late, is one whose
 * question is not open any more, and is ignored; whatever else is wrong with it is a failure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"
#include "dns.h"
#include "retry.h"

#define PATIENCE (200 * TL_MILLISECOND) /* for the first try, and twice as long for the next */

/* What is asked, and what has to come back. */
struct expected {
    const char *name; /* NULL: a message that is none */
    uint16_t type;
    uint16_t edns; /* bytes of an answer; 0: without EDNS */
    int rcode;
    uint16_t answers;
    bool truncated;   /* over UDP; over TCP there are as many answers */
    const char *data; /* of the last answer; NULL: not looked at */
    uint16_t len;
};

#define DATA(text) text, sizeof(text) - 1

static const struct expected all[] = {
    {DNS_ZONE, DNS_A, 0, DNS_NOERROR, 1, false, DATA("\xc0\x00\x02\x01")},
    {DNS_ZONE, DNS_AAAA, 1232, DNS_NOERROR, 1, false,
     DATA("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")},
    {DNS_ZONE, DNS_TXT, 0, DNS_NOERROR, 1, false,
     DATA("\x13"
          "a loop and its twin")},
    {DNS_ZONE, DNS_NS, 0, DNS_NOERROR, 1, false, NULL, 0},
    {DNS_ZONE, DNS_SOA, 0, DNS_NOERROR, 1, false, NULL, 0},
    {"TwinLoop.EXAMPLE", DNS_A, 0, DNS_NOERROR, 1, false, DATA("\xc0\x00\x02\x01")},
    {"www." DNS_ZONE, DNS_A, 0, DNS_NOERROR, 2, false, DATA("\xc0\x00\x02\x01")},
    {"www." DNS_ZONE, DNS_CNAME, 0, DNS_NOERROR, 1, false, NULL, 0},
    {"alias." DNS_ZONE, DNS_TXT, 512, DNS_NOERROR, 3, false,
     DATA("\x13"
          "a loop and its twin")},
    {"outside." DNS_ZONE, DNS_A, 0, DNS_NOERROR, 1, false, NULL, 0},
    {"circle." DNS_ZONE, DNS_A, 0, DNS_NOERROR, 8, false, NULL, 0},
    {"nothing." DNS_ZONE, DNS_A, 0, DNS_NXDOMAIN, 0, false, NULL, 0},
    {"down." DNS_ZONE, DNS_A, 0, DNS_NOERROR, 0, false, NULL, 0},
    {"ns." DNS_ZONE, DNS_AAAA, 0, DNS_NOERROR, 0, false, NULL, 0},
    {"many." DNS_ZONE, DNS_A, 0, DNS_NOERROR, 40, true, DATA("\xc6\x33\x64\x28")},
    {"many." DNS_ZONE, DNS_A, 4096, DNS_NOERROR, 40, false, DATA("\xc6\x33\x64\x28")},
    {"long." DNS_ZONE, DNS_TXT, 4096, DNS_NOERROR, 1, true, NULL, 0},
    {"www.example", DNS_A, 0, DNS_REFUSED, 0, false, NULL, 0},
    {".", DNS_NS, 0, DNS_REFUSED, 0, false, NULL, 0},
    {NULL, 0, 0, DNS_FORMERR, 0, false, NULL, 0},
};

enum { QUESTIONS = sizeof all / sizeof *all, UNDER_WAY = 8, LONGER_MAX = 4 };

struct client;

/* A question that is open. */
struct question {
    struct client *client;
    const struct expected *expected; /* NULL: none is open here */
    struct tl_timer timer;
    struct dns_retry retry;
    uint16_t id;
    unsigned tries;
};

struct client {
    tl_protocol protocol;
    struct dns_client_options options;
    tl_loop *loop;
    tl_transport *transport;
    struct question open[UNDER_WAY];
    uint64_t asked; /* questions begun */
    uint64_t total;
    uint64_t answered;
    uint64_t repeated; /* tries beyond the first */
    uint64_t streamed; /* answers that came over TCP */
    uint64_t ignored;  /* answers to nothing that is open */
    int error;         /* why it failed */
};

static struct client *client_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct client, protocol);
}

static int fail(struct client *client, const struct question *question, const char *why)
{
    const struct expected *expected = question != NULL ? question->expected : NULL;
    fprintf(stderr, "dns: %s, type %u: %s\n",
            expected != NULL && expected->name != NULL ? expected->name : "(no name)",
            expected != NULL ? (unsigned)expected->type : 0U, why);
    if (client->error == 0)
        client->error = TL_EPROTOCOL;
    tl_transport_abort(client->transport);
    return 0;
}

/* --- Asking ----------------------------------------------------------------------------------- */

/* A message with a header and no question that could be read. */
static size_t write_nonsense(uint8_t *data, uint16_t id)
{
    size_t len = dns_query_write(data, id, DNS_ZONE, DNS_A, 0);
    return len - 3;
}

static size_t write_query(const struct question *question, uint8_t *data)
{
    const struct expected *expected = question->expected;
    return expected->name != NULL
               ? dns_query_write(data, question->id, expected->name, expected->type, expected->edns)
               : write_nonsense(data, question->id);
}

static int ask(struct question *question)
{
    struct client *client = question->client;
    uint8_t data[DNS_PLAIN_MAX];
    size_t len = write_query(question, data);
    unsigned longer = question->tries < LONGER_MAX ? question->tries : LONGER_MAX;
    int r = tl_timer_start(&question->timer, tl_loop_time(client->loop) + (PATIENCE << longer));
    question->tries++;
    return r < 0 ? r : tl_datagram_transport_sendto(client->transport, data, len, NULL);
}

/* Opens the next question in a free place, if there is one more. */
static int ask_next(struct client *client, struct question *question)
{
    if (client->asked == client->total)
        return 0;
    question->expected = &all[client->asked % QUESTIONS];
    question->id = (uint16_t)(client->asked * 7 + 1);
    question->tries = 0;
    client->asked++;
    return ask(question);
}

static void no_answer(void *arg)
{
    struct question *question = arg;
    struct client *client = question->client;
    if (question->tries == client->options.tries) {
        (void)fail(client, question, "no answer");
        return;
    }
    client->repeated++;
    if (ask(question) < 0)
        (void)fail(client, question, "cannot be asked again");
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* What is wrong with the way an answer over UDP came; NULL: nothing. */
static const char *check_length(const struct expected *expected, const struct dns_reply *reply,
                                size_t len)
{
    if (len > (expected->edns > DNS_PLAIN_MAX ? DNS_EDNS_MAX : DNS_PLAIN_MAX))
        return "the answer is longer than was asked for";
    if (reply->truncated != expected->truncated)
        return "truncated, or not, against expectation";
    if (reply->truncated && reply->answers > 0)
        return "cut, and not cut off";
    return NULL;
}

/* What is wrong with a whole answer; NULL: nothing. */
static const char *check(const struct expected *expected, const struct dns_reply *reply)
{
    if (reply->rcode != expected->rcode)
        return "another rcode than expected";
    if (reply->answers != expected->answers)
        return "another number of answers than expected";
    if (reply->truncated)
        return "truncated over TCP";
    if (expected->name != NULL && reply->query.edns != (expected->edns > 0))
        return "EDNS, or not, against expectation";
    if (reply->answers > 0 && !reply->authoritative)
        return "not authoritative";
    if (expected->data != NULL &&
        (reply->last_type != expected->type || reply->last_len != expected->len ||
         memcmp(reply->last_data, expected->data, expected->len) != 0))
        return "other data than expected";
    return NULL;
}

/* The open question that an answer is to, or NULL. */
static struct question *question_of(struct client *client, const struct dns_reply *reply)
{
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        struct question *question = &client->open[i];
        const struct expected *expected = question->expected;
        if (expected == NULL || question->id != reply->query.id)
            continue;
        bool same = expected->name == NULL
                        ? reply->query.name_len == 0
                        : reply->query.name_len > 0 && reply->query.type == expected->type &&
                              dns_name_is(reply->query.name,
                                          strcmp(expected->name, ".") == 0 ? "" : expected->name);
        return same ? question : NULL;
    }
    return NULL;
}

/* The answer to an open question, as a whole. */
static int answered(struct question *question, const struct dns_reply *reply)
{
    struct client *client = question->client;
    const char *wrong = check(question->expected, reply);
    if (wrong != NULL)
        return fail(client, question, wrong);
    tl_timer_stop(&question->timer);
    question->expected = NULL;
    client->answered++;
    if (client->answered == client->total)
        tl_transport_close(client->transport);
    return ask_next(client, question);
}

static void told(struct dns_retry *retry, const uint8_t *answer, size_t len)
{
    struct question *question = tl_container_of(retry, struct question, retry);
    struct client *client = question->client;
    struct dns_reply reply;
    if (answer == NULL) {
        no_answer(question);
        return;
    }
    client->streamed++;
    if (dns_reply_parse(&reply, answer, len) < 0 || question_of(client, &reply) != question)
        (void)fail(client, question, "an answer over TCP to something else");
    else if (answered(question, &reply) < 0)
        (void)fail(client, question, "the next question cannot be asked");
}

/* The answer was cut. A second one that says so comes too late. Meanwhile the timer goes on: it is
 * the patience with TCP, too. */
static int ask_for_the_whole(struct question *question)
{
    uint8_t data[DNS_PLAIN_MAX];
    if (question->retry.asking)
        return 0;
    return dns_retry_start(&question->retry, data, write_query(question, data));
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    struct client *client = client_of(protocol);
    struct dns_reply reply;
    (void)from;
    if (dns_reply_parse(&reply, data, len) < 0)
        return fail(client, NULL, "an answer that cannot be read");
    struct question *question = question_of(client, &reply);
    if (question == NULL) {
        client->ignored++;
        return 0;
    }
    const char *wrong = check_length(question->expected, &reply, len);
    if (wrong != NULL)
        return fail(client, question, wrong);
    return reply.truncated ? ask_for_the_whole(question) : answered(question, &reply);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct client *client = client_of(protocol);
    int r = 0;
    client->transport = transport;
    for (unsigned i = 0; r == 0 && i < UNDER_WAY; i++)
        r = ask_next(client, &client->open[i]);
    return r;
}

/* Nobody serves there, yet: the question is asked again in its time. */
static int error_received(tl_protocol *protocol, const tl_error *exc)
{
    struct client *client = client_of(protocol);
    return exc->code == -ECONNREFUSED ? 0 : fail(client, NULL, exc->message);
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct client *client = client_of(protocol);
    if (exc != NULL && client->error == 0)
        client->error = exc->code;
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        tl_timer_stop(&client->open[i].timer);
        dns_retry_stop(&client->open[i].retry);
    }
    tl_loop_stop(client->loop);
}

static const struct tl_protocol_ops client_ops = {
    .kind = TL_PROTOCOL_DATAGRAM,
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .datagram_received = datagram_received,
    .error_received = error_received,
};

static tl_protocol *client_factory(void *farg)
{
    struct client *client = farg;
    client->protocol = TL_PROTOCOL_INIT(&client_ops);
    return &client->protocol;
}

static int ask_on(struct client *client, const tl_addr *server)
{
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        client->open[i].client = client;
        client->open[i].retry = (struct dns_retry){.loop = client->loop,
                                                   .host = client->options.host,
                                                   .port = client->options.port,
                                                   .told = told};
        tl_timer_init(&client->open[i].timer, client->loop, no_answer, &client->open[i]);
    }
    client->total = (uint64_t)client->options.rounds * QUESTIONS;
    if (client->total == 0)
        return 0;
    tl_future_detach(
        tl_loop_create_datagram_endpoint(client->loop, client_factory, client, NULL, server, NULL));
    int r = tl_loop_run_forever(client->loop);
    return r < 0 ? r : client->error;
}

int dns_ask(const struct dns_client_options *options)
{
    struct client client = {.options = *options};
    tl_addr server;
    if (tl_addr_parse(options->host, options->port, &server) < 0) {
        fprintf(stderr, "dns: '%s' is not a numeric address\n", options->host);
        return EXAMPLE_USAGE;
    }
    int r = tl_new_event_loop(&client.loop);
    if (r == 0) {
        r = ask_on(&client, &server);
        tl_loop_free(client.loop);
    }
    if (r < 0)
        fprintf(stderr, "dns: %s\n", tl_strerror(r));
    else if (!options->quiet)
        printf("%llu questions answered, all of them right, %llu over TCP; %llu asked again, "
               "%llu answers late\n",
               (unsigned long long)client.answered, (unsigned long long)client.streamed,
               (unsigned long long)client.repeated, (unsigned long long)client.ignored);
    return r < 0 ? EXAMPLE_FAILED : EXAMPLE_OK;
}

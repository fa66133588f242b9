/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A visitor: looks the service up, connects to one of its addresses, reads the line, and checks
 * that it has come to a host for which the name stood when it was asked. Whatever fails is tried
 * again; all the errors that there are have to be those of names and connecting.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/world.h>

#include "../common/example.h"
#include "names.h"

#define EYEBALLS (250 * TL_MILLISECOND)
#define HURRY TL_SECOND
#define PAUSE (100 * TL_MILLISECOND) /* between two attempts */
#define TRIES_MAX 200
#define PROMPT (5 * TL_SECOND)

struct visitor {
    const struct names_visitor_options *options;
    tl_loop *loop;
    unsigned open; /* connections that were made and are not lost */
};

/* One connection, or what came of one. It is there as long as its protocol is held. */
struct visit {
    tl_protocol protocol;
    struct visitor *visitor;
    tl_future *over; /* a reference */
    tl_addr peer;
    char line[TL_ADDR_TEXT_MAX + 32];
    size_t len;
};

static struct visit *visit_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct visit, protocol);
}

/* --- The protocol ----------------------------------------------------------------------------- */

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct visit *visit = visit_of(protocol);
    const tl_value *peer = tl_transport_get_extra_info(transport, "peername", NULL);
    visit->peer = *(const tl_addr *)peer->pointer;
    visit->visitor->open++;
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct visit *visit = visit_of(protocol);
    if (len >= sizeof visit->line - visit->len)
        return TL_EPROTOCOL;
    memcpy(visit->line + visit->len, data, len);
    visit->len += len;
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct visit *visit = visit_of(protocol);
    visit->visitor->open--;
    (void)tl_future_set_result(visit->over, tl_value_int(exc != NULL ? exc->code : 0));
}

static void release(tl_protocol *protocol)
{
    struct visit *visit = visit_of(protocol);
    tl_future_unref(visit->over);
    free(visit);
}

static tl_protocol *visit_factory(void *visitor)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM,
        .connection_made = connection_made,
        .data_received = data_received,
        .connection_lost = connection_lost,
        .release = release,
    };
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL)
        return NULL;
    visit->protocol = TL_PROTOCOL_INIT(&ops);
    visit->visitor = visitor;
    visit->over = tl_loop_create_future(visit->visitor->loop);
    return &visit->protocol;
}

/* --- What has to hold ------------------------------------------------------------------------- */

/* The answer was given between these two instants. */
static bool stood_for(const struct names_record *record, unsigned number, tl_time from, tl_time to)
{
    bool before = from < record->moved && (record->before >> number & 1) != 0;
    bool after = to >= record->back && (record->after >> number & 1) != 0;
    return before || after;
}

static void check_error(const struct visitor *visitor, int code)
{
    switch (code) {
    case TL_EAI_AGAIN: /* the servers of names, sometimes */
    case TL_EAI_NONAME:
    case -ECONNREFUSED:
    case -ENETUNREACH: /* IPv6 from where there is none */
        return;
    case -ETIMEDOUT: /* by nobody's address, a lost connect, or in a hurry */
        return;
    default:
        TL_ASSERT(false, "connecting by name failed otherwise: %s (hurry %d)", tl_strerror(code),
                  visitor->options->hurry);
    }
}

static void check_line(const struct visit *visit, tl_time from, tl_time to)
{
    char addr[TL_ADDR_TEXT_MAX], expected[sizeof visit->line];
    char *end;
    unsigned long number = strtoul(visit->line, &end, 10);
    (void)snprintf(expected, sizeof expected, "%lu %s\n", number,
                   tl_addr_format(&visit->peer, addr, sizeof addr));
    TL_ASSERT(strcmp(visit->line, expected) == 0, "%s said \"%s\"", addr, visit->line);
    TL_ASSERT(stood_for(&visit->visitor->options->record, (unsigned)number, from, to),
              "the name has led to %s, for which it did not stand", addr);
}

/* --- Visiting --------------------------------------------------------------------------------- */

static tl_future *start(struct visitor *visitor)
{
    const struct names_visitor_options *options = visitor->options;
    const tl_connection_opts opts = {.happy_eyeballs_delay = options->eyeballs ? EYEBALLS : 0};
    char port[8];
    (void)snprintf(port, sizeof port, "%d", NAMES_PORT);
    tl_future *made = tl_loop_create_connection(visitor->loop, visit_factory, visitor,
                                                NAMES_SERVICE, port, &opts);
    return options->hurry ? tl_wait_for(visitor->loop, made, HURRY) : made;
}

/* Reads what the host says, having looked for it since an instant. */
static int read_line(struct visitor *visitor, const struct visit *visit, tl_time from)
{
    tl_time to = tl_world_time(tl_world_current());
    TL_ASSERT(!visitor->options->prompt || to - from < PROMPT, "connecting took %lld ms",
              (long long)((to - from) / TL_MILLISECOND));
    tl_value value = tl_value_none();
    int r = tl_await(tl_future_ref(visit->over), &value);
    int code = r < 0 ? r : (int)value.integer;
    /* Where a service ends there may be connections that it has not accepted. */
    bool ended = tl_world_time(tl_world_current()) >= visitor->options->record.moved;
    TL_ASSERT(r < 0 || code == 0 || (code == -ECONNRESET && ended), "the connection was lost: %s",
              tl_strerror(code));
    if (code == 0)
        check_line(visit, from, to);
    return code;
}

/* One attempt: 0, or the error that it met. */
static int attempt(struct visitor *visitor)
{
    tl_time from = tl_world_time(tl_world_current());
    tl_value value = tl_value_none();
    int r = tl_await(start(visitor), &value);
    if (r < 0)
        check_error(visitor, r);
    else
        r = read_line(visitor, visit_of(tl_value_pair(&value)->protocol), from);
    tl_value_finish(&value);
    return r;
}

static int visit_all(void *arg, tl_value *ret)
{
    struct visitor *visitor = arg;
    (void)ret;
    for (unsigned round = 0; round < visitor->options->rounds; round++) {
        unsigned tries = 0;
        int r = attempt(visitor);
        for (; r < 0 && tries < TRIES_MAX; tries++) {
            r = tl_await(tl_sleep(visitor->loop, PAUSE), NULL);
            r = r < 0 ? r : attempt(visitor);
        }
        TL_ASSERT(r == 0, "the service was not found: %s", tl_strerror(r));
    }
    /* What was too late for somebody in a hurry is over soon. */
    return tl_await(tl_sleep(visitor->loop, TL_SECOND), NULL);
}

int names_visit(const struct names_visitor_options *options)
{
    struct visitor visitor = {.options = options};
    const tl_coro coro = {visit_all, &visitor, NULL};
    tl_task *task;
    int r = tl_new_event_loop(&visitor.loop);
    if (r < 0)
        return EXAMPLE_FAILED;
    r = tl_loop_create_task(visitor.loop, &coro, "visitor", &task);
    if (r == 0)
        r = tl_loop_run_until_complete(visitor.loop, tl_task_future(task), NULL);
    TL_ASSERT(r < 0 || visitor.open == 0, "%u connections are left", visitor.open);
    tl_loop_free(visitor.loop);
    return r < 0 ? EXAMPLE_FAILED : EXAMPLE_OK;
}

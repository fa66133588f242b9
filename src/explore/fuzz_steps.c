/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation that an input spells, a turn at a time.
 *
 * A turn does what takes no time and adds itself again for when the conversation goes on: after a
 * pause, or when the world is quiet, that is: no segment, no part of a handshake and no end is on
 * its way, and the server waits for nothing but its timers. In between turns the server runs. One
 * that never gets quiet, because it always has something to say, is given ten seconds each time.
 */
#include <string.h>

#include "core/loop.h"
#include "explore/fuzz.h"
#include "sim/endpoint.h"

enum { ESCAPE = 0xff, END = 0xfe, OPERATIONS = 8 };

enum operation {
    PAUSE,
    SETTLE,
    USE,
    HALF_CLOSE,
    CLOSE,
    RESET,
    STOP_READING,
    START_READING,
};

#define SETTLE_MAX (10 * TL_SECOND)

/* --- Reading the input ------------------------------------------------------------------------ */

static const uint8_t *find_escape(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *found = at < end ? memchr(at, ESCAPE, (size_t)(end - at)) : NULL;
    return found != NULL ? found : end;
}

/* Where the conversation ends. */
static const uint8_t *find_end(const uint8_t *data, const uint8_t *end)
{
    const uint8_t *at = find_escape(data, end);
    while (end - at >= 2 && at[1] != END)
        at = find_escape(at + 2, end);
    return end - at >= 2 ? at : end;
}

void tl_fuzz_steps_begin(tl_fuzzer *fuzzer, const uint8_t *data, size_t size,
                         struct tl_world_options *options)
{
    const uint8_t *end = data + size;
    fuzzer->at = data;
    fuzzer->end = find_end(data, end);
    fuzzer->current = &fuzzer->client[0];
    fuzzer->phase = TL_FUZZ_TALKING;
    fuzzer->settled_by = 0;
    options->strategy = TL_STRATEGY_BYTES;
    options->bytes = end - fuzzer->end > 2 ? fuzzer->end + 2 : end;
    options->bytes_count = (size_t)(end - options->bytes);
}

/* --- When the turn comes ---------------------------------------------------------------------- */

static void add_turn(tl_fuzzer *fuzzer, tl_time when)
{
    tl_agenda_add(&fuzzer->world->agenda, &fuzzer->turn, when);
}

/* When what happens next has had time to be answered. */
static void add_turn_soon(tl_fuzzer *fuzzer)
{
    tl_world *world = fuzzer->world;
    tl_time next = tl_agenda_next(&world->agenda);
    if (!tl_list_empty(&world->runnable) || next == TL_TIME_NEVER)
        next = world->now;
    add_turn(fuzzer, next + fuzzer->latency + 1);
}

/* A handshake and an end of file are on their way as bytes are; a connection that is not accepted
 * yet waits in its listener. */
static bool quiet(const tl_fuzzer *fuzzer)
{
    tl_world *world = fuzzer->world;
    if (!tl_list_empty(&world->runnable) || !tl_list_empty(&fuzzer->server->jobs) ||
        !tl_list_empty(&fuzzer->server->done))
        return false;
    for (struct tl_list *at = world->sockets.next; at != &world->sockets; at = at->next) {
        const struct tl_endpoint *endpoint = tl_listed(at, struct tl_endpoint, place);
        if ((endpoint->traffic != NULL && tl_agenda_added(&endpoint->traffic->arrival)) ||
            tl_endpoint_children(endpoint) > 0)
            return false;
    }
    return true;
}

/* The first client with a connection among those of a set, which it leaves; NULL: there is none. */
static struct tl_fuzz_client *next_client(tl_fuzzer *fuzzer, unsigned *set)
{
    if (*set == 0)
        return NULL;
    unsigned number = (unsigned)__builtin_ctz(*set);
    *set &= *set - 1;
    return &fuzzer->client[number];
}

static void read_all(tl_fuzzer *fuzzer)
{
    struct tl_fuzz_client *client;
    for (unsigned set = fuzzer->open; (client = next_client(fuzzer, &set)) != NULL;)
        tl_fuzz_client_read(fuzzer, client);
}

/* Whether the wait for quiet is over; if not, it goes on. */
static bool settled(tl_fuzzer *fuzzer)
{
    read_all(fuzzer);
    bool is_quiet = quiet(fuzzer);
    if (!is_quiet && fuzzer->world->now < fuzzer->settled_by) {
        add_turn_soon(fuzzer);
        return false;
    }
    fuzzer->settled_by = 0;
    if (fuzzer->target->quiet == NULL || !is_quiet)
        return true;
    struct tl_fuzz_client *client;
    for (unsigned set = fuzzer->open; (client = next_client(fuzzer, &set)) != NULL;)
        fuzzer->target->quiet(&client->connection);
    return true;
}

/* Waits for quiet, from now on. Whether it is quiet. */
static bool settle(tl_fuzzer *fuzzer)
{
    fuzzer->settled_by = fuzzer->world->now + SETTLE_MAX;
    return settled(fuzzer);
}

/* --- Steps: each returns whether the turn goes on --------------------------------------------- */

static bool operate(tl_fuzzer *fuzzer, uint8_t byte)
{
    struct tl_fuzz_client *current = fuzzer->current;
    switch ((enum operation)(byte % OPERATIONS)) {
    case PAUSE:
        add_turn(fuzzer, fuzzer->world->now + (TL_MICROSECOND << byte / OPERATIONS));
        return false;
    case SETTLE:
        return settle(fuzzer);
    case USE:
        fuzzer->current = &fuzzer->client[byte / OPERATIONS % TL_FUZZ_CONNECTIONS];
        break;
    case HALF_CLOSE:
        tl_fuzz_client_half_close(fuzzer, current);
        break;
    case CLOSE:
    case RESET:
        tl_fuzz_client_close(fuzzer, current, byte % OPERATIONS == RESET);
        break;
    case STOP_READING:
    case START_READING:
        current->connection.reading = byte % OPERATIONS == START_READING;
        tl_fuzz_client_read(fuzzer, current);
        break;
    }
    return true;
}

/* Sends what is there up to the next escape; start is the first byte of it. */
static bool say(tl_fuzzer *fuzzer, const uint8_t *start)
{
    if (fuzzer->current->fd < 0)
        tl_fuzz_client_open(fuzzer, fuzzer->current);
    if (tl_fuzz_client_connecting(fuzzer->current)) {
        add_turn_soon(fuzzer);
        return false;
    }
    fuzzer->at = find_escape(start + 1, fuzzer->end);
    if (fuzzer->current->fd >= 0)
        tl_fuzz_client_send(fuzzer, fuzzer->current, start, (size_t)(fuzzer->at - start));
    return true;
}

static bool talk(tl_fuzzer *fuzzer)
{
    const uint8_t *at = fuzzer->at;
    if (*at != ESCAPE || fuzzer->end - at == 1)
        return say(fuzzer, at);
    if (at[1] == ESCAPE)
        return say(fuzzer, at + 1);
    fuzzer->at = at + 2;
    return operate(fuzzer, at[1]);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* The loop returns: its poll is told that its time is up. */
static void stop(tl_fuzzer *fuzzer)
{
    tl_loop_stop(fuzzer->loop);
    tl_agenda_add(&fuzzer->world->agenda, &fuzzer->server->timeout, fuzzer->world->now);
}

/* Whether the next phase is over at once. */
static bool begin_phase(tl_fuzzer *fuzzer)
{
    fuzzer->phase++;
    struct tl_fuzz_client *client;
    for (unsigned set = fuzzer->open; (client = next_client(fuzzer, &set)) != NULL;) {
        if (fuzzer->phase == TL_FUZZ_CLOSING) {
            tl_fuzz_client_half_close(fuzzer, client);
            client->connection.reading = true;
        } else if (fuzzer->phase == TL_FUZZ_STOPPING) {
            tl_fuzz_client_close(fuzzer, client, false);
        }
    }
    return settle(fuzzer);
}

void tl_fuzz_turn(struct tl_agenda_event *event)
{
    tl_fuzzer *fuzzer = tl_listed(event, tl_fuzzer, turn);
    read_all(fuzzer);
    if (fuzzer->settled_by > 0 && !settled(fuzzer))
        return;
    while (fuzzer->phase == TL_FUZZ_TALKING && fuzzer->at < fuzzer->end)
        if (!talk(fuzzer))
            return;
    while (fuzzer->phase < TL_FUZZ_STOPPING)
        if (!begin_phase(fuzzer))
            return;
    stop(fuzzer);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which attempts to connect run when: one after the other, or "happy eyeballs" (RFC 8305).
 *
 * The next attempt begins when the last one to begin has failed; with happy eyeballs also when it
 * has run for the delay. The first to connect wins, and the sockets of the others are closed before
 * anybody hears of it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/connect.h"

/* --- Order ------------------------------------------------------------------------------------ */

/* Takes the next address of a family from source[*at] on: true if there was one. */
static bool take(tl_addrinfo *target, const tl_addrinfo *source, bool *taken, size_t count,
                 uint8_t family)
{
    for (size_t i = 0; i < count; i++)
        if (!taken[i] && source[i].addr.family == family) {
            *target = source[i];
            taken[i] = true;
            return true;
        }
    return false;
}

/* The families in the order in which they are first seen, each once. */
static size_t list_families(const tl_addrinfo *infos, size_t count, uint8_t *families)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (memchr(families, infos[i].addr.family, n) == NULL)
            families[n++] = infos[i].addr.family;
    return n;
}

int tl_race_interleave(struct tl_addresses *addresses, size_t first)
{
    size_t count = addresses->count;
    if (count < 2)
        return 0;
    /* What is put in order: a copy, which of it has been taken, and the families. */
    tl_addrinfo *source = tl_alloc(count * (sizeof *source + sizeof(bool) + 1));
    if (source == NULL)
        return -ENOMEM;
    bool *taken = (bool *)(source + count);
    uint8_t *families = (uint8_t *)(taken + count);
    tl_addrinfo *target = addresses->infos;
    size_t done = 0;
    memcpy(source, target, count * sizeof *source);
    memset(taken, 0, count * sizeof *taken);
    size_t families_count = list_families(source, count, families);
    assert(families_count > 0);
    while (done + 1 < first && done < count &&
           take(target + done, source, taken, count, families[0]))
        done++;
    for (size_t turn = 0; done < count; turn++)
        done += take(target + done, source, taken, count, families[turn % families_count]);
    tl_free(source);
    return 0;
}

/* --- Running ---------------------------------------------------------------------------------- */

static struct tl_attempt *attempt_at(struct tl_connecting *connecting, size_t i)
{
    return connecting->attempts != NULL ? &connecting->attempts[i] : &connecting->first;
}

void tl_race_stop(struct tl_connecting *connecting)
{
    if (connecting->timed)
        tl_timer_stop(&connecting->timer);
    if (connecting->attempts == NULL)
        tl_attempt_stop(&connecting->first);
    else
        for (size_t i = 0; i < connecting->begun; i++)
            tl_attempt_stop(&connecting->attempts[i]);
    connecting->running = 0;
}

/* Has the next one begin after a while, unless it may only begin when the last one has failed. */
static int wait_for_turn(struct tl_connecting *connecting)
{
    if (connecting->attempts == NULL || connecting->begun == connecting->addresses.count)
        return 0;
    tl_time now = tl_loop_time(connecting->loop);
    tl_time when = TL_TIME_NEVER;
    if (connecting->stagger < TL_TIME_NEVER - now)
        when = now + connecting->stagger;
    return tl_timer_start(&connecting->timer, when);
}

/* Begins the next attempt, and those after it for as long as they fail at once. */
static void go_on(struct tl_connecting *connecting)
{
    while (connecting->begun < connecting->addresses.count) {
        size_t i = connecting->begun++;
        int r = tl_attempt_start(attempt_at(connecting, i), connecting,
                                 &connecting->addresses.infos[i]);
        if (r < 0)
            continue;
        connecting->running++;
        /* Without memory for a timer nobody is kept waiting. */
        if (wait_for_turn(connecting) == 0)
            return;
    }
    if (connecting->running == 0)
        tl_connecting_lost(connecting);
}

static void turn_come(void *arg)
{
    go_on(arg);
}

void tl_race_ended(struct tl_attempt *attempt, int result)
{
    struct tl_connecting *connecting = attempt->connecting;
    connecting->running--;
    if (result == 0) {
        tl_connecting_won(connecting, attempt);
        return;
    }
    /* asyncio: what failed late gives nobody his turn. */
    if (attempt == attempt_at(connecting, connecting->begun - 1) || connecting->running == 0) {
        if (connecting->timed)
            tl_timer_stop(&connecting->timer);
        go_on(connecting);
    }
}

void tl_race_start(struct tl_connecting *connecting)
{
    size_t count = connecting->addresses.count;
    if (connecting->stagger > 0 && count > 1) {
        connecting->attempts = tl_calloc(count * sizeof *connecting->attempts);
        if (connecting->attempts != NULL) {
            tl_timer_init(&connecting->timer, connecting->loop, turn_come, connecting);
            connecting->timed = true;
        }
        /* Otherwise one after the other, which gets there too. */
    }
    go_on(connecting);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guesses of guess.h, and the numbers that are drawn.
 */
#include "tests/fidelity/guess.h"

#include <twinloop/kernel.h>

/* --- Drawing ---------------------------------------------------------------------------------- */

static uint64_t next(struct generator *generator)
{
    uint64_t z = generator->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t guess_draw(struct generator *generator, uint32_t bound)
{
    return (uint32_t)((next(generator) >> 32) * bound >> 32);
}

uint8_t guess_find(struct generator *generator, enum guess guess)
{
    uint8_t start = (uint8_t)guess_draw(generator, PLACES);
    for (uint8_t i = 0; i < PLACES; i++) {
        uint8_t place = (uint8_t)((start + i) % PLACES);
        if (generator->guesses[place] == guess)
            return place;
    }
    return start;
}

uint8_t guess_find_open(struct generator *generator)
{
    uint8_t place = (uint8_t)guess_draw(generator, PLACES);
    for (uint8_t i = 0; i < PLACES && generator->guesses[place] == GUESS_EMPTY; i++)
        place = (uint8_t)((place + 1) % PLACES);
    return place;
}

uint8_t guess_find_unread(struct generator *generator)
{
    uint8_t place = guess_find_open(generator);
    for (uint8_t i = 0; i < PLACES && !generator->unread[place]; i++)
        place = (uint8_t)((place + 1) % PLACES);
    return generator->unread[place] ? place : guess_find_open(generator);
}

/* Mostly one of those that lead to a file of their own. */
uint8_t guess_find_path(struct generator *generator, bool taken)
{
    static const uint8_t plain[] = {0, 1, 2, 4};
    bool any = guess_draw(generator, 4) == 0;
    uint8_t path =
        any ? (uint8_t)guess_draw(generator, PATHS) : plain[guess_draw(generator, sizeof plain)];
    for (uint8_t i = 0; i < sizeof plain && !any && generator->paths[path] != taken; i++)
        path = plain[i];
    return (uint8_t)(PATH + path);
}

/* --- Guessing --------------------------------------------------------------------------------- */

bool guess_reaches(uint8_t from, uint8_t to)
{
    return from == to || (from == SORT_TCP && to == SORT_TCP6) ||
           (from == SORT_UDP && to == SORT_UDP6);
}

/* The same for one with a path. */
static bool path_is_sensible(const struct generator *generator, const struct op *op)
{
    uint8_t guess = generator->guesses[op->place];
    bool taken = generator->paths[op->other - PATH];
    switch (op->kind) {
    case OP_OPEN:
        return guess == GUESS_EMPTY && (taken || op->what & TL_OPEN_CREATE);
    case OP_BIND:
        return !taken && sort_has_paths(generator->sorts[op->place]) &&
               (guess == GUESS_FRESH || guess == GUESS_DATAGRAM);
    case OP_CONNECT:
    case OP_SEND_TO:
    case OP_SEND_MANY:
        return taken && sort_has_paths(generator->sorts[op->place]) &&
               (guess == GUESS_FRESH || guess == GUESS_DATAGRAM);
    default:
        return taken;
    }
}

bool guess_is_sensible(const struct generator *generator, const struct op *op)
{
    uint8_t guess = generator->guesses[op->place];
    if (op->other >= PATH)
        return path_is_sensible(generator, op);
    uint8_t other = generator->guesses[op->other];
    switch (op->kind) {
    case OP_SOCKET:
        return guess == GUESS_EMPTY;
    case OP_PREAD:
    case OP_PWRITE:
    case OP_FSYNC:
        return guess == GUESS_FILE;
    case OP_DISCONNECT:
        return guess == GUESS_DATAGRAM;
    case OP_PIPE:
    case OP_PAIR:
        return guess == GUESS_EMPTY && other == GUESS_EMPTY;
    case OP_ACCEPT:
        return guess == GUESS_EMPTY && generator->waiting[op->other] > 0;
    case OP_BIND:
        return guess == GUESS_FRESH || guess == GUESS_DATAGRAM;
    case OP_LISTEN:
        return guess == GUESS_FRESH || guess == GUESS_LISTENING;
    case OP_CONNECT:
        return guess_reaches(generator->sorts[op->place], generator->sorts[op->other]) &&
               ((guess == GUESS_FRESH && (other == GUESS_LISTENING || op->other == op->place)) ||
                (guess == GUESS_DATAGRAM && other == GUESS_DATAGRAM));
    case OP_SEND_TO:
    case OP_SEND_MANY:
        return guess == GUESS_DATAGRAM && other == GUESS_DATAGRAM;
    case OP_WRITE:
    case OP_SENDFILE:
        return guess == GUESS_CONNECTED || guess == GUESS_DATAGRAM || guess == GUESS_WRITES ||
               guess == GUESS_FILE;
    case OP_READ_MANY:
        return generator->unread[op->place] && guess == GUESS_DATAGRAM;
    case OP_READ:
        return generator->unread[op->place] || guess == GUESS_FILE;
    default:
        return guess != GUESS_EMPTY;
    }
}

/* What is at the paths. */
static void guess_paths(struct generator *generator, const struct op *op)
{
    bool *taken = &generator->paths[op->other - PATH];
    if (op->kind == OP_OPEN)
        *taken = *taken || op->what & TL_OPEN_CREATE;
    else if (op->kind == OP_BIND)
        *taken = true;
    else if (op->kind == OP_UNLINK)
        *taken = false;
    else if (op->kind == OP_RENAME) {
        generator->paths[op->what - PATH] = *taken;
        *taken = false;
    }
}

static void guess_pair(struct generator *generator, const struct op *op, enum guess one,
                       enum guess two)
{
    generator->guesses[op->place] = (uint8_t)one;
    generator->guesses[op->other] = (uint8_t)two;
    generator->sorts[op->place] = generator->sorts[op->other] = SORT_UNIX;
    generator->peers[op->place] = op->other;
    generator->peers[op->other] = op->place;
}

/* The client of the connection that is accepted: one that has connected there, or nobody. */
static void guess_peer(struct generator *generator, const struct op *op)
{
    generator->peers[op->place] = op->place;
    for (uint8_t i = 0; i < PLACES; i++) {
        if (i == op->place || generator->guesses[i] != GUESS_CONNECTED ||
            generator->peers[i] != op->other)
            continue;
        generator->peers[op->place] = i;
        generator->peers[i] = op->place;
        generator->unread[op->place] = generator->unread[op->other];
        return;
    }
}

/* The same, of what connects and what moves bytes. */
static void guess_traffic(struct generator *generator, const struct op *op)
{
    uint8_t *guess = &generator->guesses[op->place];
    if (op->kind == OP_CONNECT) {
        *guess = *guess == GUESS_FRESH ? GUESS_CONNECTED : *guess;
        generator->peers[op->place] = op->other < PATH ? op->other : op->place;
        if (op->other < PATH)
            generator->waiting[op->other]++;
    } else if (op->kind == OP_ACCEPT) {
        *guess = GUESS_CONNECTED;
        if (generator->waiting[op->other] > 0)
            generator->waiting[op->other]--;
        guess_peer(generator, op);
        generator->sorts[op->place] = generator->sorts[op->other];
    } else if (op->kind == OP_WRITE || op->kind == OP_SENDFILE) {
        generator->unread[generator->peers[op->place]] = true;
    } else if ((op->kind == OP_SEND_TO || op->kind == OP_SEND_MANY) && op->other < PATH) {
        generator->unread[op->other] = true;
    } else if (op->kind == OP_READ || op->kind == OP_READ_MANY) {
        generator->unread[op->place] = guess_draw(generator, 2) != 0;
    }
}

void guess_after(struct generator *generator, const struct op *op)
{
    uint8_t *guess = &generator->guesses[op->place];
    if (op->other >= PATH)
        guess_paths(generator, op);
    if (op->kind == OP_SOCKET) {
        *guess = sort_has_datagrams(op->what) ? GUESS_DATAGRAM : GUESS_FRESH;
        generator->sorts[op->place] = op->what;
    } else if (op->kind == OP_LISTEN) {
        *guess = *guess == GUESS_FRESH ? GUESS_LISTENING : *guess;
    } else if (op->kind == OP_OPEN) {
        *guess = GUESS_FILE;
        generator->sorts[op->place] = SORT_FILE;
    } else if (op->kind == OP_CLOSE) {
        *guess = GUESS_EMPTY;
        generator->waiting[op->place] = 0;
        generator->unread[op->place] = false;
    } else if (op->kind == OP_PIPE) {
        guess_pair(generator, op, GUESS_READS, GUESS_WRITES);
    } else if (op->kind == OP_PAIR) {
        guess_pair(generator, op, GUESS_CONNECTED, GUESS_CONNECTED);
    } else {
        guess_traffic(generator, op);
    }
}

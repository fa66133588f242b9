/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs at random, that make sense more often than not.
 *
 * While it writes a program the generator guesses what each place will hold: that binds, connects
 * and accepts succeed. The guess only steers; whether an operation can be made is found out when
 * the program runs. One in ten operations ignores the guess.
 */
#include <string.h>
#include <twinloop/kernel.h>

#include "tests/fidelity/program.h"

/* What a place is guessed to hold. */
enum guess {
    GUESS_EMPTY,
    GUESS_FRESH,
    GUESS_LISTENING,
    GUESS_CONNECTED,
    GUESS_DATAGRAM,
    GUESS_READS,  /* a pipe's end */
    GUESS_WRITES, /* the other one */
};

struct generator {
    uint64_t state;
    struct program *program;
    uint8_t guesses[PLACES]; /* enum guess */
    uint8_t sorts[PLACES];   /* enum sort */
    uint8_t waiting[PLACES]; /* connections to be accepted there */
    uint8_t peers[PLACES];   /* who reads what it writes; a client: its listener, until accepted */
    bool unread[PLACES];     /* somebody has written to it */
    uint8_t family;          /* what most of its sockets are: enum sort */
    bool large;              /* it moves large amounts */
};

static uint64_t next(struct generator *generator)
{
    uint64_t z = generator->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint32_t draw(struct generator *generator, uint32_t bound)
{
    return (uint32_t)((next(generator) >> 32) * bound >> 32);
}

/* A place that is guessed to hold this, any place when none does. */
static uint8_t find(struct generator *generator, enum guess guess)
{
    uint8_t start = (uint8_t)draw(generator, PLACES);
    for (uint8_t i = 0; i < PLACES; i++) {
        uint8_t place = (uint8_t)((start + i) % PLACES);
        if (generator->guesses[place] == guess)
            return place;
    }
    return start;
}

static uint8_t find_open(struct generator *generator)
{
    uint8_t place = (uint8_t)draw(generator, PLACES);
    for (uint8_t i = 0; i < PLACES && generator->guesses[place] == GUESS_EMPTY; i++)
        place = (uint8_t)((place + 1) % PLACES);
    return place;
}

static uint8_t find_unread(struct generator *generator)
{
    uint8_t place = find_open(generator);
    for (uint8_t i = 0; i < PLACES && !generator->unread[place]; i++)
        place = (uint8_t)((place + 1) % PLACES);
    return generator->unread[place] ? place : find_open(generator);
}

static int32_t draw_size(struct generator *generator)
{
    static const int32_t sizes[] = {0, 1, 2, 100, 1000, 4095, 4096, 4097, 10000};
    static const int32_t large[] = {16384, 30000, 65536, 70000, 120000, 200000};
    uint32_t kind = draw(generator, 8);
    if (generator->large && kind < 4)
        return large[draw(generator, sizeof large / sizeof *large)];
    if (kind < 6)
        return 1 + (int32_t)draw(generator, 9);
    return sizes[draw(generator, sizeof sizes / sizeof *sizes)];
}

static void set_option(struct generator *generator, struct op *op)
{
    static const int32_t buffers[] = {65536, 100000, 131072, 200000};
    /* Not ERROR, which is only read, and not what decides whether calls wait. */
    op->what = (uint8_t)(1 + draw(generator, TL_OPTION_RCVBUF));
    op->value = (int32_t)draw(generator, 3);
    if (op->what == TL_OPTION_SNDBUF || op->what == TL_OPTION_RCVBUF)
        op->value = buffers[draw(generator, sizeof buffers / sizeof *buffers)];
}

/* --- Operations ------------------------------------------------------------------------------- */

static const struct {
    uint8_t kind;
    uint8_t weight;
} weights[] = {
    {OP_SOCKET, 7}, {OP_BIND, 3},  {OP_LISTEN, 3},  {OP_CONNECT, 14}, {OP_ACCEPT, 14},
    {OP_WRITE, 24}, {OP_READ, 24}, {OP_SEND_TO, 4}, {OP_SHUTDOWN, 4}, {OP_SET, 5},
    {OP_GET, 6},    {OP_LOCAL, 3}, {OP_PEER, 3},    {OP_WATCH, 3},    {OP_CLOSE, 4},
    {OP_PIPE, 1},   {OP_PAIR, 1},
};

static uint8_t draw_kind(struct generator *generator)
{
    uint32_t total = 0;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        total += weights[i].weight;
    uint32_t pick = draw(generator, total);
    size_t i = 0;
    while (pick >= weights[i].weight)
        pick -= weights[i++].weight;
    return weights[i].kind;
}

static uint8_t draw_sort(struct generator *generator)
{
    return draw(generator, 6) > 0 ? generator->family : (uint8_t)draw(generator, SORT_PIPE);
}

static bool is_datagram(uint8_t sort)
{
    return sort == SORT_UDP || sort == SORT_UDP6;
}

/* Where an operation of this kind may make sense. */
static uint8_t place_for(struct generator *generator, uint8_t kind)
{
    switch (kind) {
    case OP_SOCKET:
    case OP_ACCEPT:
    case OP_PIPE:
    case OP_PAIR:
        return find(generator, GUESS_EMPTY);
    case OP_BIND:
    case OP_LISTEN:
        return find(generator, GUESS_FRESH);
    case OP_CONNECT:
        return find(generator, draw(generator, 5) > 0 ? GUESS_FRESH : GUESS_DATAGRAM);
    case OP_SEND_TO:
        return find(generator, GUESS_DATAGRAM);
    case OP_WRITE:
        return draw(generator, 3) > 0 ? find(generator, GUESS_CONNECTED) : find_open(generator);
    case OP_READ:
        return find_unread(generator);
    default:
        return find_open(generator);
    }
}

static uint8_t other_for(struct generator *generator, const struct op *op)
{
    if (op->kind == OP_CONNECT && !is_datagram(generator->sorts[op->place]))
        return find(generator, GUESS_LISTENING);
    if (op->kind == OP_ACCEPT)
        return find(generator, GUESS_LISTENING);
    if (op->kind == OP_SEND_TO || op->kind == OP_CONNECT)
        return find(generator, GUESS_DATAGRAM);
    if (op->kind == OP_BIND)
        return draw(generator, 3) > 0 ? op->place : find_open(generator);
    return find(generator, GUESS_EMPTY);
}

/* Whether sockets of one sort can connect to those of the other. */
static bool may_reach(uint8_t from, uint8_t to)
{
    return from == to || (from == SORT_TCP && to == SORT_TCP6) ||
           (from == SORT_UDP && to == SORT_UDP6);
}

/* Whether the operation may well do something, as far as can be guessed. */
static bool is_sensible(const struct generator *generator, const struct op *op)
{
    uint8_t guess = generator->guesses[op->place];
    uint8_t other = generator->guesses[op->other];
    switch (op->kind) {
    case OP_SOCKET:
        return guess == GUESS_EMPTY;
    case OP_PIPE:
    case OP_PAIR:
        return guess == GUESS_EMPTY && other == GUESS_EMPTY;
    case OP_ACCEPT:
        return guess == GUESS_EMPTY && generator->waiting[op->other] > 0;
    case OP_BIND:
    case OP_LISTEN:
        return guess == GUESS_FRESH;
    case OP_CONNECT:
        return may_reach(generator->sorts[op->place], generator->sorts[op->other]) &&
               ((guess == GUESS_FRESH && other == GUESS_LISTENING) ||
                (guess == GUESS_DATAGRAM && other == GUESS_DATAGRAM));
    case OP_SEND_TO:
        return guess == GUESS_DATAGRAM && other == GUESS_DATAGRAM;
    case OP_WRITE:
        return guess == GUESS_CONNECTED || guess == GUESS_DATAGRAM || guess == GUESS_WRITES;
    case OP_READ:
        return generator->unread[op->place];
    default:
        return guess != GUESS_EMPTY;
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

/* What the places hold after an operation, if it does what it should. */
static void guess_on(struct generator *generator, const struct op *op)
{
    uint8_t *guess = &generator->guesses[op->place];
    if (op->kind == OP_SOCKET) {
        *guess = is_datagram(op->what) ? GUESS_DATAGRAM : GUESS_FRESH;
        generator->sorts[op->place] = op->what;
    } else if (op->kind == OP_LISTEN) {
        *guess = *guess == GUESS_FRESH ? GUESS_LISTENING : *guess;
    } else if (op->kind == OP_CONNECT) {
        *guess = *guess == GUESS_FRESH ? GUESS_CONNECTED : *guess;
        generator->waiting[op->other]++;
        generator->peers[op->place] = op->other;
    } else if (op->kind == OP_ACCEPT) {
        *guess = GUESS_CONNECTED;
        if (generator->waiting[op->other] > 0)
            generator->waiting[op->other]--;
        guess_peer(generator, op);
        generator->sorts[op->place] = generator->sorts[op->other];
    } else if (op->kind == OP_CLOSE) {
        *guess = GUESS_EMPTY;
        generator->waiting[op->place] = 0;
        generator->unread[op->place] = false;
    } else if (op->kind == OP_PIPE) {
        guess_pair(generator, op, GUESS_READS, GUESS_WRITES);
    } else if (op->kind == OP_PAIR) {
        guess_pair(generator, op, GUESS_CONNECTED, GUESS_CONNECTED);
    } else if (op->kind == OP_WRITE) {
        generator->unread[generator->peers[op->place]] = true;
    } else if (op->kind == OP_SEND_TO) {
        generator->unread[op->other] = true;
    } else if (op->kind == OP_READ) {
        generator->unread[op->place] = draw(generator, 2) != 0;
    }
}

static void add(struct generator *generator, const struct op *op)
{
    if (generator->program->count == OPS_MAX)
        return;
    generator->program->ops[generator->program->count] = *op;
    if (op->pieces == 0)
        generator->program->ops[generator->program->count].pieces = 1;
    generator->program->count++;
    guess_on(generator, op);
}

/* What is not yet drawn of an operation. */
static void fill_in(struct generator *generator, struct op *op)
{
    op->value = draw_size(generator);
    op->pieces = (uint8_t)(1 + (draw(generator, 3) == 0 ? draw(generator, PIECES_MAX) : 0));
    if (op->kind == OP_SOCKET)
        op->what = draw_sort(generator);
    else if (op->kind == OP_BIND)
        op->what = draw(generator, 5) == 0 ? BIND_ANY : BIND_LOOPBACK;
    else if (op->kind == OP_LISTEN)
        op->value = (int32_t)draw(generator, 4);
    else if (op->kind == OP_SHUTDOWN)
        op->what = (uint8_t)draw(generator, 3);
    else if (op->kind == OP_SET)
        set_option(generator, op);
    else if (op->kind == OP_GET)
        op->what =
            (uint8_t)(draw(generator, 2) ? TL_OPTION_ERROR : draw(generator, TL_OPTION_COUNT));
    else if (op->kind == OP_WATCH)
        op->what = (uint8_t)draw(generator, 4);
}

/* One operation, and what follows it as a rule: a socket is bound or connected. */
static void add_random(struct generator *generator)
{
    struct op op;
    bool wild = draw(generator, 10) == 0;
    for (int tries = 0; tries < 20; tries++) {
        op = (struct op){.kind = draw_kind(generator)};
        op.place = wild ? (uint8_t)draw(generator, PLACES) : place_for(generator, op.kind);
        op.other = wild ? (uint8_t)draw(generator, PLACES) : other_for(generator, &op);
        if (wild || is_sensible(generator, &op))
            break;
    }
    if ((op.kind == OP_PIPE || op.kind == OP_PAIR) && op.other == op.place)
        op.other = (uint8_t)((op.place + 1) % PLACES);
    fill_in(generator, &op);
    add(generator, &op);
    if (op.kind != OP_SOCKET || draw(generator, 4) == 0)
        return;
    uint8_t listener = find(generator, GUESS_LISTENING);
    if (is_datagram(op.what))
        add(generator, &(struct op){.kind = OP_BIND, .place = op.place, .other = op.place});
    else if (may_reach(op.what, generator->sorts[listener]))
        add(generator, &(struct op){.kind = OP_CONNECT, .place = op.place, .other = listener});
}

/* Most programs begin with somebody who listens, and many with a connection. */
static void add_start(struct generator *generator)
{
    uint8_t sort = generator->family;
    add(generator, &(struct op){.kind = OP_SOCKET, .what = sort});
    if (draw(generator, 6) == 0) {
        struct op set = {.kind = OP_SET};
        set_option(generator, &set);
        add(generator, &set);
    }
    add(generator, &(struct op){.kind = OP_BIND});
    if (!is_datagram(sort))
        add(generator, &(struct op){.kind = OP_LISTEN, .value = (int32_t)draw(generator, 5)});
    if (draw(generator, 3) == 0)
        return;
    add(generator, &(struct op){.kind = OP_SOCKET, .place = 1, .what = sort});
    if (is_datagram(sort))
        add(generator, &(struct op){.kind = OP_BIND, .place = 1, .other = 1});
    add(generator, &(struct op){.kind = OP_CONNECT, .place = 1});
    if (!is_datagram(sort) && draw(generator, 4) > 0)
        add(generator, &(struct op){.kind = OP_ACCEPT, .place = 2});
}

void program_generate(uint64_t seed, uint64_t number, struct program *ret)
{
    static const uint8_t families[] = {SORT_TCP,  SORT_TCP, SORT_TCP,  SORT_TCP,  SORT_TCP,
                                       SORT_TCP6, SORT_UDP, SORT_UDP6, SORT_UNIX, SORT_UNIX};
    struct generator generator = {.state = seed * 0xd1342543de82ef95 + number, .program = ret};
    memset(ret, 0, sizeof *ret);
    next(&generator);
    generator.family = families[draw(&generator, sizeof families)];
    generator.large = draw(&generator, 3) == 0;
    if (draw(&generator, 10) > 0)
        add_start(&generator);
    uint32_t count = 8 + draw(&generator, OPS_MAX - 8);
    while (ret->count < count)
        add_random(&generator);
}

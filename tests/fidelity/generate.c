/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs at random, that make sense more often than not.
 *
 * While it writes a program the generator guesses what each place will hold (guess.h). Whether an
 * operation can be made is found out when the program runs, and one in ten ignores the guess.
 */
#include <string.h>
#include <twinloop/kernel.h>

#include "tests/fidelity/guess.h"

static int32_t draw_size(struct generator *generator)
{
    static const int32_t sizes[] = {0, 1, 2, 100, 1000, 4095, 4096, 4097, 10000};
    static const int32_t large[] = {16384, 30000, 65536, 70000, 120000, 200000};
    uint32_t kind = guess_draw(generator, 8);
    if (generator->large && kind < 4)
        return large[guess_draw(generator, sizeof large / sizeof *large)];
    if (kind < 6)
        return 1 + (int32_t)guess_draw(generator, 9);
    return sizes[guess_draw(generator, sizeof sizes / sizeof *sizes)];
}

/* Mostly near the start, now and then behind a hole, or before the start. */
static int32_t draw_offset(struct generator *generator)
{
    static const int32_t offsets[] = {-1, 1, 5, 4096, 10000, 100000};
    return guess_draw(generator, 2) == 0
               ? 0
               : offsets[guess_draw(generator, sizeof offsets / sizeof *offsets)];
}

/* As a program would as a rule; or anything, also what makes no sense. */
static uint8_t draw_opening(struct generator *generator)
{
    static const uint8_t usual[] = {
        TL_OPEN_READ,
        TL_OPEN_READ | TL_OPEN_WRITE,
        TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE,
        TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE,
        TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE,
        TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_EXCLUSIVE,
    };
    return guess_draw(generator, 4) > 0 ? usual[guess_draw(generator, sizeof usual)]
                                        : (uint8_t)guess_draw(generator, 2 * TL_OPEN_EXCLUSIVE);
}

static void set_option(struct generator *generator, struct op *op)
{
    static const int32_t buffers[] = {65536, 100000, 131072, 200000};
    /* Of streams, how much is where would be anybody's guess. */
    static const int32_t small[] = {0, 1, 3000, 8000, 20000};
    /* Not ERROR, which is only read, and not what decides whether calls wait. */
    op->what = (uint8_t)(1 + guess_draw(generator, TL_OPTION_RCVBUF));
    op->value = (int32_t)guess_draw(generator, 3);
    if (op->what == TL_OPTION_SNDBUF || op->what == TL_OPTION_RCVBUF)
        op->value = buffers[guess_draw(generator, sizeof buffers / sizeof *buffers)];
    if (op->what == TL_OPTION_RCVBUF && sort_has_datagrams(generator->sorts[op->place]) &&
        guess_draw(generator, 2) == 0)
        op->value = small[guess_draw(generator, sizeof small / sizeof *small)];
}

/* --- Operations ------------------------------------------------------------------------------- */

/* How often each kind is drawn in a program about sockets, and in one about files. */
static const struct {
    uint8_t kind;
    uint8_t sockets;
    uint8_t files;
} weights[] = {
    {OP_SOCKET, 7, 4},     {OP_BIND, 3, 3},      {OP_LISTEN, 3, 2},    {OP_CONNECT, 14, 4},
    {OP_ACCEPT, 14, 2},    {OP_WRITE, 24, 7},    {OP_READ, 24, 7},     {OP_SEND_TO, 4, 2},
    {OP_SHUTDOWN, 4, 1},   {OP_SET, 5, 1},       {OP_GET, 6, 1},       {OP_LOCAL, 3, 1},
    {OP_PEER, 3, 1},       {OP_WATCH, 3, 1},     {OP_CLOSE, 4, 4},     {OP_PIPE, 1, 1},
    {OP_PAIR, 1, 1},       {OP_OPEN, 0, 10},     {OP_PREAD, 0, 8},     {OP_PWRITE, 0, 8},
    {OP_FSYNC, 0, 1},      {OP_STAT, 0, 5},      {OP_UNLINK, 1, 4},    {OP_RENAME, 1, 5},
    {OP_DISCONNECT, 1, 1}, {OP_SEND_MANY, 2, 1}, {OP_READ_MANY, 3, 1}, {OP_SENDFILE, 3, 3},
};

static uint8_t weight_of(const struct generator *generator, size_t i)
{
    return generator->files ? weights[i].files : weights[i].sockets;
}

static uint8_t draw_kind(struct generator *generator)
{
    uint32_t total = 0;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        total += weight_of(generator, i);
    uint32_t pick = guess_draw(generator, total);
    size_t i = 0;
    while (pick >= weight_of(generator, i))
        pick -= weight_of(generator, i++);
    return weights[i].kind;
}

static uint8_t draw_sort(struct generator *generator)
{
    return guess_draw(generator, 6) > 0 ? generator->family
                                        : (uint8_t)guess_draw(generator, SORT_PIPE);
}

/* Where an operation of this kind may make sense. */
static uint8_t place_for(struct generator *generator, uint8_t kind)
{
    switch (kind) {
    case OP_SOCKET:
    case OP_ACCEPT:
    case OP_PIPE:
    case OP_PAIR:
    case OP_OPEN:
        return guess_find(generator, GUESS_EMPTY);
    case OP_BIND:
        return guess_find(generator, guess_draw(generator, 4) > 0 ? GUESS_FRESH : GUESS_DATAGRAM);
    case OP_LISTEN:
        return guess_find(generator, guess_draw(generator, 6) > 0 ? GUESS_FRESH : GUESS_LISTENING);
    case OP_CONNECT:
        return guess_find(generator, guess_draw(generator, 5) > 0 ? GUESS_FRESH : GUESS_DATAGRAM);
    case OP_SEND_TO:
    case OP_SEND_MANY:
    case OP_DISCONNECT:
        return guess_find(generator, GUESS_DATAGRAM);
    case OP_PREAD:
    case OP_PWRITE:
    case OP_FSYNC:
        return guess_find(generator, GUESS_FILE);
    case OP_STAT:
    case OP_UNLINK:
    case OP_RENAME:
        return 0;
    case OP_WRITE:
    case OP_SENDFILE:
        return guess_draw(generator, 3) > 0 ? guess_find(generator, GUESS_CONNECTED)
                                            : guess_find_open(generator);
    case OP_READ_MANY:
        return guess_draw(generator, 4) > 0 ? guess_find_unread(generator)
                                            : guess_find(generator, GUESS_DATAGRAM);
    case OP_READ:
        return guess_find_unread(generator);
    default:
        return guess_find_open(generator);
    }
}

/* Whether an operation is with a path: files' are, and sockets' that have some may be. */
static bool takes_path(struct generator *generator, const struct op *op)
{
    switch (op->kind) {
    case OP_OPEN:
    case OP_STAT:
    case OP_UNLINK:
    case OP_RENAME:
        return true;
    case OP_BIND:
        return sort_has_paths(generator->sorts[op->place]) && guess_draw(generator, 2) == 0;
    case OP_CONNECT:
    case OP_SEND_TO:
    case OP_SEND_MANY:
        return sort_has_paths(generator->sorts[op->place]) && guess_draw(generator, 4) == 0;
    default:
        return false;
    }
}

static uint8_t other_for(struct generator *generator, const struct op *op)
{
    if (takes_path(generator, op))
        return guess_find_path(generator, op->kind != OP_BIND && guess_draw(generator, 3) > 0);
    if (op->kind == OP_CONNECT && guess_draw(generator, 20) == 0)
        return op->place;
    if (op->kind == OP_CONNECT && !sort_has_datagrams(generator->sorts[op->place]))
        return guess_find(generator, GUESS_LISTENING);
    if (op->kind == OP_ACCEPT)
        return guess_find(generator, GUESS_LISTENING);
    if (op->kind == OP_SEND_TO || op->kind == OP_SEND_MANY || op->kind == OP_CONNECT)
        return guess_find(generator, GUESS_DATAGRAM);
    if (op->kind == OP_BIND)
        return guess_draw(generator, 3) > 0 ? op->place : guess_find_open(generator);
    return guess_find(generator, GUESS_EMPTY);
}

static void add(struct generator *generator, const struct op *op)
{
    if (generator->program->count == OPS_MAX)
        return;
    generator->program->ops[generator->program->count] = *op;
    if (op->pieces == 0)
        generator->program->ops[generator->program->count].pieces = 1;
    generator->program->count++;
    guess_after(generator, op);
}

/* What is not yet drawn of an operation. */
static void fill_in(struct generator *generator, struct op *op)
{
    op->value = draw_size(generator);
    op->pieces =
        (uint8_t)(1 + (guess_draw(generator, 3) == 0 ? guess_draw(generator, PIECES_MAX) : 0));
    if (op->kind == OP_SOCKET)
        op->what = draw_sort(generator);
    else if (op->kind == OP_PREAD || op->kind == OP_PWRITE || op->kind == OP_SENDFILE)
        op->offset = draw_offset(generator);
    else if (op->kind == OP_BIND)
        op->what =
            guess_draw(generator, 3) > 0 ? BIND_LOOPBACK : (uint8_t)guess_draw(generator, BINDS);
    else if (op->kind == OP_LISTEN)
        op->value = (int32_t)guess_draw(generator, 5) - 1;
    else if (op->kind == OP_SHUTDOWN)
        op->what = (uint8_t)guess_draw(generator, 3);
    else if (op->kind == OP_SET)
        set_option(generator, op);
    else if (op->kind == OP_GET)
        op->what = (uint8_t)(guess_draw(generator, 2) ? TL_OPTION_ERROR
                                                      : guess_draw(generator, TL_OPTION_COUNT));
    else if (op->kind == OP_WATCH)
        op->what = (uint8_t)guess_draw(generator, 4);
}

/* An operation without what fill_in draws of it; a wild one is on any place. */
static struct op draw_op(struct generator *generator, bool wild)
{
    struct op op = {.kind = draw_kind(generator)};
    op.place = wild ? (uint8_t)guess_draw(generator, PLACES) : place_for(generator, op.kind);
    op.other = wild && !takes_path(generator, &op) ? (uint8_t)guess_draw(generator, PLACES)
                                                   : other_for(generator, &op);
    if (op.kind == OP_OPEN)
        op.what = draw_opening(generator);
    else if (op.kind == OP_RENAME)
        op.what = guess_find_path(generator, guess_draw(generator, 3) == 0);
    return op;
}

/* As who binds to an address that was somebody else's does. */
static void add_reuse(struct generator *generator, uint8_t place)
{
    add(generator,
        &(struct op){.kind = OP_SET, .place = place, .what = TL_OPTION_REUSEADDR, .value = 1});
}

/* Now and then a queue is filled. */
static void repeat(struct generator *generator, const struct op *op)
{
    bool datagram = (op->kind == OP_WRITE || op->kind == OP_SEND_TO || op->kind == OP_SEND_MANY ||
                     op->kind == OP_SENDFILE) &&
                    generator->guesses[op->place] == GUESS_DATAGRAM;
    if (!datagram || guess_draw(generator, 8) > 0)
        return;
    for (uint32_t times = guess_draw(generator, 13); times > 0; times--)
        add(generator, op);
}

/* One operation, and what follows it as a rule: a socket is bound or connected. */
static void add_random(struct generator *generator)
{
    struct op op;
    bool wild = guess_draw(generator, 10) == 0;
    for (int tries = 0; tries < 20; tries++) {
        op = draw_op(generator, wild);
        if (wild || guess_is_sensible(generator, &op))
            break;
    }
    if ((op.kind == OP_PIPE || op.kind == OP_PAIR) && op.other == op.place)
        op.other = (uint8_t)((op.place + 1) % PLACES);
    fill_in(generator, &op);
    if (op.kind == OP_BIND && op.other != op.place && guess_draw(generator, 2) == 0)
        add_reuse(generator, op.place);
    add(generator, &op);
    repeat(generator, &op);
    if (op.kind != OP_SOCKET || guess_draw(generator, 4) == 0)
        return;
    uint8_t listener = guess_find(generator, GUESS_LISTENING);
    if (sort_has_datagrams(op.what))
        add(generator, &(struct op){.kind = OP_BIND, .place = op.place, .other = op.place});
    else if (guess_reaches(op.what, generator->sorts[listener]))
        add(generator, &(struct op){.kind = OP_CONNECT, .place = op.place, .other = listener});
}

/* Most programs begin with somebody who listens, and many with a connection. */
static void add_start(struct generator *generator)
{
    uint8_t sort = generator->family;
    add(generator, &(struct op){.kind = OP_SOCKET, .what = sort});
    if (guess_draw(generator, 4) == 0)
        add_reuse(generator, 0);
    if (guess_draw(generator, 6) == 0) {
        struct op set = {.kind = OP_SET};
        set_option(generator, &set);
        add(generator, &set);
    }
    bool path = sort_has_paths(sort) && guess_draw(generator, 3) == 0;
    add(generator, &(struct op){.kind = OP_BIND, .other = path ? PATH : 0});
    bool tcp = sort == SORT_TCP || sort == SORT_TCP6;
    if (tcp && guess_draw(generator, 16) == 0) {
        add(generator, &(struct op){.kind = OP_CONNECT}); /* to itself */
        return;
    }
    if (!sort_has_datagrams(sort))
        add(generator, &(struct op){.kind = OP_LISTEN, .value = (int32_t)guess_draw(generator, 5)});
    if (guess_draw(generator, 3) == 0)
        return;
    add(generator, &(struct op){.kind = OP_SOCKET, .place = 1, .what = sort});
    if (sort_has_datagrams(sort))
        add(generator, &(struct op){.kind = OP_BIND, .place = 1, .other = 1});
    add(generator, &(struct op){.kind = OP_CONNECT, .place = 1});
    if (!sort_has_datagrams(sort) && guess_draw(generator, 4) > 0)
        add(generator, &(struct op){.kind = OP_ACCEPT, .place = 2});
}

void program_generate(uint64_t seed, uint64_t number, struct program *ret)
{
    static const uint8_t families[] = {
        SORT_TCP, SORT_TCP,  SORT_TCP,  SORT_TCP,  SORT_TCP,           SORT_TCP6,
        SORT_UDP, SORT_UDP6, SORT_UNIX, SORT_UNIX, SORT_UNIX_DATAGRAM, SORT_UNIX_DATAGRAM};
    struct generator generator = {.state = seed * 0xd1342543de82ef95 + number, .program = ret};
    memset(ret, 0, sizeof *ret);
    (void)guess_draw(&generator, 1);
    generator.family = families[guess_draw(&generator, sizeof families)];
    generator.large = guess_draw(&generator, 3) == 0;
    generator.files = guess_draw(&generator, 6) == 0;
    generator.paths[3] = generator.paths[9] = true; /* the directories */
    if (guess_draw(&generator, generator.files ? 2 : 10) > 0)
        add_start(&generator);
    uint32_t count = 8 + guess_draw(&generator, OPS_MAX - 8);
    while (ret->count < count)
        add_random(&generator);
}

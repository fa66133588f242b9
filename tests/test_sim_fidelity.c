/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated stream against the real one: the same random calls, made on both kernels, must
 * answer the same.
 *
 * A game has a listener and four places for sockets. Each move is one call on one of them; what it
 * answered, and what a poll then says of every socket, goes into a transcript. Time is given to
 * either kernel after each move until nothing is on its way. Numbers that a kernel may pick freely
 * (ports, descriptors, buffer sizes) stay out of the transcript.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/error.h>
#include <twinloop/kernel.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>

#include <cmocka.h>

enum { PLACES = 5, MOVES = 25, GAMES = 2000, TRANSCRIPT = 8192 };

struct game {
    struct tl_kernel *kernel;
    tl_time settle;  /* of the kernel's time, after each move */
    int fds[PLACES]; /* place 0: the listener's; -1: none */
    bool listening;  /* place 0 still does what it did at the start */
    tl_addr address; /* where the listener listens */
    uint32_t random; /* the same in both worlds */
    char transcript[TRANSCRIPT];
    size_t len;
};

static uint32_t draw(struct game *game, uint32_t bound)
{
    game->random = game->random * 1664525 + 1013904223;
    return (game->random >> 16) % bound;
}

static __attribute__((format(printf, 2, 3))) void tell(struct game *game, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    game->len +=
        (size_t)vsnprintf(game->transcript + game->len, TRANSCRIPT - game->len, format, args);
    va_end(args);
    assert_true(game->len < TRANSCRIPT);
}

static void tell_result(struct game *game, const char *what, int place, int64_t result)
{
    if (result < 0)
        tell(game, "%s(%d) = %s", what, place, tl_err_name((int)result));
    else
        tell(game, "%s(%d) = %d", what, place, (int)result);
}

/* --- Moves ------------------------------------------------------------------------------------ */

static void move_socket(struct game *game, int place)
{
    int *fd = &game->fds[place];
    *fd = game->kernel->ops->socket(game->kernel, TL_FAMILY_INET, TL_STREAM);
    assert_true(*fd >= 0);
    tell(game, "socket(%d)", place);
}

static void move_connect(struct game *game, int place)
{
    int r = game->kernel->ops->connect(game->kernel, game->fds[place], &game->address);
    tell_result(game, "connect", place, r);
}

static void move_accept(struct game *game, int place)
{
    tl_addr peer;
    int r = game->kernel->ops->accept(game->kernel, game->fds[0], &peer);
    if (r >= 0) {
        game->fds[place] = r;
    }
    tell_result(game, "accept into", place, r < 0 ? r : 0);
}

static void move_write(struct game *game, int place)
{
    char data[8] = "abcdefgh";
    struct iovec iov = {data, 1 + draw(game, 8)};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    ssize_t r = game->kernel->ops->write(game->kernel, game->fds[place], &message, 1);
    tell_result(game, "write", place, r);
}

static void move_read(struct game *game, int place)
{
    char data[8];
    struct iovec iov = {data, draw(game, 9)};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    ssize_t r = game->kernel->ops->read(game->kernel, game->fds[place], &message, 1);
    tell_result(game, "read", place, r);
}

static void move_shutdown(struct game *game, int place)
{
    enum tl_shutdown how = (enum tl_shutdown)draw(game, 3);
    tell(game, "how %d ", how);
    int r = game->kernel->ops->shutdown(game->kernel, game->fds[place], how);
    tell_result(game, "shutdown", place, r);
}

static void move_close(struct game *game, int place)
{
    int r = game->kernel->ops->close(game->kernel, game->fds[place]);
    game->fds[place] = -1;
    tell_result(game, "close", place, r);
}

static void move_error(struct game *game, int place)
{
    int error = 0;
    int r =
        game->kernel->ops->option(game->kernel, game->fds[place], TL_OPTION_ERROR, NULL, &error);
    tell(game, "error %s ", tl_err_name(-error));
    tell_result(game, "option", place, r);
}

static void move_peer(struct game *game, int place)
{
    tl_addr peer;
    int r = game->kernel->ops->address(game->kernel, game->fds[place], TL_ADDRESS_PEER, &peer);
    tell_result(game, "peer", place, r);
}

/* To the listener's port only while it listens: after that, real connections wait there in
 * TIME_WAIT, and a socket could connect to itself; the simulator knows neither. */
static void move_bind(struct game *game, int place)
{
    tl_addr addr = game->address;
    addr.port = draw(game, 2) && game->listening ? addr.port : 0;
    int r = game->kernel->ops->bind(game->kernel, game->fds[place], &addr);
    tell_result(game, addr.port ? "bind there" : "bind", place, r);
}

static void move_listen(struct game *game, int place)
{
    int r = game->kernel->ops->listen(game->kernel, game->fds[place], 3);
    tell_result(game, "listen", place, r);
}

static const struct {
    void (*move)(struct game *game, int place);
    unsigned weight;
    bool needs_socket;
} moves[] = {
    {move_socket, 3, false}, {move_connect, 5, true}, {move_accept, 4, false},
    {move_write, 6, true},   {move_read, 6, true},    {move_shutdown, 3, true},
    {move_close, 3, true},   {move_error, 2, true},   {move_peer, 1, true},
    {move_bind, 1, true},    {move_listen, 1, true},
};

/* False when the move that was drawn makes no sense. */
static bool make_move(struct game *game)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        total += moves[i].weight;
    uint32_t pick = draw(game, total);
    size_t which = 0;
    while (pick >= moves[which].weight)
        pick -= moves[which++].weight;
    int place = (int)draw(game, PLACES);
    if (moves[which].needs_socket != (game->fds[place] >= 0))
        return false;
    if (moves[which].move == move_accept && game->fds[0] < 0)
        return false;
    if (moves[which].move == move_close && place == 0 && draw(game, 4) != 0)
        return false; /* or there would soon be nothing to connect to */
    if (place == 0 && (moves[which].move == move_close || moves[which].move == move_shutdown))
        game->listening = false;
    moves[which].move(game, place);
    return true;
}

/* --- Looking ---------------------------------------------------------------------------------- */

static void settle(struct game *game)
{
    struct tl_event event;
    if (game->settle > 0)
        assert_int_equal(game->kernel->ops->poll(game->kernel, game->settle, &event, 1), 0);
}

/* What poll says of each socket, in the order of places. */
static void look(struct game *game)
{
    struct tl_event events[PLACES];
    uint32_t ready[PLACES] = {0};
    for (int i = 0; i < PLACES; i++)
        if (game->fds[i] >= 0)
            assert_int_equal(game->kernel->ops->watch(game->kernel, game->fds[i],
                                                      TL_READABLE | TL_WRITABLE, &ready[i]),
                             0);
    int count = game->kernel->ops->poll(game->kernel, 0, events, PLACES);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++)
        *(uint32_t *)events[i].token = events[i].ready;
    tell(game, "\n   ");
    for (int i = 0; i < PLACES; i++) {
        if (game->fds[i] < 0)
            continue;
        (void)game->kernel->ops->watch(game->kernel, game->fds[i], 0, NULL);
        tell(game, " %d:%s%s%s%s", i, ready[i] & TL_READABLE ? "r" : "",
             ready[i] & TL_WRITABLE ? "w" : "", ready[i] & TL_HANGUP ? "h" : "",
             ready[i] & TL_FAULT ? "f" : "");
    }
    tell(game, "\n");
}

/* --- Games ------------------------------------------------------------------------------------ */

static void play(struct game *game, uint32_t seed)
{
    struct tl_kernel *kernel = game->kernel;
    game->random = seed * 2654435761u;
    game->len = 0;
    for (int i = 0; i < PLACES; i++)
        game->fds[i] = -1;
    game->listening = true;
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &game->address), 0);
    game->fds[0] = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, game->fds[0], &game->address), 0);
    assert_int_equal(kernel->ops->listen(kernel, game->fds[0], 3), 0);
    assert_int_equal(kernel->ops->address(kernel, game->fds[0], TL_ADDRESS_LOCAL, &game->address),
                     0);
    for (int i = 0; i < MOVES; i++) {
        if (!make_move(game))
            continue;
        settle(game);
        look(game);
    }
    kernel->ops->destroy(kernel);
}

/* Prints what they have in common, then how each goes on. */
static void tell_difference(uint32_t seed, const char *real, const char *sim)
{
    size_t same = 0;
    while (real[same] == sim[same])
        same++;
    while (same > 0 && real[same - 1] != '\n')
        same--;
    fprintf(stderr, "game %u\n%.*sreal     : %.*s\nsimulated: %.*s\n", seed, (int)same, real,
            (int)strcspn(real + same, "\n"), real + same, (int)strcspn(sim + same, "\n"),
            sim + same);
    fail_msg("game %u differs", seed);
}

static void random_calls_answer_as_linux_does(void **state)
{
    static struct game real, sim;
    static const struct tl_world_options options = {.quiet = true};
    (void)state;
    for (uint32_t seed = 1; seed <= GAMES; seed++) {
        assert_int_equal(tl_real_kernel_new(&real.kernel), 0);
        play(&real, seed);
        assert_int_equal(tl_sim_kernel_new(&options, &sim.kernel), 0);
        sim.settle = TL_MILLISECOND;
        play(&sim, seed);
        if (strcmp(real.transcript, sim.transcript) != 0)
            tell_difference(seed, real.transcript, sim.transcript);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_calls_answer_as_linux_does),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}

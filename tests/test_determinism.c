/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Determinism: the same answers make the same run, wherever its memory lies; other answers another
 * one; and the hash of a given run is the same on every machine.
 *
 * The scenario is a server, clients that come and go, a daemon that is killed, and every fault at
 * once. Each seed runs twice with a different heap under it; the `twice` command of a scenario does
 * the same in two processes.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/kernel.h>
#include <twinloop/world.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/self.h"
#include "sim/mix.h"
#include "sim/world.h"

enum { CLIENTS = 3, ROUNDS = 6, SOCKETS = 16 };

/* --- The scenario ----------------------------------------------------------------------------- */

struct program {
    struct tl_kernel *kernel;
    int fds[SOCKETS]; /* place is the token; -1: none */
};

static void start(struct program *program)
{
    int r = tl_self->context->ops->new_kernel(tl_self->context, &program->kernel);
    TL_ASSERT(r == 0, "a process has a kernel");
    for (int i = 0; i < SOCKETS; i++)
        program->fds[i] = -1;
}

static ssize_t transfer(struct program *program, int fd, char *data, size_t len, bool writes)
{
    struct iovec iov = {data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    const struct tl_kernel_ops *ops = program->kernel->ops;
    return writes ? ops->write(program->kernel, fd, &message, 1)
                  : ops->read(program->kernel, fd, &message, 1);
}

static void watch_at(struct program *program, int place, int fd, unsigned events)
{
    program->fds[place] = fd;
    program->kernel->ops->watch(program->kernel, fd, events, &program->fds[place]);
}

static void close_at(struct program *program, int place)
{
    program->kernel->ops->close(program->kernel, program->fds[place]);
    program->fds[place] = -1;
}

static void accept_one(struct program *program)
{
    tl_addr peer;
    int fd = program->kernel->ops->accept(program->kernel, program->fds[0], &peer);
    int place = 1;
    while (place < SOCKETS && program->fds[place] >= 0)
        place++;
    if (fd >= 0 && place < SOCKETS)
        watch_at(program, place, fd, TL_READABLE);
    else if (fd >= 0)
        program->kernel->ops->close(program->kernel, fd);
}

/* Echoes what it reads, as far as the peer takes it. */
static void echo(struct program *program, int place)
{
    char data[300];
    ssize_t n = transfer(program, program->fds[place], data, sizeof data, false);
    if (n > 0)
        transfer(program, program->fds[place], data, (size_t)n, true);
    else if (n != -EAGAIN)
        close_at(program, place);
}

static int serve(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct program program;
    struct tl_event events[4];
    tl_addr any;
    start(&program);
    const struct tl_kernel_ops *ops = program.kernel->ops;
    ops->signal(program.kernel, SIGTERM, true);
    int fd = ops->socket(program.kernel, TL_FAMILY_INET, TL_STREAM);
    tl_addr_parse("0.0.0.0", 7, &any);
    ops->bind(program.kernel, fd, &any);
    ops->listen(program.kernel, fd, 2);
    watch_at(&program, 0, fd, TL_READABLE);
    for (;;) {
        int n = ops->poll(program.kernel, 3 * TL_SECOND, events, 4);
        for (int i = 0; i < n; i++) {
            if (events[i].kind == TL_EVENT_SIGNAL)
                return 0;
            int place = (int)((int *)events[i].token - program.fds);
            if (place == 0)
                accept_one(&program);
            else if (program.fds[place] >= 0)
                echo(&program, place);
        }
    }
}

/* One connection: sends a few times and reads what comes, for at most a second each time. */
static void talk(struct program *program, uint64_t who)
{
    char data[200];
    struct tl_event event;
    tl_addr addr;
    const struct tl_kernel_ops *ops = program->kernel->ops;
    int fd = ops->socket(program->kernel, TL_FAMILY_INET, TL_STREAM);
    if (fd < 0)
        return;
    tl_addr_parse("10.0.0.1", 7, &addr);
    ops->connect(program->kernel, fd, &addr);
    watch_at(program, 1, fd, TL_WRITABLE);
    ops->poll(program->kernel, TL_SECOND, &event, 1);
    for (int i = 0; i < 4; i++) {
        ops->entropy(program->kernel, data, sizeof data);
        data[0] = (char)who;
        transfer(program, fd, data, 1 + (unsigned char)data[1] % sizeof data, true);
        watch_at(program, 1, fd, TL_READABLE);
        if (ops->poll(program->kernel, TL_SECOND, &event, 1) == 1)
            transfer(program, fd, data, sizeof data, false);
    }
    close_at(program, 1);
}

static int call(int argc, char **argv)
{
    (void)argv;
    struct program program;
    start(&program);
    for (int i = 0; i < ROUNDS; i++)
        talk(&program, (uint64_t)argc);
    free(malloc(100));
    return 0;
}

static void kill_daemon(tl_world *world, void *arg)
{
    tl_world_observe(world, "kill", tl_choose(world, tl_sim_sites[0], 5, 100));
    tl_process_kill(arg, SIGKILL);
}

static tl_world *build(const struct tl_world_options *options)
{
    static const char *const argv[] = {"client", "a", "b", NULL};
    static const char *const faults[] = {"stream.reset", "accept.aborted", "socket.emfile",
                                         "connect.timeout"};
    tl_world *world = tl_world_new(options);
    tl_host *server = tl_world_add_host(world, "server", NULL);
    tl_host *client = tl_world_add_host(world, "client", NULL);
    for (int i = 0; i < 4; i++)
        tl_world_set_odds(world, faults[i], 1500);
    struct tl_process_options serving = {.name = "server", .program = serve, .daemon = true};
    struct tl_process_options calling = {.program = call};
    tl_host_spawn(server, &serving);
    serving.name = "doomed";
    tl_process *doomed = tl_host_spawn(client, &serving);
    for (int i = 0; i < CLIENTS; i++) {
        calling.argv = argv + i % 3;
        tl_host_spawn(i == 0 ? server : client, &calling);
    }
    tl_world_at(world, 2 * TL_MILLISECOND, kill_daemon, doomed);
    return world;
}

struct run {
    uint64_t schedule;
    uint64_t content;
    uint64_t events;
    tl_time time;
};

static struct run run(const struct tl_world_options *options)
{
    struct run run;
    tl_world *world = build(options);
    assert_int_equal(tl_world_run(world), TL_OUTCOME_HELD);
    tl_world_hashes(world, &run.schedule, &run.content);
    run.events = tl_world_events(world);
    run.time = tl_world_time(world);
    tl_world_free(world);
    return run;
}

static void assert_same(const struct run *a, const struct run *b)
{
    assert_int_equal(a->events, b->events);
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->schedule, b->schedule);
    assert_int_equal(a->content, b->content);
}

/* --- The same --------------------------------------------------------------------------------- */

/* Memory that is never where it was, and full of something else. */
static void *shifting_realloc(void *ctx, void *ptr, size_t size)
{
    unsigned *count = ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    void *hole = malloc(16 + *count * 48 % 1000);
    if (ptr == NULL) {
        ptr = malloc(size);
        memset(ptr, (int)(0xa5 + *count), size);
    } else {
        ptr = realloc(ptr, size);
    }
    ++*count;
    free(hole);
    return ptr;
}

static void a_seed_is_one_run(void **state)
{
    (void)state;
    static uint64_t seen[20];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct tl_world_options options = {.seed = seed};
        struct run first = run(&options);
        unsigned count = (unsigned)seed;
        tl_allocator allocator = {.realloc = shifting_realloc, .ctx = &count};
        tl_set_allocator(&allocator);
        struct run second = run(&options);
        tl_set_allocator(NULL);
        assert_same(&first, &second);
        assert_true(first.events > 100);
        seen[seed] = first.schedule;
        for (uint64_t other = 0; other < seed; other++)
            assert_int_not_equal(seen[other], seen[seed]);
    }
}

static void a_script_is_the_run_it_came_from(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct run first, again;
        size_t count;
        tl_world *world = build(&(struct tl_world_options){.seed = seed, .keep_choices = true});
        assert_int_equal(tl_world_run(world), TL_OUTCOME_HELD);
        tl_world_hashes(world, &first.schedule, &first.content);
        first.events = tl_world_events(world);
        first.time = tl_world_time(world);
        const struct tl_script_entry *script = tl_world_script(world, &count);
        assert_true(count > 10);
        again = run(&(struct tl_world_options){
            .strategy = TL_STRATEGY_SCRIPT, .seed = seed, .script = script, .script_count = count});
        assert_same(&first, &again);
        tl_world_free(world);
    }
}

/* A tape of zeros, an empty script and a run without its tape are the plain run. */
static void the_plain_run_is_one(void **state)
{
    (void)state;
    static const uint8_t zeros[100];
    struct run script = run(&(struct tl_world_options){.strategy = TL_STRATEGY_SCRIPT});
    struct run empty = run(&(struct tl_world_options){.strategy = TL_STRATEGY_BYTES});
    struct run tape = run(&(struct tl_world_options){
        .strategy = TL_STRATEGY_BYTES, .bytes = zeros, .bytes_count = sizeof zeros});
    assert_same(&script, &empty);
    assert_same(&script, &tape);
}

/* --- Different -------------------------------------------------------------------------------- */

static uint64_t payload_of_one;

static int write_payload(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct program program;
    struct tl_event event;
    tl_addr addr;
    start(&program);
    const struct tl_kernel_ops *ops = program.kernel->ops;
    int listener = ops->socket(program.kernel, TL_FAMILY_INET, TL_STREAM);
    tl_addr_parse("127.0.0.1", 7, &addr);
    ops->bind(program.kernel, listener, &addr);
    ops->listen(program.kernel, listener, 2);
    int fd = ops->socket(program.kernel, TL_FAMILY_INET, TL_STREAM);
    ops->connect(program.kernel, fd, &addr);
    watch_at(&program, 1, fd, TL_WRITABLE);
    ops->poll(program.kernel, TL_SECOND, &event, 1);
    transfer(&program, fd, tl_process_arg(tl_process_current()), 8, true);
    return 0;
}

static struct run run_with_payload(uint64_t payload)
{
    struct run run = {0};
    payload_of_one = payload;
    tl_world *world = tl_world_new(NULL);
    tl_host *host = tl_world_add_host(world, "host", NULL);
    struct tl_process_options options = {.program = write_payload, .arg = &payload_of_one};
    tl_host_spawn(host, &options);
    assert_int_equal(tl_world_run(world), TL_OUTCOME_HELD);
    tl_world_hashes(world, &run.schedule, &run.content);
    tl_world_free(world);
    return run;
}

static void payloads_are_a_lane_of_their_own(void **state)
{
    (void)state;
    struct run a = run_with_payload(1);
    struct run b = run_with_payload(2);
    assert_int_equal(a.schedule, b.schedule);
    assert_int_not_equal(a.content, b.content);
}

static void what_is_observed_counts(void **state)
{
    (void)state;
    uint64_t schedules[3], content;
    for (uint64_t i = 0; i < 3; i++) {
        tl_world *world = tl_world_new(NULL);
        if (i > 0)
            tl_world_observe(world, "something", i);
        tl_world_hashes(world, &schedules[i], &content);
        assert_int_equal(tl_world_events(world), i > 0);
        tl_world_free(world);
    }
    assert_int_not_equal(schedules[0], schedules[1]);
    assert_int_not_equal(schedules[1], schedules[2]);
}

/* --- For ever --------------------------------------------------------------------------------- */

/* A run recorded elsewhere is compared by these numbers: a given stream must always give them. */
static void the_hash_is_the_same_everywhere(void **state)
{
    (void)state;
    uint64_t schedule, content;
    tl_world *world = tl_world_new(NULL);
    for (uint32_t i = 0; i < 100; i++) {
        struct tl_event_words words = {
            .kind = TL_KIND_READ,
            .object = i,
            .actor = i * UINT64_C(0x123456789),
            .result = i % 3 == 0 ? -ECONNRESET : (int64_t)i,
            .aux = i * 7,
            .content = i % 2 * UINT64_C(0xfedcba9876543210),
        };
        world->now = i * TL_SECOND;
        tl_event_hash_add(world, &words);
    }
    tl_world_hashes(world, &schedule, &content);
    tl_world_free(world);
    unsigned char bytes[200];
    for (int i = 0; i < 200; i++)
        bytes[i] = (unsigned char)(i * i);
    uint64_t of_bytes = 0;
    for (size_t len = 0; len <= sizeof bytes; len++)
        of_bytes = tl_mix(of_bytes, tl_mix_bytes(bytes, len));
    assert_int_equal(schedule, UINT64_C(0x87b83ef3e3abd6e1));
    assert_int_equal(content, UINT64_C(0xd7b07ad79456d146));
    assert_int_equal(of_bytes, UINT64_C(0xd33194aa8ec85655));
}

static void every_byte_counts(void **state)
{
    (void)state;
    unsigned char bytes[120] = {0};
    for (size_t len = 1; len <= sizeof bytes; len++) {
        uint64_t before = tl_mix_bytes(bytes, len);
        assert_int_not_equal(before, tl_mix_bytes(bytes, len - 1));
        for (size_t i = 0; i < len; i++) {
            bytes[i] ^= 0x80;
            assert_int_not_equal(before, tl_mix_bytes(bytes, len));
            bytes[i] ^= 0x80;
        }
    }
}

/* --- Lines ------------------------------------------------------------------------------------ */

static char *lines_of(uint64_t seed, bool words)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct tl_world_options options = {.seed = seed};
    *(words ? &options.words : &options.log) = file;
    struct run with = run(&options);
    options.words = options.log = NULL;
    struct run without = run(&options);
    assert_same(&with, &without);
    fclose(file);
    return text;
}

static void each_event_is_a_line(void **state)
{
    (void)state;
    char *first = lines_of(1, true);
    char *again = lines_of(1, true);
    char *other = lines_of(2, true);
    char *log = lines_of(1, false);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_non_null(strstr(first, " server listen 1 0 2 0000000000000000 "));
    assert_non_null(strstr(first, " EINPROGRESS "));
    assert_non_null(strstr(first, " observed:kill "));
    assert_non_null(strstr(log, "0.000000000 server listen #1 -> 0\n"));
    free(first);
    free(again);
    free(other);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_is_one_run),
        cmocka_unit_test(a_script_is_the_run_it_came_from),
        cmocka_unit_test(the_plain_run_is_one),
        cmocka_unit_test(payloads_are_a_lane_of_their_own),
        cmocka_unit_test(what_is_observed_counts),
        cmocka_unit_test(the_hash_is_the_same_everywhere),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(each_event_is_a_line),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}

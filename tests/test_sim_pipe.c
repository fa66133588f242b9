/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and Unix-domain sockets of the simulator, what only it has: choices that cut reads and
 * writes, descriptors that run out, no allocation once it is warm, and worlds that end with all of
 * it open.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/kernel.h>
#include <twinloop/sim.h>
#include <twinloop/unix.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "support/memory.h"
#include "support/seam.h"
#include "support/simulated.h"

enum { ALWAYS = 65536, WHOLE = 4096 };

static const enum tl_pipe_kind kinds[] = {TL_PIPE_ONE_WAY, TL_PIPE_STREAM_PAIR};

/* --- Cuts ------------------------------------------------------------------------------------- */

/* Reads what was written, always asking for all that is left; how many reads that took. */
static int count_reads(enum tl_pipe_kind kind)
{
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 3});
    char out[10000], in[10000];
    int fds[2];
    int reads = 0;
    size_t done = 0;
    simulated_only(kernel, "stream.read", ALWAYS);
    assert_int_equal(kernel->ops->pipe(kernel, kind, fds), 0);
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7 + i / 256);
    seam_write_all(kernel, fds[1], out, sizeof out);
    for (; done < sizeof in; reads++) {
        ssize_t n = seam_read(kernel, fds[0], in + done, sizeof in - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(seam_read(kernel, fds[0], in, 1), -EAGAIN);
    kernel->ops->destroy(kernel);
    return reads;
}

static void a_read_that_is_cut_loses_nothing(void **state)
{
    (void)state;
    assert_true(count_reads(TL_PIPE_STREAM_PAIR) > 2);
}

/* POSIX: what is there and was asked for. */
static void a_pipes_reads_are_never_cut(void **state)
{
    (void)state;
    assert_int_equal(count_reads(TL_PIPE_ONE_WAY), 1);
}

/* POSIX: so that several may write to one pipe. */
static void what_is_short_is_written_whole(void **state)
{
    (void)state;
    static char data[60000];
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 3});
    int fds[2];
    int cut = 0;
    simulated_only(kernel, "stream.write", ALWAYS);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(seam_write(kernel, fds[1], data, WHOLE), WHOLE);
        assert_int_equal(seam_read_all(kernel, fds[0], data, WHOLE), WHOLE);
        ssize_t n = seam_write(kernel, fds[1], data, sizeof data);
        assert_in_range(n, 1, sizeof data);
        cut += n < (ssize_t)sizeof data;
        assert_int_equal(seam_read_all(kernel, fds[0], data, (size_t)n), n);
    }
    assert_true(cut > 50);
    kernel->ops->destroy(kernel);
}

static void a_socket_takes_what_it_likes(void **state)
{
    (void)state;
    char data[100] = {0};
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 3});
    int fds[2];
    int cut = 0;
    simulated_only(kernel, "stream.write", ALWAYS);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, fds), 0);
    for (int i = 0; i < 100; i++) {
        ssize_t n = seam_write(kernel, fds[1], data, sizeof data);
        assert_in_range(n, 1, sizeof data);
        cut += n < (ssize_t)sizeof data;
        assert_int_equal(seam_read_all(kernel, fds[0], data, (size_t)n), n);
    }
    assert_true(cut > 50);
    kernel->ops->destroy(kernel);
}

/* --- Descriptors ------------------------------------------------------------------------------ */

static void a_pipe_needs_two_descriptors(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tl_kernel *kernel =
            simulated_kernel((struct tl_world_options){.seed = 1, .quiet = true, .fds_max = 6});
        int first[2], second[2] = {-7, -7};
        assert_int_equal(kernel->ops->pipe(kernel, kinds[k], first), 0);
        assert_int_equal(first[0], 3);
        assert_int_equal(first[1], 4);
        assert_int_equal(kernel->ops->pipe(kernel, kinds[k], second), -EMFILE);
        assert_int_equal(second[0], -7);
        seam_close(kernel, first[0]);
        assert_int_equal(kernel->ops->pipe(kernel, kinds[k], second), 0);
        assert_int_equal(second[0], 3);
        assert_int_equal(second[1], 5);
        kernel->ops->destroy(kernel);
    }
}

static void a_descriptor_may_be_refused(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 1});
    int fds[2];
    simulated_only(kernel, "socket.emfile", ALWAYS);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds), -EMFILE);
    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM), -EMFILE);
    kernel->ops->destroy(kernel);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void messages_allocate_nothing(void **state)
{
    (void)state;
    struct memory memory;
    memory_install(&memory);
    struct tl_kernel *kernel = simulated_quiet_kernel();
    long warm = 0;
    for (size_t k = 0; k < 2; k++) {
        int fds[2];
        char data[9000] = {0};
        assert_int_equal(kernel->ops->pipe(kernel, kinds[k], fds), 0);
        for (int i = 0; i < 100; i++) {
            if (i == 1)
                warm = memory.requests;
            seam_write_all(kernel, fds[1], data, sizeof data);
            assert_int_equal(seam_read_all(kernel, fds[0], data, sizeof data), sizeof data);
        }
        assert_int_equal(memory.requests, warm);
    }
    kernel->ops->destroy(kernel);
    memory_remove();
}

/* --- Ends of worlds --------------------------------------------------------------------------- */

static int leave_everything_open(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    tl_addr where, abstract;
    int fds[2];
    (void)tl_addr_unix("/tmp/left", 9, &where);
    (void)tl_addr_unix("\0left", 5, &abstract);
    for (size_t k = 0; k < 2; k++) {
        (void)kernel->ops->pipe(kernel, kinds[k], fds);
        (void)seam_write(kernel, fds[1], "unread", 6);
    }
    const tl_addr *names[] = {&where, &abstract};
    for (size_t i = 0; i < 2; i++) {
        int listener = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
        (void)kernel->ops->bind(kernel, listener, names[i]);
        (void)kernel->ops->listen(kernel, listener, 5);
        int client = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
        int r = kernel->ops->connect(kernel, client, names[i]);
        (void)seam_write(kernel, client, "unread", 6);
        if (r < 0)
            return 3;
    }
    return 0;
}

static void a_world_ends_with_all_of_it_open(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){.seed = 1});
    for (int i = 0; i < 2; i++) {
        notes_spawn(&notes, leave_everything_open, "leaves");
        notes_expect(&notes, TL_OUTCOME_HELD, "");
        /* Nothing of it is found in the next run, not even the paths. */
        assert_int_equal(tl_world_reset(notes.world, &(struct tl_world_options){.seed = 1}), 0);
    }
    tl_world_free(notes.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_that_is_cut_loses_nothing),
        cmocka_unit_test(a_pipes_reads_are_never_cut),
        cmocka_unit_test(what_is_short_is_written_whole),
        cmocka_unit_test(a_socket_takes_what_it_likes),
        cmocka_unit_test(a_pipe_needs_two_descriptors),
        cmocka_unit_test(a_descriptor_may_be_refused),
        cmocka_unit_test(messages_allocate_nothing),
        cmocka_unit_test(a_world_ends_with_all_of_it_open),
    };
    return cmocka_run_group_tests_name("sim_pipe", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real kernel's resolver: more lookups at once than it has threads, giving up while they run,
 * and a forked child that has none of the threads.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop/kernel.h>
#include <twinloop/real.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/alloc.h"

enum { MANY = 200 };

static struct tl_kernel *real_kernel(void)
{
    struct tl_kernel *kernel;
    assert_int_equal(tl_real_kernel_new(&kernel), 0);
    return kernel;
}

static void ask(struct tl_kernel *kernel, struct tl_query *queries)
{
    for (int i = 0; i < MANY; i++) {
        queries[i] = (struct tl_query){.host = i % 2 ? "127.0.0.1" : "localhost",
                                       .service = "80",
                                       .hints = {TL_FAMILY_INET, TL_STREAM, 0, 0}};
        assert_int_equal(kernel->ops->resolve(kernel, &queries[i]), 0);
    }
}

/* Waits for so many answers, each of which must be right. */
static void await(struct tl_kernel *kernel, int count)
{
    struct tl_event events[7];
    while (count > 0) {
        int n = kernel->ops->poll(kernel, 60 * TL_SECOND, events, 7);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++) {
            struct tl_query *query = events[i].token;
            assert_int_equal(events[i].kind, TL_EVENT_RESOLVED);
            assert_int_equal(query->result, 0);
            assert_int_equal(query->infos_count, 1);
            assert_int_equal(query->infos[0].addr.port, 80);
            tl_free(query->infos);
            query->infos = NULL;
        }
        count -= n;
    }
    assert_int_equal(count, 0);
}

static void more_than_there_are_threads(void **state)
{
    static struct tl_query queries[MANY];
    struct tl_kernel *kernel = real_kernel();
    (void)state;
    for (int round = 0; round < 3; round++) {
        ask(kernel, queries);
        await(kernel, MANY);
    }
    kernel->ops->destroy(kernel);
}

/* Half of them, in whatever state they are. */
static void given_up_while_they_run(void **state)
{
    static struct tl_query queries[MANY];
    struct tl_kernel *kernel = real_kernel();
    (void)state;
    ask(kernel, queries);
    for (int i = 0; i < MANY; i += 2)
        assert_int_equal(kernel->ops->cancel(kernel, &queries[i].request), 0);
    await(kernel, MANY / 2);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(kernel->ops->cancel(kernel, &queries[i].request), -EALREADY);
    kernel->ops->destroy(kernel);
}

static void a_forked_child_waits_for_nobody(void **state)
{
    static struct tl_query queries[MANY];
    struct tl_kernel *kernel = real_kernel();
    int status;
    (void)state;
    ask(kernel, queries);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        kernel->ops->destroy(kernel);
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    await(kernel, MANY);
    kernel->ops->destroy(kernel);
}

/* Signals are for the program's own threads. */
static volatile sig_atomic_t off_the_main_thread;
static pthread_t main_thread;

static void note_thread(int signum)
{
    (void)signum;
    if (!pthread_equal(pthread_self(), main_thread))
        off_the_main_thread = 1;
}

static void threads_take_no_signals(void **state)
{
    static struct tl_query queries[MANY];
    struct tl_kernel *kernel = real_kernel();
    struct sigaction action = {.sa_handler = note_thread}, before;
    (void)state;
    main_thread = pthread_self();
    sigaction(SIGUSR1, &action, &before);
    ask(kernel, queries);
    for (int i = 0; i < 100; i++)
        kill(getpid(), SIGUSR1);
    await(kernel, MANY);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(off_the_main_thread, 0);
    kernel->ops->destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_there_are_threads),
        cmocka_unit_test(given_up_while_they_run),
        cmocka_unit_test(a_forked_child_waits_for_nobody),
        cmocka_unit_test(threads_take_no_signals),
    };
    return !!cmocka_run_group_tests_name("real resolver", tests, NULL, NULL);
}

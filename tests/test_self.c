/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operating-system process as a place for the core: threads and their names, what is freed when
 * a thread ends, which kernel a new loop gets, where messages go, what a forked child sees.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <twinloop/kernel.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "core/log.h"
#include "core/self.h"
#include "support/memory.h"

/* --- Threads --- */

static void the_first_thread_is_main(void **state)
{
    struct tl_thread *self = tl_thread_self();

    (void)state;
    assert_ptr_equal(self, tl_self);
    assert_ptr_equal(tl_thread_attach(), self);
    assert_true(self->is_main);
    assert_string_equal(self->name, "main");
}

/* What a thread finds of itself. */
struct findings {
    struct tl_context *context;
    struct tl_loop *running;
    char name[16];
    bool is_main;
};

static void *look_around(void *arg)
{
    struct findings *findings = arg;

    pthread_setname_np(pthread_self(), "a thread");
    struct tl_thread *self = tl_thread_self();
    findings->context = self->context;
    findings->running = self->running;
    findings->is_main = self->is_main;
    memcpy(findings->name, self->name, sizeof findings->name);
    return NULL;
}

static void other_threads_share_the_context(void **state)
{
    static const char padded[16] = "a thread";
    struct findings findings = {.is_main = true};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, look_around, &findings), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(findings.context, tl_thread_self()->context);
    assert_null(findings.running);
    assert_false(findings.is_main);
    /* To the last byte: the name goes into traces. */
    assert_memory_equal(findings.name, padded, sizeof padded);
}

static pthread_key_t late_key;

static void use_the_library_late(void *arg)
{
    (void)arg;
    if (tl_thread_self()->read_buffer == NULL)
        tl_thread_self()->read_buffer = tl_alloc(16);
}

static void *use_a_read_buffer(void *arg)
{
    tl_thread_self()->read_buffer = tl_alloc(16);
    if (arg != NULL)
        pthread_setspecific(late_key, arg);
    return NULL;
}

static void a_thread_leaves_nothing(void **state)
{
    struct memory memory;
    pthread_t thread;

    (void)state;
    memory_install(&memory);
    assert_int_equal(pthread_create(&thread, NULL, use_a_read_buffer, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(memory.blocks, 0);

    /* Nor when another library's destructor uses this one after its own has run. */
    assert_int_equal(pthread_key_create(&late_key, use_the_library_late), 0);
    assert_int_equal(pthread_create(&thread, NULL, use_a_read_buffer, &memory), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(memory.blocks, 0);
    pthread_key_delete(late_key);
    memory_remove();
}

/* --- Kernels --- */

static void new_loops_are_real(void **state)
{
    tl_loop *loop;

    (void)state;
    unsetenv("TWINLOOP_REPLAY");
    assert_int_equal(tl_new_event_loop(&loop), 0);
    assert_string_equal(tl_loop_kernel(loop)->ops->name, "real");
    tl_loop_free(loop);
    setenv("TWINLOOP_REPLAY", "", 1);
    assert_int_equal(tl_new_event_loop(&loop), 0);
    assert_string_equal(tl_loop_kernel(loop)->ops->name, "real");
    tl_loop_free(loop);
    unsetenv("TWINLOOP_REPLAY");
}

/* Whether or not this program can replay: it must not run in the real world instead. */
static void a_replay_that_cannot_be_is_an_error(void **state)
{
    tl_loop *loop = NULL;

    (void)state;
    setenv("TWINLOOP_REPLAY", "/twinloop/no/such/trace", 1);
    assert_true(tl_new_event_loop(&loop) < 0);
    assert_null(loop);
    unsetenv("TWINLOOP_REPLAY");
}

/* --- Messages --- */

/* Runs speak in a child, returns its status and what it wrote to standard error. */
static int listen_to(void (*speak)(void), char *text, size_t size)
{
    int fds[2], status;
    ssize_t n, len = 0;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        speak();
        _exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], text + len, size - 1 - (size_t)len)) > 0)
        len += n;
    text[len] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void say_everything(void)
{
    tl_log(TL_LOG_DEBUG, "debug");
    tl_log(TL_LOG_INFO, "info");
    tl_log(TL_LOG_WARNING, "number %d", 1);
    tl_log(TL_LOG_ERROR, "number %d", 2);
}

static void warnings_and_errors_go_to_standard_error(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(listen_to(say_everything, text, sizeof text), 0);
    assert_string_equal(text, "twinloop: warning: number 1\ntwinloop: error: number 2\n");
}

static void fail_an_assertion(void)
{
    struct tl_context *context = tl_thread_self()->context;

    signal(SIGABRT, SIG_DFL);
    context->ops->assertion_failed(context, "two and two make four");
}

static void a_failed_assertion_aborts(void **state)
{
    char text[256];

    (void)state;
    int status = listen_to(fail_an_assertion, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(text, "twinloop: error: two and two make four\n");
}

/* --- Forked children --- */

static int forked_status;

static void fork_inside(void *arg)
{
    tl_loop *loop = arg;
    pid_t pid = fork();

    if (pid == 0)
        _exit(tl_get_running_loop() == NULL && tl_last_error() == TL_ENORUNNING ? 0 : 1);
    if (waitpid(pid, &forked_status, 0) != pid || tl_get_running_loop() != loop)
        forked_status = -1;
    tl_loop_stop(loop);
}

static void a_forked_child_runs_no_loop(void **state)
{
    tl_loop *loop;

    (void)state;
    assert_int_equal(tl_new_event_loop(&loop), 0);
    assert_int_equal(tl_loop_call_soon(loop, fork_inside, loop, NULL), 0);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    assert_int_equal(forked_status, 0);
    tl_loop_free(loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_thread_is_main),
        cmocka_unit_test(other_threads_share_the_context),
        cmocka_unit_test(a_thread_leaves_nothing),
        cmocka_unit_test(new_loops_are_real),
        cmocka_unit_test(a_replay_that_cannot_be_is_an_error),
        cmocka_unit_test(warnings_and_errors_go_to_standard_error),
        cmocka_unit_test(a_failed_assertion_aborts),
        cmocka_unit_test(a_forked_child_runs_no_loop),
    };

    return !!cmocka_run_group_tests_name("self", tests, NULL, NULL);
}

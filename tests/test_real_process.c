/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the real kernel does to the process it runs in, or must not do to it: SIGPIPE, signal
 * handlers and who had them before, worker threads, what a child inherits.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop/error.h>
#include <twinloop/real.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/self.h"
#include "real/real.h"
#include "support/seam.h"

static struct tl_kernel *real_kernel(void)
{
    struct tl_kernel *kernel;

    assert_int_equal(tl_real_kernel_new(&kernel), 0);
    return kernel;
}

/* What a handler was called for, the newest last. */
static volatile sig_atomic_t handled[16];
static volatile sig_atomic_t handled_count;

static void remember(int signum)
{
    if (handled_count < 16)
        handled[handled_count++] = signum;
}

/* Installs remember, and returns what was there. */
static struct sigaction catch (int signum, int flags)
{
    struct sigaction action = {.sa_handler = remember, .sa_flags = flags}, before;

    handled_count = 0;
    assert_int_equal(sigaction(signum, &action, &before), 0);
    return before;
}

static bool is_pending(int signum)
{
    sigset_t set;

    sigemptyset(&set);
    sigpending(&set);
    return sigismember(&set, signum) == 1;
}

/* --- SIGPIPE --- */

/* A write end whose read end is closed, of a pipe and of a stream pair. */
static int broken(struct tl_kernel *kernel, enum tl_pipe_kind kind)
{
    int fds[2];

    assert_int_equal(kernel->ops->pipe(kernel, kind, fds), 0);
    seam_close(kernel, fds[0]);
    return fds[1];
}

static void sigpipe_is_never_raised(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct sigaction before = catch (SIGPIPE, 0);
    sigset_t mask;

    (void)state;
    assert_int_equal(seam_write(kernel, broken(kernel, TL_PIPE_ONE_WAY), "x", 1), -EPIPE);
    assert_int_equal(seam_write(kernel, broken(kernel, TL_PIPE_STREAM_PAIR), "x", 1), -EPIPE);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGPIPE), 0);
    assert_int_equal(handled_count, 0);
    sigaction(SIGPIPE, &before, NULL);
    kernel->ops->destroy(kernel);
}

/* A file of a megabyte, which a sendfile hands over in many parts. */
static int large_file(struct tl_kernel *kernel)
{
    static char bytes[1 << 20];
    char path[96];

    (void)snprintf(path, sizeof path, "/tmp/twinloop-%d-sigpipe", (int)getpid());
    int file = kernel->ops->open(kernel, path, TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_true(file >= 0);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    assert_int_equal(kernel->ops->pwrite(kernel, file, bytes, sizeof bytes, 0), sizeof bytes);
    return file;
}

/* The peer has closed, which the first part finds out and the second is told: the system raises
 * SIGPIPE, and says how much the first part was. */
static void sigpipe_is_not_raised_for_a_part_of_a_file(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct sigaction before = catch (SIGPIPE, 0);
    int64_t offset = 0;
    int ends[2];
    ssize_t n;

    (void)state;
    int file = large_file(kernel);
    seam_connection(kernel, ends);
    seam_close(kernel, ends[1]);
    do
        n = kernel->ops->sendfile(kernel, ends[0], file, &offset, 1 << 20, NULL);
    while (n > 0);
    assert_true(n == -EPIPE || n == -ECONNRESET);
    assert_int_equal(handled_count, 0);
    assert_false(is_pending(SIGPIPE));
    sigaction(SIGPIPE, &before, NULL);
    kernel->ops->destroy(kernel);
}

static void a_sigpipe_that_was_waiting_stays(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct sigaction before = catch (SIGPIPE, 0);
    sigset_t sigpipe, mask;

    (void)state;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &mask);
    assert_int_equal(seam_write(kernel, broken(kernel, TL_PIPE_ONE_WAY), "x", 1), -EPIPE);
    assert_false(is_pending(SIGPIPE));
    raise(SIGPIPE);
    assert_int_equal(seam_write(kernel, broken(kernel, TL_PIPE_ONE_WAY), "x", 1), -EPIPE);
    assert_true(is_pending(SIGPIPE));
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    assert_int_equal(handled_count, 1);
    sigaction(SIGPIPE, &before, NULL);
    kernel->ops->destroy(kernel);
}

/* Reads what is more than a pipe holds, and then no more. arg is the read end. */
static void *read_a_part(void *arg)
{
    int fd = *(int *)arg;
    char piece[1000];

    for (size_t left = 100 * sizeof piece; left > 0;) {
        ssize_t n = read(fd, piece, left < sizeof piece ? left : sizeof piece);
        if (n <= 0)
            break;
        left -= (size_t)n;
    }
    close(fd);
    return NULL;
}

/* The system raises it also when it says how much was written before. */
static void nor_by_a_write_that_gets_on_for_a_while(void **state)
{
    static char data[1 << 20];
    struct tl_kernel *kernel = real_kernel();
    struct sigaction before = catch (SIGPIPE, 0);
    struct tl_adopted adopted;
    pthread_t reader;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* in blocking mode, and stays in it */
    assert_int_equal(kernel->ops->adopt(kernel, fds[1], &adopted), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_a_part, &fds[0]), 0);
    ssize_t n = seam_write(kernel, fds[1], data, sizeof data);
    seam_close(kernel, fds[1]);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_true(n > 0 && n < (ssize_t)sizeof data);
    assert_int_equal(handled_count, 0);
    sigaction(SIGPIPE, &before, NULL);
    kernel->ops->destroy(kernel);
}

/* --- Signals --- */

static void deliveries_are_counted_and_come_by_number(void **state)
{
    static const int expected[] = {SIGHUP, SIGUSR1, SIGUSR1, SIGUSR1, SIGUSR2};
    struct tl_kernel *kernel = real_kernel();
    struct tl_event events[3];
    int got[5], count = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(kernel->ops->signal(kernel, expected[4 - i], true), 0);
    for (int i = 0; i < 5; i++)
        raise(expected[4 - i]);
    while (count < 5) {
        int n = kernel->ops->poll(kernel, 0, events, 3);
        assert_true(n > 0 && n <= 5 - count);
        for (int i = 0; i < n; i++)
            got[count++] = (int)events[i].value;
    }
    assert_memory_equal(got, expected, sizeof got);
    kernel->ops->destroy(kernel);
}

static void the_earlier_handler_is_called_and_put_back(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct sigaction before = catch (SIGUSR1, SA_NODEFER), after;

    (void)state;
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    raise(SIGUSR1);
    assert_int_equal(handled_count, 1);
    assert_int_equal(seam_event(kernel).value, SIGUSR1);
    kernel->ops->destroy(kernel);
    assert_int_equal(sigaction(SIGUSR1, &before, &after), 0);
    assert_true(after.sa_handler == remember);
    assert_int_equal(after.sa_flags & (SA_NODEFER | SA_SIGINFO | SA_RESTART), SA_NODEFER);
}

static void a_handler_put_above_ours_stays(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct sigaction ours, after;

    (void)state;
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    ours = catch (SIGUSR1, 0);
    assert_int_equal(ours.sa_flags & SA_RESTART, SA_RESTART);
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, false), 0);
    raise(SIGUSR1);
    assert_int_equal(handled_count, 1);

    /* Now the program puts back what it had found; nobody wants the signal any more. */
    assert_int_equal(sigaction(SIGUSR1, &ours, &after), 0);
    assert_true(after.sa_handler == remember);
    raise(SIGUSR1);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    /* Taken and given up again, it is what it was before all this. */
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    raise(SIGUSR1);
    assert_int_equal(seam_event(kernel).value, SIGUSR1);
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, false), 0);
    assert_int_equal(sigaction(SIGUSR1, NULL, &after), 0);
    assert_true(after.sa_handler == SIG_DFL);
    kernel->ops->destroy(kernel);
}

/* In a child the signal does what it did before, and the parent hears nothing of it. */
static void a_forked_child_has_its_signals_to_itself(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    int status;

    (void)state;
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGUSR1);
    seam_expect_nothing(kernel, TL_MILLISECOND);

    pid = fork();
    if (pid == 0) {
        /* It may have a loop of its own for it. */
        struct tl_kernel *own;
        struct tl_event event;
        kernel->ops->destroy(kernel);
        if (tl_real_kernel_new(&own) != 0 || own->ops->signal(own, SIGUSR1, true) != 0)
            _exit(1);
        raise(SIGUSR1);
        if (own->ops->poll(own, SEAM_PATIENCE, &event, 1) != 1 || event.value != SIGUSR1)
            _exit(2);
        own->ops->destroy(own);
        raise(SIGUSR1);
        _exit(3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    seam_expect_nothing(kernel, TL_MILLISECOND);
    raise(SIGUSR1);
    assert_int_equal(seam_event(kernel).value, SIGUSR1);
    kernel->ops->destroy(kernel);
}

/* --- Worker threads --- */

struct meeting {
    struct tl_work work;
    pthread_barrier_t *barrier;
    bool all_blocked; /* no signal can reach the thread */
    bool on_a_thread_of_its_own;
};

static pthread_t main_thread;

static void meet(struct tl_work *work)
{
    struct meeting *meeting = (struct meeting *)work;
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    meeting->all_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1;
    meeting->on_a_thread_of_its_own = !pthread_equal(pthread_self(), main_thread);
    if (meeting->barrier != NULL)
        pthread_barrier_wait(meeting->barrier);
}

/* Jobs that wait for each other: they end only if each has a thread. The first thread is idle when
 * they come, which is not enough for all. */
static void jobs_run_at_the_same_time(void **state)
{
    enum { JOBS = 5 };
    struct tl_kernel *kernel = real_kernel();
    struct meeting meetings[JOBS];
    pthread_barrier_t barrier;

    (void)state;
    main_thread = pthread_self();
    meetings[0] = (struct meeting){.work = {.run = meet}};
    assert_int_equal(kernel->ops->work(kernel, &meetings[0].work), 0);
    assert_int_equal(seam_event(kernel).kind, TL_EVENT_WORK);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, JOBS), 0);
    for (int i = 0; i < JOBS; i++) {
        meetings[i] = (struct meeting){.work = {.run = meet}, .barrier = &barrier};
        assert_int_equal(kernel->ops->work(kernel, &meetings[i].work), 0);
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(seam_event(kernel).kind, TL_EVENT_WORK);
    for (int i = 0; i < JOBS; i++) {
        assert_true(meetings[i].all_blocked);
        assert_true(meetings[i].on_a_thread_of_its_own);
    }
    pthread_barrier_destroy(&barrier);
    kernel->ops->destroy(kernel);
}

struct slow_job {
    struct tl_work work;
    pthread_barrier_t *begun;
    _Atomic bool finished;
};

static void run_slowly(struct tl_work *work)
{
    struct slow_job *job = (struct slow_job *)work;

    pthread_barrier_wait(job->begun);
    for (int i = 0; i < 100000; i++)
        atomic_signal_fence(memory_order_seq_cst);
    atomic_store(&job->finished, true);
}

static void destroy_waits_for_what_runs(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    pthread_barrier_t begun;
    struct slow_job job = {.work = {.run = run_slowly}, .begun = &begun};

    (void)state;
    assert_int_equal(pthread_barrier_init(&begun, NULL, 2), 0);
    assert_int_equal(kernel->ops->work(kernel, &job.work), 0);
    pthread_barrier_wait(&begun);
    kernel->ops->destroy(kernel);
    assert_true(atomic_load(&job.finished));
    pthread_barrier_destroy(&begun);
}

/* More jobs than there can be threads: the memory of those that had not begun may go at once. */
static void destroy_drops_jobs_that_have_not_begun(void **state)
{
    enum { JOBS = 64 };
    struct tl_kernel *kernel = real_kernel();
    struct meeting *meetings = calloc(JOBS, sizeof *meetings);

    (void)state;
    assert_non_null(meetings);
    for (int i = 0; i < JOBS; i++) {
        meetings[i].work.run = meet;
        assert_int_equal(kernel->ops->work(kernel, &meetings[i].work), 0);
    }
    kernel->ops->destroy(kernel);
    free(meetings);
}

static void released(struct tl_post *post)
{
    post->ordinal++;
}

static void destroy_releases_posts(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct tl_post posts[2] = {{.release = released}, {.release = released}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kernel->ops->post(kernel, &posts[i]), 0);
        assert_int_equal(posts[i].ordinal, 0);
    }
    kernel->ops->destroy(kernel);
    for (int i = 0; i < 2; i++)
        assert_int_equal(posts[i].ordinal, 1);
}

/* --- Children --- */

static void wait_for_child(struct tl_kernel *kernel, const char *script, int in, int out)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct tl_spawn spawn = {
        .program = "sh",
        .argv = argv,
        .fds = {in, out, TL_FD_INHERIT},
    };

    assert_true(kernel->ops->spawn(kernel, &spawn) > 0);
    assert_int_equal(seam_event(kernel).kind, TL_EVENT_CHILD);
}

static void a_child_has_only_its_three_descriptors(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    char data[64] = "";
    int out[2];

    (void)state;
    int stray = open("/dev/null", O_RDONLY); /* not close-on-exec */
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, out), 0);
    /* Numbers of one digit, and the folder itself, which ls has opened as 3. */
    wait_for_child(kernel, "cd /proc/self/fd && echo *", TL_FD_NULL, out[1]);
    seam_close(kernel, out[1]);
    seam_read_all(kernel, out[0], data, sizeof data - 1);
    assert_memory_equal(data, "0 1 2", 5);
    assert_true(strlen(data) <= strlen("0 1 2 3\n"));
    close(stray);
    kernel->ops->destroy(kernel);
}

static void a_childs_descriptors_are_blocking(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    const char *const argv[] = {"/twinloop-no-such-program", NULL};
    int out[2], in[2];

    (void)state;
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, out), 0);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, in), 0);
    struct tl_spawn spawn = {
        .program = argv[0],
        .argv = argv,
        .fds = {in[1], out[1], out[1]},
    };
    assert_int_equal(kernel->ops->spawn(kernel, &spawn), -ENOENT);
    assert_int_equal(fcntl(in[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    wait_for_child(kernel, "exit 0", in[1], out[1]);
    assert_int_equal(fcntl(in[1], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(in[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    kernel->ops->destroy(kernel);
}

/* What the child of low_numbers_do_not_get_mixed_up does: 0 if all went well. */
static int use_low_numbers(void)
{
    const char *const argv[] = {"sh", "-c", "echo low; echo high >&2", NULL};
    struct tl_spawn spawn = {.program = "sh", .argv = argv};
    struct tl_kernel *kernel;
    struct tl_event event;
    char data[16] = "";
    int pipes[2][2];

    for (int fd = 0; fd < 10; fd++)
        close(fd);
    /* The kernel takes 0 for itself, the pipes 1 to 4. */
    if (tl_real_kernel_new(&kernel) != 0 ||
        kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, pipes[0]) != 0 ||
        kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, pipes[1]) != 0 || pipes[0][0] != 1)
        return 1;
    spawn.fds[0] = pipes[0][0];
    spawn.fds[1] = pipes[0][1];
    spawn.fds[2] = pipes[1][1];
    if (kernel->ops->spawn(kernel, &spawn) <= 0 ||
        kernel->ops->poll(kernel, SEAM_PATIENCE, &event, 1) != 1 || event.value != 0)
        return 2;
    if (seam_read(kernel, pipes[0][0], data, sizeof data) != 4 || memcmp(data, "low\n", 4) != 0)
        return 3;
    if (seam_read(kernel, pipes[1][0], data, sizeof data) != 5 || memcmp(data, "high\n", 5) != 0)
        return 4;
    kernel->ops->destroy(kernel);
    return 0;
}

/* The parent's own standard descriptors may be closed, and their numbers taken by others. */
static void low_numbers_do_not_get_mixed_up(void **state)
{
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_low_numbers());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_stolen_child_is_reported_all_the_same(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    const char *const argv[] = {"sleep", "1000", NULL};
    struct tl_spawn spawn = {
        .program = "sleep",
        .argv = argv,
        .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_NULL},
    };

    (void)state;
    int64_t pid = kernel->ops->spawn(kernel, &spawn);
    assert_true(pid > 0);
    assert_int_equal(kernel->ops->kill(kernel, pid, SIGKILL), 0);
    assert_int_equal(waitpid((pid_t)pid, NULL, 0), pid);
    /* The number may be somebody else's by now; the pidfd still knows. */
    assert_int_equal(kernel->ops->kill(kernel, pid, SIGKILL), -ESRCH);
    struct tl_event event = seam_event(kernel);
    assert_int_equal(event.kind, TL_EVENT_CHILD);
    assert_int_equal(event.value, 255);
    kernel->ops->destroy(kernel);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigpipe_is_never_raised),
        cmocka_unit_test(sigpipe_is_not_raised_for_a_part_of_a_file),
        cmocka_unit_test(a_sigpipe_that_was_waiting_stays),
        cmocka_unit_test(nor_by_a_write_that_gets_on_for_a_while),
        cmocka_unit_test(deliveries_are_counted_and_come_by_number),
        cmocka_unit_test(the_earlier_handler_is_called_and_put_back),
        cmocka_unit_test(a_handler_put_above_ours_stays),
        cmocka_unit_test(a_forked_child_has_its_signals_to_itself),
        cmocka_unit_test(jobs_run_at_the_same_time),
        cmocka_unit_test(destroy_waits_for_what_runs),
        cmocka_unit_test(destroy_drops_jobs_that_have_not_begun),
        cmocka_unit_test(destroy_releases_posts),
        cmocka_unit_test(a_child_has_only_its_three_descriptors),
        cmocka_unit_test(a_childs_descriptors_are_blocking),
        cmocka_unit_test(low_numbers_do_not_get_mixed_up),
        cmocka_unit_test(a_stolen_child_is_reported_all_the_same),
    };

    return !!cmocka_run_group_tests_name("real_process", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part three: what comes from the program's own other side. Posts of other
 * threads, jobs, descriptors that the program made itself.
 *
 * These are hard to replay, since what happens is not in the kernel but in a thread or behind its
 * back. In a replay the threads run; jobs run on the loop's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <twinloop/error.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/self.h"
#include "support/contract.h"
#include "support/seam.h"

/* What the simulator does not have yet. */
#define NOT_SIMULATED (CONTRACT_REAL | CONTRACT_REPLAY_REAL)

/* --- Posts --- */

#define POSTS_MAX 200

/* A thread that posts, and what it posts. */
struct poster {
    struct tl_kernel *kernel;
    struct tl_post posts[POSTS_MAX];
    unsigned count;
    unsigned arrived;
};

static void poster_init(struct poster *poster, struct tl_kernel *kernel, const char *name,
                        unsigned count)
{
    *poster = (struct poster){.kernel = kernel, .count = count};
    for (unsigned i = 0; i < count; i++) {
        strcpy(poster->posts[i].producer, name);
        poster->posts[i].ordinal = i;
    }
}

static void *poster_main(void *arg)
{
    struct poster *poster = arg;

    for (unsigned i = 0; i < poster->count; i++)
        poster->kernel->ops->post(poster->kernel, &poster->posts[i]);
    return NULL;
}

/* The event is the poster's next one. */
static void expect_next(struct poster *poster, const struct tl_event *event)
{
    assert_int_equal(event->kind, TL_EVENT_POSTED);
    assert_true(poster->arrived < poster->count);
    assert_ptr_equal(event->token, &poster->posts[poster->arrived]);
    poster->arrived++;
}

static void a_post_to_oneself_arrives(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct poster self;

    poster_init(&self, kernel, "main", 3);
    poster_main(&self);
    while (self.arrived < self.count) {
        struct tl_event event = seam_event(kernel);
        expect_next(&self, &event);
    }
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

static void posts_wake_a_poll_that_waits_for_ever(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_event event;
    struct poster other;
    pthread_t thread;

    poster_init(&other, kernel, "other", POSTS_MAX);
    assert_int_equal(pthread_create(&thread, NULL, poster_main, &other), 0);
    while (other.arrived < other.count) {
        int n = kernel->ops->poll(kernel, -1, &event, 1);
        assert_true(n >= 0);
        if (n == 1)
            expect_next(&other, &event);
    }
    pthread_join(thread, NULL);
    kernel->ops->destroy(kernel);
}

static void each_thread_keeps_its_order(struct contract *contract)
{
    static const char *const names[] = {"first", "second", "third"};
    struct tl_kernel *kernel = contract_kernel(contract);
    struct poster posters[3];
    pthread_t threads[3];
    struct tl_event events[7];
    unsigned left = 3 * POSTS_MAX;

    for (int i = 0; i < 3; i++)
        poster_init(&posters[i], kernel, names[i], POSTS_MAX);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster_main, &posters[i]), 0);
    while (left > 0) {
        int n = kernel->ops->poll(kernel, -1, events, 7);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++) {
            const char *producer = ((struct tl_post *)events[i].token)->producer;
            int who = 0;
            while (strcmp(names[who], producer) != 0)
                who++;
            expect_next(&posters[who], &events[i]);
        }
        left -= (unsigned)n;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    kernel->ops->destroy(kernel);
}

static void posts_and_descriptors_share_a_poll(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    unsigned readable = 0, wanted = 10;
    struct tl_event events[4];
    struct poster self;
    int fds[2], token;

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "x", 1);
    seam_await(kernel, fds[1], TL_READABLE);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], TL_READABLE, &token), 0);
    poster_init(&self, kernel, "main", 50);
    poster_main(&self);
    /* More posts than fit, yet the descriptor is not kept waiting until they are through. */
    while (readable < wanted) {
        int n = kernel->ops->poll(kernel, 0, events, 4);
        assert_true(n > 0);
        for (int i = 0; i < n; i++) {
            if (events[i].kind == TL_EVENT_FD)
                readable++;
            else
                expect_next(&self, &events[i]);
        }
    }
    while (self.arrived < self.count) {
        struct tl_event event = seam_event(kernel);
        if (event.kind != TL_EVENT_FD)
            expect_next(&self, &event);
    }
    kernel->ops->destroy(kernel);
}

static void posts_nobody_fetched_are_forgotten(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct poster self;

    poster_init(&self, kernel, "main", 3);
    poster_main(&self);
    kernel->ops->destroy(kernel);
}

/* --- Jobs --- */

struct job {
    struct tl_work work;
    int input;
    int output;
    bool had_loop;
    unsigned arrived;
};

static void square(struct tl_work *work)
{
    struct job *job = (struct job *)work;

    job->output = job->input * job->input;
    job->had_loop = tl_thread_self()->running != NULL;
}

static void jobs_run_once_each(struct contract *contract)
{
    enum { JOBS = 60 };
    struct tl_kernel *kernel = contract_kernel(contract);
    static struct job jobs[JOBS];

    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.work = {.run = square}, .input = i};
        assert_int_equal(kernel->ops->work(kernel, &jobs[i].work), 0);
    }
    for (int i = 0; i < JOBS; i++) {
        struct tl_event event = seam_event(kernel);
        assert_int_equal(event.kind, TL_EVENT_WORK);
        struct job *job = event.token;
        assert_true(job >= jobs && job < jobs + JOBS);
        assert_int_equal(job->arrived++, 0);
        assert_int_equal(job->output, job->input * job->input);
        assert_false(job->had_loop);
    }
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

/* What a second run would answer differently. */
static int runs;

static void count_run(struct tl_work *work)
{
    struct job *job = (struct job *)work;

    job->output = ++runs;
}

static void a_job_with_an_out_buffer_is_replayed_by_content(struct contract *contract)
{
    static int recorded;
    struct tl_kernel *kernel = contract_kernel(contract);
    struct job job = {.work = {.run = count_run}};

    job.work.out = &job.output;
    job.work.out_len = sizeof job.output;
    assert_int_equal(kernel->ops->work(kernel, &job.work), 0);
    assert_ptr_equal(seam_event(kernel).token, &job);
    assert_true(job.output > 0);
    if (contract->reader != NULL)
        assert_int_equal(job.output, recorded);
    recorded = job.output;
    kernel->ops->destroy(kernel);
}

static void jobs_nobody_fetched_are_dropped(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static struct job jobs[5];

    for (int i = 0; i < 5; i++) {
        jobs[i] = (struct job){.work = {.run = square}, .input = i};
        assert_int_equal(kernel->ops->work(kernel, &jobs[i].work), 0);
    }
    kernel->ops->destroy(kernel);
}

/* --- Descriptors made elsewhere --- */

static void an_adopted_pipe_is_read_and_released(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_adopted adopted;
    char data[4];
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_READABLE, data), -EBADF);
    assert_int_equal(kernel->ops->adopt(kernel, fds[0], &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_FIFO);
    assert_true(adopted.nonblocking);
    assert_int_equal(adopted.local.family, TL_FAMILY_NONE);
    assert_int_equal(adopted.peer.family, TL_FAMILY_NONE);
    assert_int_equal(kernel->ops->adopt(kernel, fds[0], &adopted), -EEXIST);

    assert_int_equal(write(fds[1], "news", 4), 4);
    assert_int_equal(seam_await(kernel, fds[0], TL_READABLE), TL_READABLE);
    assert_int_equal(seam_read_all(kernel, fds[0], data, 4), 4);
    assert_memory_equal(data, "news", 4);

    assert_int_equal(kernel->ops->release(kernel, fds[0]), 0);
    assert_int_equal(kernel->ops->release(kernel, fds[0]), -EBADF);
    assert_int_equal(seam_read(kernel, fds[0], data, 4), -EBADF);
    kernel->ops->destroy(kernel);
    /* Still open: it was given back. */
    assert_true(fcntl(fds[0], F_GETFD) >= 0);
    close(fds[0]);
    close(fds[1]);
}

static void adopt_tells_what_it_is(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_adopted adopted;
    int sockets[2];

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(kernel->ops->adopt(kernel, null, &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_CHARDEV);
    assert_false(adopted.nonblocking);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(kernel->ops->adopt(kernel, file, &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_FILE);
    assert_int_equal(kernel->ops->watch(kernel, file, TL_READABLE, &adopted), -EPERM);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(kernel->ops->adopt(kernel, sockets[0], &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_STREAM);
    assert_int_equal(adopted.local.family, TL_FAMILY_UNIX);
    assert_int_equal(adopted.local.len, 0);
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(kernel->ops->adopt(kernel, datagram, &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_DATAGRAM);
    assert_true(adopted.nonblocking);
    assert_int_equal(adopted.peer.family, TL_FAMILY_NONE);

    assert_int_equal(kernel->ops->adopt(kernel, 999999, &adopted), -EBADF);

    /* Given back, for a replay never had them and would not close them. */
    const int mine[] = {null, file, sockets[0], datagram};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(kernel->ops->release(kernel, mine[i]), 0);
        close(mine[i]);
    }
    close(sockets[1]);
    kernel->ops->destroy(kernel);
}

static void an_adopted_listener_accepts(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct tl_adopted adopted;

    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(kernel->ops->adopt(kernel, fd, &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_LISTENER);
    assert_int_equal(adopted.local.family, TL_FAMILY_INET);
    assert_int_not_equal(adopted.local.port, 0);
    tl_addr where;
    assert_int_equal(tl_addr_parse("127.0.0.1", adopted.local.port, &where), 0);
    int client = seam_start_connect(kernel, &where);
    int server = seam_accept(kernel, fd, NULL);
    assert_int_equal(seam_finish_connect(kernel, client), 0);
    char data[2];
    seam_write_all(kernel, client, "hi", 2);
    assert_int_equal(seam_read_all(kernel, server, data, 2), 2);
    assert_int_equal(kernel->ops->release(kernel, fd), 0);
    close(fd);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_post_to_oneself_arrives),
        CONTRACT_ONLY(posts_wake_a_poll_that_waits_for_ever, NOT_SIMULATED),
        CONTRACT_ONLY(each_thread_keeps_its_order, NOT_SIMULATED),
        CONTRACT(posts_and_descriptors_share_a_poll),
        CONTRACT(posts_nobody_fetched_are_forgotten),
        CONTRACT(jobs_run_once_each),
        CONTRACT(a_job_with_an_out_buffer_is_replayed_by_content),
        CONTRACT(jobs_nobody_fetched_are_dropped),
        CONTRACT_ONLY(an_adopted_pipe_is_read_and_released, NOT_SIMULATED),
        CONTRACT_ONLY(adopt_tells_what_it_is, NOT_SIMULATED),
        CONTRACT_ONLY(an_adopted_listener_accepts, NOT_SIMULATED),
    };

    return contract_main(argc, argv, "spike", cases, sizeof cases / sizeof *cases);
}

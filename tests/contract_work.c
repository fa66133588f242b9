/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: jobs with workers of their own. Limits and names, calling off, retiring, posts
 * out of a job, and a kernel that is destroyed under one.
 *
 * In the simulator and in replays a job runs inline; the gate that holds one up on a thread lets it
 * through there.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/self.h"
#include "support/contract.h"
#include "support/gate.h"
#include "support/seam.h"

#define JOBS_MAX 40

struct scene;

struct job {
    struct tl_work work;
    struct scene *scene;
    struct tl_post posts[3];
    unsigned posts_count;
    unsigned posts_arrived;
    unsigned ran;
    unsigned result;
    pthread_t thread;
    char thread_name[16];
};

struct scene {
    struct contract *contract;
    struct tl_kernel *kernel;
    struct tl_workers workers;
    struct gate gate;
    struct job jobs[JOBS_MAX];
    atomic_uint running;
    atomic_uint running_most;
};

static void open_scene(struct scene *scene, struct contract *contract, unsigned workers_max)
{
    memset(scene, 0, sizeof *scene);
    scene->contract = contract;
    scene->kernel = contract_kernel(contract);
    scene->workers = (struct tl_workers){.max = workers_max, .name = "digger"};
    gate_init(&scene->gate, contract);
}

static void close_scene(struct scene *scene)
{
    scene->kernel->ops->destroy(scene->kernel);
    gate_finish(&scene->gate);
}

/* --- What jobs do --- */

static struct job *job_of(struct tl_work *work)
{
    return tl_container_of(work, struct job, work);
}

static void note_run(struct tl_work *work)
{
    struct job *job = job_of(work);

    job->ran++;
    job->thread = pthread_self();
    pthread_getname_np(pthread_self(), job->thread_name, sizeof job->thread_name);
}

static void pass_gate(struct tl_work *work)
{
    struct scene *scene = job_of(work)->scene;

    unsigned running = atomic_fetch_add(&scene->running, 1) + 1;
    if (running > atomic_load(&scene->running_most))
        atomic_store(&scene->running_most, running);
    gate_pass(&scene->gate);
    atomic_fetch_sub(&scene->running, 1);
    note_run(work);
}

static void post_all(struct tl_work *work)
{
    struct job *job = job_of(work);
    struct tl_kernel *kernel = job->scene->kernel;

    note_run(work);
    for (unsigned i = 0; i < job->posts_count; i++) {
        struct tl_thread *self = tl_thread_self();
        memcpy(job->posts[i].producer, self->name, sizeof self->name);
        job->posts[i].ordinal = self->posts++;
        kernel->ops->post(kernel, &job->posts[i]);
    }
}

/* --- What tests do --- */

static struct job *give(struct scene *scene, unsigned number, void (*run)(struct tl_work *))
{
    struct job *job = &scene->jobs[number];

    *job = (struct job){.scene = scene, .work = {.run = run, .workers = &scene->workers}};
    snprintf(job->work.name, sizeof job->work.name, "job %u", number);
    assert_int_equal(scene->kernel->ops->work(scene->kernel, &job->work), 0);
    return job;
}

static int cancel(struct scene *scene, struct job *job)
{
    return scene->kernel->ops->cancel(scene->kernel, &job->work.request);
}

static int retire(struct scene *scene)
{
    return scene->kernel->ops->retire(scene->kernel, &scene->workers);
}

static struct job *await_job(struct scene *scene)
{
    struct tl_event event = seam_event(scene->kernel);

    assert_int_equal(event.kind, TL_EVENT_WORK);
    return job_of(event.token);
}

/* --- Calling off --- */

static void a_queued_job_is_called_off(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 1);
    struct job *first = give(&scene, 0, pass_gate);
    struct job *second = give(&scene, 1, note_run);
    struct job *third = give(&scene, 2, note_run);
    struct job *last = give(&scene, 3, note_run);
    assert_int_equal(cancel(&scene, second), 0);
    assert_int_equal(cancel(&scene, second), -EALREADY);
    assert_int_equal(cancel(&scene, last), 0);
    gate_open(&scene.gate);
    assert_ptr_equal(await_job(&scene), first);
    assert_ptr_equal(await_job(&scene), third);
    assert_int_equal(cancel(&scene, third), -EALREADY);
    seam_expect_nothing(scene.kernel, TL_MILLISECOND);
    assert_int_equal(first->ran, 1);
    assert_int_equal(second->ran, 0);
    assert_int_equal(third->ran, 1);
    assert_int_equal(last->ran, 0);
    close_scene(&scene);
}

static void a_job_that_has_begun_is_not(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 4);
    struct job *job = give(&scene, 0, pass_gate);
    gate_await(&scene.gate, 1);
    assert_int_equal(cancel(&scene, job), -EALREADY);
    gate_open(&scene.gate);
    assert_ptr_equal(await_job(&scene), job);
    assert_int_equal(job->ran, 1);
    close_scene(&scene);
}

static void a_job_called_off_makes_room(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 1);
    struct job *first = give(&scene, 0, pass_gate);
    gate_await(&scene.gate, 1);
    assert_int_equal(cancel(&scene, give(&scene, 1, note_run)), 0);
    struct job *again = give(&scene, 1, note_run);
    gate_open(&scene.gate);
    assert_ptr_equal(await_job(&scene), first);
    assert_ptr_equal(await_job(&scene), again);
    assert_int_equal(again->ran, 1);
    close_scene(&scene);
}

/* --- Workers --- */

static void no_more_run_at_once_than_workers(struct contract *contract)
{
    struct scene scene;
    enum { JOBS = 10, WORKERS = 3 };

    open_scene(&scene, contract, WORKERS);
    for (unsigned i = 0; i < JOBS; i++)
        give(&scene, i, pass_gate);
    gate_await(&scene.gate, WORKERS);
    gate_open(&scene.gate);
    for (unsigned i = 0; i < JOBS; i++)
        await_job(&scene);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(scene.jobs[i].ran, 1);
    assert_int_equal(scene.running_most, scene.gate.threaded ? WORKERS : 1);
    close_scene(&scene);
}

static void one_worker_keeps_the_order(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 1);
    for (unsigned i = 0; i < JOBS_MAX; i++)
        give(&scene, i, note_run);
    for (unsigned i = 0; i < JOBS_MAX; i++)
        assert_ptr_equal(await_job(&scene), &scene.jobs[i]);
    close_scene(&scene);
}

static void an_idle_worker_is_used_again(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 8);
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        struct job *job = give(&scene, i, note_run);
        assert_ptr_equal(await_job(&scene), job);
        assert_true(pthread_equal(job->thread, scene.jobs[0].thread));
        if (scene.gate.threaded)
            assert_string_equal(job->thread_name, "digger");
    }
    close_scene(&scene);
}

static void workers_do_not_wait_for_each_other(struct contract *contract)
{
    struct scene scene;
    struct tl_workers others = {.max = 1};
    struct job other = {.scene = &scene, .work = {.run = note_run, .workers = &others}};

    open_scene(&scene, contract, 1);
    struct job *held = give(&scene, 0, pass_gate);
    gate_await(&scene.gate, 1);
    if (scene.gate.threaded) {
        assert_int_equal(scene.kernel->ops->work(scene.kernel, &other.work), 0);
        assert_ptr_equal(await_job(&scene), &other);
        assert_string_equal(other.thread_name, "tl-worker");
    }
    gate_open(&scene.gate);
    assert_ptr_equal(await_job(&scene), held);
    close_scene(&scene);
}

static void retired_workers_end_and_may_come_again(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 2);
    assert_int_equal(scene.kernel->ops->retire(scene.kernel, NULL), -EINVAL);
    assert_int_equal(retire(&scene), 0); /* there are none */
    for (unsigned round = 0; round < 3; round++) {
        struct job *job = give(&scene, 0, note_run);
        assert_int_equal(retire(&scene), -EBUSY);
        assert_ptr_equal(await_job(&scene), job);
        assert_int_equal(retire(&scene), 0);
        assert_null(scene.workers.owner);
        assert_int_equal(retire(&scene), 0);
    }
    close_scene(&scene);
}

static void a_called_off_job_keeps_nobody_busy(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 1);
    give(&scene, 0, pass_gate);
    assert_int_equal(cancel(&scene, give(&scene, 1, note_run)), 0);
    gate_open(&scene.gate);
    await_job(&scene);
    assert_int_equal(retire(&scene), 0);
    close_scene(&scene);
}

/* --- Posts --- */

/* The event is of a job of which every post has come, or the next post of one. Whether it was a
 * job's end. */
static bool expect_in_order(struct scene *scene, const struct tl_event *event)
{
    if (event->kind == TL_EVENT_WORK) {
        const struct job *job = job_of(event->token);
        assert_int_equal(job->posts_arrived, job->posts_count);
        return true;
    }
    assert_int_equal(event->kind, TL_EVENT_POSTED);
    struct tl_post *post = event->token;
    unsigned number;
    assert_int_equal(sscanf(post->producer, "job %u", &number), 1);
    struct job *job = &scene->jobs[number];
    assert_ptr_equal(post, &job->posts[job->posts_arrived]);
    assert_int_equal(post->ordinal, job->posts_arrived);
    job->posts_arrived++;
    return false;
}

static void give_poster(struct scene *scene, unsigned number, unsigned posts_count)
{
    struct job *job = &scene->jobs[number];
    *job = (struct job){.scene = scene,
                        .posts_count = posts_count,
                        .work = {.run = post_all, .workers = &scene->workers}};
    snprintf(job->work.name, sizeof job->work.name, "job %u", number);
    assert_int_equal(scene->kernel->ops->work(scene->kernel, &job->work), 0);
}

static void what_a_job_posts_comes_before_its_end(struct contract *contract)
{
    struct scene scene;
    unsigned ended = 0;

    open_scene(&scene, contract, 4);
    tl_thread_self()->posts = 1000; /* of the loop's own thread: not the jobs' */
    for (unsigned i = 0; i < JOBS_MAX; i++)
        give_poster(&scene, i, i % 4);
    while (ended < JOBS_MAX) {
        struct tl_event event = seam_event(scene.kernel);
        ended += expect_in_order(&scene, &event);
    }
    assert_int_equal(tl_thread_self()->posts, 1000);
    close_scene(&scene);
}

/* Again and again, for the moment between a worker's post and the end of its job is short. */
static void however_close_they_are(struct contract *contract)
{
    enum { ROUNDS = 1000, EVENTS = 64 };
    struct scene scene;

    open_scene(&scene, contract, 4);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned ended = 0;
        for (unsigned i = 0; i < JOBS_MAX; i++)
            give_poster(&scene, i, 1);
        while (ended < JOBS_MAX) {
            struct tl_event events[EVENTS];
            int n = scene.kernel->ops->poll(scene.kernel, -1, events, EVENTS);
            assert_true(n >= 0);
            for (int i = 0; i < n; i++)
                ended += expect_in_order(&scene, &events[i]);
        }
    }
    close_scene(&scene);
}

/* What a second run would answer differently. */
static unsigned runs;

static void count_and_post(struct tl_work *work)
{
    job_of(work)->result = ++runs;
    post_all(work);
}

/* A replay runs a job with a declared result for its posts' sake, and then leaves what was
 * recorded. */
static void a_job_with_an_out_buffer_posts_too(struct contract *contract)
{
    static unsigned recorded;
    struct scene scene;

    open_scene(&scene, contract, 1);
    struct job *job = &scene.jobs[0];
    *job = (struct job){
        .scene = &scene,
        .posts_count = 1,
        .work = {.run = count_and_post, .workers = &scene.workers, .name = "job 0"},
    };
    job->work.out = &job->result;
    job->work.out_len = sizeof job->result;
    assert_int_equal(scene.kernel->ops->work(scene.kernel, &job->work), 0);
    assert_ptr_equal(seam_event(scene.kernel).token, &job->posts[0]);
    assert_ptr_equal(await_job(&scene), job);
    if (contract->reader != NULL)
        assert_int_equal(job->result, recorded);
    recorded = job->result;
    assert_true(recorded > 0);
    close_scene(&scene);
}

/* --- The end --- */

static void destroying_waits_for_what_runs_and_drops_the_rest(struct contract *contract)
{
    struct scene scene;

    open_scene(&scene, contract, 1);
    struct job *running = give(&scene, 0, pass_gate);
    struct job *queued = give(&scene, 1, pass_gate);
    gate_await(&scene.gate, 1);
    if (scene.gate.threaded)
        assert_int_equal(running->ran, 0);
    gate_open(&scene.gate);
    scene.kernel->ops->destroy(scene.kernel);
    if (scene.gate.threaded)
        assert_int_equal(running->ran, 1);
    else
        assert_int_equal(running->ran + queued->ran, 0);
    gate_finish(&scene.gate);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_queued_job_is_called_off),
        CONTRACT(a_job_that_has_begun_is_not),
        CONTRACT(a_job_called_off_makes_room),
        CONTRACT(no_more_run_at_once_than_workers),
        CONTRACT(one_worker_keeps_the_order),
        CONTRACT(an_idle_worker_is_used_again),
        CONTRACT_ONLY(workers_do_not_wait_for_each_other, CONTRACT_REAL),
        CONTRACT(retired_workers_end_and_may_come_again),
        CONTRACT(a_called_off_job_keeps_nobody_busy),
        CONTRACT(what_a_job_posts_comes_before_its_end),
        CONTRACT_ONLY(however_close_they_are, CONTRACT_REAL),
        CONTRACT(a_job_with_an_out_buffer_posts_too),
        CONTRACT(destroying_waits_for_what_runs_and_drops_the_rest),
    };

    return contract_main(argc, argv, "work", cases, sizeof cases / sizeof *cases);
}

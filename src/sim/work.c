/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: run inline, as if on a worker, by the poll that reports them.
 *
 *     queued --a worker is free--> under way --its time is over--> done --poll--> run, reported
 *        `------- cancel ------------'
 *
 * Workers exist in virtual time alone: a pool has so many, a job keeps one from when it is given
 * one until its time is over, and jobs behind busy workers queue. How long a worker takes to begin,
 * how long the job takes and the order in which jobs that have finished are reported are choices. A
 * job can be called off until it has begun. What it does happens all at once, at its end; a job
 * that waits meanwhile would wait for ever, so poll refuses it by name.
 */
#include <errno.h>

#include "core/alloc.h"
#include "sim/kernel.h"
#include "sim/mix.h"

#define DURATION_MIN (10 * TL_MICROSECOND)

enum { WINDOW = 8, WORKERS_MAX = 32 };

/* The workers of one tl_workers, or the kernel's own. */
struct tl_sim_pool {
    struct tl_list place; /* in its kernel's pools */
    struct tl_workers *described;
    unsigned workers_max;
    unsigned busy;
    unsigned jobs;        /* whose events have not been reported */
    struct tl_list queue; /* of jobs that no worker has yet */
};

struct job {
    struct tl_list place; /* in its pool's queue, its kernel's jobs or done */
    struct tl_agenda_event event;
    struct tl_sim_kernel *kernel;
    struct tl_sim_pool *pool;
    struct tl_work *work;
    uint64_t id;
    uint64_t ordinal; /* among its kernel's, from 1 */
    tl_time begins;   /* once a worker has it */
    uint32_t start_draws;
    uint32_t duration_draws;
    uint32_t order_draws;
    bool queued;
    bool ran; /* done, and what it posted is being reported first */
};

/* --- Pools ------------------------------------------------------------------------------------ */

static unsigned workers_max(struct tl_sim_kernel *kernel, const struct tl_workers *described)
{
    if (described != NULL && described->max > 0)
        return described->max;
    struct tl_kernel *base = &kernel->base;
    unsigned wanted = (unsigned)base->ops->info(base, TL_INFO_CPUS, NULL, NULL, 0) + 4;
    return wanted < WORKERS_MAX ? wanted : WORKERS_MAX;
}

static struct tl_sim_pool *pool_for(struct tl_sim_kernel *kernel, struct tl_workers *described)
{
    struct tl_sim_pool *pool = described != NULL ? described->owner : kernel->own_pool;
    if (pool != NULL)
        return pool;
    pool = tl_allocator_calloc(&tl_sim_kernel_of(kernel)->allocator, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->described = described;
    pool->workers_max = workers_max(kernel, described);
    tl_list_init(&pool->queue);
    tl_list_push(&kernel->pools, &pool->place);
    if (described != NULL)
        described->owner = pool;
    else
        kernel->own_pool = pool;
    return pool;
}

static void pool_free(struct tl_sim_kernel *kernel, struct tl_sim_pool *pool)
{
    tl_list_remove(&pool->place);
    tl_allocator_free(&tl_sim_kernel_of(kernel)->allocator, pool);
}

static int retire(struct tl_sim_kernel *kernel, struct tl_workers *described)
{
    if (described == NULL)
        return -EINVAL;
    struct tl_sim_pool *pool = described->owner;
    if (pool == NULL)
        return 0;
    if (pool->jobs > 0)
        return -EBUSY;
    described->owner = NULL;
    pool_free(kernel, pool);
    return 0;
}

int tl_sim_retire(struct tl_kernel *kernel, struct tl_workers *workers)
{
    int r = retire((struct tl_sim_kernel *)kernel, workers);
    tl_sim_note((struct tl_sim_kernel *)kernel, TL_KIND_RETIRE, 0, r, 0, 0);
    return r;
}

/* --- A job's way ------------------------------------------------------------------------------ */

/* Gives the job a worker. */
static void start(struct job *job)
{
    tl_world *world = tl_sim_kernel_of(job->kernel);
    uint32_t later =
        tl_choices_ask(world, TL_AT_WORK_START, job->id, &job->start_draws, TL_MAGNITUDES);
    uint32_t longer =
        tl_choices_ask(world, TL_AT_WORK_DURATION, job->id, &job->duration_draws, TL_MAGNITUDES);
    job->queued = false;
    job->pool->busy++;
    job->begins = world->now + tl_magnitude(later);
    tl_list_remove(&job->place);
    tl_list_push(&job->kernel->jobs, &job->place);
    tl_agenda_add(&world->agenda, &job->event, job->begins + DURATION_MIN + tl_magnitude(longer));
}

/* Takes the job's worker away and gives it to the next. */
static void leave_worker(struct job *job)
{
    struct tl_sim_pool *pool = job->pool;
    pool->busy--;
    if (!tl_list_empty(&pool->queue))
        start(tl_listed(pool->queue.next, struct job, place));
}

static void job_done(struct tl_agenda_event *event)
{
    struct job *job = tl_listed(event, struct job, event);
    tl_list_remove(&job->place);
    tl_list_push(&job->kernel->done, &job->place);
    leave_worker(job);
    tl_ready_touch(job->kernel, &job->kernel->work);
}

static void job_free(struct job *job)
{
    tl_world *world = tl_sim_kernel_of(job->kernel);
    job->pool->jobs--;
    tl_list_remove(&job->place);
    tl_agenda_event_finish(&world->agenda, &job->event);
    tl_allocator_free(&world->allocator, job);
}

static int job_new(struct tl_sim_kernel *kernel, struct tl_work *work, struct job **ret)
{
    tl_world *world = tl_sim_kernel_of(kernel);
    struct tl_sim_pool *pool = pool_for(kernel, work->workers);
    struct job *job = tl_allocator_calloc(&world->allocator, sizeof *job);
    if (pool == NULL || job == NULL ||
        tl_agenda_event_init(&world->agenda, &job->event, job_done)) {
        tl_allocator_free(&world->allocator, job);
        return -ENOMEM;
    }
    job->kernel = kernel;
    job->pool = pool;
    job->work = work;
    job->id = tl_entity(kernel->entity, "job", kernel->jobs_count++);
    job->ordinal = kernel->jobs_count;
    job->queued = true;
    pool->jobs++;
    tl_list_push(&pool->queue, &job->place);
    work->request.owner = job;
    *ret = job;
    return 0;
}

int tl_sim_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct tl_sim_kernel *self = (struct tl_sim_kernel *)kernel;
    struct job *job = NULL;
    int r = job_new(self, work, &job);
    tl_sim_note(self, TL_KIND_WORK, 0, r, self->jobs_count, 0);
    if (r == 0 && job->pool->busy < job->pool->workers_max)
        start(job);
    return r;
}

/* Calls the job off, if it has not begun. */
static int call_off(struct job *job)
{
    if (job == NULL || job->ran ||
        (!job->queued && tl_sim_kernel_of(job->kernel)->now >= job->begins))
        return -EALREADY;
    job->work->request.owner = NULL;
    if (!job->queued)
        leave_worker(job);
    job_free(job);
    return 0;
}

int tl_sim_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    if (tl_sim_resolve_cancel((struct tl_sim_kernel *)kernel, request))
        return 0;
    struct job *job = request->owner;
    uint64_t ordinal = job != NULL ? job->ordinal : 0;
    int r = call_off(job);
    tl_sim_note((struct tl_sim_kernel *)kernel, TL_KIND_CANCEL, 0, r, ordinal, 0);
    return r;
}

/* --- Running ---------------------------------------------------------------------------------- */

/* Which of the finished jobs is next; there must be one. */
static struct job *choose_job(struct tl_sim_kernel *kernel)
{
    struct tl_list *at = kernel->done.next;
    struct job *window[WINDOW] = {tl_listed(at, struct job, place)};
    uint32_t held = 1;
    if (window[0]->ran)
        return window[0];
    for (at = at->next; at != &kernel->done && held < WINDOW; at = at->next)
        window[held++] = tl_listed(at, struct job, place);
    return window[tl_choices_ask(tl_sim_kernel_of(kernel), TL_AT_WORK_ORDER, window[0]->id,
                                 &window[0]->order_draws, held)];
}

/* Runs it; it is then the first of the finished ones. */
static void run(struct job *job)
{
    tl_process *process = job->kernel->process;
    job->ran = true;
    tl_list_remove(&job->place);
    tl_list_insert(&job->place, &job->kernel->done);
    const struct tl_work *outer = process->job;
    process->job = job->work;
    tl_work_run(job->work);
    process->job = outer;
}

static struct tl_event report(struct job *job)
{
    struct tl_work *work = job->work;
    uint64_t content = 0;
    if (work->out != NULL)
        content = tl_mix_bytes(work->out, work->out_len);
    tl_sim_note(job->kernel, TL_KIND_WORKED, 0, (int64_t)work->out_len, job->ordinal, content);
    work->request.owner = NULL;
    job_free(job);
    return (struct tl_event){.token = work, .kind = TL_EVENT_WORK};
}

int tl_work_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count)
{
    int n = 0;
    while (n < count && !tl_list_empty(&kernel->done)) {
        struct job *job = choose_job(kernel);
        if (!job->ran)
            run(job);
        n += tl_posts_emit(kernel, events + n, count - n);
        if (n < count)
            events[n++] = report(job);
    }
    return n;
}

void tl_work_drop(struct tl_sim_kernel *kernel)
{
    while (!tl_list_empty(&kernel->jobs))
        job_free(tl_listed(kernel->jobs.next, struct job, place));
    while (!tl_list_empty(&kernel->done))
        job_free(tl_listed(kernel->done.next, struct job, place));
    while (!tl_list_empty(&kernel->pools)) {
        struct tl_sim_pool *pool = tl_listed(kernel->pools.next, struct tl_sim_pool, place);
        while (!tl_list_empty(&pool->queue))
            job_free(tl_listed(pool->queue.next, struct job, place));
        pool_free(kernel, pool);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: run inline, as if on a worker, by the poll that reports them.
 *
 * How long a job takes is a choice, and so is the order in which jobs that have finished are
 * reported. While one runs the thread looks like a worker's: no loop is running or current on it.
 */
#include <errno.h>

#include "core/alloc.h"
#include "sim/kernel.h"

#define DURATION_MIN (10 * TL_MICROSECOND)

enum { WINDOW = 8 };

struct job {
    struct tl_list place; /* in its kernel's jobs or done */
    struct tl_agenda_event event;
    struct tl_sim_kernel *kernel;
    struct tl_work *work;
    uint64_t id;
    uint32_t draws;
};

static void job_done(struct tl_agenda_event *event)
{
    struct job *job = tl_listed(event, struct job, event);
    tl_list_remove(&job->place);
    tl_list_push(&job->kernel->done, &job->place);
    tl_ready_touch(job->kernel, &job->kernel->work);
}

static void job_free(struct job *job)
{
    tl_world *world = tl_sim_kernel_of(job->kernel);
    tl_list_remove(&job->place);
    tl_agenda_event_finish(&world->agenda, &job->event);
    tl_allocator_free(&world->allocator, job);
}

static int start_job(struct tl_sim_kernel *kernel, struct tl_work *work)
{
    tl_world *world = tl_sim_kernel_of(kernel);
    struct job *job = tl_allocator_calloc(&world->allocator, sizeof *job);
    if (job == NULL)
        return -ENOMEM;
    int r = tl_agenda_event_init(&world->agenda, &job->event, job_done);
    if (r < 0) {
        tl_allocator_free(&world->allocator, job);
        return r;
    }
    job->kernel = kernel;
    job->work = work;
    job->id = tl_entity(kernel->entity, "job", kernel->jobs_count++);
    uint32_t draws = 0;
    uint32_t longer = tl_choices_ask(world, TL_AT_WORK_DURATION, job->id, &draws, TL_MAGNITUDES);
    tl_agenda_add(&world->agenda, &job->event, world->now + DURATION_MIN + tl_magnitude(longer));
    tl_list_push(&kernel->jobs, &job->place);
    return 0;
}

int tl_sim_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct tl_sim_kernel *self = (struct tl_sim_kernel *)kernel;
    int r = start_job(self, work);
    tl_sim_note(self, TL_KIND_WORK, 0, r, self->jobs_count, 0);
    return r;
}

/* Which of the finished jobs is next; there must be one. */
static struct job *choose_job(struct tl_sim_kernel *kernel)
{
    struct tl_list *at = kernel->done.next;
    struct job *window[WINDOW] = {tl_listed(at, struct job, place)};
    uint32_t held = 1;
    for (at = at->next; at != &kernel->done && held < WINDOW; at = at->next)
        window[held++] = tl_listed(at, struct job, place);
    return window[tl_choices_ask(tl_sim_kernel_of(kernel), TL_AT_WORK_ORDER, window[0]->id,
                                 &window[0]->draws, held)];
}

static void run_as_worker(struct tl_work *work)
{
    struct tl_thread *self = tl_thread_self();
    struct tl_loop *running = self->running;
    struct tl_loop *current = self->current;
    bool is_main = self->is_main;
    self->running = NULL;
    self->current = NULL;
    self->is_main = false;
    work->run(work);
    self->running = running;
    self->current = current;
    self->is_main = is_main;
}

int tl_work_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count)
{
    int n = 0;
    while (n < count && !tl_list_empty(&kernel->done)) {
        struct job *job = choose_job(kernel);
        struct tl_work *work = job->work;
        job_free(job);
        run_as_worker(work);
        tl_sim_note(kernel, TL_KIND_WORKED, 0, (int64_t)work->out_len, 0, 0);
        events[n++] = (struct tl_event){.token = work, .kind = TL_EVENT_WORK};
    }
    return n;
}

void tl_work_drop(struct tl_sim_kernel *kernel)
{
    while (!tl_list_empty(&kernel->jobs))
        job_free(tl_listed(kernel->jobs.next, struct job, place));
    while (!tl_list_empty(&kernel->done))
        job_free(tl_listed(kernel->done.next, struct job, place));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness and poll.
 *
 * A kernel keeps a list of what may be ready, in the order in which it became so. A poll goes
 * through it once, drops what is ready no more, and reports the rest; what it has reported stays in
 * the list, behind the others, since readiness is a level. Which of the first few goes next is a
 * choice. A poll that finds nothing hands the process's turn to the world.
 *
 * A process that never waits, because there is always something or it only ever looks, would keep
 * the world at one instant for ever. Now and then it is made to let the others go first; and as
 * real time would pass meanwhile, after a while it naps until the next thing happens. Too many
 * polls without rest end the run all the same.
 */
#include "sim/endpoint.h"
#include "sim/kernel.h"
#include "sim/mix.h"

#include <errno.h>

#define NAP_MIN (TL_MILLISECOND / 2)

enum {
    WINDOW = 8,
    BUSY_POLLS_MAX = 64,  /* that find something, while others could go on */
    SPINS_PER_NAP = 1000, /* polls without waiting after which time passes */
    NAPS_LONGER = 9,      /* naps of which each is twice as long as the one before */
};

/* --- The ready list --------------------------------------------------------------------------- */

void tl_ready_item_init(struct tl_ready_item *item, enum tl_ready_kind kind, uint64_t id)
{
    *item = (struct tl_ready_item){.kind = (uint8_t)kind, .id = id};
}

void tl_ready_touch(struct tl_sim_kernel *kernel, struct tl_ready_item *item)
{
    if (!item->queued) {
        item->queued = true;
        tl_list_push(&kernel->ready, &item->place);
    }
    if (kernel->process->waiting == kernel)
        tl_world_wake(kernel->process);
}

void tl_ready_drop(struct tl_ready_item *item)
{
    tl_list_remove(&item->place);
    item->queued = false;
}

/* What a poll would report of it now. */
static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    uint32_t told = descriptor->item.wanted | TL_HANGUP | TL_FAULT;
    return descriptor->ops->readiness(descriptor) & told;
}

void tl_descriptor_touch(struct tl_descriptor *descriptor)
{
    if (descriptor->item.wanted == 0 || descriptor->item.queued)
        return;
    if (readiness(descriptor) != 0)
        tl_ready_touch(descriptor->kernel, &descriptor->item);
}

int tl_sim_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct tl_sim_kernel *self = (struct tl_sim_kernel *)kernel;
    struct tl_descriptor *descriptor = tl_fds_get(&self->process->fds, fd);
    int r = -EBADF;
    if (descriptor != NULL && descriptor->kernel == self && descriptor->ops->always_ready)
        r = events == 0 ? 0 : -EPERM;
    else if (descriptor != NULL && descriptor->kernel == self) {
        descriptor->item.wanted = events & (TL_READABLE | TL_WRITABLE);
        descriptor->token = token;
        if (descriptor->item.wanted == 0)
            tl_ready_drop(&descriptor->item);
        else
            tl_descriptor_touch(descriptor);
        r = 0;
    }
    tl_sim_note(self, TL_KIND_WATCH, r == 0 ? descriptor->ordinal : 0, r, events, 0);
    return r;
}

/* --- Collecting ------------------------------------------------------------------------------- */

/* An item of the window, and what makes it ready. */
struct candidate {
    struct tl_ready_item *item;
    uint32_t ready; /* 0: it is not; what a descriptor is ready for; else 1 */
};

static uint32_t ready_for(const struct tl_sim_kernel *kernel, const struct tl_ready_item *item)
{
    switch ((enum tl_ready_kind)item->kind) {
    case TL_READY_DESCRIPTOR:
        return readiness(tl_listed(item, struct tl_descriptor, item));
    case TL_READY_POSTS:
        return kernel->posts_head != NULL;
    case TL_READY_SIGNALS:
        return kernel->signals_pending != 0;
    case TL_READY_WORK:
        return !tl_list_empty(&kernel->done);
    case TL_READY_NAMES:
        return !tl_list_empty(&kernel->resolved);
    }
    return 0;
}

static int emit_descriptor(struct tl_sim_kernel *kernel, const struct tl_descriptor *descriptor,
                           uint32_t ready, struct tl_event *event)
{
    *event = (struct tl_event){.token = descriptor->token, .kind = TL_EVENT_FD, .ready = ready};
    tl_sim_note(kernel, TL_KIND_FD, descriptor->ordinal, ready, 0, 0);
    return 1;
}

int tl_posts_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count)
{
    int n = 0;
    while (n < count && kernel->posts_head != NULL) {
        struct tl_post *post = kernel->posts_head;
        kernel->posts_head = post->next;
        if (post->next == NULL)
            kernel->posts_tail = NULL;
        tl_sim_note(kernel, TL_KIND_POSTED, 0, (int64_t)post->ordinal, post->kind,
                    post->data != NULL ? tl_mix_bytes(post->data, post->len) : 0);
        events[n++] = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    }
    return n;
}

static int emit_signals(struct tl_sim_kernel *kernel, struct tl_event *events, int count)
{
    int n = 0;
    while (n < count && kernel->signals_pending != 0) {
        int signum = tl_signal_take(kernel);
        tl_sim_note(kernel, TL_KIND_SIGNALLED, 0, signum, 0, 0);
        events[n++] = (struct tl_event){.kind = TL_EVENT_SIGNAL, .value = signum};
    }
    return n;
}

/* Reports one item, which goes behind the others if there may be more of it. */
static int emit(struct tl_sim_kernel *kernel, const struct candidate *chosen,
                struct tl_event *events, int count)
{
    struct tl_ready_item *item = chosen->item;
    tl_list_remove(&item->place);
    tl_list_push(&kernel->ready, &item->place);
    switch ((enum tl_ready_kind)item->kind) {
    case TL_READY_DESCRIPTOR:
        return emit_descriptor(kernel, tl_listed(item, struct tl_descriptor, item), chosen->ready,
                               events);
    case TL_READY_POSTS:
        return tl_posts_emit(kernel, events, count);
    case TL_READY_SIGNALS:
        return emit_signals(kernel, events, count);
    case TL_READY_WORK:
        return tl_work_emit(kernel, events, count);
    case TL_READY_NAMES:
        return tl_resolve_emit(kernel, events, count);
    }
    return 0;
}

/* Makes window the first items of batch that are ready; held of them it has already. */
static unsigned fill_window(const struct tl_sim_kernel *kernel, struct tl_list *batch,
                            struct candidate *window, unsigned held)
{
    struct tl_list *at = held > 0 ? window[held - 1].item->place.next : batch->next;
    while (held < WINDOW && at != batch) {
        struct tl_ready_item *item = tl_listed(at, struct tl_ready_item, place);
        at = at->next;
        /* With many connections the next is in no cache: fetch it, and the part of a stream that
         * says what state it is in, while this one is looked at. */
        __builtin_prefetch(at);
        __builtin_prefetch((const char *)at + offsetof(struct tl_endpoint, traffic));
        uint32_t ready = ready_for(kernel, item);
        if (ready != 0)
            window[held++] = (struct candidate){item, ready};
        else
            tl_ready_drop(item);
    }
    return held;
}

/* Reports what is ready now, and returns how many events that makes. */
static int collect(struct tl_sim_kernel *kernel, struct tl_event *events, int count)
{
    struct candidate window[WINDOW];
    unsigned held = 0;
    int n = 0;
    struct tl_list batch;
    if (tl_list_empty(&kernel->ready))
        return 0;
    tl_list_init(&batch);
    tl_list_move_front(&kernel->ready, &batch);
    while (n < count && (held = fill_window(kernel, &batch, window, held)) > 0) {
        struct tl_ready_item *first = window[0].item;
        uint32_t at = tl_choices_ask(tl_sim_kernel_of(kernel), TL_AT_POLL_ORDER, first->id,
                                     &first->draws, held);
        struct candidate chosen = window[at];
        held--;
        for (unsigned i = at; i < held; i++)
            window[i] = window[i + 1];
        n += emit(kernel, &chosen, events + n, count - n);
        if (chosen.item->kind == TL_READY_WORK)
            held = 0; /* a job has run: who knows what it did */
    }
    tl_list_move_front(&batch, &kernel->ready);
    return n;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* Waits until something is ready or the time has run out. */
static int wait_and_collect(struct tl_sim_kernel *kernel, tl_time timeout, struct tl_event *events,
                            int count)
{
    tl_process *process = kernel->process;
    tl_world *world = process->world;
    int n = 0;
    int r = 0;
    kernel->timed_out = false;
    if (timeout > 0)
        tl_agenda_add(&world->agenda, &kernel->timeout,
                      timeout < TL_TIME_NEVER - world->now ? world->now + timeout : TL_TIME_NEVER);
    while (n == 0 && !kernel->timed_out && r == 0) {
        process->waiting = kernel;
        r = tl_world_wait(process);
        process->waiting = NULL;
        n = r == 0 ? collect(kernel, events, count) : 0;
    }
    tl_agenda_cancel(&world->agenda, &kernel->timeout);
    return r < 0 ? r : n;
}

/* Lets time pass: what so many polls take at first, then ever more, so that timers of the process
 * itself come due and others need not wait for long; but not past the next thing that happens. */
static int nap(struct tl_sim_kernel *kernel)
{
    tl_process *process = kernel->process;
    tl_world *world = process->world;
    unsigned naps = process->spins / SPINS_PER_NAP;
    tl_time next = world->now + (NAP_MIN << (naps < NAPS_LONGER ? naps : NAPS_LONGER));
    if (tl_agenda_next(&world->agenda) < next)
        next = tl_agenda_next(&world->agenda);
    tl_agenda_add(&world->agenda, &kernel->timeout, next);
    tl_process_set_napping(process, true);
    int r = tl_world_wait(process);
    tl_process_set_napping(process, false);
    return r;
}

/* Lets others go first if that is their turn. For a poll that does not wait; look: it found nothing
 * and need not be asked. */
static int make_way(struct tl_sim_kernel *kernel, bool look)
{
    tl_process *process = kernel->process;
    tl_world *world = process->world;
    if (++process->spins % SPINS_PER_NAP == 0)
        return nap(kernel);
    if (look)
        return tl_world_yield(process);
    if (!tl_world_busy(world)) {
        process->busy_polls = 0;
        return 0;
    }
    if (++process->busy_polls < BUSY_POLLS_MAX &&
        tl_choices_ask(world, TL_AT_WORLD_YIELD, process->entity, &process->yield_draws, 2) == 0)
        return 0;
    process->busy_polls = 0;
    return tl_world_yield(process);
}

static int poll_once(struct tl_sim_kernel *kernel, tl_time timeout, struct tl_event *events,
                     int count)
{
    tl_process *process = kernel->process;
    int n = collect(kernel, events, count);
    if (n > 0) {
        int r = make_way(kernel, false);
        return r < 0 ? r : n;
    }
    process->busy_polls = 0;
    if (timeout != 0) {
        process->spins = 0;
        return wait_and_collect(kernel, timeout, events, count);
    }
    int r = make_way(kernel, true);
    return r < 0 ? r : collect(kernel, events, count);
}

/* A job that runs a loop of its own holds up the very stack that has to go on. */
static int refuse_job(const tl_process *process)
{
    tl_world_decide(process->world, TL_OUTCOME_STUCK, "executor deadlock: %s of %s waits in poll",
                    process->job->name[0] != '\0' ? process->job->name : "a job", process->name);
    return TL_EDEADLOCK;
}

int tl_sim_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct tl_sim_kernel *self = (struct tl_sim_kernel *)kernel;
    if (count <= 0)
        return -EINVAL;
    if (self->process->fiber != NULL) /* a guest may spin as long as it likes */
        tl_world_count_step(tl_sim_kernel_of(self));
    if (tl_sim_kernel_of(self)->decided) {
        tl_world_leave(self->process);
        return TL_EDEADLOCK;
    }
    if (self->process->job != NULL)
        return refuse_job(self->process);
    int r = poll_once(self, timeout, events, count);
    tl_sim_note(self, TL_KIND_POLL, 0, r, (uint64_t)timeout, 0);
    return r;
}

/* --- Posts ------------------------------------------------------------------------------------ */

int tl_sim_post(struct tl_kernel *kernel, struct tl_post *post)
{
    struct tl_sim_kernel *self = (struct tl_sim_kernel *)kernel;
    if (!pthread_equal(pthread_self(), tl_sim_kernel_of(self)->thread))
        return TL_ETHREAD;
    post->next = NULL;
    if (self->posts_tail != NULL)
        self->posts_tail->next = post;
    else
        self->posts_head = post;
    self->posts_tail = post;
    tl_sim_note(self, TL_KIND_POST, 0, 0, post->ordinal, 0);
    tl_ready_touch(self, &self->posts);
    return 0;
}

void tl_posts_drop(struct tl_sim_kernel *kernel)
{
    while (kernel->posts_head != NULL) {
        struct tl_post *post = kernel->posts_head;
        kernel->posts_head = post->next;
        tl_post_release(post);
    }
    kernel->posts_tail = NULL;
}

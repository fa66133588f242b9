/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a world moves, and how a run ends.
 *
 * A step does the first of these that it can: fire what is due at this instant; let one process go
 * on, which of them being a choice; jump to the next instant and fire what is due then. When the
 * last foreground process has ended, the daemons get SIGTERM and a grace time. Whatever is decided
 * before that (a failed assertion, nothing left to happen, the deadline) ends the run where it
 * stands.
 */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <twinloop/error.h>

#include "sim/process.h"
#include "sim/world.h"

enum { WINDOW = 8 };

/* --- Turns ------------------------------------------------------------------------------------ */

void tl_world_wake(tl_process *process)
{
    if (!process->exited && !tl_list_in(&process->turn))
        tl_list_push(&process->world->runnable, &process->turn);
}

bool tl_world_busy(const tl_world *world)
{
    return !tl_list_empty(&world->runnable) || tl_agenda_next(&world->agenda) <= world->now;
}

/* Takes out the process whose turn it is; there must be one. */
static tl_process *next_process(tl_world *world)
{
    struct tl_list *at = world->runnable.next;
    tl_process *window[WINDOW] = {tl_listed(at, tl_process, turn)};
    uint32_t held = 1;
    for (at = at->next; at != &world->runnable && held < WINDOW; at = at->next)
        window[held++] = tl_listed(at, tl_process, turn);
    uint32_t index =
        tl_choices_ask(world, TL_AT_WORLD_ORDER, window[0]->entity, &window[0]->order_draws, held);
    tl_list_remove(&window[index]->turn);
    return window[index];
}

void tl_world_count_step(tl_world *world)
{
    if (++world->steps > world->steps_max)
        tl_world_decide(world, TL_OUTCOME_LIMIT,
                        "livelock: more than %" PRIu64 " steps without rest", world->steps_max);
}

/* --- Steps ------------------------------------------------------------------------------------ */

static void fire_next(tl_world *world)
{
    struct tl_agenda_event *event = tl_agenda_pop(&world->agenda);
    event->fire(event);
}

static void jump(tl_world *world, tl_time time)
{
    assert(time >= world->now);
    world->now = time;
    if (world->napping == 0)
        world->steps = 0;
}

/* The clock may not go beyond these: decides or ends the run when it would. */
static bool may_jump(tl_world *world, tl_time time)
{
    if (world->phase == TL_WORLD_GRACE && time > world->grace_end) {
        world->phase = TL_WORLD_OVER;
        return false;
    }
    if (world->phase == TL_WORLD_RUNNING && time > world->deadline) {
        tl_world_decide(world, TL_OUTCOME_NOT_RECOVERED,
                        "not recovered: %u foreground processes live at the deadline, %" PRId64
                        " s",
                        world->foreground, world->deadline / TL_SECOND);
        tl_report_waiting(world);
        return false;
    }
    return true;
}

enum step {
    STEP_DONE,
    STEP_GUEST,   /* it is the turn of the guest who makes the steps */
    STEP_NOTHING, /* nothing will ever happen, or nothing may */
};

static enum step step(tl_world *world, const tl_process *guest)
{
    tl_time next = tl_agenda_next(&world->agenda);
    if (next > world->now) {
        if (!tl_list_empty(&world->runnable)) {
            tl_process *process = next_process(world);
            if (process == guest)
                return STEP_GUEST;
            tl_process_resume(process);
            return STEP_DONE;
        }
        if (next == TL_TIME_NEVER || !may_jump(world, next))
            return STEP_NOTHING;
        jump(world, next);
    }
    fire_next(world);
    return STEP_DONE;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* Makes steps until it is the guest's turn. */
static int wait_as_guest(tl_process *guest)
{
    tl_world *world = guest->world;
    while (!world->decided) {
        enum step done = step(world, guest);
        if (done == STEP_GUEST)
            return 0;
        if (done == STEP_NOTHING)
            tl_world_decide(world, TL_OUTCOME_STUCK, "stuck: nothing can ever wake %s",
                            guest->name);
    }
    tl_list_remove(&guest->turn);
    tl_report_waiting(world);
    return TL_EDEADLOCK;
}

int tl_world_wait(tl_process *process)
{
    if (process->fiber == NULL)
        return wait_as_guest(process);
    tl_fiber_suspend(process->fiber);
    return 0;
}

int tl_world_yield(tl_process *process)
{
    tl_world_wake(process);
    return tl_world_wait(process);
}

void tl_world_leave(tl_process *process)
{
    while (process->fiber != NULL)
        tl_fiber_suspend(process->fiber);
}

/* --- A whole run ------------------------------------------------------------------------------ */

static void begin_grace(tl_world *world)
{
    world->phase = TL_WORLD_GRACE;
    world->grace_end = world->now + world->grace;
    struct tl_list *next;
    for (struct tl_list *at = world->processes.next; at != &world->processes; at = next) {
        next = at->next;
        tl_process *process = tl_listed(at, tl_process, place);
        if (!process->exited && process->fiber != NULL)
            tl_signal_send(process, SIGTERM);
    }
}

/* Whether there is still something that the run waits for. */
static bool awaits(const tl_world *world)
{
    if (world->foreground > 0)
        return true;
    return !world->foreground_ever && !tl_list_empty(&world->errands);
}

static void run_step(tl_world *world)
{
    if (world->phase == TL_WORLD_RUNNING && !awaits(world))
        begin_grace(world);
    if (world->phase == TL_WORLD_GRACE && world->alive == 0) {
        world->phase = TL_WORLD_OVER;
        return;
    }
    if (step(world, NULL) != STEP_NOTHING || world->phase == TL_WORLD_OVER || world->decided)
        return;
    if (world->phase == TL_WORLD_GRACE) {
        world->phase = TL_WORLD_OVER;
        return;
    }
    if (world->foreground == 0) {
        begin_grace(world); /* what it waited for will never be */
        return;
    }
    tl_world_decide(world, TL_OUTCOME_STUCK,
                    "stuck: nothing can ever happen, yet %u foreground processes live",
                    world->foreground);
    tl_report_waiting(world);
}

enum tl_outcome tl_world_run(tl_world *world)
{
    if (world->phase == TL_WORLD_BUILT)
        world->phase = TL_WORLD_RUNNING;
    while (!world->decided && world->phase != TL_WORLD_OVER)
        run_step(world);
    if (world->decided && world->outcome == TL_OUTCOME_LIMIT && world->phase != TL_WORLD_OVER)
        tl_report_waiting(world);
    world->phase = TL_WORLD_OVER;
    return world->outcome;
}

tl_time tl_world_time(const tl_world *world)
{
    return world->now;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run: the operations of a program, one by one, on one kernel.
 *
 * After each operation the run lets everything arrive that is on its way, then asks poll how every
 * place is. The real loopback works inside the calls, so that nothing needs to be waited for as a
 * rule; a patient run does not trust that and waits until two looks, a millisecond apart, see the
 * same. In the simulator time passes through a second kernel of the same world, whose poll waits
 * while the first one's descriptors stay watched.
 *
 * Every run listens on a loopback address of its own, so that no connection of an earlier one that
 * lingers in TIME_WAIT is in its way.
 */
#include "tests/fidelity/run.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <twinloop/error.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>
#include <unistd.h>

#include "tests/fidelity/place.h"

/* Long enough for every delay that a simulated network can have to pass, one after the other. */
#define SETTLE_PLAIN TL_MILLISECOND
#define SETTLE_CHANCES (20 * TL_SECOND)

static tl_world *world; /* of simulated runs, reset for each */

/* --- Kernels ---------------------------------------------------------------------------------- */

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fidelity: cannot %s\n", what);
    abort();
}

/* Returns the host that the run is on. */
static tl_host *open_simulated(struct run *run, const struct manner *manner)
{
    struct tl_world_options options = {.quiet = !manner->chances, .seed = manner->seed};
    if (world == NULL) {
        world = tl_world_new(&options);
        must(world != NULL && tl_world_add_host(world, "local", NULL) != NULL, "make a world");
    } else {
        must(tl_world_reset(world, &options) == 0, "reset a world");
    }
    tl_host *host = tl_world_find_host(world, "local");
    must(tl_sim_kernel_join(host, &run->kernel) == 0, "join a world");
    must(tl_sim_kernel_join(host, &run->clock) == 0, "join a world twice");
    run->settle = manner->chances ? SETTLE_CHANCES : SETTLE_PLAIN;
    return host;
}

void run_finish(void)
{
    tl_world_free(world);
    world = NULL;
}

/* 127.x.y.z, another one each time and in each process. */
static void choose_loopback(struct run *run)
{
    static uint32_t count;
    uint32_t mixed = ((uint32_t)getpid() * 2654435761u >> 8) + count++;
    char text[32];
    snprintf(text, sizeof text, "127.%u.%u.%u", 1 + (mixed >> 16) % 120, (mixed >> 8) % 250,
             1 + mixed % 250);
    must(tl_addr_parse(text, 0, &run->loopback) == 0, "parse an address");
    run->unique = mixed;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void pause_real(void)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL); /* check: allowed, the real loopback has nothing to wait for */
}

/* What passes in a hurry: nothing, a trifle, or what some delays take. */
static tl_time hurried_time(const struct run *run)
{
    static const tl_time times[] = {0, 1, 10 * TL_MICROSECOND, TL_MILLISECOND,
                                    100 * TL_MILLISECOND};
    uint64_t mixed = (run->manner->seed * OPS_MAX + run->op) * 0x9e3779b97f4a7c15;
    return times[(mixed >> 32) % (sizeof times / sizeof *times)];
}

static void let_arrive(struct run *run)
{
    struct tl_event event;
    if (run->clock != NULL) {
        bool hurry = run->manner->hurried && !run->reading_out;
        tl_time time = hurry ? hurried_time(run) : run->settle;
        must(run->clock->ops->poll(run->clock, time, &event, 1) == 0, "let time pass");
        return;
    }
    if (!run->manner->patient)
        return;
    struct stillness before, now = {0};
    int looks = 0;
    do {
        before = now;
        pause_real();
        now = places_stillness(run);
    } while ((now.moving || memcmp(&before, &now, sizeof now) != 0) && ++looks < 100);
}

static void look(struct run *run, struct answer *answer)
{
    let_arrive(run);
    places_look(run, answer->ready);
    for (int i = 0; i < PLACES; i++) {
        const struct flow *out = run->places[i].out;
        const struct flow *in = run->places[i].in;
        if (out != NULL && out->bounded && (out->flooded || flow_under_way(out) > out->room / 3))
            answer->ready_loose[i] |= TL_WRITABLE;
        if (in != NULL && flow_is_uncertain(in))
            answer->ready_loose[i] |= TL_READABLE;
    }
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Reads a place until it says something else than bytes. */
static int64_t read_out(struct run *run, int place, struct answer *answer)
{
    struct answer part = {0};
    int patience = 400; /* a window may have to open first, or a timer to run out */
    for (;;) {
        place_read(run, &(struct op){.place = (uint8_t)place, .value = SIZE_MAX_BYTES, .pieces = 1},
                   &part);
        if (part.broken != NULL)
            answer->broken = part.broken;
        const struct flow *in = run->places[place].in;
        bool more = part.result > 0 || (part.result == -EAGAIN && in != NULL &&
                                        flow_under_way(in) > 0 && patience-- > 0);
        if (!more)
            return part.result;
        if (part.result == -EAGAIN && run->manner->real)
            pause_real();
        let_arrive(run);
    }
}

/* Reads out every stream. What was written and neither read nor lost by an end must be there. */
static void read_out_all(struct run *run, struct answer *answer)
{
    size_t at = 0;
    answer->note[0] = '\0';
    run->reading_out = true;
    let_arrive(run);
    for (int i = 0; i < PLACES; i++) {
        struct place *place = &run->places[i];
        answer->ready[i] = READY_NONE;
        if (place->fd < 0 || sort_is_datagram(place->sort) || place->sort == SORT_FILE)
            continue;
        int64_t end = read_out(run, i, answer);
        if (end == -EAGAIN && place->in != NULL && flow_under_way(place->in) > 0)
            answer->broken = "bytes are lost";
        at += (size_t)snprintf(answer->note + at, sizeof answer->note - at, " %d:%d", i, (int)-end);
        must(at < sizeof answer->note, "fit an answer");
    }
}

static bool uses_paths(const struct program *program)
{
    for (size_t i = 0; i < program->count; i++)
        if (program->ops[i].other >= PATH || program->ops[i].kind == OP_SENDFILE)
            return true;
    return false;
}

void run_program(const struct program *program, const struct manner *manner, struct transcript *ret)
{
    static struct run run;
    tl_host *host = NULL;
    bool paths = uses_paths(program);
    memset(&run, 0, sizeof run);
    run.manner = manner;
    choose_loopback(&run);
    if (manner->real)
        must(tl_real_kernel_new(&run.kernel) == 0, "make a kernel");
    else
        host = open_simulated(&run, manner);
    must(!paths || paths_make(&run, host), "make a directory");
    for (int i = 0; i < PLACES; i++)
        run.places[i].fd = -1;
    ret->count = program->count + 1;
    memset(ret->answers, 0, ret->count * sizeof ret->answers[0]);
    for (size_t i = 0; i < program->count; i++) {
        run.op = (uint32_t)i;
        place_do(&run, &program->ops[i], &ret->answers[i]);
        if (!ret->answers[i].skipped)
            look(&run, &ret->answers[i]);
    }
    read_out_all(&run, &ret->answers[program->count]);
    run.kernel->ops->destroy(run.kernel);
    if (run.clock != NULL)
        run.clock->ops->destroy(run.clock);
    must(!paths || host != NULL || paths_remove(&run), "remove a directory");
}

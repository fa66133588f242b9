/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hold model: what one event costs the simulator's agenda while a given number is pending.
 *
 * The first event is taken out, its callback called, and it is added again later by an amount that
 * is exponentially distributed; so the number pending stays. An event is embedded in an object of
 * one cache line, as the simulator's are.
 *
 *     sim_hold [EVENTS]
 */
#include "sample.h"

#include <math.h>
#include "sim/agenda.h"
#include "sim/mix.h"

enum { INCREMENTS = 1 << 16, MEAN_NS = 1000000 };

struct object {
    struct tl_agenda_event event;
    uint64_t fired;
    char other[40]; /* what an object of the simulator has beside its event */
};

static tl_time increments[INCREMENTS];
static struct tl_agenda agenda;
static tl_time now;
static uint64_t turn;

static void fire(struct tl_agenda_event *event)
{
    ((struct object *)event)->fired++; /* its first member */
    tl_agenda_add(&agenda, event, now + increments[turn++ % INCREMENTS]);
}

static void hold(uint64_t events)
{
    while (events-- > 0) {
        now = tl_agenda_next(&agenda);
        struct tl_agenda_event *event = tl_agenda_pop(&agenda);
        event->fire(event);
    }
}

static void measure(const char *name, size_t pending, uint64_t events)
{
    struct object *objects = calloc(pending, sizeof *objects);
    if (objects == NULL)
        exit(1);
    tl_agenda_init(&agenda, tl_get_allocator());
    now = 0;
    turn = 0;
    for (size_t i = 0; i < pending; i++) {
        check("agenda", tl_agenda_event_init(&agenda, &objects[i].event, fire));
        tl_agenda_add(&agenda, &objects[i].event, increments[turn++ % INCREMENTS]);
    }
    hold(2 * pending < events ? 2 * pending : events);
    int64_t start = cpu_ns();
    hold(events);
    sample(name, "ns/event", (double)(cpu_ns() - start) / (double)events);
    for (size_t i = 0; i < pending; i++)
        tl_agenda_event_finish(&agenda, &objects[i].event);
    tl_agenda_finish(&agenda);
    free(objects);
}

int main(int argc, char **argv)
{
    uint64_t events = amount(argc, argv, 1000000);
    for (uint64_t i = 0; i < INCREMENTS; i++) {
        double uniform = ((double)(tl_scramble(i) >> 11) + 1) / 0x1p53;
        increments[i] = 1 + (tl_time)(-log(uniform) * MEAN_NS);
    }
    measure("event, 1,000 pending", 1000, events);
    measure("event, 100,000 pending", 100000, events);
    measure("event, 1,000,000 pending", 1000000, 2 * events);
    return 0;
}

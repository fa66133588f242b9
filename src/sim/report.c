/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outcomes and the report: what went wrong, who was waiting for what, what was said last.
 *
 * The report lies in the world, so that it can be written when memory is out.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/host.h"
#include "sim/kernel.h"
#include "sim/process.h"
#include "sim/world.h"

enum { DESCRIPTORS_MAX = 8 };

static void add_list(struct tl_report *report, const char *format, va_list args)
{
    size_t room = sizeof report->text - report->len;
    int n = vsnprintf(report->text + report->len, room, format, args);
    if (n > 0)
        report->len += (size_t)n < room ? (size_t)n : room - 1;
}

static __attribute__((format(printf, 2, 3))) void add(tl_world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_list(&world->report, format, args);
    va_end(args);
}

/* --- Outcomes --------------------------------------------------------------------------------- */

static void add_messages(tl_world *world)
{
    struct tl_report *report = &world->report;
    unsigned first = 0;
    if (report->messages_count > TL_REPORT_MESSAGES)
        first = report->messages_count - TL_REPORT_MESSAGES;
    for (unsigned i = first; i < report->messages_count; i++)
        add(world, "  said: %s\n", report->messages[i % TL_REPORT_MESSAGES]);
}

static void decide(tl_world *world, enum tl_outcome outcome, const char *format, va_list args)
{
    if (world->decided)
        return;
    world->decided = true;
    world->outcome = outcome;
    add_list(&world->report, format, args);
    add(world, "\n  at %" PRId64 ".%09" PRId64 " s\n", world->now / TL_SECOND,
        world->now % TL_SECOND);
    add_messages(world);
}

void tl_world_decide(tl_world *world, enum tl_outcome outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    decide(world, outcome, format, args);
    va_end(args);
}

void tl_world_fail(tl_world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    decide(world, TL_OUTCOME_FAILED, format, args);
    va_end(args);
}

const char *tl_world_report(const tl_world *world)
{
    return world->report.text;
}

void tl_report_message(tl_world *world, const char *who, const char *text)
{
    struct tl_report *report = &world->report;
    char *message = report->messages[report->messages_count++ % TL_REPORT_MESSAGES];
    snprintf(message, TL_REPORT_MESSAGE_SIZE, "%s: %s", who, text);
}

/* --- Who waits for what ----------------------------------------------------------------------- */

static void add_descriptor(tl_world *world, const struct tl_descriptor *descriptor)
{
    char text[200];
    descriptor->ops->describe(descriptor, text, sizeof text);
    add(world, "    fd %d, waits to %s%s%s: %s\n", descriptor->fd,
        descriptor->item.wanted & TL_READABLE ? "read" : "",
        descriptor->item.wanted == (TL_READABLE | TL_WRITABLE) ? " or " : "",
        descriptor->item.wanted & TL_WRITABLE ? "write" : "", text);
}

static void add_watched(tl_world *world, const tl_process *process)
{
    unsigned watched = 0;
    unsigned idle = 0;
    for (unsigned fd = 0; fd < process->fds.capacity; fd++) {
        const struct tl_descriptor *descriptor = process->fds.slots[fd];
        if (descriptor == NULL)
            continue;
        if (descriptor->item.wanted == 0)
            idle++;
        else if (watched++ < DESCRIPTORS_MAX)
            add_descriptor(world, descriptor);
    }
    if (watched > DESCRIPTORS_MAX)
        add(world, "    and %u more\n", watched - DESCRIPTORS_MAX);
    if (idle > 0)
        add(world, "    %u descriptors open that nobody watches\n", idle);
}

static const char *state_of(const tl_process *process)
{
    if (process->waiting == NULL)
        return tl_agenda_added(&process->start) ? "has not started yet" : "was running";
    if (!tl_list_empty(&process->waiting->jobs))
        return "waits in poll for jobs";
    return tl_agenda_added(&process->waiting->timeout) ? "waits in poll for a timer"
                                                       : "waits in poll without a timer";
}

void tl_report_waiting(tl_world *world)
{
    for (struct tl_list *at = world->processes.next; at != &world->processes; at = at->next) {
        const tl_process *process = tl_listed(at, tl_process, place);
        if (process->exited)
            continue;
        add(world, "  %s on %s%s %s\n", process->name, process->host->name,
            process->daemon ? " (daemon)" : "", state_of(process));
        add_watched(world, process);
    }
}

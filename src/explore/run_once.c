/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run, and what is told about it while it lasts.
 *
 * The observer is called from inside the run, on any stack and as any simulated process, so it
 * allocates nothing: sites beyond a fixed number are only counted under no name.
 */
#include "explore/run_once.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/error.h>
#include "explore/sites.h"
#include "explore/tell.h"
#include "sim/process.h"
#include "sim/world.h"

struct observer {
    const struct tl_run_plan *plan;
    struct tl_configuration configuration;
    struct tl_sites sites;
};

static void note_parameter(struct observer *observer, const tl_site *site, uint32_t answer)
{
    const struct tl_parameter_site *parameter =
        tl_container_of((void *)(uintptr_t)site, struct tl_parameter_site, site);
    tl_configuration_add(&observer->configuration, site->name, parameter->least + answer);
    if (observer->plan->fd >= 0)
        (void)tl_tell_parameter(observer->plan->fd, site->name, parameter->least + answer);
}

static void on_choice(void *arg, const tl_site *site, const struct tl_script_entry *choice)
{
    struct observer *observer = arg;
    int fd = observer->plan->fd;
    bool is_new;
    struct tl_seen_site *seen = tl_sites_find(&observer->sites, choice->site, &is_new);
    if (seen != NULL) {
        seen->asked++;
        seen->others += choice->answer != 0;
        if (is_new && fd >= 0)
            (void)tl_tell_site(fd, choice->site, site);
    }
    if (site->meaning == tl_parameter_meaning)
        note_parameter(observer, site, choice->answer);
    if (observer->plan->tell_choices && choice->answer != 0 && fd >= 0)
        (void)tl_tell_choice(fd, choice);
}

static void fail(struct tl_run_result *result, const char *what, int code)
{
    result->outcome = TL_OUTCOME_FAILED;
    snprintf(result->report, sizeof result->report, "%s: %s (%s)", what, tl_strerror(code),
             tl_err_name(code));
}

/* A process that was killed, or whose run was broken off, cannot free what it had. */
static bool ended_by_themselves(const tl_world *world)
{
    for (const struct tl_list *at = world->processes.next; at != &world->processes; at = at->next) {
        const tl_process *process = tl_listed(at, tl_process, place);
        if (!process->exited || process->status < 0)
            return false;
    }
    return true;
}

static void conclude(const struct tl_run_plan *plan, tl_world *world, struct tl_run_result *result)
{
    result->outcome = tl_world_run(world);
    if (result->outcome == TL_OUTCOME_HELD && plan->scenario->check != NULL) {
        plan->scenario->check(world);
        if (tl_world_report(world)[0] != '\0')
            result->outcome = TL_OUTCOME_FAILED;
    }
    result->complete = true;
    result->clean = ended_by_themselves(world);
    result->time = tl_world_time(world);
    result->events = tl_world_events(world);
    tl_world_hashes(world, &result->schedule, &result->content);
    result->unused = tl_world_script_unused(world);
    snprintf(result->report, sizeof result->report, "%s", tl_world_report(world));
}

static void build_and_run(const struct tl_run_plan *plan, struct observer *observer,
                          struct tl_run_result *result)
{
    struct tl_world_options options = plan->options;
    if (plan->tell_sites || plan->tell_choices) {
        options.on_choice = on_choice;
        options.on_choice_arg = observer;
    }
    tl_world *world = tl_world_new(&options);
    if (world == NULL) {
        fail(result, "the world could not be made", -ENOMEM);
        return;
    }
    int r = plan->scenario->build(world);
    if (r < 0) {
        fail(result, "the scenario could not be built", r);
    } else {
        if (plan->built != NULL)
            plan->built(plan, &observer->configuration);
        conclude(plan, world, result);
    }
    tl_world_free(world);
}

void tl_run_once(const struct tl_run_plan *plan, struct tl_run_result *ret)
{
    struct observer observer = {.plan = plan};
    *ret = (struct tl_run_result){0};
    build_and_run(plan, &observer, ret);
    if (plan->fd < 0)
        return;
    for (size_t i = 0; i < observer.sites.count; i++) {
        const struct tl_seen_site *seen = &observer.sites.each[i];
        (void)tl_tell_counts(plan->fd, seen->site, seen->asked, seen->others);
    }
    (void)tl_tell_result(plan->fd, ret);
}

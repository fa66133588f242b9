/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command sites: a table of every choice the simulator can make and of those of the scenario's
 * own that one run met, with how often that run met each.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/error.h>
#include "core/alloc.h"
#include "explore/configuration.h"
#include "explore/runner.h"
#include "explore/single.h"

static const struct tl_seen_site *seen_site(const struct tl_sites *sites, uint64_t hash)
{
    for (size_t i = 0; i < sites->count; i++)
        if (sites->each[i].site == hash)
            return &sites->each[i];
    return NULL;
}

/* Of the simulator's own sites: the one with that hash. */
static const tl_site *simulator_site(uint64_t hash)
{
    for (size_t i = 0; tl_sim_sites[i] != NULL; i++)
        if (tl_entity(0, tl_sim_sites[i]->name, 0) == hash)
            return tl_sim_sites[i];
    return NULL;
}

static void print_row(const char *name, uint32_t kind, const char *odds,
                      const struct tl_seen_site *seen, const char *meaning)
{
    printf("%-24s %-10s %6s %10llu %10llu  %s\n", name, tl_site_kind_name(kind), odds,
           seen != NULL ? (unsigned long long)seen->asked : 0,
           seen != NULL ? (unsigned long long)seen->others : 0, meaning);
}

static void print_table(const struct tl_sites *sites)
{
    char text[32];
    printf("%-24s %-10s %6s %10s %10s  %s\n", "site", "kind", "odds", "asked", "other", "meaning");
    for (size_t i = 0; tl_sim_sites[i] != NULL; i++) {
        const tl_site *site = tl_sim_sites[i];
        snprintf(text, sizeof text, "%u", site->odds);
        print_row(site->name, site->kind, text, seen_site(sites, tl_entity(0, site->name, 0)),
                  site->meaning);
    }
    for (size_t i = 0; i < sites->count; i++) {
        const struct tl_seen_site *seen = &sites->each[i];
        if (simulator_site(seen->site) == NULL)
            print_row(tl_sites_name(sites, seen->site, text, sizeof text), seen->kind, "-", seen,
                      "the scenario's own");
    }
}

int tl_command_sites(const struct tl_runner *runner)
{
    struct tl_single single = {
        .plan =
            {
                .scenario = runner->scenario,
                .options = {.seed = runner->options.seed,
                            .envp = tl_runner_environment(runner->options.debug)},
                .tell_sites = true,
            },
        .time_max = runner->options.seed_time_max,
        .capture = true,
    };
    struct tl_verdict *verdict = tl_calloc(sizeof *verdict);
    int r = verdict == NULL ? -ENOMEM : tl_single_run(&single, verdict);
    if (r == 0) {
        printf("%s: seed %llu: %s; odds are of 65536, 'other' counts answers other than 0\n",
               runner->scenario->name, (unsigned long long)runner->options.seed,
               tl_outcome_name(verdict->result.outcome));
        print_table(&verdict->sites);
    } else {
        fprintf(stderr, "%s: sites: %s\n", runner->invocation, tl_strerror(r));
    }
    if (verdict != NULL)
        tl_verdict_finish(verdict);
    tl_free(verdict);
    return r == 0 ? 0 : r == -EINTR ? TL_EXIT_INTERRUPTED : TL_EXIT_USAGE;
}

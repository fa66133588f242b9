/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a scenario in this process: a world is made, built, run, checked and freed.
 */
#ifndef TL_EXPLORE_RUN_ONCE_H
#define TL_EXPLORE_RUN_ONCE_H

#include <twinloop/explore.h>
#include "explore/configuration.h"
#include "explore/outcome.h"

struct tl_run_plan {
    const struct tl_scenario *scenario;
    struct tl_world_options options; /* on_choice is set here, from the members below */
    int fd;                          /* where to tell the result (tell.h); -1: nowhere */
    bool tell_sites;                 /* also tell sites and parameters as they are met */
    bool tell_choices;               /* also tell the answers other than 0 */

    /* Called when the world is built and before it runs; may be NULL, and so may be the callback's
     * use of the configuration unless tell_sites is set. */
    void (*built)(const struct tl_run_plan *plan, const struct tl_configuration *configuration);
    const void *arg; /* for built */
};

/* Fills *ret in every case: a world that could not be made or built is a failed run. */
void tl_run_once(const struct tl_run_plan *plan, struct tl_run_result *ret);

#endif

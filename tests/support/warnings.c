/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings, counted; see warnings.h.
 */
#include "support/warnings.h"

#include <stdio.h>
#include <twinloop.h>

static void note(enum tl_log_level level, const char *text, void *arg)
{
    struct warnings *warnings = arg;
    if (level != TL_LOG_WARNING)
        return;
    warnings->count++;
    (void)snprintf(warnings->last, sizeof warnings->last, "%s", text);
}

void warnings_start(struct warnings *warnings)
{
    *warnings = (struct warnings){.count = 0};
    tl_set_log_handler(note, warnings);
}

void warnings_stop(void)
{
    tl_set_log_handler(NULL, NULL);
}

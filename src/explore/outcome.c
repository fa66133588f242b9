/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of outcomes, and comparing two results.
 */
#include "explore/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const names[TL_OUTCOMES_COUNT] = {
    [TL_OUTCOME_HELD] = "held",
    [TL_OUTCOME_FAILED] = "failed",
    [TL_OUTCOME_CRASHED] = "crashed",
    [TL_OUTCOME_STUCK] = "stuck",
    [TL_OUTCOME_NOT_DETERMINISTIC] = "not-deterministic",
    [TL_OUTCOME_NOT_RECOVERED] = "not-recovered",
    [TL_OUTCOME_LIMIT] = "limit",
    [TL_OUTCOME_DIVERGED] = "diverged",
};

const char *tl_outcome_name(enum tl_outcome outcome)
{
    const char *name = (unsigned)outcome < TL_OUTCOMES_COUNT ? names[outcome] : NULL;
    return name != NULL ? name : "unknown";
}

int tl_outcome_parse(const char *name, enum tl_outcome *ret)
{
    for (unsigned i = 0; i < TL_OUTCOMES_COUNT; i++)
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            *ret = (enum tl_outcome)i;
            return 0;
        }
    return -EINVAL;
}

const char *tl_result_summary(const struct tl_run_result *result, char *text, size_t size)
{
    snprintf(text, size, "%.*s", (int)strcspn(result->report, "\n"), result->report);
    return text;
}

/* Whether the report begins with the outcome's name, "not-recovered" read as "not recovered". */
static bool report_says_outcome(const struct tl_run_result *result)
{
    const char *name = tl_outcome_name(result->outcome), *report = result->report;
    while (*name != '\0' && (*name == *report || (*name == '-' && *report == ' '))) {
        name++;
        report++;
    }
    return *name == '\0' && *report == ':';
}

const char *tl_result_headline(const struct tl_run_result *result, char *text, size_t size)
{
    bool says = report_says_outcome(result);
    snprintf(text, size, "%s%s%.*s", says ? "" : tl_outcome_name(result->outcome), says ? "" : ": ",
             (int)strcspn(result->report, "\n"), result->report);
    return text;
}

const char *tl_result_details(const struct tl_run_result *result)
{
    const char *end = strchr(result->report, '\n');
    return end != NULL ? end + 1 : "";
}

bool tl_result_same(const struct tl_run_result *a, const struct tl_run_result *b,
                    const char **ret_what)
{
    if (a->outcome != b->outcome)
        *ret_what = "outcome";
    else if (a->complete && a->schedule != b->schedule)
        *ret_what = "schedule hash";
    else if (a->complete && a->content != b->content)
        *ret_what = "content hash";
    else if (a->complete && a->events != b->events)
        *ret_what = "number of events";
    else
        return true;
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From how a process ended to how its run went.
 */
#include "explore/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "core/alloc.h"
#include "explore/tell.h"

static int keep_choice(struct tl_verdict *verdict, const struct tl_script_entry *choice)
{
    if (verdict->choices_count == verdict->choices_size) {
        size_t size = verdict->choices_size == 0 ? 64 : 2 * verdict->choices_size;
        struct tl_script_entry *grown =
            tl_realloc(verdict->choices, size * sizeof *verdict->choices);
        if (grown == NULL)
            return -ENOMEM;
        verdict->choices = grown;
        verdict->choices_size = size;
    }
    verdict->choices[verdict->choices_count++] = *choice;
    return 0;
}

static int hear_one(struct tl_verdict *verdict, const struct tl_heard *heard)
{
    struct tl_seen_site *seen;
    switch (heard->what) {
    case TL_TOLD_SITE:
        seen = tl_sites_find(&verdict->sites, heard->site, NULL);
        if (seen != NULL && strlen(heard->name) < sizeof seen->name) {
            seen->kind = heard->kind;
            snprintf(seen->name, sizeof seen->name, "%.*s", (int)sizeof seen->name - 1,
                     heard->name);
        }
        return 0;
    case TL_TOLD_COUNTS:
        seen = tl_sites_find(&verdict->sites, heard->site, NULL);
        if (seen != NULL) {
            seen->asked = heard->asked;
            seen->others = heard->others;
        }
        return 0;
    case TL_TOLD_PARAMETER:
        tl_configuration_add(&verdict->configuration, heard->name, heard->value);
        return 0;
    case TL_TOLD_CHOICE:
        return keep_choice(verdict, &heard->choice);
    case TL_TOLD_SEED:
    case TL_TOLD_RESULT:
        return 0;
    }
    return 0;
}

void tl_result_crashed(struct tl_run_result *result, const struct tl_job_result *ended,
                       int64_t time_max)
{
    int status = ended->status;
    char earlier[TL_LINE_MAX] = "";
    if (result->complete)
        snprintf(earlier, sizeof earlier, ", after the run had ended: %s",
                 tl_outcome_name(result->outcome));
    result->outcome = TL_OUTCOME_CRASHED;
    result->complete = false;
    if (ended->timed_out) {
        result->outcome = TL_OUTCOME_LIMIT;
        snprintf(result->report, sizeof result->report,
                 "took longer than %lld.%03lld s of real time%s", (long long)(time_max / TL_SECOND),
                 (long long)(time_max % TL_SECOND / TL_MILLISECOND), earlier);
    } else if (WIFSIGNALED(status)) {
        snprintf(result->report, sizeof result->report, "killed by signal %d (%s)%s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)), earlier);
    } else {
        snprintf(result->report, sizeof result->report, "the process ended with exit code %d%s",
                 WEXITSTATUS(status), earlier[0] != '\0' ? earlier : " in the middle of the run");
    }
}

int tl_verdict_reach(struct tl_verdict *verdict, const struct tl_job_result *ended,
                     int64_t time_max)
{
    struct tl_heard heard = {.result = &verdict->result};
    bool told = false;
    size_t at = 0, len;
    int r = 0;

    verdict->result = (struct tl_run_result){0};
    verdict->configuration = (struct tl_configuration){0};
    verdict->sites.count = 0;
    verdict->choices_count = 0;
    while (r == 0 && (len = tl_hear(ended->data + at, ended->data_len - at, &heard)) > 0) {
        r = hear_one(verdict, &heard);
        told = told || heard.what == TL_TOLD_RESULT;
        at += len;
    }
    bool ended_well = WIFEXITED(ended->status) && WEXITSTATUS(ended->status) == 0;
    if (!told || !ended_well || ended->timed_out)
        tl_result_crashed(&verdict->result, ended, time_max);
    return r;
}

void tl_verdict_finish(struct tl_verdict *verdict)
{
    tl_free(verdict->choices);
    verdict->choices = NULL;
    verdict->choices_count = verdict->choices_size = 0;
}

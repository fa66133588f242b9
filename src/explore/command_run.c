/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands for one run: run, a seed's; replay, a reproducer file's; sites, what a seed's run
 * could have chosen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/error.h>
#include <twinloop/version.h>
#include "core/alloc.h"
#include "explore/quote.h"
#include "explore/runner.h"
#include "explore/script.h"
#include "explore/single.h"

static int complain(const struct tl_runner *runner, const char *what, int code)
{
    fprintf(stderr, "%s: %s: %s\n", runner->invocation, what, tl_strerror(code));
    return code == -EINTR ? TL_EXIT_INTERRUPTED : TL_EXIT_USAGE;
}

/* Opens the log that was asked for: *ret is NULL when none was. 0 or a negative error. */
static int open_log(const struct tl_runner *runner, FILE **ret)
{
    const char *path = runner->options.log;
    *ret = NULL;
    if (path == NULL)
        return 0;
    *ret = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (*ret == NULL)
        return -errno;
    /* A crash must not take the last lines with it. */
    setvbuf(*ret, NULL, _IOLBF, BUFSIZ);
    return 0;
}

static void close_log(FILE *log)
{
    if (log != NULL && log != stdout)
        (void)fclose(log);
}

/* What run and replay have in common: the rest of the plan is the caller's. */
static struct tl_single single_of(const struct tl_runner *runner, bool debug, FILE *log)
{
    return (struct tl_single){
        .plan =
            {
                .scenario = runner->scenario,
                .options = {.seed = runner->options.seed,
                            .log = log,
                            .envp = tl_runner_environment(debug)},
                .tell_sites = true,
                .built = tl_print_configuration,
            },
        .time_max = runner->options.seed_time_max,
        .here = runner->options.here || tl_is_traced(),
    };
}

static int run_and_print(const struct tl_runner *runner, const struct tl_single *single,
                         struct tl_verdict *verdict)
{
    const char *debug = tl_runner_debug_words(single->plan.options.envp != NULL);
    int r = tl_single_run(single, verdict);
    if (r < 0)
        return complain(runner, "the run could not be watched", r);
    tl_single_print(single, verdict);
    if (verdict->result.outcome == TL_OUTCOME_HELD)
        return TL_OUTCOME_HELD;
    if (single->plan.options.strategy == TL_STRATEGY_SCRIPT)
        tl_print_command("reproduce", runner->invocation,
                         *debug != '\0' ? "replay --debug" : "replay", runner->options.file);
    else
        printf("reproduce: %s run%s --seed %llu\n", runner->invocation, debug,
               (unsigned long long)single->plan.options.seed);
    return (int)verdict->result.outcome;
}

int tl_command_run(const struct tl_runner *runner)
{
    FILE *log;
    int r = open_log(runner, &log);
    if (r < 0)
        return complain(runner, runner->options.log, r);
    struct tl_verdict *verdict = tl_calloc(sizeof *verdict);
    if (verdict == NULL) {
        close_log(log);
        return complain(runner, "run", -ENOMEM);
    }
    struct tl_single single = single_of(runner, runner->options.debug, log);
    int code = run_and_print(runner, &single, verdict);
    tl_verdict_finish(verdict);
    tl_free(verdict);
    close_log(log);
    return code;
}

/* --- replay ----------------------------------------------------------------------------------- */

/* 0 with *ret read and found to be this scenario's, or the exit code. */
static int read_script(const struct tl_runner *runner, struct tl_script *ret)
{
    const char *path = runner->options.file;
    struct tl_script_problem problem;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return complain(runner, path, -errno);
    int r = tl_script_read(file, ret, &problem);
    (void)fclose(file);
    if (r < 0) {
        if (problem.line > 0)
            fprintf(stderr, "%s:%u: %s\n", path, problem.line, problem.message);
        else
            fprintf(stderr, "%s: %s\n", path, problem.message);
        return TL_EXIT_USAGE;
    }
    if (strcmp(ret->scenario, runner->scenario->name) != 0) {
        fprintf(stderr,
                "%s:1: the file is of the scenario '%s', this program has '%s': give the file to "
                "that scenario's program\n",
                path, ret->scenario, runner->scenario->name);
        tl_script_finish(ret);
        return TL_EXIT_USAGE;
    }
    if (strcmp(ret->library, TL_VERSION) != 0) {
        fprintf(stderr,
                "%s:1: the file is of Twinloop %s, this program has %s, whose choices are others: "
                "build the program with that version, or look for the failure anew with explore\n",
                path, ret->library, TL_VERSION);
        tl_script_finish(ret);
        return TL_EXIT_USAGE;
    }
    return 0;
}

static void print_comparison(const struct tl_script *script, const struct tl_run_result *result)
{
    bool same_outcome = result->outcome == script->outcome;
    bool same_run = result->complete && script->complete && result->events == script->events &&
                    result->schedule == script->schedule && result->content == script->content;
    const char *same_way = same_run ? "the same way, event for event" : "the same way";
    if (same_outcome)
        printf("replay: ended %s: %s\n", same_way, tl_outcome_name(result->outcome));
    else
        printf("replay: ended otherwise: %s, where the file has %s: %s\n",
               tl_outcome_name(result->outcome), tl_outcome_name(script->outcome), script->summary);
    if (result->complete)
        printf("replay: %llu of %zu choices were not asked for\n",
               (unsigned long long)result->unused, script->count);
}

int tl_command_replay(const struct tl_runner *runner)
{
    struct tl_script script;
    FILE *log;
    int code = read_script(runner, &script);
    if (code != 0)
        return code;
    struct tl_verdict *verdict = tl_calloc(sizeof *verdict);
    int r = verdict == NULL ? -ENOMEM : open_log(runner, &log);
    if (r < 0) {
        code = complain(runner, "replay", r);
        goto done;
    }
    struct tl_single single = single_of(runner, runner->options.debug || script.debug, log);
    single.plan.options.strategy = TL_STRATEGY_SCRIPT;
    single.plan.options.seed = script.seed;
    single.plan.options.script = script.entries;
    single.plan.options.script_count = script.count;
    code = run_and_print(runner, &single, verdict);
    print_comparison(&script, &verdict->result);
    tl_verdict_finish(verdict);
    close_log(log);
done:
    tl_free(verdict);
    tl_script_finish(&script);
    return code;
}

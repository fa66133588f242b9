/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: what commands and options there are, reading them, and the usage text, which is
 * made of the same tables.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "explore/runner.h"

enum {
    RUN = 1,
    EXPLORE = 2,
    REPLAY = 4,
    TWICE = 8,
    HASHES = 16,
    SITES = 32,
    WORKER = 64,
};

static const struct command {
    const char *name;
    unsigned bit;
    const char *operand; /* what must follow; NULL: nothing may */
    const char *about;   /* NULL: not for people */
    int (*run)(const struct tl_runner *runner);
} commands[] = {
    {"run", RUN, NULL, "one run: its configuration, how it went, its hashes", tl_command_run},
    {"explore", EXPLORE, NULL, "many seeds; a line that reproduces each failure",
     tl_command_explore},
    {"replay", REPLAY, "FILE", "the run of a file that explore wrote", tl_command_replay},
    {"twice", TWICE, NULL, "each seed in two processes; the first event that differs",
     tl_command_twice},
    {"hashes", HASHES, NULL, "one line per seed: seed, schedule, content, outcome",
     tl_command_hashes},
    {"sites", SITES, NULL, "every choice the run can make, and how often it did", tl_command_sites},
    {"worker", WORKER, NULL, NULL, tl_command_worker},
};

enum value_kind {
    FLAG,
    NUMBER,
    POSITIVE,
    SEEDS_RANGE,
    DURATION,
    TEXT,
    STRATEGY,
};

static const struct option {
    const char *name;
    const char *value; /* what the usage calls it; NULL: a flag */
    enum value_kind kind;
    size_t place; /* in tl_runner_options */
    unsigned commands;
    const char *about; /* NULL: not for people */
} options[] = {
#define PLACE(member) offsetof(struct tl_runner_options, member)
    {"--seed", "S", NUMBER, PLACE(seed), RUN | SITES, "the seed (1)"},
    {"--seeds", "A:B", SEEDS_RANGE, PLACE(seeds), EXPLORE | TWICE | HASHES | WORKER,
     "seeds A to B, both included (1:1000)"},
    {"--jobs", "N", POSITIVE, PLACE(jobs), EXPLORE | TWICE | HASHES,
     "processes at a time (one per processor)"},
    {"--time", "T", DURATION, PLACE(time_max), EXPLORE,
     "stop after T, such as 60s or 5m; without --seeds from 1 on"},
    {"--seed-time", "T", DURATION, PLACE(seed_time_max),
     RUN | EXPLORE | REPLAY | TWICE | HASHES | SITES | WORKER, "real time one seed may take (60s)"},
    {"--strategy", "NAME", STRATEGY, 0, EXPLORE, "where the answers come from: seed"},
    {"--failures", "DIR", TEXT, PLACE(failures), EXPLORE,
     "where files for replay are written (failures)"},
    {"--show", "N", NUMBER, PLACE(show), EXPLORE | TWICE, "failures shown in full (10)"},
    {"--stop-at-first", NULL, FLAG, PLACE(stop_at_first), EXPLORE | TWICE,
     "stop at the first failure"},
    {"--log", "FILE", TEXT, PLACE(log), RUN | REPLAY,
     "one line per event to FILE, or - for standard output"},
    {"--here", NULL, FLAG, PLACE(here), RUN | REPLAY,
     "run in this very process, as under a debugger"},
    {"--debug", NULL, FLAG, PLACE(debug), RUN | EXPLORE | REPLAY | TWICE | HASHES | SITES | WORKER,
     "the loops' debug mode, which changes no hash: TWINLOOP_DEBUG=1 in each process"},
    {"--layout", "N", NUMBER, PLACE(layout), TWICE | WORKER,
     "the memory layouts to begin with (0)"},
    {"--fd", "N", NUMBER, PLACE(fd), WORKER, NULL},
    {"--words", "N", NUMBER, PLACE(words), WORKER, NULL},
#undef PLACE
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- Usage ------------------------------------------------------------------------------------ */

static void print_commands_of(FILE *out, unsigned mask, const char *between)
{
    const char *before = "";
    for (size_t i = 0; i < COUNT(commands); i++)
        if ((commands[i].bit & mask) != 0 && commands[i].about != NULL) {
            fprintf(out, "%s%s", before, commands[i].name);
            before = between;
        }
}

static void print_usage(FILE *out, const char *invocation, const struct tl_scenario *scenario)
{
    char column[48];
    fprintf(out, "usage: %s COMMAND [OPTION...]\n%s: %s\n\nCommands:\n", invocation, scenario->name,
            scenario->about != NULL ? scenario->about : "");
    for (size_t i = 0; i < COUNT(commands); i++) {
        const struct command *command = &commands[i];
        if (command->about == NULL)
            continue;
        snprintf(column, sizeof column, "%s %s", command->name,
                 command->operand != NULL ? command->operand : "");
        fprintf(out, "  %-18s %s\n", column, command->about);
    }
    fprintf(out, "\nOptions, with what holds without them:\n");
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct option *option = &options[i];
        if (option->about == NULL)
            continue;
        snprintf(column, sizeof column, "%s %s", option->name,
                 option->value != NULL ? option->value : "");
        fprintf(out, "  %-18s %s\n  %-18s   [", column, option->about, "");
        print_commands_of(out, option->commands, ", ");
        fprintf(out, "]\n");
    }
    fprintf(out, "\nExit codes: 0 held, 1 an assertion failed, 2 usage or unreadable input, "
                 "3 crashed, 4 stuck,\n5 not deterministic, 6 did not recover by the deadline, "
                 "7 past a limit, 8 the replay diverged.\n");
}

/* --- Reading ---------------------------------------------------------------------------------- */

struct reading {
    const char *invocation;
    const struct command *command;
    struct tl_runner_options *options;
};

static int refuse(const struct reading *reading, const char *option, const char *text,
                  const char *expected)
{
    fprintf(stderr, "%s: %s %s: expected %s\n", reading->invocation, option, text, expected);
    return -EINVAL;
}

static int set_value(const struct reading *reading, const struct option *option, const char *text)
{
    char *place = (char *)reading->options + option->place;
    switch (option->kind) {
    case FLAG:
        *(bool *)place = true;
        return 0;
    case NUMBER:
        if (tl_parse_number(text, (uint64_t *)place) < 0)
            return refuse(reading, option->name, text, TL_EXPECT_NUMBER);
        return 0;
    case POSITIVE:
        if (tl_parse_number(text, (uint64_t *)place) < 0 || *(uint64_t *)place == 0)
            return refuse(reading, option->name, text, TL_EXPECT_NUMBER " above 0");
        return 0;
    case SEEDS_RANGE:
        reading->options->seeds_given = true;
        if (tl_parse_seeds(text, (struct tl_seeds *)place) < 0)
            return refuse(reading, option->name, text, TL_EXPECT_SEEDS);
        return 0;
    case DURATION:
        if (tl_parse_duration(text, (int64_t *)place) < 0)
            return refuse(reading, option->name, text, TL_EXPECT_DURATION);
        return 0;
    case TEXT:
        *(const char **)place = text;
        return 0;
    case STRATEGY:
        if (strcmp(text, "seed") != 0)
            return refuse(reading, option->name, text, "seed");
        return 0;
    }
    return -EINVAL;
}

/* The option a word names, with *ret_value the text after '=' or NULL. */
static const struct option *find_option(const struct reading *reading, const char *word,
                                        const char **ret_value)
{
    size_t len = strcspn(word, "=");
    *ret_value = word[len] == '=' ? word + len + 1 : NULL;
    for (size_t i = 0; i < COUNT(options); i++)
        if ((options[i].commands & reading->command->bit) != 0 && strlen(options[i].name) == len &&
            strncmp(options[i].name, word, len) == 0)
            return &options[i];
    return NULL;
}

static int read_option(const struct reading *reading, char *const *argv, int *place)
{
    const char *word = argv[*place];
    const char *value;
    const struct option *option = find_option(reading, word, &value);
    if (option == NULL) {
        fprintf(stderr, "%s: the command '%s' has no option '%s'\n", reading->invocation,
                reading->command->name, word);
        return -EINVAL;
    }
    if (option->kind == FLAG && value != NULL)
        return refuse(reading, option->name, value, "nothing after it");
    if (option->kind != FLAG && value == NULL) {
        value = argv[*place + 1];
        if (value == NULL)
            return refuse(reading, option->name, "at the end", option->value);
        (*place)++;
    }
    return set_value(reading, option, value);
}

static int read_operand(const struct reading *reading, const char *word)
{
    if (reading->command->operand == NULL || reading->options->file != NULL) {
        fprintf(stderr, "%s: unexpected '%s'\n", reading->invocation, word);
        return -EINVAL;
    }
    reading->options->file = word;
    return 0;
}

static int read_words(const struct reading *reading, char *const *argv)
{
    for (int i = 2; argv[i] != NULL; i++) {
        bool is_option = argv[i][0] == '-' && argv[i][1] == '-';
        int r = is_option ? read_option(reading, argv, &i) : read_operand(reading, argv[i]);
        if (r < 0)
            return r;
    }
    if (reading->command->operand != NULL && reading->options->file == NULL) {
        fprintf(stderr, "%s: %s: expected a %s\n", reading->invocation, reading->command->name,
                reading->command->operand);
        return -EINVAL;
    }
    return 0;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static bool asks_for_help(char *const *argv)
{
    for (int i = 1; argv[i] != NULL; i++)
        if (strcmp(argv[i], "--help") == 0 || (i == 1 && strcmp(argv[i], "help") == 0))
            return true;
    return false;
}

static void set_defaults(struct tl_runner_options *ret)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *ret = (struct tl_runner_options){
        .seed = 1,
        .seeds = {.first = 1, .last = 1000},
        .jobs = processors > 0 ? (uint64_t)processors : 1,
        .seed_time_max = 60 * TL_SECOND,
        .failures = "failures",
        .show = 10,
    };
}

int tl_options_read(int argc, char *const *argv, const char *invocation,
                    const struct tl_scenario *scenario, struct tl_runner_options *ret,
                    int (**ret_command)(const struct tl_runner *runner))
{
    struct reading reading = {.invocation = invocation, .options = ret};
    int r = 0;
    if (argc > 1 && asks_for_help(argv)) {
        print_usage(stdout, invocation, scenario);
        return 1;
    }
    set_defaults(ret);
    reading.command = argc > 1 ? find_command(argv[1]) : NULL;
    if (reading.command == NULL && argc > 1)
        fprintf(stderr, "%s: there is no command '%s'\n", invocation, argv[1]);
    if (reading.command != NULL)
        r = read_words(&reading, argv);
    if (reading.command == NULL || r < 0) {
        fprintf(stderr, "usage: %s ", invocation);
        print_commands_of(stderr, ~0u, "|");
        fprintf(stderr, " [OPTION...]\nFor more: %s --help\n", invocation);
        return -EINVAL;
    }
    if (ret->time_max > 0 && !ret->seeds_given)
        ret->seeds.last = UINT64_MAX;
    *ret_command = reading.command->run;
    return 0;
}

const char *const *tl_runner_environment(bool debug)
{
    static const char *const debugging[] = {"TWINLOOP_DEBUG=1", NULL};
    return debug ? debugging : NULL;
}

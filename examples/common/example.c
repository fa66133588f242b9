/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of every example: takes out the options that choose a world, then runs the program in
 * it.
 *
 * To record is another policy around the same program. To simulate and to replay is the same again,
 * but their code is in another library: it is found at link time or not at all.
 */
#include "example.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/trace.h>

#pragma weak example_simulate
#pragma weak example_replay

/* What example_main understands itself; the rest is the program's. */
struct world_options {
    bool help;
    bool simulate;
    uint64_t seed;
    const char *record;
    const char *replay;
};

static void print_row(const char *name, const char *value, const char *about)
{
    char left[40];
    (void)snprintf(left, sizeof left, "--%s%s%s", name, value != NULL ? " " : "",
                   value != NULL ? value : "");
    printf("  %-22s %s\n", left, about);
}

static int help(const struct example *example)
{
    printf("%s: %s\n\nusage: %s [OPTION]...\n", example->name, example->about, example->name);
    for (const struct example_option *option = example->options; option->name != NULL; option++)
        print_row(option->name, option->value, option->about);
    print_row("sim", "[SEED]", "run server and client in a simulated world");
    print_row("record", "FILE", "write down what the loop's kernel answers");
    print_row("replay", "FILE", "answer from such a file, and compare");
    print_row("help", NULL, "this text");
    return EXAMPLE_OK;
}

/* --sim's seed may be left out: the next argument is one when it is all digits. */
static bool is_seed(const char *text)
{
    return text != NULL && *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The value of --name VALUE or --name=VALUE at argv[*i], or NULL; steps over it. */
static const char *value_of(const char *name, char **argv, int *i)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    return argv[*i][len] == '\0' && argv[*i + 1] != NULL ? argv[++*i] : NULL;
}

/* Moves the options of this file out of argv, which ends with NULL, and returns the new argc. */
static int take_world_options(int argc, char **argv, struct world_options *ret)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        const char *text;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            ret->help = true;
        } else if (strcmp(argv[i], "--sim") == 0) {
            ret->simulate = true;
            if (is_seed(argv[i + 1]))
                ret->seed = strtoull(argv[++i], NULL, 10);
        } else if (strncmp(argv[i], "--sim=", 6) == 0 && is_seed(argv[i] + 6)) {
            ret->simulate = true;
            ret->seed = strtoull(argv[i] + 6, NULL, 10);
        } else if ((text = value_of("--record", argv, &i)) != NULL) {
            ret->record = text;
        } else if ((text = value_of("--replay", argv, &i)) != NULL) {
            ret->replay = text;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    return kept;
}

int example_record(const struct example *example, const char *path, int argc, char **argv)
{
    const struct tl_record_options options = {.program = example->name};
    tl_trace_writer *writer;
    tl_policy *policy;
    int r = tl_trace_writer_open(path, &options, &writer);
    if (r < 0) {
        fprintf(stderr, "%s: cannot record to %s: %s\n", example->name, path, tl_strerror(r));
        return EXAMPLE_FAILED;
    }
    int status = EXAMPLE_FAILED;
    r = tl_record_policy_new(writer, &policy);
    if (r == 0) {
        (void)tl_set_event_loop_policy(policy);
        status = example->program(argc, argv);
        (void)tl_set_event_loop_policy(NULL);
        tl_record_policy_free(policy);
    }
    int closed = tl_trace_writer_close(writer);
    if (r == 0)
        r = closed;
    if (r < 0) {
        fprintf(stderr, "%s: recording to %s failed: %s\n", example->name, path, tl_strerror(r));
        return EXAMPLE_FAILED;
    }
    return status;
}

int example_main(int argc, char **argv, const struct example *example)
{
    struct world_options world = {0};
    argc = take_world_options(argc, argv, &world);
    if (world.help)
        return help(example);
    if (world.replay != NULL && (world.simulate || world.record != NULL)) {
        fprintf(stderr, "%s: --replay goes with neither --sim nor --record\n", example->name);
        return EXAMPLE_USAGE;
    }
    int r = example_parse(example, argc, argv, NULL); /* also what the world's options lack */
    if (r != 0)
        return r;
    if ((world.simulate && example_simulate == NULL) ||
        (world.replay != NULL && example_replay == NULL)) {
        fprintf(stderr, "%s: this build has no simulator\n", example->name);
        return EXAMPLE_USAGE;
    }
    if (world.simulate)
        return example_simulate(example, world.seed, world.record, argc, argv);
    if (world.replay != NULL)
        return example_replay(example, world.replay, argc, argv);
    if (world.record != NULL)
        return example_record(example, world.record, argc, argv);
    return example->program(argc, argv);
}

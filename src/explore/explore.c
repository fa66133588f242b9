/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's entry: finds out how the program was called, reads the command line, and hands over
 * to the command.
 *
 * A program may have words of its own before the command (`./all-scenarios kv run --seed 5`, whose
 * main passes on a shorter argv). They belong to every line that reproduces something and to every
 * process that the runner starts, so they are looked up in what the system knows of the command
 * line. Everything here lives for the call.
 */
#include <twinloop/explore.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"
#include "explore/bytes.h"
#include "explore/quote.h"
#include "explore/runner.h"

/* All of a small file. */
static int read_file(const char *path, struct tl_bytes *ret)
{
    char part[4096];
    ssize_t n;
    int r = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (r == 0 && (n = read(fd, part, sizeof part)) > 0)
        r = tl_bytes_append(ret, part, (size_t)n);
    close(fd);
    return r;
}

/* The words in text, each ended by a NUL: a new array with room for one more, ended by NULL. */
static char **words_of(const struct tl_bytes *text, size_t *ret_count)
{
    size_t count = 0;
    for (size_t i = 0; i < text->len; i++)
        count += text->data[i] == '\0';
    char **words = tl_calloc((count + 2) * sizeof *words);
    if (words == NULL)
        return NULL;
    char *at = (char *)text->data;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        words[i] = at;
    *ret_count = count;
    return words;
}

/* How many of the words come before argv[1], if argv[1...] are the last ones; else 0. */
static size_t prefix_length(char *const *words, size_t count, int argc, char *const *argv)
{
    size_t own = (size_t)argc - 1;
    if (count <= own)
        return 0;
    for (size_t i = 0; i < own; i++)
        if (strcmp(words[count - own + i], argv[1 + i]) != 0)
            return 0;
    return count - own;
}

/* A name goes into files and tables as one word. */
static bool name_is_word(const char *name)
{
    return name[0] != '\0' && name[strcspn(name, " \t\r\n")] == '\0';
}

static int dispatch(int argc, char *const *argv, struct tl_runner *runner)
{
    int (*command)(const struct tl_runner *);
    if (!name_is_word(runner->scenario->name)) {
        fprintf(stderr, "%s: the scenario's name '%s' is not one word\n", runner->invocation,
                runner->scenario->name);
        return TL_EXIT_USAGE;
    }
    int r = tl_options_read(argc, argv, runner->invocation, runner->scenario, &runner->options,
                            &command);
    if (r != 0)
        return r < 0 ? TL_EXIT_USAGE : 0;
    return command(runner);
}

int tl_explore_main(int argc, char **argv, const struct tl_scenario *scenario)
{
    struct tl_bytes text = {0}, line = {0};
    struct tl_runner runner = {.scenario = scenario};
    size_t count = 0;
    int code = TL_EXIT_USAGE;

    int r = argc < 1 ? -EINVAL : read_file("/proc/self/cmdline", &text);
    char **words = r == 0 ? words_of(&text, &count) : NULL;
    if (words == NULL) {
        fprintf(stderr, "the command line cannot be read\n");
        goto done;
    }
    size_t prefix = prefix_length(words, count, argc, argv);
    if (prefix == 0) { /* called with words of the caller's own */
        words[0] = argv[0];
        prefix = 1;
    }
    words[prefix] = NULL;
    if (tl_quote_words(&line, words, prefix) < 0) {
        fprintf(stderr, "out of memory\n");
        goto done;
    }
    runner.prefix = words;
    runner.prefix_count = prefix;
    runner.invocation = (const char *)line.data;
    code = dispatch(argc, argv, &runner);
done:
    tl_free(words);
    tl_bytes_finish(&line);
    tl_bytes_finish(&text);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading reproducer files (script.h has the format). Strict: a file that says anything else is
 * refused, with its line and what was expected there.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "explore/parse.h"
#include "explore/script.h"

#define WORDS_MAX 12

struct reader {
    struct tl_script script;
    struct tl_script_problem *problem;
    unsigned line;
    size_t size; /* of script.entries */
    bool headed; /* the first line was read */
    bool ended;  /* the last one was */
    char *words[WORDS_MAX];
    unsigned count;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reader *reader, const char *format,
                                                        ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reader->problem->message, sizeof reader->problem->message, format, args);
    va_end(args);
    reader->problem->line = reader->line;
    return -EINVAL;
}

static void split(struct reader *reader, char *text)
{
    char *rest = NULL;
    reader->count = 0;
    for (char *word = strtok_r(text, " \t\r\n", &rest); word != NULL && reader->count < WORDS_MAX;
         word = strtok_r(NULL, " \t\r\n", &rest))
        reader->words[reader->count++] = word;
}

static bool word_is(const struct reader *reader, unsigned place, const char *word)
{
    return place < reader->count && strcmp(reader->words[place], word) == 0;
}

static bool number_at(const struct reader *reader, unsigned place, uint64_t most, uint64_t *ret)
{
    uint64_t number;
    if (place >= reader->count || tl_parse_number(reader->words[place], &number) < 0 ||
        number > most)
        return false;
    *ret = number;
    return true;
}

/* twinloop-script 1 library 0.1.0 scenario echo seed 123 strategy seed */
static int read_head(struct reader *reader)
{
    struct tl_script *script = &reader->script;
    uint64_t version;
    if (!word_is(reader, 0, "twinloop-script"))
        return refuse(reader, "expected 'twinloop-script %d ...': this is no reproducer file",
                      TL_SCRIPT_VERSION);
    if (!number_at(reader, 1, UINT64_MAX, &version))
        return refuse(reader, "expected the format's version after 'twinloop-script'");
    if (version != TL_SCRIPT_VERSION)
        return refuse(reader, "the file is of version %llu, this program reads version %d",
                      (unsigned long long)version, TL_SCRIPT_VERSION);
    if (reader->count != 10 || !word_is(reader, 2, "library") || !word_is(reader, 4, "scenario") ||
        !word_is(reader, 6, "seed") || !number_at(reader, 7, UINT64_MAX, &script->seed) ||
        !word_is(reader, 8, "strategy"))
        return refuse(reader,
                      "expected 'twinloop-script %d library VERSION scenario NAME seed "
                      "NUMBER strategy NAME'",
                      TL_SCRIPT_VERSION);
    if (!word_is(reader, 9, "seed"))
        return refuse(reader, "the strategy is '%s', this program knows 'seed'", reader->words[9]);
    snprintf(script->library, sizeof script->library, "%s", reader->words[3]);
    snprintf(script->scenario, sizeof script->scenario, "%s", reader->words[5]);
    reader->headed = true;
    return 0;
}

static int read_outcome(struct reader *reader)
{
    if (reader->count != 2 || tl_outcome_parse(reader->words[1], &reader->script.outcome) < 0)
        return refuse(reader, "expected 'outcome' and one of failed, crashed, stuck, "
                              "not-recovered, limit");
    return 0;
}

static int read_debug(struct reader *reader)
{
    if (reader->count != 1)
        return refuse(reader, "expected nothing after 'debug'");
    reader->script.debug = true;
    return 0;
}

/* run events 1234 schedule 0x... content 0x... */
static int read_run(struct reader *reader)
{
    struct tl_script *script = &reader->script;
    if (reader->count != 7 || !word_is(reader, 1, "events") ||
        !number_at(reader, 2, UINT64_MAX, &script->events) || !word_is(reader, 3, "schedule") ||
        !number_at(reader, 4, UINT64_MAX, &script->schedule) || !word_is(reader, 5, "content") ||
        !number_at(reader, 6, UINT64_MAX, &script->content))
        return refuse(reader, "expected 'run events NUMBER schedule HASH content HASH'");
    script->complete = true;
    return 0;
}

/* choice SITE ENTITY DRAW ANSWER */
static int read_choice(struct reader *reader)
{
    struct tl_script *script = &reader->script;
    struct tl_script_entry entry;
    uint64_t draw, answer;
    if (reader->count != 5)
        return refuse(reader, "expected 'choice SITE ENTITY DRAW ANSWER'");
    if (strncmp(reader->words[1], "0x", 2) != 0)
        entry.site = tl_entity(0, reader->words[1], 0);
    else if (!number_at(reader, 1, UINT64_MAX, &entry.site))
        return refuse(reader, "expected a site's name or hash, not '%s'", reader->words[1]);
    if (!number_at(reader, 2, UINT64_MAX, &entry.entity))
        return refuse(reader, "expected an entity's number, not '%s'", reader->words[2]);
    if (!number_at(reader, 3, UINT32_MAX, &draw))
        return refuse(reader, "expected how often was asked before, not '%s'", reader->words[3]);
    if (!number_at(reader, 4, UINT32_MAX, &answer) || answer == 0)
        return refuse(reader, "expected an answer above 0, not '%s'", reader->words[4]);
    entry.draw = (uint32_t)draw;
    entry.answer = (uint32_t)answer;

    if (script->count == reader->size) {
        size_t size = reader->size == 0 ? 64 : 2 * reader->size;
        struct tl_script_entry *grown = tl_realloc(script->entries, size * sizeof entry);
        if (grown == NULL) {
            (void)refuse(reader, "out of memory");
            return -ENOMEM;
        }
        script->entries = grown;
        reader->size = size;
    }
    script->entries[script->count++] = entry;
    return 0;
}

static int read_end(struct reader *reader)
{
    uint64_t count;
    if (reader->count != 2 || !number_at(reader, 1, UINT64_MAX, &count))
        return refuse(reader, "expected 'end' and the number of choices");
    if (count != reader->script.count)
        return refuse(reader, "the file should have %llu choices and has %zu",
                      (unsigned long long)count, reader->script.count);
    reader->ended = true;
    return 0;
}

static int read_line(struct reader *reader, char *text)
{
    if (strncmp(text, "summary ", 8) == 0 && reader->headed && !reader->ended) {
        text[strcspn(text, "\r\n")] = '\0';
        snprintf(reader->script.summary, sizeof reader->script.summary, "%s", text + 8);
        return 0;
    }
    split(reader, text);
    if (reader->count == 0 || reader->words[0][0] == '#')
        return 0;
    if (reader->ended)
        return refuse(reader, "expected nothing after 'end'");
    if (!reader->headed)
        return read_head(reader);
    if (word_is(reader, 0, "outcome"))
        return read_outcome(reader);
    if (word_is(reader, 0, "debug"))
        return read_debug(reader);
    if (word_is(reader, 0, "run"))
        return read_run(reader);
    if (word_is(reader, 0, "choice"))
        return read_choice(reader);
    if (word_is(reader, 0, "end"))
        return read_end(reader);
    return refuse(reader, "expected outcome, summary, debug, run, choice or end, not '%.60s'",
                  reader->words[0]);
}

static int read_all(struct reader *reader, FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    int r = 0;
    while (r == 0 && getline(&text, &size, file) >= 0) {
        reader->line++;
        r = read_line(reader, text);
    }
    free(text);
    if (r == 0 && ferror(file)) {
        reader->line = 0;
        r = refuse(reader, "the file cannot be read");
    }
    if (r == 0 && !reader->headed) {
        reader->line = 0;
        r = refuse(reader, "the file is empty");
    }
    if (r == 0 && !reader->ended) {
        reader->line++;
        r = refuse(reader, "the file ends before its 'end' line");
    }
    return r;
}

int tl_script_read(FILE *file, struct tl_script *ret, struct tl_script_problem *ret_problem)
{
    struct reader reader = {.problem = ret_problem};
    int r = read_all(&reader, file);
    if (r < 0)
        tl_script_finish(&reader.script);
    else
        *ret = reader.script;
    return r;
}

void tl_script_finish(struct tl_script *script)
{
    tl_free(script->entries);
    script->entries = NULL;
    script->count = 0;
}

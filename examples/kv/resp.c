/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as RESP2 writes them; see resp.h. The errors are Redis's own, word for word, since
 * clients and their tests look for them.
 *
 * Positions inside a command are kept relative to its beginning, so that it does not matter whether
 * its bytes still lie where they were fed or have moved to the parser's own buffer.
 */
#include "resp.h"

#include "number.h"
#include "split.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_CAPACITY_MIN 8
#define BUFFER_KEEP_MAX (4 << 10) /* and bytes */

void resp_parser_finish(struct resp_parser *parser)
{
    free(parser->args);
    kv_buffer_finish(&parser->kept);
    kv_buffer_finish(&parser->unquoted);
    *parser = (struct resp_parser){0};
}

static enum resp_result fail(struct resp_parser *parser, const char *why)
{
    (void)snprintf(parser->error, sizeof parser->error, "Protocol error: %s", why);
    return parser->broken = RESP_ERROR;
}

static enum resp_result fail_memory(struct resp_parser *parser)
{
    return parser->broken = RESP_NO_MEMORY;
}

void resp_parser_feed(struct resp_parser *parser, const void *data, size_t len)
{
    if (parser->len == 0) {
        assert(parser->begin == 0);
        parser->input = data;
        parser->len = len;
        return;
    }
    /* Something is left from earlier, and keep has put that into the parser's own buffer. */
    assert(parser->input == parser->kept.data && parser->len == parser->kept.len);
    kv_buffer_append(&parser->kept, data, len);
    if (parser->kept.failed)
        (void)fail_memory(parser);
    parser->input = parser->kept.data;
    parser->len = parser->kept.len;
}

void resp_parser_keep(struct resp_parser *parser)
{
    bool own = parser->len > 0 && parser->input == parser->kept.data;
    size_t left = parser->len - parser->begin;
    if (own) {
        kv_buffer_drop(&parser->kept, parser->begin);
    } else if (left > 0) {
        kv_buffer_append(&parser->kept, parser->input + parser->begin, left);
    }
    if (parser->kept.failed) {
        kv_buffer_finish(&parser->kept);
        (void)fail_memory(parser);
    }
    if (parser->kept.len == 0)
        kv_buffer_clear(&parser->kept, BUFFER_KEEP_MAX);
    kv_buffer_clear(&parser->unquoted, BUFFER_KEEP_MAX);
    if (parser->args_count == 0 && parser->args_capacity > RESP_ARGS_KEEP_MAX) {
        free(parser->args);
        parser->args = NULL;
        parser->args_capacity = 0;
    }
    parser->input = parser->kept.data;
    parser->len = parser->kept.len;
    parser->begin = 0;
}

size_t resp_parser_pending(const struct resp_parser *parser)
{
    return parser->len - parser->begin;
}

/* Adds an argument at an offset of the command, or of the unquoted words. */
static bool add_arg(struct resp_parser *parser, size_t offset, size_t len)
{
    if (parser->args_count == parser->args_capacity) {
        size_t capacity = parser->args_capacity * 2;
        if (capacity < ARGS_CAPACITY_MIN)
            capacity = ARGS_CAPACITY_MIN;
        struct resp_arg *args = realloc(parser->args, capacity * sizeof *args);
        if (args == NULL)
            return false;
        parser->args = args;
        parser->args_capacity = capacity;
    }
    parser->args[parser->args_count++] = (struct resp_arg){.offset = offset, .len = len};
    return true;
}

/* The command is whole and len bytes long: offsets become pointers, the next one begins. */
static size_t end_command(struct resp_parser *parser, const char *base, size_t len)
{
    size_t count = parser->args_count;
    for (size_t i = 0; i < count; i++)
        parser->args[i].data = base + parser->args[i].offset;
    parser->begin += len;
    parser->line = parser->scanned = 0;
    parser->args_count = 0;
    return count;
}

/* Looks for the byte that ends the current line: true with its place from begin. A line that is too
 * long is one whether its end is in sight or not, so that it does not matter how it was cut. */
static bool find_line_end(struct resp_parser *parser, char end, size_t *ret, bool *ret_too_long)
{
    const char *command = parser->input + parser->begin;
    size_t available = parser->len - parser->begin;
    const char *found = NULL;
    if (available > parser->scanned)
        found = memchr(command + parser->scanned, end, available - parser->scanned);
    parser->scanned = found != NULL ? (size_t)(found - command) : available;
    *ret_too_long = parser->scanned - parser->line > RESP_LINE_MAX;
    *ret = parser->scanned;
    return found != NULL;
}

/* A line of words. With none it is no command at all: RESP_COMMAND and *ret_argc 0. */
static enum resp_result next_inline(struct resp_parser *parser, size_t *ret_argc)
{
    size_t end, position = 0;
    bool too_long, whole = find_line_end(parser, '\n', &end, &too_long);
    if (too_long)
        return fail(parser, "too big inline request");
    if (!whole)
        return RESP_MORE;
    const char *line = parser->input + parser->begin;
    size_t len = end > 0 && line[end - 1] == '\r' ? end - 1 : end;
    kv_buffer_clear(&parser->unquoted, BUFFER_KEEP_MAX);
    for (;;) {
        size_t start = parser->unquoted.len;
        enum kv_split_result split = kv_split_next(line, len, &position, &parser->unquoted);
        if (split == KV_SPLIT_UNBALANCED)
            return fail(parser, "unbalanced quotes in request");
        if (split == KV_SPLIT_END)
            break;
        if (!add_arg(parser, start, parser->unquoted.len - start))
            return fail_memory(parser);
    }
    if (parser->unquoted.failed)
        return fail_memory(parser);
    const char *words = parser->unquoted.data;
    *ret_argc = end_command(parser, words != NULL ? words : "", end + 1);
    return RESP_COMMAND;
}

/* Reads "Xnumber\r\n" at the current line and steps behind it. RESP_COMMAND when it is there, with
 * whether what follows X is a number. Like Redis it does not look at the byte after the CR. */
static enum resp_result read_header(struct resp_parser *parser, const char *too_big,
                                    int64_t *ret_number, bool *ret_valid, char *ret_type)
{
    size_t end;
    bool too_long, whole = find_line_end(parser, '\r', &end, &too_long);
    if (too_long)
        return fail(parser, too_big);
    if (!whole || parser->len - parser->begin < end + 2)
        return RESP_MORE;
    const char *line = parser->input + parser->begin + parser->line;
    size_t len = end - parser->line;
    *ret_type = line[0];
    *ret_valid = len > 0 && kv_number_parse(line + 1, len - 1, ret_number);
    parser->line = parser->scanned = end + 2;
    return RESP_COMMAND;
}

static enum resp_result read_count(struct resp_parser *parser)
{
    int64_t count = 0;
    bool valid;
    char type;
    enum resp_result r = read_header(parser, "too big mbulk count string", &count, &valid, &type);
    if (r != RESP_COMMAND)
        return r;
    if (!valid || count > RESP_ARGS_MAX)
        return fail(parser, "invalid multibulk length");
    parser->args_left = count > 0 ? count : 0;
    return RESP_COMMAND;
}

static enum resp_result read_bulk_length(struct resp_parser *parser)
{
    int64_t len = 0;
    bool valid;
    char type, text[] = "expected '$', got '?'";
    enum resp_result r = read_header(parser, "too big bulk count string", &len, &valid, &type);
    if (r != RESP_COMMAND)
        return r;
    if (type != '$') {
        text[sizeof text - 3] = type;
        return fail(parser, text);
    }
    if (!valid || len < 0 || len > RESP_BULK_MAX)
        return fail(parser, "invalid bulk length");
    if (parser->line + (size_t)len > RESP_COMMAND_MAX)
        return fail(parser, "too big command");
    parser->bulk_len = len;
    parser->in_bulk = true;
    return RESP_COMMAND;
}

/* The bytes of a bulk and the two behind them, which like Redis it does not look at. */
static enum resp_result read_bulk(struct resp_parser *parser)
{
    size_t len = (size_t)parser->bulk_len;
    if (parser->len - parser->begin - parser->line < len + 2)
        return RESP_MORE;
    if (!add_arg(parser, parser->line, len))
        return fail_memory(parser);
    parser->line = parser->scanned = parser->line + len + 2;
    parser->in_bulk = false;
    parser->args_left--;
    return RESP_COMMAND;
}

/* An array of bulks. An empty one is no command at all: RESP_COMMAND and *ret_argc 0. */
static enum resp_result next_multibulk(struct resp_parser *parser, size_t *ret_argc)
{
    enum resp_result r = parser->line == 0 ? read_count(parser) : RESP_COMMAND;
    while (r == RESP_COMMAND && parser->args_left > 0) {
        if (!parser->in_bulk)
            r = read_bulk_length(parser);
        if (r == RESP_COMMAND)
            r = read_bulk(parser);
    }
    if (r == RESP_COMMAND)
        *ret_argc = end_command(parser, parser->input + parser->begin, parser->line);
    return r;
}

enum resp_result resp_parser_next(struct resp_parser *parser, size_t *ret_argc)
{
    enum resp_result r = RESP_COMMAND;
    size_t argc = 0;
    if (parser->broken != RESP_MORE)
        return parser->broken;
    while (r == RESP_COMMAND && argc == 0) {
        if (parser->begin == parser->len)
            return RESP_MORE;
        r = parser->input[parser->begin] == '*' ? next_multibulk(parser, &argc)
                                                : next_inline(parser, &argc);
    }
    if (r == RESP_COMMAND)
        *ret_argc = argc;
    return r;
}

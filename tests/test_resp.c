/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's request parser: tables of inputs with what must come out of them, each fed whole
 * and cut at every point.
 *
 * What comes out is written down as a transcript: "(3 SET)(1 k)(1 v);" for a command and
 * "!Protocol error: ..." for the end. Fed pieces are copies of their exact size that are gone once
 * the parser has kept what it needs, so a sanitizer sees any use after that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/kv/buffer.h"
#include "examples/kv/number.h"
#include "examples/kv/resp.h"
#include "examples/kv/split.h"

#include <cmocka.h> /* after them: it takes the word fail for itself */

struct row {
    const char *input;
    size_t len;
    const char *transcript;
};

#define ROW(input, transcript)                                                                     \
    {                                                                                              \
        input, sizeof(input) - 1, transcript                                                       \
    }

static const struct row rows[] = {
    /* Arrays of bulks. */
    ROW("*1\r\n$4\r\nPING\r\n", "(4 PING);"),
    ROW("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\nv2\r\n", "(3 SET)(1 k)(5 v\r\nv2);"),
    ROW("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "(3 GET)(0 );"),
    ROW("*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1\r\nc\r\n", "(1 a);(1 b);(1 c);"),
    ROW("*0\r\n*-1\r\n*-7\r\n*1\r\n$1\r\nx\r\n", "(1 x);"),
    ROW("*1\r\n$1\r\naXY*1\r\n$1\r\nb\r\n", "(1 a);(1 b);"), /* what ends a bulk is not looked at */
    ROW("*1\r\n$4\r\na\0\xff\n\r\n", "(4 a\\0\xff\n);"),
    ROW("", ""),
    ROW("*2\r\n$3\r\nGET\r\n$3\r\nke", ""),

    /* Lines of words. */
    ROW("PING\r\n", "(4 PING);"),
    ROW("PING\n", "(4 PING);"),
    ROW("\r\n\n  \r\nPING\r\n", "(4 PING);"),
    ROW(" \tset  k\tv \r\n", "(3 set)(1 k)(1 v);"),
    ROW("a \"b c\" 'd e'\r\n", "(1 a)(3 b c)(3 d e);"),
    ROW("\"\\x41\\n\\r\\t\\b\\a\\\"\\q\\x4\"\r\n", "(10 A\n\r\t\b\a\"qx4);"),
    ROW("'\\n\\''\r\n", "(3 \\n');"),
    ROW("\"\" ''\r\n", "(0 )(0 );"),
    ROW("a\"b\"\r\n", "(2 ab);"),
    ROW("a\vb \f c\r\n", "(3 a\vb)(1 c);"),
    ROW("PING\r\n*1\r\n$1\r\na\r\nECHO hi\r\n", "(4 PING);(1 a);(4 ECHO)(2 hi);"),
    ROW("PING\rPONG\r\n", "(4 PING)(4 PONG);"),
    ROW("PING", ""),

    /* What is no request. */
    ROW("*1\r\n$1\r\na\r\n\"b\r\nPING\r\n", "(1 a);!Protocol error: unbalanced quotes in request"),
    ROW("'b\r\n", "!Protocol error: unbalanced quotes in request"),
    ROW("\"a\"b\r\n", "!Protocol error: unbalanced quotes in request"),
    ROW("'a'b\r\n", "!Protocol error: unbalanced quotes in request"),
    ROW("\"a\\\r\n", "!Protocol error: unbalanced quotes in request"),
    ROW("*a\r\n", "!Protocol error: invalid multibulk length"),
    ROW("*\r\n", "!Protocol error: invalid multibulk length"),
    ROW("*01\r\n", "!Protocol error: invalid multibulk length"),
    ROW("*+1\r\n", "!Protocol error: invalid multibulk length"),
    ROW("*1 \r\n", "!Protocol error: invalid multibulk length"),
    ROW("*1048577\r\n", "!Protocol error: invalid multibulk length"),
    ROW("*9223372036854775808\r\n", "!Protocol error: invalid multibulk length"),
    ROW("*2\r\n$3\r\nGET\r\nx\r\n", "!Protocol error: expected '$', got 'x'"),
    ROW("*1\r\n:3\r\n", "!Protocol error: expected '$', got ':'"),
    ROW("*1\r\n\r\n", "!Protocol error: expected '$', got '\r'"),
    ROW("*1\r\n$\r\n", "!Protocol error: invalid bulk length"),
    ROW("*1\r\n$-1\r\n", "!Protocol error: invalid bulk length"),
    ROW("*1\r\n$x\r\n", "!Protocol error: invalid bulk length"),
    ROW("*1\r\n$536870913\r\n", "!Protocol error: invalid bulk length"),
    ROW("*1\r\n$99999999999999999999\r\n", "!Protocol error: invalid bulk length"),
};

/* --- Transcripts ------------------------------------------------------------------------------ */

static void write_command(struct kv_buffer *transcript, const struct resp_parser *parser,
                          size_t argc)
{
    for (size_t i = 0; i < argc; i++) {
        char head[32];
        (void)snprintf(head, sizeof head, "(%zu ", parser->args[i].len);
        kv_buffer_append_text(transcript, head);
        for (size_t at = 0; at < parser->args[i].len; at++)
            if (parser->args[i].data[at] == '\0')
                kv_buffer_append_text(transcript, "\\0");
            else
                kv_buffer_append(transcript, &parser->args[i].data[at], 1);
        kv_buffer_append_text(transcript, ")");
    }
    kv_buffer_append_text(transcript, ";");
}

/* Takes up to max commands out of the parser; whether there may be more. */
static bool drain(struct resp_parser *parser, struct kv_buffer *transcript, size_t max)
{
    for (size_t n = 0; n < max; n++) {
        size_t argc = 0;
        enum resp_result result = resp_parser_next(parser, &argc);
        if (result == RESP_ERROR) {
            kv_buffer_append_text(transcript, "!");
            kv_buffer_append_text(transcript, parser->error);
            assert_int_equal(resp_parser_next(parser, &argc), RESP_ERROR);
        }
        if (result != RESP_COMMAND)
            return false;
        assert_true(argc > 0);
        write_command(transcript, parser, argc);
    }
    return true;
}

/* Feeds one piece; false once the parser has failed. */
static bool feed(struct resp_parser *parser, struct kv_buffer *transcript, const char *data,
                 size_t len)
{
    char *piece = malloc(len > 0 ? len : 1);
    assert_non_null(piece);
    if (len > 0)
        memcpy(piece, data, len);
    resp_parser_feed(parser, piece, len);
    (void)drain(parser, transcript, SIZE_MAX);
    resp_parser_keep(parser);
    free(piece);
    return parser->broken == RESP_MORE;
}

static void expect(const struct row *row, struct kv_buffer *transcript, size_t cut)
{
    kv_buffer_append(transcript, "", 1);
    if (strcmp(transcript->data, row->transcript) != 0)
        fail_msg("input \"%s\" cut at %zu: \"%s\" instead of \"%s\"", row->input, cut,
                 transcript->data, row->transcript);
    kv_buffer_finish(transcript);
}

/* The row fed in pieces of 1, 2, 3, ... bytes each, or cut twice. */
static void run_in_pieces(const struct row *row, size_t piece)
{
    struct resp_parser parser = {0};
    struct kv_buffer transcript = {0};
    bool fine = true;
    for (size_t at = 0; at < row->len && fine; at += piece)
        fine = feed(&parser, &transcript, row->input + at,
                    row->len - at < piece ? row->len - at : piece);
    expect(row, &transcript, piece);
    resp_parser_finish(&parser);
}

static void run_cut_twice(const struct row *row, size_t first, size_t second)
{
    struct resp_parser parser = {0};
    struct kv_buffer transcript = {0};
    (void)(feed(&parser, &transcript, row->input, first) &&
           feed(&parser, &transcript, row->input + first, second - first) &&
           feed(&parser, &transcript, row->input + second, row->len - second));
    expect(row, &transcript, first);
    resp_parser_finish(&parser);
}

/* --- Cases ------------------------------------------------------------------------------------ */

static void every_split_gives_the_same_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= rows[i].len + 1; piece++)
            run_in_pieces(&rows[i], piece);
        for (size_t first = 0; first <= rows[i].len; first++)
            for (size_t second = first; second <= rows[i].len; second++)
                run_cut_twice(&rows[i], first, second);
    }
}

/* A reader that is paused takes a command now and the rest later, after more has been fed. */
static void what_is_not_taken_stays(void **state)
{
    (void)state;
    static const char input[] = "*1\r\n$1\r\na\r\nb\r\n*1\r\n$1\r\nc\r\n*1\r\n$2\r\nd";
    struct resp_parser parser = {0};
    struct kv_buffer transcript = {0};
    resp_parser_feed(&parser, input, sizeof input - 1);
    assert_true(drain(&parser, &transcript, 1));
    assert_int_equal(resp_parser_pending(&parser), sizeof input - 1 - 11);
    resp_parser_keep(&parser);
    assert_true(drain(&parser, &transcript, 1));
    resp_parser_keep(&parser);
    resp_parser_feed(&parser, "e\r\nf\r\n", 6);
    assert_false(drain(&parser, &transcript, SIZE_MAX));
    resp_parser_keep(&parser);
    assert_int_equal(resp_parser_pending(&parser), 0);
    kv_buffer_append(&transcript, "", 1);
    assert_string_equal(transcript.data, "(1 a);(1 b);(1 c);(2 de);(1 f);");
    kv_buffer_finish(&transcript);
    resp_parser_finish(&parser);
}

/* A line of len bytes in front of its end, in pieces of piece bytes. */
static void expect_line(const char *head, size_t len, size_t piece, const char *transcript)
{
    struct kv_buffer input = {0};
    kv_buffer_append_text(&input, head);
    while (input.len < len)
        kv_buffer_append(&input, input.len % 2 ? "1" : "2", 1);
    kv_buffer_append(&input, "\r\n", 2);
    struct resp_parser parser = {0};
    struct kv_buffer result = {0};
    bool fine = true;
    for (size_t at = 0; at < input.len && fine; at += piece)
        fine = feed(&parser, &result, input.data + at,
                    input.len - at < piece ? input.len - at : piece);
    kv_buffer_append(&result, "", 1);
    if (transcript != NULL)
        assert_string_equal(result.data, transcript);
    else
        assert_int_equal(result.data[0], '(');
    kv_buffer_finish(&result);
    kv_buffer_finish(&input);
    resp_parser_finish(&parser);
}

static void a_line_has_a_limit(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 4096, 100000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        expect_line("x", RESP_LINE_MAX - 1, pieces[i], NULL);
        expect_line("x", RESP_LINE_MAX + 1, pieces[i], "!Protocol error: too big inline request");
        expect_line("*", RESP_LINE_MAX, pieces[i], "!Protocol error: invalid multibulk length");
        expect_line("*", RESP_LINE_MAX + 1, pieces[i],
                    "!Protocol error: too big mbulk count string");
        expect_line("*1\r\n$", RESP_LINE_MAX + 4, pieces[i],
                    "!Protocol error: invalid bulk length");
        expect_line("*1\r\n$", RESP_LINE_MAX + 5, pieces[i],
                    "!Protocol error: too big bulk count string");
    }
}

/* However small the pieces, a byte that was looked at for an end of line is not looked at again. */
static void nothing_is_scanned_twice(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct kv_buffer transcript = {0};
    for (size_t i = 1; i < 1000; i++) {
        assert_true(feed(&parser, &transcript, "x", 1));
        assert_int_equal(parser.scanned, i);
    }
    resp_parser_finish(&parser);
    assert_true(feed(&parser, &transcript, "*1\r\n$100000\r\n", 13));
    for (size_t i = 0; i < 1000; i++) {
        assert_true(feed(&parser, &transcript, "\r", 1));
        assert_int_equal(parser.scanned, 13);
    }
    resp_parser_finish(&parser);
    kv_buffer_finish(&transcript);
}

/* What a client announces costs nothing until it comes. */
static void announcing_allocates_nothing(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct kv_buffer transcript = {0};
    assert_true(feed(&parser, &transcript, "*1048576\r\n$536870912\r\nab", 24));
    assert_true(parser.kept.capacity <= 4096);
    assert_true(parser.args_capacity <= 64);
    resp_parser_finish(&parser);
}

/* Memory that a large command needed is given back after it. */
static void idle_parsers_are_small(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    struct kv_buffer transcript = {0}, input = {0};
    kv_buffer_append_text(&input, "*5000\r\n");
    for (unsigned i = 0; i < 5000; i++)
        kv_buffer_append_text(&input, "$3\r\nabc\r\n");
    assert_true(feed(&parser, &transcript, input.data, input.len / 2));
    assert_true(parser.kept.capacity >= input.len / 2);
    assert_true(feed(&parser, &transcript, input.data + input.len / 2, input.len - input.len / 2));
    assert_int_equal(transcript.len, 5000 * 7 + 1);
    assert_null(parser.kept.data);
    assert_true(parser.args_capacity <= RESP_ARGS_KEEP_MAX);
    resp_parser_finish(&parser);
    kv_buffer_finish(&transcript);
    kv_buffer_finish(&input);
}

static void numbers_are_as_redis_has_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        int64_t number;
    } numbers[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"42", true, 42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"-0", false, 0},
        {"00", false, 0},
        {"01", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t number = 77;
        size_t len = strlen(numbers[i].text);
        assert_int_equal(kv_number_parse(numbers[i].text, len, &number), numbers[i].valid);
        assert_true(number == (numbers[i].valid ? numbers[i].number : 77));
        char text[KV_NUMBER_MAX];
        if (numbers[i].valid) {
            assert_int_equal(kv_number_format(number, text), len);
            assert_memory_equal(text, numbers[i].text, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same_commands),
        cmocka_unit_test(what_is_not_taken_stays),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(nothing_is_scanned_twice),
        cmocka_unit_test(announcing_allocates_nothing),
        cmocka_unit_test(idle_parsers_are_small),
        cmocka_unit_test(numbers_are_as_redis_has_them),
    };
    int rc = cmocka_run_group_tests_name("resp", tests, NULL, NULL);
    return !!rc;
}

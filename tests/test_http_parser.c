/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The http example's parser, dates, ranges and paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "examples/http/parser.h"
#include "examples/http/values.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The status of a request; 0 when it is one, -1 when it is not whole. Fed in pieces of a size. */
static int parse(struct http_parser *parser, const char *text, size_t piece)
{
    enum http_result result = HTTP_MORE;
    size_t len = strlen(text), used = 0;
    memset(parser, 0, sizeof *parser);
    for (size_t at = 0; at < len && result == HTTP_MORE; at += used) {
        size_t part = len - at < piece ? len - at : piece;
        result = http_parser_feed(parser, text + at, part, &used);
        if (result == HTTP_MORE)
            assert_int_equal(used, part);
    }
    if (result == HTTP_MORE)
        return -1;
    return result == HTTP_REQUEST ? 0 : parser->request.status;
}

static void requests(void **state)
{
    static const struct {
        const char *text;
        int status;
    } table[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0},
        {"GET / HTTP/1.1\nHost: x\n\n", 0},
        {"\r\n\r\nGET / HTTP/1.1\r\nhOsT:\tx \r\n\r\n", 0},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {"FROB / HTTP/1.1\r\nHost:\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: x\r\n", -1},
        {"", -1},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
        {"GET / http/1.1\r\nHost: x\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: \x01\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
    };
    struct http_parser parser;
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        for (size_t piece = 1; piece <= 64; piece *= 4)
            if (parse(&parser, table[i].text, piece) != table[i].status)
                fail_msg("request %zu in pieces of %zu", i, piece);
}

static void what_is_kept(void **state)
{
    struct http_parser parser;
    (void)state;
    assert_int_equal(parse(&parser,
                           "HEAD /a?b HTTP/1.1\r\nHost: x\r\nRange:  bytes=1-2 \r\n"
                           "Connection: upgrade, Close\r\nContent-Length: 12\r\n\r\n",
                           7),
                     0);
    const struct http_request *request = &parser.request;
    assert_int_equal(request->method, HTTP_HEAD);
    assert_int_equal(request->target.len, 4);
    assert_memory_equal(request->target.data, "/a?b", 4);
    assert_int_equal(request->range.len, 9);
    assert_memory_equal(request->range.data, "bytes=1-2", 9);
    assert_false(request->keep_alive);
    assert_int_equal(request->body, 12);
    assert_null(request->if_range.data);
    assert_int_equal(parse(&parser, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 9), 0);
    assert_true(request->keep_alive);
    assert_int_equal(parse(&parser, "GET / HTTP/1.0\r\n\r\n", 9), 0);
    assert_false(request->keep_alive);
}

static void one_after_the_other(void **state)
{
    static const char text[] = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.0\r\n\r\n";
    struct http_parser parser = {.len = 0};
    size_t used, more;
    (void)state;
    assert_int_equal(http_parser_feed(&parser, text, sizeof text - 1, &used), HTTP_REQUEST);
    assert_false(http_parser_begun(&parser));
    assert_int_equal(http_parser_feed(&parser, text + used, sizeof text - 1 - used, &more),
                     HTTP_REQUEST);
    assert_memory_equal(parser.request.target.data, "/2", 2);
    assert_int_equal(used + more, sizeof text - 1);
    assert_int_equal(http_parser_feed(&parser, "GE", 2, &used), HTTP_MORE);
    assert_true(http_parser_begun(&parser));
}

static void too_large(void **state)
{
    static char text[3 * HTTP_HEAD_MAX];
    struct http_parser parser;
    size_t len = 0;
    (void)state;
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "GET /", 5);
    assert_int_equal(parse(&parser, text, 1000), 431);
    len = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < HTTP_FIELDS_MAX; i++)
        len += (size_t)sprintf(text + len, "a: b\r\n");
    (void)sprintf(text + len, "\r\n");
    assert_int_equal(parse(&parser, text, 1000), 431);
}

static void dates(void **state)
{
    char text[HTTP_DATE_SIZE];
    int64_t seconds;
    (void)state;
    http_date_format(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date_format(951782400, text);
    assert_string_equal(text, "Tue, 29 Feb 2000 00:00:00 GMT");
    for (int64_t at = 0; at < 200000000000; at += 86400 * 97 + 12345) {
        http_date_format(at, text);
        assert_true(http_date_parse((struct http_text){text, 29}, &seconds));
        assert_true(seconds == at);
    }
    static const char *const wrong[] = {
        "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
    };
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(http_date_parse((struct http_text){wrong[i], strlen(wrong[i])}, &seconds));
}

static void ranges(void **state)
{
    static const struct {
        const char *text;
        enum http_range_result result;
        int64_t first, count;
    } table[] = {
        {"bytes=0-0", HTTP_RANGE_PART, 0, 1},
        {"bytes=2-5", HTTP_RANGE_PART, 2, 4},
        {"Bytes=2-", HTTP_RANGE_PART, 2, 8},
        {"bytes=-4", HTTP_RANGE_PART, 6, 4},
        {"bytes=-40", HTTP_RANGE_PART, 0, 10},
        {"bytes=9-99", HTTP_RANGE_PART, 9, 1},
        {"bytes=10-", HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=5-2", HTTP_RANGE_NONE, 0, 0},
        {"bytes=-", HTTP_RANGE_NONE, 0, 0},
        {"bytes=1", HTTP_RANGE_NONE, 0, 0},
        {"bytes=1-2,4-5", HTTP_RANGE_NONE, 0, 0},
        {"bytes=9999999999999999999-", HTTP_RANGE_NONE, 0, 0},
        {"lines=1-2", HTTP_RANGE_NONE, 0, 0},
        {"", HTTP_RANGE_NONE, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct http_text text = {table[i].text, strlen(table[i].text)};
        int64_t first = 0, count = 0;
        enum http_range_result result = http_range_parse(text, 10, &first, &count);
        bool same = result == table[i].result;
        if (result == HTTP_RANGE_PART)
            same = same && first == table[i].first && count == table[i].count;
        if (!same)
            fail_msg("range \"%s\"", table[i].text);
    }
}

static void paths(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *path;
    } table[] = {
        {"/", 0, "/www/index.html"},
        {"/a/", 0, "/www/a/index.html"},
        {"/a/b.txt?c=/../d", 0, "/www/a/b.txt"},
        {"/a%20b%2Fc", 0, "/www/a b/c"},
        {"http://host:80/x", 0, "/www/x"},
        {"/...", 0, "/www/..."},
        {"/../x", 404, NULL},
        {"/a/../../x", 404, NULL},
        {"/a/..", 404, NULL},
        {"/%2e%2E/x", 404, NULL},
        {"/a%2f..%2fx", 404, NULL},
        {"/./x", 404, NULL},
        {"x", 400, NULL},
        {"*", 400, NULL},
        {"/%", 400, NULL},
        {"/%4", 400, NULL},
        {"/%zz", 400, NULL},
        {"/a%00b", 400, NULL},
        {"/a-path-that-is-longer-than-there-is-room-for-in-this-test", 404, NULL},
    };
    char path[48];
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct http_text text = {table[i].target, strlen(table[i].target)};
        if (http_path(text, "/www", path, sizeof path) != table[i].status)
            fail_msg("the status of \"%s\"", table[i].target);
        if (table[i].path != NULL)
            assert_string_equal(path, table[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(what_is_kept),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(too_large),
        cmocka_unit_test(dates),
        cmocka_unit_test(ranges),
        cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

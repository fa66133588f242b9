/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the http example's parser of requests, and what reads the values in them. However
 * its input is cut, it gives the same requests and the same refusal; no target leads out of the
 * folder.
 *
 * The last byte of an input says how long the pieces are; the bytes before it are requests.
 */
#include "examples/http/parser.h"
#include "examples/http/values.h"

#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>

enum { PATH_SIZE = 512 };

/* What was parsed, as one number, and how it ended. */
struct transcript {
    uint64_t hash;
    enum http_result result;
    int status;
    size_t used;
};

static void mix(struct transcript *transcript, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        transcript->hash = (transcript->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void mix_text(struct transcript *transcript, struct http_text text)
{
    mix(transcript, &text.len, sizeof text.len);
    if (text.len > 0)
        mix(transcript, text.data, text.len);
}

static void check_path(struct http_text target)
{
    char path[PATH_SIZE];
    if (http_path(target, "/www", path, sizeof path) != 0)
        return;
    TL_ASSERT(strncmp(path, "/www/", 5) == 0, "a path begins with its folder");
    TL_ASSERT(strstr(path, "/../") == NULL, "and does not leave it");
    TL_ASSERT(path[strlen(path) - 1] != '/', "and is a file's");
    TL_ASSERT(http_content_type(path) != NULL, "of some type");
}

static void check_range(struct http_text range)
{
    int64_t first, count;
    if (http_range_parse(range, 1000, &first, &count) == HTTP_RANGE_PART)
        TL_ASSERT(first >= 0 && count > 0 && first + count <= 1000, "a part is inside");
}

static void check(struct transcript *transcript, const struct http_request *request)
{
    int64_t seconds;
    mix(transcript, &request->method, sizeof request->method);
    mix(transcript, &request->body, sizeof request->body);
    mix(transcript, &request->keep_alive, sizeof request->keep_alive);
    mix_text(transcript, request->target);
    mix_text(transcript, request->range);
    mix_text(transcript, request->if_range);
    mix_text(transcript, request->if_modified_since);
    check_path(request->target);
    check_range(request->range);
    if (http_date_parse(request->if_modified_since, &seconds))
        TL_ASSERT(seconds >= 0, "a date is not before 1970");
}

/* Feeds a piece in memory of its own. */
static void feed(struct http_parser *parser, struct transcript *transcript, const uint8_t *data,
                 size_t len)
{
    char *piece = malloc(len);
    TL_ASSERT(piece != NULL, "there is memory");
    memcpy(piece, data, len);
    for (size_t at = 0, used; at < len && transcript->result != HTTP_BAD; at += used) {
        transcript->result = http_parser_feed(parser, piece + at, len - at, &used);
        TL_ASSERT(used <= len - at, "no more is taken than there is");
        TL_ASSERT(used > 0 || transcript->result == HTTP_BAD, "it goes on");
        transcript->used += used;
        if (transcript->result == HTTP_REQUEST)
            check(transcript, &parser->request);
    }
    free(piece);
}

static void parse(struct transcript *transcript, const uint8_t *data, size_t size, size_t piece)
{
    static struct http_parser parser;
    memset(&parser, 0, sizeof parser);
    for (size_t at = 0; at < size && transcript->result != HTTP_BAD; at += piece)
        feed(&parser, transcript, data + at, size - at < piece ? size - at : piece);
    transcript->status = parser.request.status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transcript whole = {.result = HTTP_MORE}, cut = {.result = HTTP_MORE};
    size_t len = size > 0 ? size - 1 : 0;
    size_t piece = size > 0 && data[len] > 0 ? data[len] : 1;
    parse(&whole, data, len, len + 1);
    parse(&cut, data, len, piece);
    TL_ASSERT(whole.result == cut.result, "cut or whole, it ends in the same way");
    TL_ASSERT(whole.result != HTTP_BAD || whole.status == cut.status, "with the same status");
    TL_ASSERT(whole.used == cut.used, "at the same byte");
    TL_ASSERT(whole.hash == cut.hash, "cut or whole, the requests are the same");
    return 0;
}

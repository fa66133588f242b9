/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the parser of requests alone. However its input is cut, it gives the same commands,
 * the same error and the same bytes that are left.
 *
 * The last byte of an input says how long the pieces are; the bytes before it are requests.
 */
#include "examples/kv/resp.h"

#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>

/* Commands one after the other, each argument with its length before it. */
struct transcript {
    struct kv_buffer bytes;
    enum resp_result result; /* the last one */
    size_t pending;
    char error[48];
};

/* Feeds a piece in memory of its own, which is gone when it has been kept. */
static void feed(struct resp_parser *parser, struct transcript *transcript, const uint8_t *data,
                 size_t len)
{
    size_t argc;
    void *piece = malloc(len);
    TL_ASSERT(piece != NULL, "there is memory");
    memcpy(piece, data, len);
    resp_parser_feed(parser, piece, len);
    while ((transcript->result = resp_parser_next(parser, &argc)) == RESP_COMMAND) {
        TL_ASSERT(argc > 0, "a command has a name");
        kv_buffer_append(&transcript->bytes, &argc, sizeof argc);
        for (size_t i = 0; i < argc; i++) {
            const struct resp_arg *arg = &parser->args[i];
            kv_buffer_append(&transcript->bytes, &arg->len, sizeof arg->len);
            kv_buffer_append(&transcript->bytes, arg->data, arg->len);
        }
    }
    resp_parser_keep(parser);
    free(piece);
}

static void parse(struct transcript *transcript, const uint8_t *data, size_t size, size_t piece)
{
    struct resp_parser parser = {0};
    for (size_t at = 0; at < size && transcript->result == RESP_MORE; at += piece)
        feed(&parser, transcript, data + at, size - at < piece ? size - at : piece);
    transcript->pending = resp_parser_pending(&parser);
    memcpy(transcript->error, parser.error, sizeof parser.error);
    resp_parser_finish(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transcript whole = {.result = RESP_MORE}, cut = {.result = RESP_MORE};
    size_t len = size > 0 ? size - 1 : 0;
    size_t piece = size > 0 && data[len] > 0 ? data[len] : 1;
    parse(&whole, data, len, len + 1);
    parse(&cut, data, len, piece);
    TL_ASSERT(whole.result == cut.result, "cut or whole, it ends in the same way");
    TL_ASSERT(strcmp(whole.error, cut.error) == 0, "cut or whole, the error is the same");
    TL_ASSERT(whole.result != RESP_MORE || whole.pending == cut.pending, "the same is left");
    TL_ASSERT(
        whole.bytes.len == cut.bytes.len &&
            (whole.bytes.len == 0 || memcmp(whole.bytes.data, cut.bytes.data, cut.bytes.len) == 0),
        "cut or whole, the commands are the same");
    kv_buffer_finish(&whole.bytes);
    kv_buffer_finish(&cut.bytes);
    return 0;
}

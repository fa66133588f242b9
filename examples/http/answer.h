/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an answer, from what there is to say.
 */
#ifndef EXAMPLES_HTTP_ANSWER_H
#define EXAMPLES_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_ANSWER_MAX = 1024 };

struct http_answer {
    int status;
    const char *type; /* of the file that is sent; NULL: a sentence of ours is */
    int64_t size;     /* of the whole file */
    int64_t modified; /* seconds since 1970; -1: no file is spoken of */
    int64_t first;    /* the part that is sent, or would be */
    int64_t count;    /* its bytes */
    bool keep_alive;
    bool is_head; /* the request's method: no content follows */
};

/* Writes the head, and the sentence if there is one: how many bytes. now is the clock's, in seconds
 * since 1970. */
size_t http_answer_format(const struct http_answer *answer, int64_t now,
                          char text[HTTP_ANSWER_MAX]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks for, and what the answer has to be.
 */
#ifndef EXAMPLES_HTTP_WISH_H
#define EXAMPLES_HTTP_WISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_WISH_MAX = 256 };

struct http_wish {
    char request[HTTP_WISH_MAX]; /* what to send */
    int status;                  /* what has to come */
    bool is_head;                /* no content comes */
    bool is_file;                /* the content is the file's, else it is of no interest */
    unsigned file;
    int64_t first; /* the content's first byte in the file */
    int64_t count; /* its bytes */
};

/* The wish with this number in an endless row of them. */
void http_wish_make(struct http_wish *wish, uint64_t seed, uint64_t number);

#endif

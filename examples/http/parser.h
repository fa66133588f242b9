/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of requests: HTTP/1.1 as RFC 9112 has it, HTTP/1.0, and nothing of a body.
 *
 * It is fed bytes as they come, cut anywhere, and takes them up to the end of a request's head. A
 * head has at most HTTP_HEAD_MAX bytes and HTTP_FIELDS_MAX fields. What the server does not use is
 * checked for form and forgotten. Where the RFC leaves a choice between lenient and strict: a line
 * may end in LF alone, and empty lines may precede a request; a folded line, space before a colon,
 * a control character, two different lengths or hosts are 400.
 */
#ifndef EXAMPLES_HTTP_PARSER_H
#define EXAMPLES_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX = 8192,
    HTTP_FIELDS_MAX = 100,
};

enum http_result {
    HTTP_MORE,    /* the head is not whole yet */
    HTTP_REQUEST, /* parser->request is one */
    HTTP_BAD,     /* parser->request.status says what to answer; the connection is of no use then */
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_OTHER,
};

/* A piece of the head; not terminated. data is NULL where there was none. */
struct http_text {
    const char *data;
    size_t len;
};

struct http_request {
    enum http_method method;
    struct http_text target;
    bool keep_alive;        /* as its version and its Connection field say */
    bool is_1_0;            /* else 1.1 or a later 1 */
    uint64_t body;          /* bytes of a body that follow the head */
    struct http_text range; /* values of fields */
    struct http_text if_range;
    struct http_text if_modified_since;
    int status; /* HTTP_BAD: 400, 431, 501 or 505 */

    bool has_host; /* the parser's own */
    bool has_length;
    unsigned fields;
};

/* Zero-initialised is one that waits for a request. */
struct http_parser {
    struct http_request request; /* its texts lie in head, until the next bytes are taken */
    size_t len;                  /* bytes in head */
    size_t line;                 /* where the line that is not whole begins */
    bool whole;                  /* head was given out: what comes next begins another */
    char head[HTTP_HEAD_MAX];
};

/* Takes bytes up to the end of the head: how many through ret_used. */
enum http_result http_parser_feed(struct http_parser *parser, const char *data, size_t len,
                                  size_t *ret_used);

/* Whether part of a head has come. */
static inline bool http_parser_begun(const struct http_parser *parser)
{
    return parser->len > 0 && !parser->whole;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as RESP2 writes them: an array of bulk strings, or a line of words.
 *
 * A parser is fed bytes cut anywhere and gives out whole commands. Where a command lies whole in
 * what was fed, its arguments point into that; only the bytes of a command that is not whole yet
 * are copied. Every byte is looked at once, however small the pieces: what was scanned is
 * remembered. The memory that a client can make a parser use grows with what it sends, not with
 * what it announces.
 *
 *     resp_parser_feed(parser, data, len);
 *     while ((result = resp_parser_next(parser, &argc)) == RESP_COMMAND)
 *         ... parser->args[0 .. argc) ...
 *     resp_parser_keep(parser);
 */
#ifndef EXAMPLES_KV_RESP_H
#define EXAMPLES_KV_RESP_H

#include "buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESP_LINE_MAX 65536                /* bytes of an inline request, or of a length's line */
#define RESP_ARGS_MAX 1048576              /* arguments of one command */
#define RESP_BULK_MAX 536870912            /* bytes of one argument */
#define RESP_COMMAND_MAX ((size_t)1 << 30) /* bytes of one command */

/* Arguments there stays room for between commands. */
#define RESP_ARGS_KEEP_MAX 1024

/* One argument. Binary: may hold any byte. */
struct resp_arg {
    union {
        const char *data;
        size_t offset; /* the parser's, while the command is not whole */
    };
    size_t len;
};

enum resp_result {
    RESP_MORE,      /* nothing whole is left */
    RESP_COMMAND,   /* a command is in args */
    RESP_ERROR,     /* the bytes are no request: error says why, and nothing more can be read */
    RESP_NO_MEMORY, /* as RESP_ERROR, without a sentence */
};

/* Embedded in what uses it; zero-initialised is ready to be fed. */
struct resp_parser {
    const char *input; /* what is looked at: the bytes fed last, or those of kept */
    size_t len;
    size_t begin;          /* where in input the current command begins */
    size_t line;           /* from begin: where the line or the bulk that is read begins */
    size_t scanned;        /* from begin: up to here no end of that line was found */
    int64_t args_left;     /* arguments still to come; 0: the command's first line is not read */
    int64_t bulk_len;      /* bytes of the bulk that is read */
    bool in_bulk;          /* bulk_len is known */
    struct resp_arg *args; /* of the command that was returned, until the next call */
    size_t args_count;     /* of the command that is read */
    size_t args_capacity;
    struct kv_buffer kept;     /* bytes fed that are not parsed yet, from begin = 0 on */
    struct kv_buffer unquoted; /* the words of an inline request */
    enum resp_result broken;   /* RESP_ERROR or RESP_NO_MEMORY once that was returned */
    char error[48];            /* for RESP_ERROR: "Protocol error: ..." */
};

void resp_parser_finish(struct resp_parser *parser);

/* Adds bytes behind those not parsed yet. Borrowed until resp_parser_keep. */
void resp_parser_feed(struct resp_parser *parser, const void *data, size_t len);

/* The next whole command: how many arguments it has (at least 1) in *ret_argc. */
enum resp_result resp_parser_next(struct resp_parser *parser, size_t *ret_argc);

/* Copies what is left of the bytes fed: they need not exist any longer. Failing that, the parser is
 * broken. */
void resp_parser_keep(struct resp_parser *parser);

/* How many bytes are fed and not parsed. */
size_t resp_parser_pending(const struct resp_parser *parser);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an answer; see answer.h.
 */
#include "answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 206:
        return "Partial Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 416:
        return "Range Not Satisfiable";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

struct head {
    char *text; /* HTTP_ANSWER_MAX bytes, more than all that is ever added */
    size_t len;
};

static void add(struct head *head, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct head *head, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(head->text + head->len, HTTP_ANSWER_MAX - head->len, format, args);
    va_end(args);
    head->len += (size_t)n;
}

static void add_date(struct head *head, const char *name, int64_t seconds)
{
    char date[HTTP_DATE_SIZE];
    http_date_format(seconds, date);
    add(head, "%s: %s\r\n", name, date);
}

/* What is said of the file. */
static void add_file(struct head *head, const struct http_answer *answer)
{
    add_date(head, "Last-Modified", answer->modified);
    add(head, "Accept-Ranges: bytes\r\n");
    if (answer->status == 206)
        add(head, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n", answer->first,
            answer->first + answer->count - 1, answer->size);
    if (answer->status == 416)
        add(head, "Content-Range: bytes */%" PRId64 "\r\n", answer->size);
}

size_t http_answer_format(const struct http_answer *answer, int64_t now, char text[HTTP_ANSWER_MAX])
{
    struct head head = {.text = text};
    char sentence[64];
    int len =
        snprintf(sentence, sizeof sentence, "%d %s\n", answer->status, reason(answer->status));
    add(&head, "HTTP/1.1 %d %s\r\nServer: twinloop\r\n", answer->status, reason(answer->status));
    add_date(&head, "Date", now);
    if (answer->modified >= 0)
        add_file(&head, answer);
    if (answer->status == 405)
        add(&head, "Allow: GET, HEAD\r\n");
    if (answer->status != 304)
        add(&head, "Content-Type: %s\r\nContent-Length: %" PRId64 "\r\n",
            answer->type != NULL ? answer->type : "text/plain",
            answer->type != NULL ? answer->count : (int64_t)len);
    add(&head, "Connection: %s\r\n\r\n", answer->keep_alive ? "keep-alive" : "close");
    if (answer->type == NULL && answer->status != 304 && !answer->is_head)
        add(&head, "%s", sentence);
    return head.len;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of requests; see parser.h.
 *
 * Bytes are copied until the empty line that ends a head has come; only then is it looked at, line
 * by line. So however it was cut, it is parsed in the same way.
 */
#include "parser.h"

#include <string.h>
#include <strings.h>

/* --- Characters ------------------------------------------------------------------------------- */

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool equals(struct http_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

static struct http_text trim(struct http_text text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* What comes before a character, which it is cut off with; all of it when there is none. */
static struct http_text cut(struct http_text *rest, char end)
{
    struct http_text part = *rest;
    const char *at = rest->len > 0 ? memchr(rest->data, end, rest->len) : NULL;
    if (at != NULL)
        part.len = (size_t)(at - rest->data);
    size_t used = at != NULL ? part.len + 1 : part.len;
    rest->data += used;
    rest->len -= used;
    return part;
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* "close", "keep-alive" or a list with one of them. */
static void connection_field(struct http_request *request, struct http_text value)
{
    while (value.len > 0) {
        struct http_text option = trim(cut(&value, ','));
        if (equals(option, "close"))
            request->keep_alive = false;
        else if (equals(option, "keep-alive") && request->is_1_0)
            request->keep_alive = true;
    }
}

/* 0, or 400. */
static int length_field(struct http_request *request, struct http_text value)
{
    uint64_t length = 0;
    if (value.len == 0 || value.len > 18)
        return 400;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return 400;
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (request->has_length && request->body != length)
        return 400;
    request->has_length = true;
    request->body = length;
    return 0;
}

static int field(struct http_request *request, struct http_text name, struct http_text value)
{
    if (equals(name, "connection")) {
        connection_field(request, value);
    } else if (equals(name, "host")) {
        if (request->has_host)
            return 400;
        request->has_host = true;
    } else if (equals(name, "content-length")) {
        return length_field(request, value);
    } else if (equals(name, "transfer-encoding")) {
        return 501; /* nothing here wants a body; its end would have to be found */
    } else if (equals(name, "range")) {
        request->range = value;
    } else if (equals(name, "if-range")) {
        request->if_range = value;
    } else if (equals(name, "if-modified-since")) {
        request->if_modified_since = value;
    }
    return 0;
}

/* "name: value": 0 or a status. */
static int field_line(struct http_request *request, struct http_text line)
{
    struct http_text name = cut(&line, ':');
    if (++request->fields > HTTP_FIELDS_MAX)
        return 431;
    if (name.len == 0 || name.data + name.len == line.data)
        return 400; /* no colon */
    for (size_t i = 0; i < name.len; i++)
        if (!is_token(name.data[i]))
            return 400;
    for (size_t i = 0; i < line.len; i++)
        if (is_control(line.data[i]))
            return 400;
    return field(request, name, trim(line));
}

/* --- The request line ------------------------------------------------------------------------- */

static int version(struct http_request *request, struct http_text text)
{
    bool formed = text.len == 8 && memcmp(text.data, "HTTP/", 5) == 0 && text.data[6] == '.' &&
                  text.data[5] >= '0' && text.data[5] <= '9' && text.data[7] >= '0' &&
                  text.data[7] <= '9';
    if (!formed)
        return 400;
    if (text.data[5] != '1')
        return 505;
    request->is_1_0 = text.data[7] == '0';
    request->keep_alive = !request->is_1_0;
    return 0;
}

static int request_line(struct http_request *request, struct http_text line)
{
    struct http_text method = cut(&line, ' ');
    struct http_text target = cut(&line, ' ');
    for (size_t i = 0; i < method.len; i++)
        if (!is_token(method.data[i]))
            return 400;
    for (size_t i = 0; i < target.len; i++)
        if (is_control(target.data[i]) || is_blank(target.data[i]))
            return 400;
    if (method.len == 0 || target.len == 0)
        return 400;
    request->method = HTTP_OTHER;
    if (method.len == 3 && memcmp(method.data, "GET", 3) == 0)
        request->method = HTTP_GET;
    else if (method.len == 4 && memcmp(method.data, "HEAD", 4) == 0)
        request->method = HTTP_HEAD;
    request->target = target;
    return version(request, line);
}

/* --- The head --------------------------------------------------------------------------------- */

/* The next line, without its end. */
static struct http_text next_line(struct http_text *rest)
{
    struct http_text line = cut(rest, '\n');
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static int parse(struct http_parser *parser)
{
    struct http_request *request = &parser->request;
    struct http_text rest = {parser->head, parser->len};
    *request = (struct http_request){.method = HTTP_OTHER};
    int status = request_line(request, next_line(&rest));
    while (status == 0) {
        struct http_text line = next_line(&rest);
        if (line.len == 0)
            break;
        status = field_line(request, line);
    }
    if (status == 0 && !request->has_host && !request->is_1_0)
        status = 400;
    return status;
}

/* Whether the line that has just ended is empty. */
static bool ends_empty(const struct http_parser *parser)
{
    size_t len = parser->len - parser->line;
    return len == 1 || (len == 2 && parser->head[parser->line] == '\r');
}

static enum http_result bad(struct http_parser *parser, int status)
{
    parser->request.status = status;
    parser->request.keep_alive = false;
    return HTTP_BAD;
}

enum http_result http_parser_feed(struct http_parser *parser, const char *data, size_t len,
                                  size_t *ret_used)
{
    if (parser->whole)
        parser->len = parser->line = 0;
    parser->whole = false;
    for (size_t used = 0; used < len; used++) {
        if (parser->len == HTTP_HEAD_MAX) {
            *ret_used = used;
            return bad(parser, 431);
        }
        parser->head[parser->len++] = data[used];
        if (data[used] != '\n')
            continue;
        if (!ends_empty(parser)) {
            parser->line = parser->len;
            continue;
        }
        if (parser->line == 0) { /* before a request */
            parser->len = 0;
            continue;
        }
        *ret_used = used + 1;
        parser->whole = true;
        int status = parse(parser);
        return status == 0 ? HTTP_REQUEST : bad(parser, status);
    }
    *ret_used = len;
    return HTTP_MORE;
}

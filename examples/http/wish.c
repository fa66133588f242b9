/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks for; see wish.h.
 */
#include "wish.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "files.h"

/* Numbers that look drawn, one after the other. */
struct draw {
    uint64_t state;
};

static uint64_t draw(struct draw *from, uint64_t bound)
{
    uint64_t word = from->state += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (word ^ word >> 31) % bound;
}

/* field: one more line of the head with its end, as printf has it; "" for none. */
__attribute__((format(printf, 3, 4))) static void write_request(struct http_wish *wish,
                                                                const char *method,
                                                                const char *field, ...)
{
    char range[96];
    va_list args;
    va_start(args, field);
    (void)vsnprintf(range, sizeof range, field, args);
    va_end(args);
    (void)snprintf(wish->request, sizeof wish->request,
                   "%s /file-%u.bin HTTP/1.1\r\nHost: x\r\n%s\r\n", method, wish->file, range);
}

static void whole(struct http_wish *wish, const char *method)
{
    wish->status = 200;
    wish->is_file = true;
    wish->count = http_file_size(wish->file);
    write_request(wish, method, "%s", "");
}

/* "first-last", which may lie beyond the end in part or as a whole. */
static void range(struct http_wish *wish, struct draw *from)
{
    int64_t size = http_file_size(wish->file);
    int64_t first = (int64_t)draw(from, (uint64_t)size + 3);
    int64_t last = first + (int64_t)draw(from, (uint64_t)size + 3);
    write_request(wish, "GET", "Range: bytes=%" PRId64 "-%" PRId64 "\r\n", first, last);
    wish->status = 416;
    if (first >= size)
        return;
    wish->status = 206;
    wish->is_file = true;
    wish->first = first;
    wish->count = (last < size ? last + 1 : size) - first;
}

/* The last so many bytes. */
static void suffix(struct http_wish *wish, struct draw *from)
{
    int64_t size = http_file_size(wish->file);
    int64_t count = (int64_t)draw(from, (uint64_t)size + 3);
    write_request(wish, "GET", "Range: bytes=-%" PRId64 "\r\n", count);
    wish->status = 416;
    wish->count = count < size ? count : size;
    if (wish->count == 0)
        return;
    wish->status = 206;
    wish->is_file = true;
    wish->first = size - wish->count;
}

/* What is answered in other ways. */
static void other(struct http_wish *wish, struct draw *from)
{
    static const struct {
        const char *request;
        int status;
    } others[] = {
        {"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"GET /../file-1.bin HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"GET /%2e%2e/file-1.bin HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /file-1.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 405},
        {"GET /file-2.bin HTTP/1.1\r\nHost: x\r\n"
         "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n",
         304},
    };
    uint64_t which = draw(from, sizeof others / sizeof *others);
    wish->status = others[which].status;
    wish->is_head = wish->status == 304;
    (void)snprintf(wish->request, sizeof wish->request, "%s", others[which].request);
}

void http_wish_make(struct http_wish *wish, uint64_t seed, uint64_t number)
{
    struct draw from = {seed * UINT64_C(1000003) + number};
    *wish = (struct http_wish){.file = (unsigned)draw(&from, HTTP_FILES)};
    switch (draw(&from, 6)) {
    case 0:
    case 1:
        whole(wish, "GET");
        break;
    case 2:
        range(wish, &from);
        break;
    case 3:
        suffix(wish, &from);
        break;
    case 4:
        whole(wish, "HEAD");
        wish->is_head = true;
        break;
    default:
        other(wish, &from);
        break;
    }
}

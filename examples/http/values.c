/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates, ranges and paths; see values.h.
 */
#include "values.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- Dates ------------------------------------------------------------------------------------ */

#define DAY ((int64_t)86400)

static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Days since 1970 of the first of March of a year: after every leap day that counts. */
static int64_t march_first(int64_t year)
{
    return year * 365 + year / 4 - year / 100 + year / 400 - 719468;
}

/* Days from the first of March to that of a month, 0 for March to 11 for February. */
static int64_t month_start(int64_t month)
{
    return (153 * month + 2) / 5;
}

void http_date_format(int64_t seconds, char text[HTTP_DATE_SIZE])
{
    int64_t day = seconds / DAY, rest = seconds % DAY;
    int64_t year = day / 365 + 1970;
    while (march_first(year) > day)
        year--;
    int64_t month = 11;
    while (march_first(year) + month_start(month) > day)
        month--;
    int64_t of_month = day - march_first(year) - month_start(month) + 1;
    int64_t shown = year + (month >= 10); /* January and February are the next year's */
    (void)snprintf(text, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[day % 7],
                   (unsigned)of_month % 100, months[(month + 2) % 12], (unsigned)shown % 10000,
                   (unsigned)(rest / 3600) % 100, (unsigned)(rest / 60 % 60),
                   (unsigned)(rest % 60));
}

/* Two or four digits. */
static bool number(const char *text, size_t len, int64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *ret = *ret * 10 + (text[i] - '0');
    }
    return true;
}

bool http_date_parse(struct http_text text, int64_t *ret)
{
    int64_t day, year, hour, minute, second;
    char again[HTTP_DATE_SIZE];
    if (text.len != HTTP_DATE_SIZE - 1)
        return false;
    const char *t = text.data;
    if (!number(t + 5, 2, &day) || !number(t + 12, 4, &year) || !number(t + 17, 2, &hour) ||
        !number(t + 20, 2, &minute) || !number(t + 23, 2, &second) || year < 1970)
        return false;
    int64_t month = 0;
    while (month < 12 && memcmp(t + 8, months[month], 3) != 0)
        month++;
    if (month == 12)
        return false;
    int64_t from_march = (month + 10) % 12;
    int64_t date = march_first(year - (from_march >= 10)) + month_start(from_march) + day - 1;
    if (date < 0)
        return false;
    int64_t seconds = date * DAY + hour * 3600 + minute * 60 + second;
    /* Whatever is wrong with it, it is written otherwise then. */
    http_date_format(seconds, again);
    if (memcmp(again, t, text.len) != 0)
        return false;
    *ret = seconds;
    return true;
}

/* --- Ranges ----------------------------------------------------------------------------------- */

/* Digits at the front, cut off: 0 when there are none, -1 when they are too many, else how many. */
static int digits(struct http_text *text, int64_t *ret)
{
    int count = 0;
    *ret = 0;
    while (text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
        if (++count > 18)
            return -1;
        *ret = *ret * 10 + (text->data[0] - '0');
        text->data++;
        text->len--;
    }
    return count;
}

enum http_range_result http_range_parse(struct http_text value, int64_t size, int64_t *ret_first,
                                        int64_t *ret_count)
{
    int64_t first, last;
    if (value.len < 6 || strncasecmp(value.data, "bytes=", 6) != 0)
        return HTTP_RANGE_NONE;
    value.data += 6;
    value.len -= 6;
    int from = digits(&value, &first);
    if (from < 0 || value.len == 0 || value.data[0] != '-')
        return HTTP_RANGE_NONE;
    value.data++;
    value.len--;
    int to = digits(&value, &last);
    if (to < 0 || value.len > 0 || (from == 0 && to == 0))
        return HTTP_RANGE_NONE;
    if (from == 0) { /* the last so many */
        int64_t count = last < size ? last : size;
        *ret_first = size - count;
        *ret_count = count;
        return count > 0 ? HTTP_RANGE_PART : HTTP_RANGE_UNSATISFIABLE;
    }
    if (to > 0 && last < first)
        return HTTP_RANGE_NONE;
    if (first >= size)
        return HTTP_RANGE_UNSATISFIABLE;
    if (to == 0 || last >= size)
        last = size - 1;
    *ret_first = first;
    *ret_count = last - first + 1;
    return HTTP_RANGE_PART;
}

/* --- Paths ------------------------------------------------------------------------------------ */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "http://host/path" is "/path"; a request may be written for a proxy. */
static struct http_text origin_form(struct http_text target)
{
    if (target.len < 7 || strncasecmp(target.data, "http://", 7) != 0)
        return target;
    target.data += 7;
    target.len -= 7;
    while (target.len > 0 && target.data[0] != '/') {
        target.data++;
        target.len--;
    }
    return target;
}

/* Decodes a target behind what path has: how long it is then; 0 for a broken escape or a NUL; size
 * when there is no room. */
static size_t decode(struct http_text target, char *path, size_t at, size_t size)
{
    for (size_t i = 0; i < target.len && target.data[i] != '?' && target.data[i] != '#'; i++) {
        int c = (unsigned char)target.data[i];
        if (c == '%') {
            int high = i + 2 < target.len ? hex(target.data[i + 1]) : -1;
            int low = high >= 0 ? hex(target.data[i + 2]) : -1;
            if (low < 0)
                return 0;
            c = high << 4 | low;
            i += 2;
        }
        if (c == '\0')
            return 0;
        if (at + 1 >= size)
            return size;
        path[at++] = (char)c;
    }
    path[at] = '\0';
    return at;
}

/* Whether a name of the path is ".." or "."; names are looked at once they are decoded. */
static bool has_dots(const char *path)
{
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        at += strspn(at, "/");
        size_t len = strcspn(at, "/");
        if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
            return true;
    }
    return false;
}

int http_path(struct http_text target, const char *root, char *path, size_t size)
{
    static const char index_name[] = "index.html";
    size_t start = strlen(root);
    target = origin_form(target);
    if (target.len == 0 || target.data[0] != '/')
        return 400;
    if (start + sizeof index_name >= size)
        return 404;
    memcpy(path, root, start + 1);
    size_t len = decode(target, path, start, size - sizeof index_name);
    if (len == 0)
        return 400;
    if (len == size - sizeof index_name || has_dots(path + start))
        return 404;
    if (path[len - 1] == '/')
        memcpy(path + len, index_name, sizeof index_name);
    return 0;
}

const char *http_content_type(const char *path)
{
    static const struct {
        const char *extension;
        const char *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
    };
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].extension);
        if (len > n && strcmp(path + len - n, types[i].extension) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

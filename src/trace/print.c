/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event, from the rows of ops.def; see print.h.
 *
 * Names of fields come from the row; how a number reads follows from its field's name, so a new row
 * needs nothing here unless it has a new sort of number.
 */
#include "trace/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/kernel.h>
#include <twinloop/net.h>

#include "trace/pack.h"

/* Text that grows to the right and is cut where its room ends. */
struct line {
    char *text;
    size_t size;
    size_t len;
};

static __attribute__((format(printf, 2, 3))) void add(struct line *line, const char *format, ...)
{
    va_list args;

    if (line->len >= line->size)
        return;
    va_start(args, format);
    int n = vsnprintf(line->text + line->len, line->size - line->len, format, args);
    va_end(args);
    if (n > 0)
        line->len += (size_t)n;
}

const char *tl_trace_format_time(tl_time time, char *text, size_t size)
{
    uint64_t magnitude = time < 0 ? 0 - (uint64_t)time : (uint64_t)time;

    (void)snprintf(text, size, "%s%" PRIu64 ".%09" PRIu64, time < 0 ? "-" : "",
                   magnitude / TL_SECOND, magnitude % TL_SECOND);
    return text;
}

/* --- Numbers --- */

/* What the values of some fields are called, from 0. */
static const struct {
    const char *field;
    const char *names[12];
} enumerations[] = {
    {"family", {"none", "unix", [4] = "inet", [6] = "inet6"}},
    {"type", {"none", "stream", "datagram", "raw"}},
    {"how", {"read", "write", "both"}},
    {"side", {"local", "peer"}},
    {"option",
     {"error", "reuseaddr", "reuseport", "v6only", "nodelay", "keepalive", "broadcast", "sndbuf",
      "rcvbuf", "nonblock"}},
    {"asked", {"", "set", "get", "both"}},
    {"what", {"pid", "cpus", "main-thread", "environment"}},
};

static const char *enumerator(const char *field, int64_t value)
{
    for (size_t i = 0; i < sizeof enumerations / sizeof *enumerations; i++)
        if (strcmp(enumerations[i].field, field) == 0)
            return value >= 0 && value < 12 ? enumerations[i].names[value] : NULL;
    return NULL;
}

/* A pipe's kind, and that of an adopted descriptor and of a file, are different things. */
static const char *kind_name(uint32_t row, int64_t value)
{
    static const char *const pipes[] = {"one-way", "stream-pair"};
    static const char *const adopted[] = {"stream",  "listener", "datagram", "fifo",
                                          "chardev", "file",     "other",    "socket"};

    if (row == TL_TRACE_PIPE)
        return value == 0 || value == 1 ? pipes[value] : NULL;
    if (row == TL_TRACE_ADOPT || row == TL_TRACE_STAT)
        return value >= 0 && value < 8 ? adopted[value] : NULL;
    return NULL;
}

static void add_readiness(struct line *line, int64_t ready)
{
    add(line, "%s%s%s%s", ready & TL_READABLE ? "r" : "", ready & TL_WRITABLE ? "w" : "",
        ready & TL_HANGUP ? "h" : "", ready & TL_FAULT ? "f" : "");
}

/* A descriptor by its ordinal, or what a child gets instead of one. */
static void add_fd(struct line *line, int64_t value)
{
    if (value == TL_FD_INHERIT)
        add(line, "inherit");
    else if (value == TL_FD_NULL)
        add(line, "null");
    else if (value == 0)
        add(line, "fd:none");
    else
        add(line, "fd:%" PRId64, value);
}

static bool is_fd(const char *field)
{
    return strcmp(field, "new fd") == 0 || strcmp(field, "file") == 0 ||
           strncmp(field, "std", 3) == 0;
}

static void add_value(struct line *line, const struct tl_trace_event *event, const char *field,
                      int64_t value)
{
    const char *name =
        strcmp(field, "kind") == 0 ? kind_name(event->kind, value) : enumerator(field, value);
    char text[40];

    if (name != NULL)
        add(line, "%s", name);
    else if (strcmp(field, "ready") == 0 || strcmp(field, "events") == 0)
        add_readiness(line, value);
    else if (strcmp(field, "timeout") == 0)
        add(line, "%s", value < 0 ? "never" : tl_trace_format_time(value, text, sizeof text));
    else if (strcmp(field, "content") == 0)
        add(line, "hash:%016" PRIx64, (uint64_t)value);
    else if (is_fd(field))
        add_fd(line, value);
    else if (event->kind == TL_TRACE_RESOLVE && strcmp(field, "flags") == 0)
        add(line, "%" PRId64, value & UINT32_MAX);
    else if (event->kind == TL_TRACE_RESOLVED || event->kind == TL_TRACE_ADDRESSES ||
             event->kind == TL_TRACE_NAMES ||
             (event->kind == TL_TRACE_OPTION && event->arg[0] == TL_OPTION_ERROR))
        add(line, "%s", tl_err_name((int)tl_trace_result_in(value)));
    else
        add(line, "%" PRId64, value);
}

/* --- Blobs --- */

static void add_bytes(struct line *line, const uint8_t *data, size_t len, size_t max)
{
    size_t shown = len < max ? len : max;

    add(line, "\"");
    for (size_t i = 0; i < shown; i++) {
        uint8_t c = data[i];
        if (c == '"' || c == '\\')
            add(line, "\\%c", c);
        else if (c >= ' ' && c <= '~')
            add(line, "%c", c);
        else if (c == '\n')
            add(line, "\\n");
        else if (c == '\r')
            add(line, "\\r");
        else
            add(line, "\\x%02x", c);
    }
    add(line, shown < len ? "\"..." : "\"");
}

const char *tl_trace_format_bytes(const void *data, size_t len, size_t max, char *text, size_t size)
{
    struct line line = {.text = text, .size = size};

    *text = '\0';
    add_bytes(&line, data, len, max);
    return text;
}

/* Strings, each but the last with its NUL. */
static void add_strings(struct line *line, const uint8_t *data, size_t len, size_t max)
{
    const uint8_t *end = data + len;

    for (const char *separator = ""; data < end; separator = " ") {
        size_t size = strnlen((const char *)data, (size_t)(end - data));
        add(line, "%s", separator);
        add_bytes(line, data, size, max);
        data += size + (data + size < end);
    }
}

/* The host and the service of a lookup; one that is missing looks like an empty one. */
static void add_question(struct line *line, const struct tl_trace_event *event, size_t max)
{
    const uint8_t *host = event->blob, *end = host + event->blob_len;
    size_t len = strnlen((const char *)host, event->blob_len);
    const uint8_t *service = host + len < end ? host + len + 1 : end;

    if (len > 0 || (event->arg[3] & TL_TRACE_EMPTY_HOST) != 0)
        add_bytes(line, host, len, max);
    else
        add(line, "none");
    if (service < end || (event->arg[3] & TL_TRACE_EMPTY_SERVICE) != 0) {
        add(line, " ");
        add_bytes(line, service, (size_t)(end - service), max);
    }
}

static void add_addresses(struct line *line, const uint8_t *data, size_t len)
{
    const uint8_t *p = data, *end = data + len;
    const char *separator = "";
    char text[TL_ADDR_TEXT_MAX];
    tl_addr addr;

    while (p < end && tl_trace_unpack_addr(&p, end, &addr)) {
        add(line, "%s%s", separator,
            addr.family == TL_FAMILY_NONE ? "none" : tl_addr_format(&addr, text, sizeof text));
        separator = ",";
    }
}

/* Addresses with what they are for, behind the canonical name if there is one. */
static void add_answers(struct line *line, const uint8_t *data, size_t len, size_t max)
{
    const uint8_t *p = memchr(data, '\0', len), *end = data + len;
    const char *separator = "";
    char text[TL_ADDR_TEXT_MAX];
    tl_addrinfo info;

    if (p == NULL)
        return;
    if (p > data) {
        add_bytes(line, data, (size_t)(p - data), max);
        separator = ",";
    }
    for (p++; p < end && tl_trace_unpack_info(&p, end, &info); separator = ",") {
        const char *type = enumerator("type", info.type);
        add(line, "%s%s", separator, tl_addr_format(&info.addr, text, sizeof text));
        add(line, "/%s/%d", type != NULL ? type : "none", info.protocol);
    }
}

/* Packed messages: each with its address, if it has one, and its bytes; "cut" behind those of which
 * there were more. What is none is shown as bytes. */
static void add_messages(struct line *line, const uint8_t *data, size_t len, size_t max)
{
    const uint8_t *p = data, *end = data + len;
    const char *separator = "";
    char text[TL_ADDR_TEXT_MAX];
    tl_addr addr;

    for (; p < end && tl_trace_unpack_addr(&p, end, &addr); separator = ",") {
        bool named = addr.family != TL_FAMILY_NONE;
        add(line, "%s%s", separator, named ? tl_addr_format(&addr, text, sizeof text) : "");
        if (end - p < 5)
            break; /* nothing was taken: the address is all there is */
        bool cut = p[0] != 0;
        size_t bytes = tl_get_be32(p + 1);
        p += 5;
        if (bytes > (size_t)(end - p))
            bytes = (size_t)(end - p);
        add(line, named ? " " : "");
        add_bytes(line, p, bytes, max);
        add(line, cut ? " cut" : "");
        p += bytes;
    }
}

static bool is_packed(const struct tl_trace_event *event)
{
    return (event->kind == TL_TRACE_READ || event->kind == TL_TRACE_WRITE) && event->arg[2] != 0;
}

static void add_blob(struct line *line, const struct tl_trace_event *event, size_t max)
{
    const char *prefix = tl_trace_rows[event->kind].blob;
    const char *name = strchr(prefix, ':') + 1;

    if (event->blob_is == TL_BLOB_HASH) {
        add(line, " %s=hash:%016" PRIx64, name, event->blob_hash);
        return;
    }
    if (event->blob_len == 0)
        return;
    add(line, " %s=", name);
    if (strncmp(prefix, "addr:", 5) == 0 || strncmp(prefix, "raddr:", 6) == 0)
        add_addresses(line, event->blob, event->blob_len);
    else if (is_packed(event))
        add_messages(line, event->blob, event->blob_len, max);
    else if (event->kind == TL_TRACE_RESOLVE)
        add_question(line, event, max);
    else if (event->kind == TL_TRACE_ADDRESSES)
        add_answers(line, event->blob, event->blob_len, max);
    else if (strncmp(prefix, "text:", 5) == 0 || event->kind == TL_TRACE_INFO ||
             event->kind == TL_TRACE_NAMES)
        add_strings(line, event->blob, event->blob_len, max);
    else
        add_bytes(line, event->blob, event->blob_len, max);
}

/* --- Events --- */

static void add_object(struct line *line, const char *object, uint64_t ordinal,
                       enum tl_trace_side side)
{
    bool made = strncmp(object, "new ", 4) == 0;

    if (made && (ordinal == 0 || side == TL_SIDE_PROGRAM))
        return; /* nothing was made, or is yet */
    if (ordinal == 0)
        add(line, " %s:none", object);
    else
        add(line, " %s:%" PRIu64, made ? object + 4 : object, ordinal);
}

static void add_args(struct line *line, const struct tl_trace_event *event, bool answers)
{
    const struct tl_trace_row *row = &tl_trace_rows[event->kind];

    for (int i = 0; i < row->fields / TL_FIELD_ARG; i++) {
        const char *field = row->arg[i];
        bool only_when_set = strstr(field, "packed") != NULL || strcmp(field, "=content") == 0;
        if ((*field == '=') != answers || (only_when_set && event->arg[i] == 0))
            continue;
        add(line, " %s=", strcmp(field, "=new fd") == 0 ? "new" : field + answers);
        add_value(line, event, field + answers, event->arg[i]);
    }
}

const char *tl_trace_format_event(const struct tl_trace_event *event, enum tl_trace_side side,
                                  size_t blob_max, char *text, size_t size)
{
    const struct tl_trace_row *row = &tl_trace_rows[event->kind];
    struct line line = {.text = text, .size = size};
    bool whole = side == TL_SIDE_TRACE;
    bool answered = (strncmp(row->blob, "in:", 3) == 0 && event->kind != TL_TRACE_INFO) ||
                    strncmp(row->blob, "raddr:", 6) == 0; /* info's begins with the question */

    *text = '\0';
    add(&line, "%s", row->name);
    if (row->fields & TL_FIELD_OBJECT)
        add_object(&line, row->object, event->object, side);
    add_args(&line, event, false);
    if (*row->blob != '\0' && !answered)
        add_blob(&line, event, blob_max);
    if (whole && (row->fields & TL_FIELD_RESULT)) {
        if (event->result < 0 && event->kind > TL_TRACE_WALL)
            add(&line, " -> %s", tl_err_name((int)event->result));
        else
            add(&line, " -> %" PRId64, event->result);
    }
    if (whole && event->result >= 0)
        add_args(&line, event, true);
    if (whole && answered)
        add_blob(&line, event, blob_max);
    return text;
}

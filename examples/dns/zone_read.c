/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading zones: a line at a time, a word at a time. See zone.h for what is read.
 *
 * Of the format of RFC 1035, 5 there is what fits into a line: no parentheses, no escapes but those
 * of a quote and a backslash inside of quotes, no $INCLUDE.
 */
#include "zone.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message.h"

enum { WORD_MAX = 256, STRING_MAX = 255 };

/* Where reading has come to, and what holds for the lines to come. */
struct reader {
    struct dns_zone *zone;
    const char *at; /* in the line */
    const char *end;
    unsigned line;
    char *error;
    size_t error_size;
    char word[WORD_MAX]; /* the last one that was read */
    bool quoted;         /* it was in quotes */
    bool has_ttl;
    uint32_t ttl;
    char origin[DNS_TEXT_MAX]; /* "": none yet */
    char owner[DNS_TEXT_MAX];  /* of the record before; "": none yet */
    uint8_t data[DNS_DATA_MAX];
    size_t len;
    char target[DNS_TEXT_MAX];
};

/* Writes down what is wrong with the line. Always -EINVAL. */
static int complain(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int complain(struct reader *reader, const char *format, ...)
{
    va_list args;
    int len = snprintf(reader->error, reader->error_size, "line %u: ", reader->line);
    va_start(args, format);
    if (len > 0 && (size_t)len < reader->error_size)
        (void)vsnprintf(reader->error + len, reader->error_size - (size_t)len, format, args);
    va_end(args);
    return -EINVAL;
}

/* --- Words ------------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int take_char(struct reader *reader, size_t len, char c)
{
    if (len == WORD_MAX - 1)
        return complain(reader, "a word of more than %d characters", STRING_MAX);
    if (c == '\0')
        return complain(reader, "a character that is none");
    reader->word[len] = c;
    return 0;
}

/* Behind the first quote. */
static int take_quoted(struct reader *reader)
{
    size_t len = 0;
    for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\' && reader->end - reader->at > 1)
            reader->at++;
        if (take_char(reader, len++, *reader->at) < 0)
            return -EINVAL;
    }
    if (reader->at == reader->end)
        return complain(reader, "a quotation mark is missing");
    reader->at++;
    reader->word[len] = '\0';
    return 1;
}

/* 1 with the next word, 0 at the end of the line, or -EINVAL. */
static int next(struct reader *reader)
{
    size_t len = 0;
    while (reader->at < reader->end && is_blank(*reader->at))
        reader->at++;
    if (reader->at == reader->end || *reader->at == ';')
        return 0;
    reader->quoted = *reader->at == '"';
    if (reader->quoted) {
        reader->at++;
        return take_quoted(reader);
    }
    for (; reader->at < reader->end && !is_blank(*reader->at) && *reader->at != ';'; reader->at++)
        if (take_char(reader, len++, *reader->at) < 0)
            return -EINVAL;
    reader->word[len] = '\0';
    return 1;
}

/* The same where there has to be one: 0 or -EINVAL. */
static int need(struct reader *reader, const char *what)
{
    int r = next(reader);
    if (r == 0)
        return complain(reader, "%s is missing", what);
    return r < 0 ? r : 0;
}

static bool word_is_number(const struct reader *reader)
{
    return reader->word[0] != '\0' && reader->word[strspn(reader->word, "0123456789")] == '\0';
}

/* The word as a number of 32 bits. */
static int number_of_word(struct reader *reader, const char *what, uint32_t *ret)
{
    if (word_is_number(reader) && strlen(reader->word) <= 10) {
        unsigned long long number = strtoull(reader->word, NULL, 10);
        *ret = (uint32_t)number;
        if (number <= UINT32_MAX)
            return 0;
    }
    return complain(reader, "the %s '%s' is not a number of 32 bits", what, reader->word);
}

/* The word as a name, in full. */
static int name_of_word(struct reader *reader, char *ret)
{
    const char *word = reader->word, *origin = reader->origin;
    uint8_t labels[DNS_NAME_MAX];
    size_t len = strlen(word);
    char name[WORD_MAX + 1 + DNS_TEXT_MAX];
    bool whole = len > 1 && word[len - 1] == '.';
    bool is_origin = strcmp(word, "@") == 0;
    if (!whole && origin[0] == '\0')
        return complain(reader, "'%s' needs a dot at its end, or an $ORIGIN before it", word);
    if (whole)
        (void)snprintf(name, sizeof name, "%.*s", (int)len - 1, word);
    else
        (void)snprintf(name, sizeof name, "%s%s%s", is_origin ? "" : word, is_origin ? "" : ".",
                       origin);
    len = strlen(name);
    if (strstr(name, "..") != NULL || name[0] == '.' || name[len - 1] == '.' ||
        len >= DNS_TEXT_MAX || dns_name_write(labels, name) < 2)
        return complain(reader, "'%s' is not a name", word);
    memcpy(ret, name, len + 1);
    return 0;
}

/* --- Data ------------------------------------------------------------------------------------- */

static int add_data(struct reader *reader, const void *data, size_t len)
{
    if (len > sizeof reader->data - reader->len)
        return complain(reader, "more than %d bytes of data", DNS_DATA_MAX);
    memcpy(reader->data + reader->len, data, len);
    reader->len += len;
    return 0;
}

static int read_address(struct reader *reader, enum tl_family family, size_t len)
{
    tl_addr addr;
    if (need(reader, "the address") < 0)
        return -EINVAL;
    if (tl_addr_parse(reader->word, 0, &addr) < 0 || addr.family != family || addr.scope != 0)
        return complain(reader, "'%s' is not an address of IPv%d", reader->word,
                        family == TL_FAMILY_INET ? 4 : 6);
    return add_data(reader, addr.data, len);
}

static int read_target(struct reader *reader)
{
    if (need(reader, "the name") < 0)
        return -EINVAL;
    return name_of_word(reader, reader->target);
}

static int read_strings(struct reader *reader)
{
    int r = need(reader, "the text");
    if (r < 0)
        return r;
    do {
        uint8_t len = (uint8_t)strlen(reader->word);
        if (add_data(reader, &len, 1) < 0 || add_data(reader, reader->word, len) < 0)
            return -EINVAL;
        r = next(reader);
    } while (r > 0);
    return r;
}

static int read_soa(struct reader *reader)
{
    static const char *const names[] = {"the first server", "the mailbox"};
    static const char *const numbers[] = {"serial", "refresh", "retry", "expire", "minimum"};
    for (size_t i = 0; i < 2; i++) {
        char name[DNS_TEXT_MAX];
        uint8_t labels[DNS_NAME_MAX];
        if (need(reader, names[i]) < 0 || name_of_word(reader, name) < 0)
            return -EINVAL;
        size_t len = dns_name_write(labels, name);
        if (add_data(reader, labels, len) < 0)
            return -EINVAL;
    }
    for (size_t i = 0; i < 5; i++) {
        uint32_t number = 0;
        if (need(reader, numbers[i]) < 0 || number_of_word(reader, numbers[i], &number) < 0)
            return -EINVAL;
        const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                 (uint8_t)(number >> 8), (uint8_t)number};
        if (add_data(reader, bytes, sizeof bytes) < 0)
            return -EINVAL;
    }
    return 0;
}

static int read_data(struct reader *reader, uint16_t type)
{
    reader->len = 0;
    reader->target[0] = '\0';
    switch (type) {
    case DNS_A:
        return read_address(reader, TL_FAMILY_INET, 4);
    case DNS_AAAA:
        return read_address(reader, TL_FAMILY_INET6, 16);
    case DNS_TXT:
        return read_strings(reader);
    case DNS_SOA:
        return read_soa(reader);
    default:
        return read_target(reader);
    }
}

/* --- Records ---------------------------------------------------------------------------------- */

/* 0 for what is no type that there is here. */
static uint16_t type_of_word(const struct reader *reader)
{
    static const struct {
        const char *name;
        uint16_t type;
    } types[] = {{"A", DNS_A},   {"AAAA", DNS_AAAA}, {"CNAME", DNS_CNAME},
                 {"NS", DNS_NS}, {"SOA", DNS_SOA},   {"TXT", DNS_TXT}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!reader->quoted && strcasecmp(reader->word, types[i].name) == 0)
            return types[i].type;
    return 0;
}

/* A time to live and a class, either or both, and then the type. */
static int read_type(struct reader *reader, uint32_t *ret_ttl, uint16_t *ret_type)
{
    bool has_ttl = reader->has_ttl;
    *ret_ttl = reader->ttl;
    for (;;) {
        if (need(reader, "the type") < 0)
            return -EINVAL;
        if (word_is_number(reader)) {
            if (number_of_word(reader, "time to live", ret_ttl) < 0)
                return -EINVAL;
            has_ttl = true;
        } else if (strcasecmp(reader->word, "IN") != 0) {
            break;
        }
    }
    *ret_type = type_of_word(reader);
    if (*ret_type == 0)
        return complain(reader, "'%s' is no type of records that is served", reader->word);
    return has_ttl ? 0 : complain(reader, "there is no time to live, and no $TTL before");
}

/* What a record must not be, given those before it. */
static int check_record(struct reader *reader, uint16_t type)
{
    const struct dns_zone *zone = reader->zone;
    uint8_t owner[DNS_NAME_MAX];
    (void)dns_name_write(owner, reader->owner);
    if ((zone->soa == NULL) != (type == DNS_SOA))
        return complain(reader, zone->soa == NULL ? "the first record is not the zone's SOA"
                                                  : "a zone has only one SOA");
    if (zone->soa != NULL && !dns_name_within(owner, zone->soa->name))
        return complain(reader, "'%s' is not in the zone '%s'", reader->owner, zone->soa->name);
    if (zone->soa != NULL && type == DNS_CNAME && dns_name_is(owner, zone->soa->name))
        return complain(reader, "the zone itself cannot be an alias");
    for (const struct dns_record *other = zone->records; other != NULL; other = other->next)
        if ((type == DNS_CNAME || other->type == DNS_CNAME) && dns_name_is(owner, other->name))
            return complain(reader, "'%s' is an alias, and has another record", reader->owner);
    return 0;
}

static int add_record(struct reader *reader, uint16_t type, uint32_t ttl)
{
    struct dns_zone *zone = reader->zone;
    struct dns_record *record = malloc(sizeof *record + reader->len);
    if (record == NULL)
        return -ENOMEM;
    *record = (struct dns_record){.ttl = ttl, .type = type, .len = (uint16_t)reader->len};
    memcpy(record->name, reader->owner, sizeof record->name);
    memcpy(record->target, reader->target, sizeof record->target);
    memcpy(record->data, reader->data, reader->len);
    if (type == DNS_SOA) {
        zone->soa = record;
        return 0;
    }
    *zone->end = record;
    zone->end = &record->next;
    return 0;
}

static int nothing_more(struct reader *reader)
{
    int r = next(reader);
    return r > 0 ? complain(reader, "'%s' is too much", reader->word) : r;
}

static int read_record(struct reader *reader)
{
    uint16_t type;
    uint32_t ttl;
    if (read_type(reader, &ttl, &type) < 0 || read_data(reader, type) < 0 ||
        nothing_more(reader) < 0 || check_record(reader, type) < 0)
        return -EINVAL;
    return add_record(reader, type, ttl);
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* What begins with a dollar. */
static int read_directive(struct reader *reader)
{
    if (strcasecmp(reader->word, "$ORIGIN") == 0) {
        if (need(reader, "the origin") < 0 || name_of_word(reader, reader->origin) < 0)
            return -EINVAL;
    } else if (strcasecmp(reader->word, "$TTL") == 0) {
        if (need(reader, "the time to live") < 0 ||
            number_of_word(reader, "time to live", &reader->ttl) < 0)
            return -EINVAL;
        reader->has_ttl = true;
    } else {
        return complain(reader, "'%s' is not known here", reader->word);
    }
    return nothing_more(reader);
}

static int read_line(struct reader *reader)
{
    const char *start = reader->at;
    bool same_owner = start < reader->end && is_blank(*start);
    int r = next(reader);
    if (r <= 0)
        return r;
    if (same_owner) {
        reader->at = start;
        if (reader->owner[0] == '\0')
            return complain(reader, "there is no name before that this could belong to");
    } else if (reader->word[0] == '$') {
        return read_directive(reader);
    } else if (name_of_word(reader, reader->owner) < 0) {
        return -EINVAL;
    }
    return read_record(reader);
}

static int read_all(struct reader *reader, const char *text, size_t len)
{
    const char *end = text + len;
    int r = 0;
    while (text < end && r == 0) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        reader->line++;
        reader->at = text;
        reader->end = newline != NULL ? newline : end;
        text = newline != NULL ? newline + 1 : end;
        r = read_line(reader);
    }
    if (r == 0 && reader->zone->soa == NULL)
        return complain(reader, "the text ends without an SOA");
    return r;
}

int dns_zone_parse(struct dns_zone *zone, const char *text, size_t len, char *error, size_t size)
{
    struct reader *reader = calloc(1, sizeof *reader); /* large for the stack of a simulated one */
    *zone = (struct dns_zone){.soa = NULL};
    zone->end = &zone->records;
    (void)snprintf(error, size, "%s", tl_strerror(-ENOMEM));
    if (reader == NULL)
        return -ENOMEM;
    reader->zone = zone;
    reader->error = error;
    reader->error_size = size;
    int r = read_all(reader, text, len);
    free(reader);
    if (r < 0)
        dns_zone_finish(zone);
    return r;
}

void dns_zone_finish(struct dns_zone *zone)
{
    while (zone->records != NULL) {
        struct dns_record *record = zone->records;
        zone->records = record->next;
        free(record);
    }
    free(zone->soa);
    *zone = (struct dns_zone){.soa = NULL};
}

/* --- Files ------------------------------------------------------------------------------------ */

int dns_zone_load(struct dns_zone *zone, tl_loop *loop, const char *path, char *error, size_t size)
{
    char why[DNS_ERROR_MAX];
    char *text = malloc(DNS_FILE_MAX);
    int file = text != NULL ? tl_loop_open_file(loop, path, TL_OPEN_READ, 0) : -ENOMEM;
    ssize_t len = file < 0 ? file : tl_loop_read_file(loop, file, text, DNS_FILE_MAX, 0);
    if (file >= 0)
        (void)tl_loop_close_file(loop, file);
    int r = len < 0 ? (int)len : len == DNS_FILE_MAX ? -EFBIG : 0;
    if (r == 0)
        r = dns_zone_parse(zone, text, (size_t)len, why, sizeof why);
    else
        (void)snprintf(why, sizeof why, "%s", tl_strerror(r));
    free(text);
    if (r < 0)
        (void)snprintf(error, size, "%s: %s", path, why);
    return r;
}

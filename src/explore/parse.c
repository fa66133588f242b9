/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, ranges and times, read strictly: no sign, no blank, no overflow, nothing left over.
 */
#include "explore/parse.h"

#include <errno.h>
#include <string.h>
#include <twinloop/value.h>

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* The number in text[0, len). */
static int parse_span(const char *text, size_t len, uint64_t *ret)
{
    unsigned base = 10;
    if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        len -= 2;
    }
    if (len == 0)
        return -EINVAL;
    uint64_t number = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)digit_of(text[i]);
        if (digit >= base || __builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return -EINVAL;
    }
    *ret = number;
    return 0;
}

int tl_parse_number(const char *text, uint64_t *ret)
{
    return parse_span(text, strlen(text), ret);
}

int tl_parse_seeds(const char *text, struct tl_seeds *ret)
{
    struct tl_seeds seeds;
    size_t len = strcspn(text, ":");
    if (parse_span(text, len, &seeds.first) < 0)
        return -EINVAL;
    if (text[len] == '\0')
        seeds.last = seeds.first;
    else if (tl_parse_number(text + len + 1, &seeds.last) < 0 || seeds.last < seeds.first)
        return -EINVAL;
    *ret = seeds;
    return 0;
}

int tl_parse_duration(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t length;
    } units[] = {
        {"ms", TL_MILLISECOND},
        {"s", TL_SECOND},
        {"m", 60 * TL_SECOND},
        {"h", 3600 * TL_SECOND},
    };
    size_t len = strspn(text, "0123456789");
    uint64_t number;
    if (parse_span(text, len, &number) < 0 || number == 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int64_t duration;
        if (strcmp(text + len, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, units[i].length, &duration))
            return -EINVAL;
        *ret = duration;
        return 0;
    }
    return -EINVAL;
}

uint64_t tl_seeds_count(const struct tl_seeds *seeds)
{
    uint64_t count = seeds->last - seeds->first;
    return count == UINT64_MAX ? count : count + 1;
}

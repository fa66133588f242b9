/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as Redis writes them; see number.h. Pure functions on the caller's memory.
 */
#include "number.h"

bool kv_number_parse(const char *text, size_t len, int64_t *ret)
{
    bool negative = len > 0 && text[0] == '-';
    size_t i = negative;
    int64_t number = 0;
    if (i == len)
        return false;
    if (text[i] == '0') {
        if (len != 1)
            return false;
        *ret = 0;
        return true;
    }
    /* Counting down reaches INT64_MIN, which counting up cannot. */
    for (; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, text[i] - '0', &number))
            return false;
    }
    if (!negative && number == INT64_MIN)
        return false;
    *ret = negative ? number : -number;
    return true;
}

size_t kv_number_format(int64_t number, char *text)
{
    char digits[KV_NUMBER_MAX];
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t count = 0, len = 0;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        text[len++] = '-';
    while (count > 0)
        text[len++] = digits[--count];
    return len;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key with a deadline, as a client sees it; see volatile.h.
 *
 * An answer is first read for what it says of the key as the command found it, then held against
 * what can be, and only then is the command's own effect put down.
 */
#include "volatile.h"

#include "number.h"
#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- Commands --------------------------------------------------------------------------------- */

/* Words up to a NULL. */
static void append(struct kv_buffer *command, const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    kv_reply_array(command, count);
    for (size_t i = 0; i < count; i++)
        kv_reply_text(command, words[i]);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

const char *kv_volatile_name(enum kv_volatile_op op)
{
    static const char *const names[KV_VOLATILE_OPS] = {
        [KV_VOLATILE_SET] = "SET ... PX",  [KV_VOLATILE_SET_NX] = "SET ... NX PX",
        [KV_VOLATILE_GET] = "GET",         [KV_VOLATILE_SET_GET] = "SET ... KEEPTTL GET",
        [KV_VOLATILE_EXISTS] = "EXISTS",   [KV_VOLATILE_DEL] = "DEL",
        [KV_VOLATILE_INCR] = "INCR",       [KV_VOLATILE_PTTL] = "PTTL",
        [KV_VOLATILE_PERSIST] = "PERSIST", [KV_VOLATILE_PEXPIRE] = "PEXPIRE",
    };
    return names[op];
}

/* Whole seconds are given as such. */
void kv_volatile_command(const struct kv_volatile_step *step, const char *key,
                         struct kv_buffer *command)
{
    char value[KV_NUMBER_MAX], ms[KV_NUMBER_MAX], seconds[KV_NUMBER_MAX];
    bool whole = step->ttl_ms % 1000 == 0;
    value[kv_number_format(step->value, value)] = '\0';
    ms[kv_number_format(step->ttl_ms, ms)] = '\0';
    seconds[kv_number_format(step->ttl_ms / 1000, seconds)] = '\0';
    const char *unit = whole ? "EX" : "PX", *ttl = whole ? seconds : ms;
    switch (step->op) {
    case KV_VOLATILE_SET:
        append(command, WORDS("SET", key, value, unit, ttl));
        break;
    case KV_VOLATILE_SET_NX:
        append(command, WORDS("SET", key, value, "NX", unit, ttl));
        break;
    case KV_VOLATILE_SET_GET:
        append(command, WORDS("SET", key, value, "KEEPTTL", "GET"));
        break;
    case KV_VOLATILE_PEXPIRE:
        append(command, WORDS(whole ? "EXPIRE" : "PEXPIRE", key, ttl));
        break;
    default:
        append(command, WORDS(kv_volatile_name(step->op), key));
        break;
    }
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* What an answer says of the key as the command found it. */
enum finding {
    NONSENSE, /* it is no answer to this command */
    NOTHING,
    ABSENT,
    PRESENT,
};

static bool is(const char *answer, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(answer, text, len) == 0;
}

/* The value itself, or nil. */
static enum finding read_value(const struct kv_volatile *key, const char *answer, size_t len)
{
    char text[KV_NUMBER_MAX];
    size_t digits = kv_number_format(key->value, text);
    if (is(answer, len, "$-1\r\n"))
        return ABSENT;
    bool right = len == 4 + digits + 2 && answer[0] == '$' && answer[1] == (char)('0' + digits) &&
                 memcmp(answer + 4, text, digits) == 0;
    return right ? PRESENT : NONSENSE;
}

/* A number that is one thing if the key was there and another if not. */
static enum finding read_integer(const char *answer, size_t len, int64_t present, int64_t absent)
{
    int64_t number;
    if (answer[0] != ':' || !kv_number_parse(answer + 1, len - 3, &number))
        return NONSENSE;
    return number == absent ? ABSENT : number == present ? PRESENT : NONSENSE;
}

/* What is left narrows the bounds: n milliseconds are more than n - 1 and at most n. */
static enum finding read_ttl(struct kv_volatile *key, tl_time sent, tl_time answered,
                             const char *answer, size_t len)
{
    int64_t left;
    if (answer[0] != ':' || !kv_number_parse(answer + 1, len - 3, &left))
        return NONSENSE;
    if (left == -2)
        return ABSENT;
    if (left == -1 || key->latest == TL_TIME_NEVER)
        return left == -1 && key->latest == TL_TIME_NEVER ? PRESENT : NONSENSE;
    tl_time least = sent + (left - 1) * TL_MILLISECOND + 1, most = answered + left * TL_MILLISECOND;
    if (left < 1 || least > key->latest || most < key->earliest)
        return NONSENSE;
    key->earliest = least > key->earliest ? least : key->earliest;
    key->latest = most < key->latest ? most : key->latest;
    return PRESENT;
}

static enum finding read_answer(struct kv_volatile *key, const struct kv_volatile_step *step,
                                tl_time sent, tl_time answered, const char *answer, size_t len)
{
    switch (step->op) {
    case KV_VOLATILE_SET:
        return is(answer, len, "+OK\r\n") ? NOTHING : NONSENSE;
    case KV_VOLATILE_SET_NX:
        if (is(answer, len, "+OK\r\n"))
            return ABSENT;
        return is(answer, len, "$-1\r\n") ? PRESENT : NONSENSE;
    case KV_VOLATILE_SET_GET:
    case KV_VOLATILE_GET:
        return read_value(key, answer, len);
    case KV_VOLATILE_EXISTS:
    case KV_VOLATILE_DEL:
    case KV_VOLATILE_PEXPIRE:
        return read_integer(answer, len, 1, 0);
    case KV_VOLATILE_INCR:
        return read_integer(answer, len, key->value + 1, 1);
    case KV_VOLATILE_PTTL:
        return read_ttl(key, sent, answered, answer, len);
    case KV_VOLATILE_PERSIST:
        if (key->exists && key->latest == TL_TIME_NEVER)
            return is(answer, len, ":0\r\n") ? NOTHING : NONSENSE;
        return read_integer(answer, len, 1, 0);
    case KV_VOLATILE_OPS:
        break;
    }
    return NONSENSE;
}

/* --- What can be ------------------------------------------------------------------------------ */

/* There at the latest instant at which the server can have run it. */
static bool must_be_there(const struct kv_volatile *key, tl_time answered)
{
    return key->exists && answered < key->earliest;
}

/* Gone at the earliest one; no instant is as late as TL_TIME_NEVER. */
static bool must_be_gone(const struct kv_volatile *key, tl_time sent)
{
    return !key->exists || sent >= key->latest;
}

const char *kv_volatile_wanted(const struct kv_volatile *key, tl_time sent, tl_time answered,
                               char *text)
{
    const char *what = must_be_there(key, answered) ? "one that is there"
                       : must_be_gone(key, sent)    ? "one that is gone"
                                                    : "either";
    if (!key->exists)
        (void)snprintf(text, KV_VOLATILE_TEXT_MAX, "that of a key that is not there");
    else if (key->latest == TL_TIME_NEVER)
        (void)snprintf(text, KV_VOLATILE_TEXT_MAX, "that of a key of %" PRId64, key->value);
    else
        (void)snprintf(text, KV_VOLATILE_TEXT_MAX,
                       "that of a key of %" PRId64 " which ends %" PRId64 " to %" PRId64
                       " us after this was sent, %" PRId64 " us ago: %s",
                       key->value, (key->earliest - sent) / 1000, (key->latest - sent) / 1000,
                       (answered - sent) / 1000, what);
    return text;
}

static void set(struct kv_volatile *key, int64_t value, tl_time earliest, tl_time latest)
{
    *key = (struct kv_volatile){
        .exists = true, .value = value, .earliest = earliest, .latest = latest};
}

/* The command's own effect on a key that it found as the key now says. */
static void apply(struct kv_volatile *key, const struct kv_volatile_step *step, tl_time earliest,
                  tl_time latest)
{
    bool found = key->exists;
    switch (step->op) {
    case KV_VOLATILE_SET:
        set(key, step->value, earliest, latest);
        break;
    case KV_VOLATILE_SET_NX:
        if (!found)
            set(key, step->value, earliest, latest);
        break;
    case KV_VOLATILE_SET_GET:
        set(key, step->value, found ? key->earliest : TL_TIME_NEVER,
            found ? key->latest : TL_TIME_NEVER);
        break;
    case KV_VOLATILE_INCR:
        set(key, found ? key->value + 1 : 1, found ? key->earliest : TL_TIME_NEVER,
            found ? key->latest : TL_TIME_NEVER);
        break;
    case KV_VOLATILE_DEL:
        key->exists = false;
        break;
    case KV_VOLATILE_PERSIST:
        key->earliest = key->latest = TL_TIME_NEVER;
        break;
    case KV_VOLATILE_PEXPIRE:
        key->earliest = earliest;
        key->latest = latest;
        break;
    default:
        break;
    }
}

bool kv_volatile_check(struct kv_volatile *key, const struct kv_volatile_step *step, tl_time sent,
                       tl_time answered, const char *answer, size_t len)
{
    enum finding finding = read_answer(key, step, sent, answered, answer, len);
    if (finding == NONSENSE || (finding == PRESENT && must_be_gone(key, sent)) ||
        (finding == ABSENT && must_be_there(key, answered)))
        return false;
    if (finding == ABSENT)
        key->exists = false;
    else if (finding == PRESENT && key->earliest <= sent)
        key->earliest = sent + 1;
    tl_time ttl = step->ttl_ms * TL_MILLISECOND;
    apply(key, step, sent + ttl, answered + ttl);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands on how long keys live; see commands.h.
 *
 * A deadline is an instant of the loop's clock, in nanoseconds; times to live are milliseconds. A
 * key that is set to live n of them is there until exactly n milliseconds later, and what is left
 * is rounded up, so that it is never told to live shorter than it does.
 */
#include "commands.h"

#include "reply.h"

#include <string.h>
#include <twinloop.h>

/* Redis counts from 1970, and refuses what would leave a signed number then. This is some decades
 * less than the largest of them, whatever the day. */
#define TTL_MS_MAX (INT64_MAX - ((int64_t)1 << 42))

bool kv_read_ttl(struct kv_session *session, const struct resp_arg *arg, int64_t unit_ms,
                 int64_t least, const char *command, int64_t *ret_ms)
{
    int64_t number;
    if (!kv_read_number(session, arg, &number))
        return false;
    if (__builtin_mul_overflow(number, unit_ms, &number) || number > TTL_MS_MAX || number < least) {
        kv_reply_error(session->reply, "ERR invalid expire time in '%s' command", command);
        return false;
    }
    *ret_ms = number;
    return true;
}

tl_time kv_deadline_after(const struct kv_session *session, int64_t ttl_ms)
{
    if (ttl_ms > (TL_TIME_NEVER - 1 - session->now) / TL_MILLISECOND)
        return TL_TIME_NEVER - 1;
    tl_time deadline = session->now + ttl_ms * TL_MILLISECOND;
#ifdef TL_BUG_KV_EARLY_EXPIRY
    /* Deadlines of whole milliseconds coincide, and so do the wake-ups for them. */
    deadline -= deadline % TL_MILLISECOND;
#endif
    return deadline;
}

/* --- EXPIRE and PEXPIRE ----------------------------------------------------------------------- */

enum {
    EXPIRE_NX = 1, /* only a key without a deadline */
    EXPIRE_XX = 2, /* only one with */
    EXPIRE_GT = 4, /* only to a later one: a key without has the latest of all */
    EXPIRE_LT = 8, /* only to an earlier one */
};

/* Reads what follows key and time to live, or replies that it is wrong: whether it is right. */
static bool read_expire_options(struct kv_session *session, size_t argc,
                                const struct resp_arg *argv, unsigned *ret)
{
    static const char *const words[] = {"nx", "xx", "gt", "lt"};
    const size_t count = sizeof words / sizeof *words;
    unsigned options = 0;
    for (size_t i = 3; i < argc; i++) {
        size_t n = 0;
        while (n < count && !kv_arg_is(&argv[i], words[n]))
            n++;
        if (n == count) {
            kv_reply_error(session->reply, "ERR Unsupported option %.*s",
                           (int)strnlen(argv[i].data, argv[i].len < 128 ? argv[i].len : 128),
                           argv[i].data);
            return false;
        }
        options |= 1U << n;
    }
    const char *wrong = NULL;
    if ((options & EXPIRE_NX) != 0 && options != EXPIRE_NX)
        wrong = "NX and XX, GT or LT";
    else if ((options & EXPIRE_GT) != 0 && (options & EXPIRE_LT) != 0)
        wrong = "GT and LT";
    if (wrong != NULL)
        kv_reply_error(session->reply, "ERR %s options at the same time are not compatible", wrong);
    *ret = options;
    return wrong == NULL;
}

/* Whether the options let a deadline be changed. None is as one that never comes. */
static bool may_change(unsigned options, tl_time from, tl_time to)
{
    return ((options & EXPIRE_NX) == 0 || from == TL_TIME_NEVER) &&
           ((options & EXPIRE_XX) == 0 || from != TL_TIME_NEVER) &&
           ((options & EXPIRE_GT) == 0 || to > from) && ((options & EXPIRE_LT) == 0 || to < from);
}

static void expire(struct kv_session *session, size_t argc, const struct resp_arg *argv,
                   int64_t unit_ms, const char *command)
{
    unsigned options;
    int64_t ttl_ms;
    if (!read_expire_options(session, argc, argv, &options) ||
        !kv_read_ttl(session, &argv[2], unit_ms, INT64_MIN, command, &ttl_ms))
        return;
    struct kv_entry *entry = kv_lookup(session, &argv[1]);
    tl_time deadline = ttl_ms > 0 ? kv_deadline_after(session, ttl_ms) : session->now;
    bool change =
        entry != NULL && may_change(options, kv_store_deadline(session->store, entry), deadline);
    if (change && ttl_ms <= 0) {
        kv_store_remove(session->store, entry);
    } else if (change && kv_store_set_deadline(session->store, entry, deadline) < 0) {
        kv_reply_no_memory(session->reply);
        return;
    }
    kv_reply_integer(session->reply, change);
}

void kv_run_expire(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    expire(session, argc, argv, 1000, "expire");
}

void kv_run_pexpire(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    expire(session, argc, argv, 1, "pexpire");
}

void kv_run_persist(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    struct kv_entry *entry = kv_lookup(session, &argv[1]);
    bool change = entry != NULL && kv_store_deadline(session->store, entry) != TL_TIME_NEVER;
    if (change)
        (void)kv_store_set_deadline(session->store, entry, TL_TIME_NEVER);
    kv_reply_integer(session->reply, change);
}

/* --- TTL and PTTL ----------------------------------------------------------------------------- */

/* Milliseconds that a key has left; -1: no deadline, -2: no key. */
static int64_t left_ms(const struct kv_session *session, const struct resp_arg *key)
{
    const struct kv_entry *entry = kv_lookup(session, key);
    if (entry == NULL)
        return -2;
    tl_time deadline = kv_store_deadline(session->store, entry);
    return deadline == TL_TIME_NEVER ? -1 : (deadline - session->now - 1) / TL_MILLISECOND + 1;
}

void kv_run_pttl(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    kv_reply_integer(session->reply, left_ms(session, &argv[1]));
}

void kv_run_ttl(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    int64_t left = left_ms(session, &argv[1]);
    kv_reply_integer(session->reply, left > 0 ? (left + 500) / 1000 : left);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands on values that are numbers; see commands.h. A number is what number.h says, kept as
 * its text like any other value; one that is not there counts as 0. Deadlines stay.
 */
#include "commands.h"

#include "number.h"
#include "reply.h"

bool kv_read_number(struct kv_session *session, const struct resp_arg *arg, int64_t *ret)
{
    if (kv_number_parse(arg->data, arg->len, ret))
        return true;
    kv_reply_error(session->reply, "ERR value is not an integer or out of range");
    return false;
}

static void add(struct kv_session *session, const struct resp_arg *key, int64_t increment)
{
    char text[KV_NUMBER_MAX];
    int64_t number = 0;
    tl_time deadline = TL_TIME_NEVER;
    const struct kv_entry *entry = kv_lookup(session, key);
    if (entry != NULL) {
        const struct resp_arg value = {.data = entry->value, .len = entry->value_len};
        if (!kv_read_number(session, &value, &number))
            return;
        deadline = kv_store_deadline(session->store, entry);
    }
    if (__builtin_add_overflow(number, increment, &number))
        kv_reply_error(session->reply, "ERR increment or decrement would overflow");
    else if (kv_set(session, key, text, kv_number_format(number, text), deadline))
        kv_reply_integer(session->reply, number);
}

void kv_run_incr(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    add(session, &argv[1], 1);
}

void kv_run_decr(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    add(session, &argv[1], -1);
}

void kv_run_incrby(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    int64_t increment;
    if (kv_read_number(session, &argv[2], &increment))
        add(session, &argv[1], increment);
}

/* The smallest number has no opposite to be added instead. */
void kv_run_decrby(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    int64_t decrement;
    if (!kv_read_number(session, &argv[2], &decrement))
        return;
    if (decrement == INT64_MIN)
        kv_reply_error(session->reply, "ERR decrement would overflow");
    else
        add(session, &argv[1], -decrement);
}

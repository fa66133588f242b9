/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands on keys and values; see commands.h. Each is its rows of Redis's manual, no more.
 */
#include "commands.h"

#include "reply.h"

struct kv_entry *kv_lookup(const struct kv_session *session, const struct resp_arg *key)
{
    return kv_store_find(session->store, key->data, key->len, session->now);
}

void kv_reply_no_memory(struct kv_buffer *reply)
{
    kv_reply_error(reply, "OOM out of memory");
}

bool kv_set(struct kv_session *session, const struct resp_arg *key, const char *value, size_t len,
            tl_time deadline)
{
    if (kv_store_set(session->store, key->data, key->len, value, len, deadline) == 0)
        return true;
    kv_reply_no_memory(session->reply);
    return false;
}

static void reply_value(struct kv_session *session, const struct kv_entry *entry)
{
    if (entry == NULL)
        kv_reply_nil(session->reply);
    else
        kv_reply_bulk(session->reply, entry->value, entry->value_len);
}

void kv_run_get(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    reply_value(session, kv_lookup(session, &argv[1]));
}

/* --- SET -------------------------------------------------------------------------------------- */

enum {
    SET_NX = 1,
    SET_XX = 2,
    SET_GET = 4,
    SET_KEEPTTL = 8,
    SET_EX = 16,
    SET_PX = 32,
};

/* What SET was asked for. */
struct set_request {
    unsigned options;
    const struct resp_arg *ttl; /* of EX or PX */
};

/* Reads what follows key and value: whether that is well-formed. */
static bool read_set_options(size_t argc, const struct resp_arg *argv, struct set_request *ret)
{
    static const struct {
        const char *word;
        unsigned option, excludes;
    } options[] = {
        {"nx", SET_NX, SET_XX},
        {"xx", SET_XX, SET_NX},
        {"get", SET_GET, 0},
        {"keepttl", SET_KEEPTTL, SET_EX | SET_PX},
        {"ex", SET_EX, SET_KEEPTTL | SET_PX},
        {"px", SET_PX, SET_KEEPTTL | SET_EX},
    };
    const size_t count = sizeof options / sizeof *options;
    *ret = (struct set_request){0};
    for (size_t i = 3; i < argc; i++) {
        size_t n = 0;
        while (n < count && !kv_arg_is(&argv[i], options[n].word))
            n++;
        if (n == count || (ret->options & options[n].excludes) != 0)
            return false;
        ret->options |= options[n].option;
        if ((options[n].option & (SET_EX | SET_PX)) != 0) {
            if (++i == argc)
                return false;
            ret->ttl = &argv[i];
        }
    }
    return true;
}

/* Sets a key, or not, as NX and XX say. The old value, for GET, is in the reply before it is gone,
 * and taken back if the new one cannot be kept. */
static void set_as_asked(struct kv_session *session, const struct resp_arg *argv, unsigned options,
                         tl_time deadline)
{
    size_t start = session->reply->len;
    const struct kv_entry *entry = kv_lookup(session, &argv[1]);
    if ((options & SET_GET) != 0)
        reply_value(session, entry);
    if ((options & (entry != NULL ? SET_NX : SET_XX)) != 0) {
        if ((options & SET_GET) == 0)
            kv_reply_nil(session->reply);
        return;
    }
    if ((options & SET_KEEPTTL) != 0 && entry != NULL)
        deadline = kv_store_deadline(session->store, entry);
    if (kv_store_set(session->store, argv[1].data, argv[1].len, argv[2].data, argv[2].len,
                     deadline) < 0) {
        session->reply->len = start;
        kv_reply_no_memory(session->reply);
    } else if ((options & SET_GET) == 0) {
        kv_reply_status(session->reply, "OK");
    }
}

void kv_run_set(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    struct set_request request;
    tl_time deadline = TL_TIME_NEVER;
    if (!read_set_options(argc, argv, &request)) {
        kv_reply_error(session->reply, "ERR syntax error");
        return;
    }
    if (request.ttl != NULL) {
        int64_t ttl_ms, unit_ms = (request.options & SET_EX) != 0 ? 1000 : 1;
        if (!kv_read_ttl(session, request.ttl, unit_ms, 1, "set", &ttl_ms))
            return;
        deadline = kv_deadline_after(session, ttl_ms);
    }
    set_as_asked(session, argv, request.options, deadline);
}

void kv_run_getset(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    set_as_asked(session, argv, SET_GET, TL_TIME_NEVER);
}

/* --- Values ----------------------------------------------------------------------------------- */

/* The deadline stays. */
void kv_run_append(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    struct kv_entry *entry = kv_lookup(session, &argv[1]);
    size_t len = argv[2].len + (entry != NULL ? entry->value_len : 0);
    if (entry == NULL) {
        if (!kv_set(session, &argv[1], argv[2].data, argv[2].len, TL_TIME_NEVER))
            return;
    } else if (len > RESP_BULK_MAX) {
        kv_reply_error(session->reply,
                       "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    } else if (kv_store_append(session->store, entry, argv[2].data, argv[2].len) < 0) {
        kv_reply_no_memory(session->reply);
        return;
    }
    kv_reply_integer(session->reply, (int64_t)len);
}

void kv_run_strlen(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    const struct kv_entry *entry = kv_lookup(session, &argv[1]);
    kv_reply_integer(session->reply, entry != NULL ? (int64_t)entry->value_len : 0);
}

void kv_run_mget(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    kv_reply_array(session->reply, argc - 1);
    for (size_t i = 1; i < argc; i++)
        reply_value(session, kv_lookup(session, &argv[i]));
}

void kv_run_mset(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    if (argc % 2 == 0) {
        kv_reply_error(session->reply, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    for (size_t i = 1; i < argc; i += 2)
        if (!kv_set(session, &argv[i], argv[i + 1].data, argv[i + 1].len, TL_TIME_NEVER))
            return;
    kv_reply_status(session->reply, "OK");
}

/* --- Keys ------------------------------------------------------------------------------------- */

void kv_run_del(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    int64_t deleted = 0;
    for (size_t i = 1; i < argc; i++) {
        struct kv_entry *entry = kv_lookup(session, &argv[i]);
        if (entry != NULL)
            kv_store_remove(session->store, entry);
        deleted += entry != NULL;
    }
    kv_reply_integer(session->reply, deleted);
}

/* A key that is named twice counts twice. */
void kv_run_exists(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    int64_t found = 0;
    for (size_t i = 1; i < argc; i++)
        found += kv_lookup(session, &argv[i]) != NULL;
    kv_reply_integer(session->reply, found);
}

void kv_run_type(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    kv_reply_status(session->reply, kv_lookup(session, &argv[1]) != NULL ? "string" : "none");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands about the connection and the server; see commands.h.
 *
 * redis-benchmark asks CONFIG GET before it does anything else, to print how the server is set up.
 */
#include "commands.h"

#include "number.h"
#include "reply.h"

void kv_run_ping(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    if (argc > 2)
        kv_reply_error(session->reply, "ERR wrong number of arguments for 'ping' command");
    else if (argc == 2)
        kv_reply_bulk(session->reply, argv[1].data, argv[1].len);
    else
        kv_reply_status(session->reply, "PONG");
}

void kv_run_echo(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    kv_reply_bulk(session->reply, argv[1].data, argv[1].len);
}

void kv_run_quit(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    kv_reply_status(session->reply, "OK");
    session->ended = true;
}

/* The index is an int to Redis, which says so. */
void kv_run_select(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    int64_t index;
    if (!kv_read_number(session, &argv[1], &index))
        return;
    if (index < INT32_MIN || index > INT32_MAX) {
        kv_reply_error(session->reply, "ERR value is out of range, value must between %d and %d",
                       INT32_MIN, INT32_MAX);
    } else if (index < 0 || index >= KV_DATABASES) {
        kv_reply_error(session->reply, "ERR DB index is out of range");
    } else {
        session->store = &session->databases[index];
        kv_reply_status(session->reply, "OK");
    }
}

/* --- CLIENT ----------------------------------------------------------------------------------- */

void kv_run_client_getname(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    if (session->name.len == 0)
        kv_reply_nil(session->reply);
    else
        kv_reply_bulk(session->reply, session->name.data, session->name.len);
}

void kv_run_client_setname(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    for (size_t i = 0; i < argv[2].len; i++)
        if (argv[2].data[i] < '!' || argv[2].data[i] > '~') {
            kv_reply_error(session->reply, "ERR Client names cannot contain spaces, newlines or "
                                           "special characters.");
            return;
        }
    kv_buffer_clear(&session->name, 0);
    kv_buffer_append(&session->name, argv[2].data, argv[2].len);
    if (session->name.failed)
        kv_reply_no_memory(session->reply);
    else
        kv_reply_status(session->reply, "OK");
}

/* Client libraries tell their name and version; nothing here wants to know. */
void kv_run_client_setinfo(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    kv_reply_status(session->reply, "OK");
}

/* --- CONFIG ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *value;
} config[] = {
    {"appendonly", "no"}, {"databases", "16"},
    {"maxmemory", "0"},   {"proto-max-bulk-len", "536870912"},
    {"save", ""},
};

void kv_run_config_get(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    bool wanted[sizeof config / sizeof *config] = {false};
    size_t count = 0;
    for (size_t i = 0; i < sizeof config / sizeof *config; i++) {
        for (size_t j = 2; j < argc; j++)
            wanted[i] |= kv_arg_is(&argv[j], "*") || kv_arg_is(&argv[j], config[i].name);
        count += wanted[i];
    }
    kv_reply_array(session->reply, 2 * count);
    for (size_t i = 0; i < sizeof config / sizeof *config; i++)
        if (wanted[i]) {
            kv_reply_text(session->reply, config[i].name);
            kv_reply_text(session->reply, config[i].value);
        }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands on databases as wholes and on the server; see commands.h.
 *
 * INFO says what this server knows, in Redis's words where it means the same: nothing in it is made
 * up, and in a simulated world it is the same in every run of a seed.
 */
#include "commands.h"

#include "reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <twinloop.h>

/* Keys are counted only while they are there. */
void kv_run_dbsize(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    (void)kv_store_expire(session->store, session->now, SIZE_MAX);
    kv_reply_integer(session->reply, (int64_t)session->store->entries_count);
}

/* Empties count databases, unless the arguments are wrong. Both ways it is done at once. */
static void flush(struct kv_session *session, size_t argc, const struct resp_arg *argv,
                  struct kv_store *databases, size_t count)
{
    if (argc > 2 || (argc == 2 && !kv_arg_is(&argv[1], "async") && !kv_arg_is(&argv[1], "sync"))) {
        kv_reply_error(session->reply, "ERR syntax error");
        return;
    }
    for (size_t i = 0; i < count; i++)
        kv_store_finish(&databases[i]);
    kv_reply_status(session->reply, "OK");
}

void kv_run_flushall(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    flush(session, argc, argv, session->databases, KV_DATABASES);
}

void kv_run_flushdb(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    flush(session, argc, argv, session->store, 1);
}

/* --- INFO ------------------------------------------------------------------------------------- */

static void append_line(struct kv_buffer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append_line(struct kv_buffer *text, const char *format, ...)
{
    char line[128];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    kv_buffer_append_text(text, line);
    kv_buffer_append(text, "\r\n", 2);
}

static void info_server(const struct kv_session *session, struct kv_buffer *text)
{
    (void)session;
    append_line(text, "server_name:kv");
    append_line(text, "twinloop_version:%s", TL_VERSION);
    append_line(text, "redis_mode:standalone");
    append_line(text, "arch_bits:%zu", 8 * sizeof(void *));
}

static void info_clients(const struct kv_session *session, struct kv_buffer *text)
{
    append_line(text, "connected_clients:%" PRIu64, session->figures->connections);
    append_line(text, "paused_clients:%" PRIu64, session->figures->connections_paused);
    append_line(text, "client_output_peak:%zu", session->figures->output_peak);
}

static void info_memory(const struct kv_session *session, struct kv_buffer *text)
{
    size_t bytes = 0;
    for (size_t i = 0; i < KV_DATABASES; i++)
        bytes += kv_store_bytes(&session->databases[i]);
    append_line(text, "used_memory_dataset:%zu", bytes);
    append_line(text, "maxmemory:0");
}

static void info_stats(const struct kv_session *session, struct kv_buffer *text)
{
    uint64_t expired = 0;
    for (size_t i = 0; i < KV_DATABASES; i++)
        expired += session->databases[i].expired;
    append_line(text, "total_connections_received:%" PRIu64,
                session->figures->connections_received);
    append_line(text, "total_commands_processed:%" PRIu64, session->figures->commands);
    append_line(text, "expired_keys:%" PRIu64, expired);
}

static void info_keyspace(const struct kv_session *session, struct kv_buffer *text)
{
    for (size_t i = 0; i < KV_DATABASES; i++)
        if (session->databases[i].entries_count > 0)
            append_line(text, "db%zu:keys=%zu,expires=%zu", i, session->databases[i].entries_count,
                        session->databases[i].deadlines.count);
}

static const struct section {
    const char *name;
    void (*append)(const struct kv_session *session, struct kv_buffer *text);
} sections[] = {
    {"Server", info_server}, {"Clients", info_clients},   {"Memory", info_memory},
    {"Stats", info_stats},   {"Keyspace", info_keyspace},
};

/* Whether the arguments ask for a section: by its name, or for all in one of several ways. */
static bool is_asked_for(const struct section *section, size_t argc, const struct resp_arg *argv)
{
    bool asked = argc == 1;
    char name[KV_COMMAND_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s", section->name);
    name[0] = (char)(name[0] | 0x20);
    for (size_t i = 1; i < argc; i++)
        asked |= kv_arg_is(&argv[i], "all") || kv_arg_is(&argv[i], "default") ||
                 kv_arg_is(&argv[i], "everything") || kv_arg_is(&argv[i], name);
    return asked;
}

void kv_run_info(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    struct kv_buffer text = {0};
    for (size_t i = 0; i < KV_DATABASES; i++)
        (void)kv_store_expire(&session->databases[i], session->now, SIZE_MAX);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_asked_for(&sections[i], argc, argv))
            continue;
        if (text.len > 0)
            append_line(&text, "%s", "");
        append_line(&text, "# %s", sections[i].name);
        sections[i].append(session, &text);
    }
    if (text.failed)
        kv_reply_no_memory(session->reply);
    else
        kv_reply_bulk(session->reply, text.data, text.len);
    kv_buffer_finish(&text);
}

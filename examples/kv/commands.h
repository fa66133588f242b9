/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands: a table of them, and running one against a session.
 *
 * The table says of each what Redis's COMMAND and COMMAND DOCS say; dispatch, arity errors and
 * redis-cli's hints all come from it. A command appends exactly one reply, and its words, errors
 * included, are Redis's.
 */
#ifndef EXAMPLES_KV_COMMANDS_H
#define EXAMPLES_KV_COMMANDS_H

#include "buffer.h"
#include "resp.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>

/* What a server counts, for INFO. */
struct kv_figures {
    uint64_t connections;          /* open now */
    uint64_t connections_paused;   /* of them, those that do not read what they asked for */
    uint64_t connections_received; /* ever */
    uint64_t commands;             /* run, ever */
    size_t output_peak;            /* bytes queued for one connection at a time, at most, ever */
};

/* What a command sees of the connection that it came on, which embeds it. */
struct kv_session {
    struct kv_store *databases; /* the server's KV_DATABASES */
    struct kv_store *store;     /* SELECT: which of them */
    const struct kv_figures *figures;
    struct kv_buffer *reply; /* what the command appends to */
    tl_time now;             /* the instant at which the command runs */
    struct kv_buffer name;   /* CLIENT SETNAME */
    bool ended;              /* QUIT: close once the reply is sent */
};

struct kv_command {
    const char *name; /* lower case, a subcommand's as "config|get"; NULL ends a table */
    int arity;        /* arguments with the name; -N: at least N */
    void (*run)(struct kv_session *session, size_t argc, const struct resp_arg *argv);
    const struct kv_command *subcommands; /* NULL, or what the first argument picks from */
    const char *flags;                    /* separated by blanks */
    int first_key, last_key, key_step;    /* which arguments are keys; last -1: to the end */
    const char *arguments; /* names separated by commas; "[x]" may be left out, "x..." repeated */
    const char *group;
    const char *since;
    const char *summary;
};

#define KV_COMMAND_NAME_MAX 32 /* characters of the longest name, with its NUL */

extern const struct kv_command kv_commands[];

/* Runs the command that argv[0] names, or replies that there is none. argc is at least 1. */
void kv_command_run(struct kv_session *session, size_t argc, const struct resp_arg *argv);

/* What picks the command in its table: its name, or the part of it behind the bar. */
const char *kv_command_word(const struct kv_command *command);

/* The command of a table that a word picks, whatever its case, or NULL. */
const struct kv_command *kv_command_find(const struct kv_command *table,
                                         const struct resp_arg *word);

/* A name in capitals, in text, which is returned. */
const char *kv_command_shout(const char *name, char *text);

/* Whether an argument is a word, whatever its case. word is in lower case. */
bool kv_arg_is(const struct resp_arg *arg, const char *word);

/* --- Helpers of several files ----------------------------------------------------------------- */

/* The entry of a key, or NULL. */
struct kv_entry *kv_lookup(const struct kv_session *session, const struct resp_arg *key);

/* Sets a key until a deadline, or replies that it cannot: whether it could. */
bool kv_set(struct kv_session *session, const struct resp_arg *key, const char *value, size_t len,
            tl_time deadline);

/* An argument as a number, or a reply that it is none: whether it is one. */
bool kv_read_number(struct kv_session *session, const struct resp_arg *arg, int64_t *ret);

/* An argument as a time to live of least milliseconds or more, given in units of so many; or a
 * reply that it is none, as Redis words it for a command: whether it is one. */
bool kv_read_ttl(struct kv_session *session, const struct resp_arg *arg, int64_t unit_ms,
                 int64_t least, const char *command, int64_t *ret_ms);

/* The deadline of a key that lives so long from now on. What lies beyond the clock's range is at
 * its end, centuries away. */
tl_time kv_deadline_after(const struct kv_session *session, int64_t ttl_ms);

void kv_reply_no_memory(struct kv_buffer *reply);

/* --- The commands, by file -------------------------------------------------------------------- */

#define KV_RUN(name)                                                                               \
    void kv_run_##name(struct kv_session *session, size_t argc, const struct resp_arg *argv)

/* commands_data.c: keys and values. */
KV_RUN(append);
KV_RUN(del);
KV_RUN(exists);
KV_RUN(get);
KV_RUN(getset);
KV_RUN(mget);
KV_RUN(mset);
KV_RUN(set);
KV_RUN(strlen);
KV_RUN(type);

/* commands_number.c: values that are numbers. */
KV_RUN(decr);
KV_RUN(decrby);
KV_RUN(incr);
KV_RUN(incrby);

/* commands_expiry.c: how long keys live. */
KV_RUN(expire);
KV_RUN(persist);
KV_RUN(pexpire);
KV_RUN(pttl);
KV_RUN(ttl);

/* commands_connection.c: the connection, and how the server is set up. */
KV_RUN(client_getname);
KV_RUN(client_setinfo);
KV_RUN(client_setname);
KV_RUN(config_get);
KV_RUN(echo);
KV_RUN(ping);
KV_RUN(quit);
KV_RUN(select);

/* commands_server.c: the databases as wholes, and the server's figures. */
KV_RUN(dbsize);
KV_RUN(flushall);
KV_RUN(flushdb);
KV_RUN(info);

/* commands_about.c: the commands themselves. */
KV_RUN(command);
KV_RUN(command_count);
KV_RUN(command_docs);
KV_RUN(command_info);
KV_RUN(command_list);
KV_RUN(help);

#endif

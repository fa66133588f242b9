/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands, and how a request finds its row; see commands.h.
 */
#include "commands.h"

#include "reply.h"

#include <string.h>

/* clang-format off */

static const struct kv_command client_commands[] = {
    {"client|getname", 2, kv_run_client_getname, NULL, "noscript loading stale", 0, 0, 0, "",
     "connection", "2.6.9", "Get the current connection name"},
    {"client|help", 2, kv_run_help, NULL, "loading stale", 0, 0, 0, "",
     "connection", "5.0.0", "Show helpful text about the different subcommands"},
    {"client|setinfo", 4, kv_run_client_setinfo, NULL, "noscript loading stale", 0, 0, 0,
     "attribute,value", "connection", "7.2.0", "Accept information about the client"},
    {"client|setname", 3, kv_run_client_setname, NULL, "noscript loading stale", 0, 0, 0,
     "connection-name", "connection", "2.6.9", "Set the current connection name"},
    {0},
};

static const struct kv_command command_commands[] = {
    {"command|count", 2, kv_run_command_count, NULL, "loading stale", 0, 0, 0, "",
     "server", "2.8.13", "Get total number of commands"},
    {"command|docs", -2, kv_run_command_docs, NULL, "loading stale", 0, 0, 0, "[command-name...]",
     "server", "7.0.0", "Get array of specific command documentation"},
    {"command|help", 2, kv_run_help, NULL, "loading stale", 0, 0, 0, "",
     "server", "5.0.0", "Show helpful text about the different subcommands"},
    {"command|info", -2, kv_run_command_info, NULL, "loading stale", 0, 0, 0, "[command-name...]",
     "server", "2.8.13", "Get array of specific command details"},
    {"command|list", 2, kv_run_command_list, NULL, "loading stale", 0, 0, 0, "",
     "server", "7.0.0", "Get an array of command names"},
    {0},
};

static const struct kv_command config_commands[] = {
    {"config|get", -3, kv_run_config_get, NULL, "admin noscript loading stale", 0, 0, 0,
     "parameter...", "server", "2.0.0", "Get the values of configuration parameters"},
    {"config|help", 2, kv_run_help, NULL, "loading stale", 0, 0, 0, "",
     "server", "5.0.0", "Show helpful text about the different subcommands"},
    {0},
};

const struct kv_command kv_commands[] = {
    {"append", 3, kv_run_append, NULL, "write denyoom fast", 1, 1, 1, "key,value",
     "string", "2.0.0", "Append a value to a key"},
    {"client", -2, NULL, client_commands, "", 0, 0, 0, "",
     "connection", "2.4.0", "A container for client connection commands"},
    {"command", -1, kv_run_command, command_commands, "loading stale", 0, 0, 0, "",
     "server", "2.8.13", "Get array of command details"},
    {"config", -2, NULL, config_commands, "", 0, 0, 0, "",
     "server", "2.0.0", "A container for server configuration commands"},
    {"dbsize", 1, kv_run_dbsize, NULL, "readonly fast", 0, 0, 0, "",
     "server", "1.0.0", "Return the number of keys in the selected database"},
    {"decr", 2, kv_run_decr, NULL, "write denyoom fast", 1, 1, 1, "key",
     "string", "1.0.0", "Decrement the integer value of a key by one"},
    {"decrby", 3, kv_run_decrby, NULL, "write denyoom fast", 1, 1, 1, "key,decrement",
     "string", "1.0.0", "Decrement the integer value of a key by the given number"},
    {"del", -2, kv_run_del, NULL, "write", 1, -1, 1, "key...",
     "generic", "1.0.0", "Delete a key"},
    {"echo", 2, kv_run_echo, NULL, "fast", 0, 0, 0, "message",
     "connection", "1.0.0", "Echo the given string"},
    {"exists", -2, kv_run_exists, NULL, "readonly fast", 1, -1, 1, "key...",
     "generic", "1.0.0", "Determine if a key exists"},
    {"expire", -3, kv_run_expire, NULL, "write fast", 1, 1, 1, "key,seconds,[NX|XX|GT|LT]",
     "generic", "1.0.0", "Set a key's time to live in seconds"},
    {"flushall", -1, kv_run_flushall, NULL, "write", 0, 0, 0, "[ASYNC|SYNC]",
     "server", "1.0.0", "Remove all keys from all databases"},
    {"flushdb", -1, kv_run_flushdb, NULL, "write", 0, 0, 0, "[ASYNC|SYNC]",
     "server", "1.0.0", "Remove all keys from the current database"},
    {"get", 2, kv_run_get, NULL, "readonly fast", 1, 1, 1, "key",
     "string", "1.0.0", "Get the value of a key"},
    {"getset", 3, kv_run_getset, NULL, "write denyoom fast", 1, 1, 1, "key,value",
     "string", "1.0.0", "Set the string value of a key and return its old value"},
    {"incr", 2, kv_run_incr, NULL, "write denyoom fast", 1, 1, 1, "key",
     "string", "1.0.0", "Increment the integer value of a key by one"},
    {"incrby", 3, kv_run_incrby, NULL, "write denyoom fast", 1, 1, 1, "key,increment",
     "string", "1.0.0", "Increment the integer value of a key by the given amount"},
    {"info", -1, kv_run_info, NULL, "loading stale", 0, 0, 0, "[section...]",
     "server", "1.0.0", "Get information and statistics about the server"},
    {"mget", -2, kv_run_mget, NULL, "readonly fast", 1, -1, 1, "key...",
     "string", "1.0.0", "Get the values of all the given keys"},
    {"mset", -3, kv_run_mset, NULL, "write denyoom", 1, -1, 2, "key value...",
     "string", "1.0.1", "Set multiple keys to multiple values"},
    {"persist", 2, kv_run_persist, NULL, "write fast", 1, 1, 1, "key",
     "generic", "2.2.0", "Remove the expiration from a key"},
    {"pexpire", -3, kv_run_pexpire, NULL, "write fast", 1, 1, 1, "key,milliseconds,[NX|XX|GT|LT]",
     "generic", "2.6.0", "Set a key's time to live in milliseconds"},
    {"ping", -1, kv_run_ping, NULL, "fast", 0, 0, 0, "[message]",
     "connection", "1.0.0", "Ping the server"},
    {"pttl", 2, kv_run_pttl, NULL, "readonly fast", 1, 1, 1, "key",
     "generic", "2.6.0", "Get the time to live for a key in milliseconds"},
    {"quit", -1, kv_run_quit, NULL, "noscript loading stale fast", 0, 0, 0, "",
     "connection", "1.0.0", "Close the connection"},
    {"select", 2, kv_run_select, NULL, "loading stale fast", 0, 0, 0, "index",
     "connection", "1.0.0", "Change the selected database for the current connection"},
    {"set", -3, kv_run_set, NULL, "write denyoom", 1, 1, 1,
     "key,value,[NX|XX],[GET],[EX seconds|PX milliseconds|KEEPTTL]",
     "string", "1.0.0", "Set the string value of a key"},
    {"strlen", 2, kv_run_strlen, NULL, "readonly fast", 1, 1, 1, "key",
     "string", "2.2.0", "Get the length of the value stored in a key"},
    {"ttl", 2, kv_run_ttl, NULL, "readonly fast", 1, 1, 1, "key",
     "generic", "1.0.0", "Get the time to live for a key in seconds"},
    {"type", 2, kv_run_type, NULL, "readonly fast", 1, 1, 1, "key",
     "generic", "1.0.0", "Determine the type stored at key"},
    {0},
};

/* clang-format on */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

const char *kv_command_shout(const char *name, char *text)
{
    size_t i = 0;
    for (; i < KV_COMMAND_NAME_MAX - 1 && name[i] != '\0'; i++)
        text[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] & ~0x20) : name[i];
    text[i] = '\0';
    return text;
}

bool kv_arg_is(const struct resp_arg *arg, const char *word)
{
    size_t i = 0;
    while (i < arg->len && word[i] != '\0' && lower(arg->data[i]) == word[i])
        i++;
    return i == arg->len && word[i] == '\0';
}

const char *kv_command_word(const struct kv_command *command)
{
    const char *bar = strchr(command->name, '|');
    return bar != NULL ? bar + 1 : command->name;
}

const struct kv_command *kv_command_find(const struct kv_command *table,
                                         const struct resp_arg *word)
{
    if (table->name == NULL)
        return NULL;
    /* One table is of one container, whose name all names in it begin with. */
    size_t skip = (size_t)(kv_command_word(table) - table->name);
    char first = word->len > 0 ? lower(word->data[0]) : '\0';
    for (; table->name != NULL; table++)
        if (table->name[skip] == first && kv_arg_is(word, table->name + skip))
            return table;
    return NULL;
}

/* Up to max bytes of an argument as text: it ends at its first NUL. */
static int text_len(const struct resp_arg *arg, size_t max)
{
    return (int)strnlen(arg->data, arg->len < max ? arg->len : max);
}

static void reply_unknown(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    char args[256];
    size_t len = 0;
    args[0] = '\0';
    for (size_t i = 1; i < argc && len < 128; i++) {
        int shown = text_len(&argv[i], 128 - len);
        args[len++] = '\'';
        memcpy(args + len, argv[i].data, (size_t)shown);
        len += (size_t)shown;
        memcpy(args + len, "' ", 3);
        len += 2;
    }
    kv_reply_error(session->reply, "ERR unknown command '%.*s', with args beginning with: %s",
                   text_len(&argv[0], 128), argv[0].data, args);
}

static void reply_unknown_subcommand(struct kv_session *session, const struct kv_command *container,
                                     const struct resp_arg *word)
{
    char name[KV_COMMAND_NAME_MAX];
    kv_reply_error(session->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                   text_len(word, 128), word->data, kv_command_shout(container->name, name));
}

static bool arity_fits(const struct kv_command *command, size_t argc)
{
    return command->arity >= 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
}

void kv_command_run(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    const struct kv_command *command = kv_command_find(kv_commands, &argv[0]);
    if (command == NULL) {
        reply_unknown(session, argc, argv);
        return;
    }
    if (command->subcommands != NULL && argc > 1) {
        const struct kv_command *container = command;
        command = kv_command_find(container->subcommands, &argv[1]);
        if (command == NULL) {
            reply_unknown_subcommand(session, container, &argv[1]);
            return;
        }
    }
    if (arity_fits(command, argc))
        command->run(session, argc, argv);
    else
        kv_reply_error(session->reply, "ERR wrong number of arguments for '%s' command",
                       command->name);
}

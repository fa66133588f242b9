/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands about the commands; see commands.h. redis-cli asks COMMAND DOCS as it starts, for
 * its hints and its help; other clients ask COMMAND where a command's keys are.
 */
#include "commands.h"

#include "reply.h"

#include <string.h>

static size_t table_count(const struct kv_command *table)
{
    size_t count = 0;
    while (table != NULL && table[count].name != NULL)
        count++;
    return count;
}

/* The next of a list's items: *item of the returned length; false behind the last one. */
static bool next_item(const char **list, char separator, const char **ret_item, size_t *ret_len)
{
    if (**list == '\0')
        return false;
    *ret_item = *list;
    *ret_len = strcspn(*list, (const char[]){separator, '\0'});
    *list += *ret_len + ((*list)[*ret_len] != '\0');
    return true;
}

static size_t items_count(const char *list, char separator)
{
    const char *item;
    size_t len, count = 0;
    while (next_item(&list, separator, &item, &len))
        count++;
    return count;
}

/* The six facts that every version of Redis begins with. */
static void reply_details(struct kv_buffer *reply, const struct kv_command *command)
{
    const char *flags = command->flags, *flag;
    size_t len;
    kv_reply_array(reply, 6);
    kv_reply_text(reply, command->name);
    kv_reply_integer(reply, command->arity);
    kv_reply_array(reply, items_count(flags, ' '));
    while (next_item(&flags, ' ', &flag, &len)) {
        kv_buffer_append(reply, "+", 1);
        kv_buffer_append(reply, flag, len);
        kv_buffer_append(reply, "\r\n", 2);
    }
    kv_reply_integer(reply, command->first_key);
    kv_reply_integer(reply, command->last_key);
    kv_reply_integer(reply, command->key_step);
}

void kv_run_command(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    kv_reply_array(session->reply, table_count(kv_commands));
    for (const struct kv_command *command = kv_commands; command->name != NULL; command++)
        reply_details(session->reply, command);
}

void kv_run_command_count(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    kv_reply_integer(session->reply, (int64_t)table_count(kv_commands));
}

void kv_run_command_list(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc, (void)argv;
    kv_reply_array(session->reply, table_count(kv_commands));
    for (const struct kv_command *command = kv_commands; command->name != NULL; command++)
        kv_reply_text(session->reply, command->name);
}

void kv_run_command_info(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    if (argc == 2) {
        kv_run_command(session, argc, argv);
        return;
    }
    kv_reply_array(session->reply, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        const struct kv_command *command = kv_command_find(kv_commands, &argv[i]);
        if (command != NULL)
            reply_details(session->reply, command);
        else
            kv_reply_nil_array(session->reply);
    }
}

/* "key" is one that must be there, "[x]" may be left out, "x..." may be repeated. */
static void reply_argument(struct kv_buffer *reply, const char *item, size_t len)
{
    bool optional = item[0] == '[';
    if (optional)
        item++, len -= 2;
    bool multiple = len > 3 && memcmp(item + len - 3, "...", 3) == 0;
    if (multiple)
        len -= 3;
    kv_reply_array(reply, optional || multiple ? 6 : 4);
    kv_reply_text(reply, "name");
    kv_reply_bulk(reply, item, len);
    kv_reply_text(reply, "type");
    kv_reply_text(reply, len == 3 && memcmp(item, "key", 3) == 0 ? "key" : "string");
    if (optional || multiple) {
        kv_reply_text(reply, "flags");
        kv_reply_array(reply, (size_t)optional + multiple);
        if (optional)
            kv_reply_status(reply, "optional");
        if (multiple)
            kv_reply_status(reply, "multiple");
    }
}

static void reply_pair(struct kv_buffer *reply, const char *key, const char *value)
{
    kv_reply_text(reply, key);
    kv_reply_text(reply, value);
}

/* A command's name, and a map of what is known about it. */
static void reply_docs(struct kv_buffer *reply, const struct kv_command *command)
{
    const char *arguments = command->arguments, *item;
    size_t len, subcommands = table_count(command->subcommands);
    kv_reply_text(reply, command->name);
    kv_reply_array(reply, 6 + (*arguments != '\0' ? 2 : 0) + (subcommands > 0 ? 2 : 0));
    reply_pair(reply, "summary", command->summary);
    reply_pair(reply, "since", command->since);
    reply_pair(reply, "group", command->group);
    if (*arguments != '\0') {
        kv_reply_text(reply, "arguments");
        kv_reply_array(reply, items_count(arguments, ','));
        while (next_item(&arguments, ',', &item, &len))
            reply_argument(reply, item, len);
    }
    if (subcommands > 0) {
        kv_reply_text(reply, "subcommands");
        kv_reply_array(reply, 2 * subcommands);
        for (size_t i = 0; i < subcommands; i++)
            reply_docs(reply, &command->subcommands[i]);
    }
}

/* Whether the arguments ask for a command: by its name, or for all by naming none. */
static bool is_asked_for(const struct kv_command *command, size_t argc, const struct resp_arg *argv)
{
    bool asked = argc == 2;
    for (size_t i = 2; i < argc && !asked; i++)
        asked = kv_arg_is(&argv[i], command->name);
    return asked;
}

/* A map, so each command is in it once; names of no command are passed over. */
void kv_run_command_docs(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    size_t count = 0;
    for (const struct kv_command *command = kv_commands; command->name != NULL; command++)
        count += is_asked_for(command, argc, argv);
    kv_reply_array(session->reply, 2 * count);
    for (const struct kv_command *command = kv_commands; command->name != NULL; command++)
        if (is_asked_for(command, argc, argv))
            reply_docs(session->reply, command);
}

/* CLIENT HELP and the like: two lines per subcommand. */
void kv_run_help(struct kv_session *session, size_t argc, const struct resp_arg *argv)
{
    (void)argc;
    const struct kv_command *container = kv_command_find(kv_commands, &argv[0]);
    char name[KV_COMMAND_NAME_MAX];
    kv_reply_array(session->reply, 1 + 2 * table_count(container->subcommands));
    kv_buffer_append_text(session->reply, "+");
    kv_buffer_append_text(session->reply, kv_command_shout(container->name, name));
    kv_buffer_append_text(session->reply, " <subcommand> [<arg> ...]. Subcommands are:\r\n");
    for (const struct kv_command *c = container->subcommands; c->name != NULL; c++) {
        kv_buffer_append_text(session->reply, "+");
        kv_buffer_append_text(session->reply, kv_command_shout(kv_command_word(c), name));
        kv_buffer_append_text(session->reply, *c->arguments != '\0' ? " " : "");
        kv_buffer_append_text(session->reply, c->arguments);
        kv_buffer_append_text(session->reply, "\r\n+    ");
        kv_buffer_append_text(session->reply, c->summary);
        kv_buffer_append_text(session->reply, ".\r\n");
    }
}

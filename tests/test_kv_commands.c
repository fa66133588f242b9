/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's commands: dialogues of requests with the replies that Redis gives, and those
 * that are this server's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/kv/number.h"
#include "support/kv_session.h"

#include <cmocka.h> /* after them: it takes the word fail for itself */

static void run_dialogue(const struct exchange *exchanges, size_t count)
{
    struct kv_test t;
    kv_test_init(&t);
    for (size_t i = 0; i < count; i++)
        kv_test_exchange(&t, &exchanges[i]);
    kv_test_finish(&t);
}

#define DIALOGUE(...)                                                                              \
    static const struct exchange exchanges[] = {__VA_ARGS__};                                      \
    (void)state;                                                                                   \
    run_dialogue(exchanges, sizeof exchanges / sizeof *exchanges)

/* clang-format off */

static void keys_and_values(void **state)
{
    DIALOGUE(
        {"GET k", "$-1\r\n"},
        {"SET k v", "+OK\r\n"},
        {"get k", "$1\r\nv\r\n"},
        {"SET k \"\\x00\\r\\n\"", "+OK\r\n"},
        {"SET k \"\"", "+OK\r\n"},
        {"GET k", "$0\r\n\r\n"},
        {"SET \"\" nameless", "+OK\r\n"},
        {"GET ''", "$8\r\nnameless\r\n"},
        {"EXISTS k k j ''", ":3\r\n"},
        {"DEL k j k", ":1\r\n"},
        {"EXISTS k", ":0\r\n"},
        {"MSET a 1 b 2 a 3", "+OK\r\n"},
        {"MGET a nothing b", "*3\r\n$1\r\n3\r\n$-1\r\n$1\r\n2\r\n"},
        {"SET a 4 NX", "$-1\r\n"},
        {"SET a 5 xx", "+OK\r\n"},
        {"SET c 6 XX", "$-1\r\n"},
        {"SET c 7 nx", "+OK\r\n"},
        {"MGET a c", "*2\r\n$1\r\n5\r\n$1\r\n7\r\n"},
        {"SET c 8 NX XX", "-ERR syntax error\r\n"},
        {"SET c 8 frob", "-ERR syntax error\r\n"},
        {"GET c", "$1\r\n7\r\n"},
    );
}

static void counting(void **state)
{
    DIALOGUE(
        {"INCR n", ":1\r\n"},
        {"INCR n", ":2\r\n"},
        {"GET n", "$1\r\n2\r\n"},
        {"SET n -2", "+OK\r\n"},
        {"INCR n", ":-1\r\n"},
        {"INCR n", ":0\r\n"},
        {"SET n 9223372036854775806", "+OK\r\n"},
        {"INCR n", ":9223372036854775807\r\n"},
        {"INCR n", "-ERR increment or decrement would overflow\r\n"},
        {"GET n", "$19\r\n9223372036854775807\r\n"},
        {"SET n 9223372036854775808", "+OK\r\n"},
        {"INCR n", "-ERR value is not an integer or out of range\r\n"},
        {"SET n ''", "+OK\r\n"},
        {"INCR n", "-ERR value is not an integer or out of range\r\n"},
        {"SET n 01", "+OK\r\n"},
        {"INCR n", "-ERR value is not an integer or out of range\r\n"},
    );
}

static void connections(void **state)
{
    DIALOGUE(
        {"PING", "+PONG\r\n"},
        {"ping 'hello there'", "$11\r\nhello there\r\n"},
        {"PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
        {"ECHO hi", "$2\r\nhi\r\n"},
        {"CLIENT GETNAME", "$-1\r\n"},
        {"client setname joe", "+OK\r\n"},
        {"CLIENT GETNAME", "$3\r\njoe\r\n"},
        {"CLIENT SETNAME 'j oe'", "-ERR Client names cannot contain spaces, newlines or special "
                                  "characters.\r\n"},
        {"CLIENT GETNAME", "$3\r\njoe\r\n"},
        {"CLIENT SETNAME ''", "+OK\r\n"},
        {"CLIENT GETNAME", "$-1\r\n"},
        {"CLIENT SETINFO LIB-NAME x", "+OK\r\n"},
        {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
        {"CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"},
        {"CONFIG GET frob", "*0\r\n"},
        {"CONFIG GET save appendonly", "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"
                                       "$4\r\nsave\r\n$0\r\n\r\n"},
    );
}

static void mistakes(void **state)
{
    DIALOGUE(
        {"foo a b", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"},
        {"foo", "-ERR unknown command 'foo', with args beginning with: \r\n"},
        {"''", "-ERR unknown command '', with args beginning with: \r\n"},
        {"'f\r'", "-ERR unknown command 'f ', with args beginning with: \r\n"},
        {"\"f\\x00o\"", "-ERR unknown command 'f', with args beginning with: \r\n"},
        {"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
        {"GeT a b", "-ERR wrong number of arguments for 'get' command\r\n"},
        {"SET a", "-ERR wrong number of arguments for 'set' command\r\n"},
        {"DEL", "-ERR wrong number of arguments for 'del' command\r\n"},
        {"MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"CONFIG", "-ERR wrong number of arguments for 'config' command\r\n"},
        {"CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"},
        {"CONFIG frob", "-ERR unknown subcommand 'frob'. Try CONFIG HELP.\r\n"},
        {"client frob a", "-ERR unknown subcommand 'frob'. Try CLIENT HELP.\r\n"},
        {"COMMAND frob", "-ERR unknown subcommand 'frob'. Try COMMAND HELP.\r\n"},
    );
}

static void commands_about_commands(void **state)
{
    DIALOGUE(
        {"COMMAND COUNT", ":30\r\n"},
        {"COMMAND INFO get frob", "*2\r\n*6\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n"
                                  ":1\r\n:1\r\n:1\r\n*-1\r\n"},
        {"COMMAND DOCS frob", "*0\r\n"},
        {"COMMAND DOCS GET get", "*2\r\n$3\r\nget\r\n*8\r\n"
                                 "$7\r\nsummary\r\n$22\r\nGet the value of a key\r\n"
                                 "$5\r\nsince\r\n$5\r\n1.0.0\r\n"
                                 "$5\r\ngroup\r\n$6\r\nstring\r\n"
                                 "$9\r\narguments\r\n*1\r\n*4\r\n$4\r\nname\r\n$3\r\nkey\r\n"
                                 "$4\r\ntype\r\n$3\r\nkey\r\n"},
        {"CONFIG HELP", "*5\r\n+CONFIG <subcommand> [<arg> ...]. Subcommands are:\r\n"
                        "+GET parameter...\r\n+    Get the values of configuration parameters.\r\n"
                        "+HELP\r\n+    Show helpful text about the different subcommands.\r\n"},
    );
}

/* clang-format on */

/* The arguments in an error are cut, as Redis cuts them. */
static void long_arguments_are_cut(void **state)
{
    (void)state;
    char request[4096], wanted[4096], xs[200];
    memset(xs, 'x', sizeof xs);
    xs[sizeof xs - 1] = '\0';
    struct kv_test t;
    kv_test_init(&t);
    (void)snprintf(request, sizeof request, "%s a %s b", xs, xs);
    (void)snprintf(wanted, sizeof wanted,
                   "-ERR unknown command '%.128s', with args beginning with: 'a' '%.124s' \r\n", xs,
                   xs);
    kv_test_ask(&t, request);
    assert_string_equal(t.reply.data, wanted);
    kv_test_finish(&t);
}

static void quitting_ends_the_session(void **state)
{
    (void)state;
    struct kv_test t;
    kv_test_init(&t);
    kv_test_ask(&t, "PING");
    assert_false(t.session.ended);
    kv_test_ask(&t, "quit");
    assert_string_equal(t.reply.data, "+OK\r\n");
    assert_true(t.session.ended);
    kv_test_finish(&t);
}

/* The whole of it, so that nothing slips in that differs from run to run. */
static void what_info_says(void **state)
{
    (void)state;
    struct kv_test t;
    char memory[64], wanted[512];
    kv_test_init(&t);
    t.figures = (struct kv_figures){.connections = 3,
                                    .connections_paused = 1,
                                    .connections_received = 7,
                                    .commands = 11,
                                    .output_peak = 13};
    kv_test_ask(&t, "SET k 12345");
    kv_test_ask(&t, "SET gone v PX 5");
    kv_test_ask(&t, "SELECT 2");
    kv_test_ask(&t, "MSET a 1 b 2");
    kv_test_ask(&t, "EXPIRE a 1");
    t.session.now += 5 * TL_MILLISECOND;
    kv_test_exchange(&t, &(struct exchange){"INFO clients", "$73\r\n# Clients\r\n"
                                                            "connected_clients:3\r\n"
                                                            "paused_clients:1\r\n"
                                                            "client_output_peak:13\r\n\r\n"});
    kv_test_exchange(&t, &(struct exchange){"info STATS keyspace",
                                            "$142\r\n# Stats\r\n"
                                            "total_connections_received:7\r\n"
                                            "total_commands_processed:11\r\n"
                                            "expired_keys:1\r\n\r\n# Keyspace\r\n"
                                            "db0:keys=1,expires=0\r\n"
                                            "db2:keys=2,expires=1\r\n\r\n"});
    /* Three entries with their values, the chains of two databases, the deadlines of two. */
    size_t bytes = 3 * (sizeof(struct kv_entry) + 1) + 5 + 1 + 1 + 2 * 16 * sizeof(void *) +
                   2 * 16 * sizeof(struct kv_deadline);
    (void)snprintf(memory, sizeof memory, "# Memory\r\nused_memory_dataset:%zu\r\nmaxmemory:0\r\n",
                   bytes);
    (void)snprintf(wanted, sizeof wanted, "$%zu\r\n%s\r\n", strlen(memory), memory);
    kv_test_exchange(&t, &(struct exchange){"INFO Memory", wanted});
    kv_test_ask(&t, "INFO");
    assert_non_null(strstr(t.reply.data, "\r\n\r\n# Stats\r\n"));
    kv_test_finish(&t);
}

/* Every row of the table describes itself in well-formed replies. */
static void the_table_is_sound(void **state)
{
    (void)state;
    for (const struct kv_command *c = kv_commands; c->name != NULL; c++) {
        assert_true(strlen(c->name) < KV_COMMAND_NAME_MAX);
        assert_true(c->run != NULL || c->subcommands != NULL);
        assert_true(c == kv_commands || strcmp(c[-1].name, c->name) < 0);
        for (const struct kv_command *s = c->subcommands; s != NULL && s->name != NULL; s++) {
            assert_non_null(s->run);
            assert_true(strncmp(s->name, c->name, strlen(c->name)) == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values),
        cmocka_unit_test(counting),
        cmocka_unit_test(connections),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(commands_about_commands),
        cmocka_unit_test(long_arguments_are_cut),
        cmocka_unit_test(quitting_ends_the_session),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(what_info_says),
    };
    int rc = cmocka_run_group_tests_name("kv commands", tests, NULL, NULL);
    return !!rc;
}

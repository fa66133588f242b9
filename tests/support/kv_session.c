/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's commands without a server; see kv_session.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "support/kv_session.h"

#include <cmocka.h> /* after it: it takes the word fail for itself */

void kv_test_init(struct kv_test *t)
{
    *t = (struct kv_test){0};
    t->session = (struct kv_session){
        .databases = t->databases,
        .store = t->databases,
        .figures = &t->figures,
        .reply = &t->reply,
        .now = 12345,
    };
}

void kv_test_finish(struct kv_test *t)
{
    for (size_t i = 0; i < KV_DATABASES; i++)
        kv_store_finish(&t->databases[i]);
    kv_buffer_finish(&t->reply);
    kv_buffer_finish(&t->session.name);
    resp_parser_finish(&t->parser);
}

void kv_test_ask(struct kv_test *t, const char *request)
{
    size_t argc = 0;
    struct kv_buffer line = {0};
    kv_buffer_append_text(&line, request);
    kv_buffer_append(&line, "\r\n", 2);
    resp_parser_feed(&t->parser, line.data, line.len);
    assert_int_equal(resp_parser_next(&t->parser, &argc), RESP_COMMAND);
    kv_buffer_clear(&t->reply, SIZE_MAX);
    kv_command_run(&t->session, argc, t->parser.args);
    kv_buffer_append(&t->reply, "", 1);
    assert_false(t->reply.failed);
    assert_int_equal(resp_parser_next(&t->parser, &argc), RESP_MORE);
    resp_parser_keep(&t->parser);
    kv_buffer_finish(&line);
}

void kv_test_exchange(struct kv_test *t, const struct exchange *exchange)
{
    kv_test_ask(t, exchange->request);
    if (strcmp(t->reply.data, exchange->reply) != 0)
        fail_msg("'%s' was answered %s instead of %s", exchange->request, t->reply.data,
                 exchange->reply);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's commands without a server: a session on databases of its own, a clock that the
 * test sets, and requests written as a person would type them.
 */
#ifndef TL_TESTS_KV_SESSION_H
#define TL_TESTS_KV_SESSION_H

#include "examples/kv/commands.h"
#include "examples/kv/resp.h"

struct exchange {
    const char *request; /* without its end of line */
    const char *reply;
};

struct kv_test {
    struct kv_store databases[KV_DATABASES];
    struct kv_figures figures;
    struct kv_buffer reply;
    struct kv_session session;
    struct resp_parser parser;
};

void kv_test_init(struct kv_test *t);
void kv_test_finish(struct kv_test *t);

/* Runs one request; its reply, ended by a NUL, is in t->reply. */
void kv_test_ask(struct kv_test *t, const char *request);

/* Runs one request and fails the test unless it is answered like that. */
void kv_test_exchange(struct kv_test *t, const struct exchange *exchange);

#endif

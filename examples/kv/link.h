/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the client: bytes out, whole answers in.
 *
 * Embedded in what uses it, which must live as long as the loop. Each whole answer is told through
 * a function of the user's; so is the end.
 */
#ifndef EXAMPLES_KV_LINK_H
#define EXAMPLES_KV_LINK_H

#include "answers.h"

#include <twinloop.h>

struct kv_link {
    tl_protocol protocol;
    tl_transport *transport; /* NULL before it is up and after it is down */
    struct kv_answers answers;

    /* One whole answer, valid for the call. A negative error ends the connection. */
    int (*answer)(struct kv_link *link, const char *data, size_t len);

    /* The connection is over. error is NULL after an end in order. */
    void (*down)(struct kv_link *link, const tl_error *error);
};

void kv_link_init(struct kv_link *link,
                  int (*answer)(struct kv_link *link, const char *data, size_t len),
                  void (*down)(struct kv_link *link, const tl_error *error));
void kv_link_finish(struct kv_link *link);

/* For tl_loop_create_connection, with the link as farg. */
tl_protocol *kv_link_factory(void *farg);

#endif

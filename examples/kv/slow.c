/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that asks for much and reads nothing until it is told to; see slow.h.
 */
#include "slow.h"

#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void be_done(struct kv_slow *slow, const char *problem)
{
    if (slow->over)
        return;
    slow->over = true;
    slow->done(slow->arg, problem);
}

static int answer(struct kv_link *link, const char *data, size_t len)
{
    struct kv_slow *slow = tl_container_of(link, struct kv_slow, link);
    const char *wanted = slow->answered == 0 ? "+OK\r\n" : slow->value.data;
    size_t wanted_len = slow->answered == 0 ? 5 : slow->value.len;
    char problem[120];
    if (len != wanted_len || memcmp(data, wanted, len) != 0) {
        (void)snprintf(problem, sizeof problem,
                       "the slow connection: answer %" PRIu64 " of %zu bytes is wrong",
                       slow->answered, len);
        be_done(slow, problem);
    } else if (slow->answered++ == slow->wanted) {
        be_done(slow, NULL);
    }
    return 0;
}

static void link_down(struct kv_link *link, const tl_error *error)
{
    struct kv_slow *slow = tl_container_of(link, struct kv_slow, link);
    char problem[300];
    (void)snprintf(problem, sizeof problem,
                   "the slow connection: ended after %" PRIu64 " answers: %s", slow->answered,
                   error != NULL ? error->message : "the server closed it");
    be_done(slow, problem);
    slow->down(slow->arg);
}

void kv_slow_init(struct kv_slow *slow, uint64_t wanted,
                  void (*done)(void *arg, const char *problem), void (*down)(void *arg), void *arg)
{
    *slow = (struct kv_slow){.wanted = wanted, .done = done, .down = down, .arg = arg};
    kv_link_init(&slow->link, answer, link_down);
}

void kv_slow_finish(struct kv_slow *slow)
{
    kv_link_finish(&slow->link);
    kv_buffer_finish(&slow->value);
}

/* The value as the bulk that it is asked for and answered as: the key, over and over. What is there
 * is appended to itself, so room for all of it comes first. */
static void make_value(struct kv_slow *slow, const char *key)
{
    struct kv_buffer bytes = {0};
    if (kv_buffer_reserve(&bytes, KV_SLOW_VALUE)) {
        kv_buffer_append_text(&bytes, key);
        while (bytes.len < KV_SLOW_VALUE) {
            size_t rest = KV_SLOW_VALUE - bytes.len;
            kv_buffer_append(&bytes, bytes.data, rest < bytes.len ? rest : bytes.len);
        }
        kv_reply_bulk(&slow->value, bytes.data, bytes.len);
    } else {
        slow->value.failed = true;
    }
    kv_buffer_finish(&bytes);
}

void kv_slow_start(struct kv_slow *slow, const char *key)
{
    struct kv_buffer commands = {0};
    make_value(slow, key);
    kv_reply_array(&commands, 3);
    kv_reply_text(&commands, "SET");
    kv_reply_text(&commands, key);
    kv_buffer_append(&commands, slow->value.data, slow->value.len);
    for (uint64_t i = 0; i < slow->wanted; i++) {
        kv_reply_array(&commands, 2);
        kv_reply_text(&commands, "GET");
        kv_reply_text(&commands, key);
    }
    (void)tl_transport_pause_reading(slow->link.transport);
    if (slow->value.failed || commands.failed)
        be_done(slow, "out of memory");
    else
        (void)tl_transport_write(slow->link.transport, commands.data, commands.len);
    kv_buffer_finish(&commands);
}

void kv_slow_read(struct kv_slow *slow)
{
    (void)tl_transport_resume_reading(slow->link.transport);
}

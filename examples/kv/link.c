/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the client; see link.h. There is no release: the memory is its user's, who
 * frees it when the loop is gone.
 */
#include "link.h"

static struct kv_link *link_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct kv_link, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    link_of(protocol)->transport = transport;
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct kv_link *link = link_of(protocol);
    const char *answer;
    size_t answer_len;
    int r = kv_answers_feed(&link->answers, data, len);
    while (r == 0 && (r = kv_answers_next(&link->answers, &answer, &answer_len)) == 1)
        r = link->answer(link, answer, answer_len);
    return r;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct kv_link *link = link_of(protocol);
    link->transport = NULL;
    link->down(link, exc);
}

static const struct tl_protocol_ops link_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .data_received = data_received,
};

void kv_link_init(struct kv_link *link,
                  int (*answer)(struct kv_link *link, const char *data, size_t len),
                  void (*down)(struct kv_link *link, const tl_error *error))
{
    *link =
        (struct kv_link){.protocol = TL_PROTOCOL_INIT(&link_ops), .answer = answer, .down = down};
}

void kv_link_finish(struct kv_link *link)
{
    kv_answers_finish(&link->answers);
}

tl_protocol *kv_link_factory(void *farg)
{
    struct kv_link *link = farg;
    return &link->protocol;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's operations that every iteration of a loop makes: the clocks, watch and poll, and
 * what poll hands out; see record.c.
 *
 * A server that is recorded passes through here for every message, so readiness is put down by hand
 * in place; the rarer events take the general way.
 */
#include <errno.h>
#include <string.h>
#include "trace/record.h"

/* --- The clocks --- */

tl_time tl_record_now(struct tl_kernel *kernel)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_out *out = &recorder->out;
    tl_time now = recorder->inner->ops->now(recorder->inner);
    uint8_t *p = tl_trace_out_begin(out);

    tl_trace_out_end_clock(out, tl_trace_put_clock(p, TL_TRACE_NOW, now - out->now));
    out->now = now;
    return now;
}

tl_time tl_record_wall(struct tl_kernel *kernel)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_out *out = &recorder->out;
    tl_time wall = recorder->inner->ops->wall(recorder->inner);
    uint8_t *p = tl_trace_out_begin(out);

    tl_trace_out_end_clock(out, tl_trace_put_clock(p, TL_TRACE_WALL, wall - out->wall));
    out->wall = wall;
    return wall;
}

/* --- Events --- */

static void record_callback(struct tl_recorder *recorder, const struct tl_post *post)
{
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_POSTED,
                                  .arg = {(int64_t)post->ordinal},
                                  .blob = (const uint8_t *)post->producer,
                                  .blob_len = strnlen(post->producer, sizeof post->producer),
                              });
}

static void record_message(struct tl_recorder *recorder, const struct tl_post *post)
{
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_MESSAGE,
                                  .arg = {post->kind},
                                  .blob = post->data,
                                  .blob_len = post->len,
                              });
}

/* The ordinal of a request that has been answered and is therefore none any more. */
static uint64_t end_request(struct tl_recorder *recorder, const void *request)
{
    struct tl_trace_object *object = tl_trace_objects_find(&recorder->requests, (uintptr_t)request);
    if (object == NULL)
        return 0;
    uint64_t ordinal = object->ordinal;
    tl_trace_objects_remove(&recorder->requests, object);
    return ordinal;
}

static void record_worked(struct tl_recorder *recorder, const struct tl_work *work)
{
    size_t len = work->out != NULL ? work->out_len : 0;

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_WORKED,
                                  .object = end_request(recorder, work),
                                  .arg = {(int64_t)len},
                                  .blob = work->out,
                                  .blob_len = len,
                              });
}

static void record_resolved(struct tl_recorder *recorder, const struct tl_query *query)
{
    struct tl_trace_event event = {
        .kind = query->kind == TL_QUERY_ADDRESSES ? TL_TRACE_ADDRESSES : TL_TRACE_NAMES,
        .object = end_request(recorder, query),
        .arg = {tl_trace_result_out(query->result)},
    };
    tl_trace_pack_answer(&recorder->pack, query);
    tl_recorder_put_packed(recorder, &event);
}

static void record_child(struct tl_recorder *recorder, struct tl_event *event)
{
    uint64_t ordinal = (uintptr_t)event->token;
    struct tl_trace_object *child =
        tl_trace_objects_search(&recorder->children, TL_BY_ORDINAL, ordinal);

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_CHILD,
                                  .object = ordinal,
                                  .arg = {event->value},
                              });
    event->token = NULL;
    if (child != NULL) {
        event->token = child->token;
        tl_trace_objects_remove(&recorder->children, child);
    }
}

static void record_signal(struct tl_recorder *recorder, const struct tl_event *event)
{
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_SIGNALLED,
                                  .arg = {event->value},
                              });
}

/* Anything but readiness. */
static __attribute__((noinline)) void record_event(struct tl_recorder *recorder,
                                                   struct tl_event *event)
{
    switch (event->kind) {
    case TL_EVENT_POSTED:
        if (((const struct tl_post *)event->token)->data != NULL)
            record_message(recorder, event->token);
        else
            record_callback(recorder, event->token);
        break;
    case TL_EVENT_WORK:
        record_worked(recorder, event->token);
        break;
    case TL_EVENT_SIGNAL:
        record_signal(recorder, event);
        break;
    case TL_EVENT_CHILD:
        record_child(recorder, event);
        break;
    case TL_EVENT_RESOLVED:
        record_resolved(recorder, event->token);
        break;
    }
}

/* --- Waiting --- */

int tl_record_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_object *object = tl_trace_objects_find(&recorder->fds, tl_recorder_key(fd));

    /* The kernel gets the object as its token; poll puts the program's in its place. */
    int r = recorder->inner->ops->watch(recorder->inner, fd, events, object);
    if (r == 0 && object == NULL) {
        (void)recorder->inner->ops->watch(recorder->inner, fd, 0, NULL);
        r = -EBADF;
    }
    if (r == 0)
        object->token = token;
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_WATCH,
                                  .object = object != NULL ? object->ordinal : 0,
                                  .result = r,
                                  .arg = {events},
                              });
    return r;
}

/* What comes back is the place behind the event. */
static inline uint8_t *put_ready(uint8_t *p, struct tl_event *event)
{
    const uint64_t head = (uint64_t)tl_trace_array(TL_FIELDS_FD) << 56 |
                          (uint64_t)(TL_CBOR_UINT | TL_CBOR_HEAD_8) << 48 |
                          (uint64_t)TL_TRACE_FD << 40 |
                          (uint64_t)(TL_CBOR_UINT | TL_CBOR_HEAD_16) << 32;
    const struct tl_trace_object *object = event->token;
    uint64_t ordinal = object->ordinal;
    uint64_t ready = event->ready; /* four flags: a head by themselves */

    event->token = object->token;
    if (__builtin_expect(tl_trace_is_narrow(ordinal, 0, 0), 1)) {
        tl_put_be64(p, head | ordinal << 16 | ready << 8); /* and a byte too many */
        return p + 7;
    }
    p = tl_trace_put_row(p, TL_TRACE_FD, TL_FIELDS_FD);
    p = tl_put_head(p, TL_CBOR_UINT, ordinal);
    return tl_put_head(p, TL_CBOR_UINT, ready);
}

/* Writes down the events of readiness that come first among count, as many as have room for sure;
 * how many these are. */
static inline int record_ready(struct tl_recorder *recorder, struct tl_event *events, int count)
{
    enum { RUN_MAX = 32 };
    struct tl_trace_out *out = &recorder->out;
    uint8_t *p = tl_trace_out_begin_blob(out, RUN_MAX * TL_TRACE_EVENT_MAX);
    struct tl_event *event = events, *end = events + (count < RUN_MAX ? count : RUN_MAX);

    for (; event < end && event->kind == TL_EVENT_FD; event++)
        p = put_ready(p, event);
    out->p = p;
    out->number += (uint64_t)(event - events);
    return (int)(event - events);
}

int tl_record_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_out *out = &recorder->out;

    if (timeout != 0)
        tl_trace_out_sleep(out);
    int n = recorder->inner->ops->poll(recorder->inner, timeout, events, count);
    uint8_t *p = tl_trace_out_begin(out);
    p = tl_trace_put_row(p, TL_TRACE_POLL, TL_FIELDS_POLL);
    p = tl_put_int(p, tl_trace_result_out(n));
    p = tl_put_int(p, timeout);
    tl_trace_out_end(out, p);
    for (int i = 0; i < n;) {
        if (__builtin_expect(events[i].kind == TL_EVENT_FD, 1))
            i += record_ready(recorder, &events[i], n - i);
        else
            record_event(recorder, &events[i++]);
    }
    return n;
}

/* Any thread: nothing of the recorder's own may be touched. The post is recorded when poll hands it
 * out. */
int tl_record_post(struct tl_kernel *kernel, struct tl_post *post)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);

    return recorder->inner->ops->post(recorder->inner, post);
}

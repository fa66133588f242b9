/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's operations that are not about descriptors: chance, children, signals, requests,
 * facts and notes; see record.c.
 */
#include <errno.h>
#include <string.h>
#include "trace/format.h"
#include "trace/record.h"

int tl_record_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->entropy(recorder->inner, buf, len);

    if (buf == NULL)
        len = 0;
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_ENTROPY,
                                  .result = r,
                                  .arg = {(int64_t)len},
                                  .blob = buf,
                                  .blob_len = r >= 0 ? len : 0,
                              });
    return r;
}

/* --- Children and signals --- */

/* A descriptor of the child: whose object's, or one of TL_FD_INHERIT and TL_FD_NULL. */
static int64_t stdio(struct tl_recorder *recorder, int fd)
{
    return fd < 0 ? fd : (int64_t)tl_trace_objects_ordinal(&recorder->fds, tl_recorder_key(fd));
}

int64_t tl_record_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    uint64_t ordinal = recorder->children_made + 1;
    struct tl_spawn ours = *spawn;
    int64_t pid = tl_trace_objects_reserve(&recorder->children, 1);

    ours.token = (void *)(uintptr_t)ordinal;
    if (pid == 0)
        pid = recorder->inner->ops->spawn(recorder->inner, &ours);
    if (pid >= 0) {
        recorder->children_made = ordinal;
        tl_trace_objects_add(&recorder->children, tl_recorder_key(pid), ordinal)->token =
            spawn->token;
    }
    struct tl_trace_event event = {
        .kind = TL_TRACE_SPAWN,
        .object = pid >= 0 ? ordinal : 0,
        .result = pid,
        .arg = {stdio(recorder, spawn->fds[0]), stdio(recorder, spawn->fds[1]),
                stdio(recorder, spawn->fds[2]), spawn->new_session},
    };
    tl_trace_pack_spawn(&recorder->pack, spawn);
    tl_recorder_put_packed(recorder, &event);
    return pid;
}

int tl_record_kill(struct tl_kernel *kernel, int64_t pid, int signum)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->kill(recorder->inner, pid, signum);

    tl_recorder_put(
        recorder, &(struct tl_trace_event){
                      .kind = TL_TRACE_KILL,
                      .object = tl_trace_objects_ordinal(&recorder->children, tl_recorder_key(pid)),
                      .result = r,
                      .arg = {signum, pid},
                  });
    return r;
}

int tl_record_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    uint64_t ordinal = recorder->children_made + 1;
    int r = tl_trace_objects_reserve(&recorder->children, 1);

    if (r == 0)
        r = recorder->inner->ops->adopt_child(recorder->inner, pid, (void *)(uintptr_t)ordinal);
    if (r >= 0) {
        recorder->children_made = ordinal;
        tl_trace_objects_add(&recorder->children, tl_recorder_key(pid), ordinal)->token = token;
    }
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_ADOPT_CHILD,
                                  .object = r >= 0 ? ordinal : 0,
                                  .result = r,
                                  .arg = {pid},
                              });
    return r;
}

int tl_record_release_child(struct tl_kernel *kernel, int64_t pid)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->release_child(recorder->inner, pid);
    struct tl_trace_object *child =
        tl_trace_objects_find(&recorder->children, tl_recorder_key(pid));

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_RELEASE_CHILD,
                                  .object = child != NULL ? child->ordinal : 0,
                                  .result = r,
                                  .arg = {pid},
                              });
    if (r >= 0 && child != NULL)
        tl_trace_objects_remove(&recorder->children, child);
    return r;
}

int tl_record_signal(struct tl_kernel *kernel, int signum, bool enable)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->signal(recorder->inner, signum, enable);

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_SIGNAL,
                                  .result = r,
                                  .arg = {signum, enable},
                              });
    return r;
}

/* --- Requests --- */

/* The ordinal of a request that the kernel has taken; 0 when it has not. */
static uint64_t made(struct tl_recorder *recorder, const void *request, int result)
{
    if (result < 0)
        return 0;
    uint64_t ordinal = ++recorder->requests_made;
    tl_trace_objects_add(&recorder->requests, (uintptr_t)request, ordinal);
    return ordinal;
}

int tl_record_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_event event;
    int r = tl_trace_objects_reserve(&recorder->requests, 1);

    /* The query is the kernel's once it has it, so it is packed before. */
    tl_trace_query_event(&event, query, TL_FORMAT_MINOR);
    tl_trace_pack_question(&recorder->pack, query);
    if (r == 0)
        r = recorder->inner->ops->resolve(recorder->inner, query);
    event.object = made(recorder, query, r);
    event.result = r;
    tl_recorder_put_packed(recorder, &event);
    return r;
}

int tl_record_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    size_t len = work->out != NULL ? work->out_len : 0;
    int r = tl_trace_objects_reserve(&recorder->requests, 1);

    if (r == 0)
        r = recorder->inner->ops->work(recorder->inner, work);
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_WORK,
                                  .object = made(recorder, work, r),
                                  .result = r,
                                  .arg = {(int64_t)len},
                              });
    return r;
}

int tl_record_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_object *object = tl_trace_objects_find(&recorder->requests, (uintptr_t)request);
    int r = recorder->inner->ops->cancel(recorder->inner, request);

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_CANCEL,
                                  .object = object != NULL ? object->ordinal : 0,
                                  .result = r,
                              });
    if (r == 0 && object != NULL)
        tl_trace_objects_remove(&recorder->requests, object);
    return r;
}

int tl_record_retire(struct tl_kernel *kernel, struct tl_workers *workers)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->retire(recorder->inner, workers);

    tl_recorder_put(recorder, &(struct tl_trace_event){.kind = TL_TRACE_RETIRE, .result = r});
    return r;
}

/* --- Facts and notes --- */

int64_t tl_record_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                       size_t size)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int64_t r = recorder->inner->ops->info(recorder->inner, what, name, text, size);

    /* Loops ask for this all the time, and it never changes: once is enough. */
    if (what == TL_INFO_PID && r == recorder->pid)
        return r;
    if (what == TL_INFO_PID)
        recorder->pid = r;
    struct tl_trace_event event = {.kind = TL_TRACE_INFO, .result = r, .arg = {what}};
    tl_trace_pack_begin(&recorder->pack);
    tl_trace_pack_text(&recorder->pack, name);
    if (r > 0 && text != NULL && size > 0)
        tl_trace_pack_bytes(&recorder->pack, text, strnlen(text, size));
    tl_recorder_put_packed(recorder, &event);
    return r;
}

int tl_record_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->note(recorder->inner, kind, data, len);

    if (kind == TL_NOTE_RECORDING)
        return r;
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_NOTE,
                                  .result = r,
                                  .arg = {kind},
                                  .blob = data,
                                  .blob_len = len,
                              });
    return r;
}

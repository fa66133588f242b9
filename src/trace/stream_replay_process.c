/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals, requests and facts in a stream replay; see stream_replay.c.
 *
 * What is asked by name is answered by the next recorded answer to the same question that is still
 * unused, and when there is none by the last one again. A job that the script does not know runs
 * when the program is quiet.
 */
#include <errno.h>
#include <string.h>
#include "trace/file.h"
#include "trace/print.h"
#include "trace/stream_replay.h"

int tl_play_signal(struct tl_kernel *kernel, int signum, bool enable)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->fate != 0)
        return replay->fate;
    if (signum < 1 || signum >= 64)
        return -EINVAL;
    uint64_t bit = UINT64_C(1) << signum;
    struct tl_play_question *question =
        enable ? tl_play_script_question(&replay->script, TL_TRACE_SIGNAL, signum, NULL, 0) : NULL;
    int r = question != NULL ? (int)tl_play_take_told(question)->result : 0;
    if (r < 0)
        return r;
    replay->signals = enable ? replay->signals | bit : replay->signals & ~bit;
    return 0;
}

/* --- Requests --- */

static bool same_question(const struct tl_trace_event *a, const struct tl_trace_event *b)
{
    return a->kind == b->kind && memcmp(a->arg, b->arg, sizeof a->arg) == 0 &&
           a->blob_len == b->blob_len &&
           (a->blob_len == 0 || memcmp(a->blob, b->blob, a->blob_len) == 0);
}

static struct tl_play_request *find_request(const struct tl_stream_replay *replay,
                                            const struct tl_trace_event *asked)
{
    for (size_t i = 0; i < replay->script.requests_count; i++) {
        struct tl_play_request *request = replay->script.requests[i];
        if (!request->taken && same_question(&request->event, asked))
            return request;
    }
    return NULL;
}

static void take_request(struct tl_play_request *request, struct tl_request *asker)
{
    request->taken = true;
    request->asker = asker;
    asker->owner = request;
}

/* A question that was asked before, and more often now: a request of its own with the same answer,
 * due at once. NULL when nobody ever asked, or memory is out. */
static struct tl_play_request *repeat_request(struct tl_stream_replay *replay,
                                              const struct tl_trace_event *asked)
{
    const struct tl_play_request *last = NULL;

    for (size_t i = 0; i < replay->script.requests_count; i++)
        if (replay->script.requests[i]->answer_kind != 0 &&
            same_question(&replay->script.requests[i]->event, asked))
            last = replay->script.requests[i];
    struct tl_play_request *request =
        last != NULL ? tl_play_script_alloc(&replay->script, sizeof *request) : NULL;
    if (request != NULL) {
        *request = *last;
        request->due = true;
    }
    return request;
}

int tl_play_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked;
    char text[640];

    if (replay->fate != 0)
        return replay->fate;
    tl_trace_query_event(&asked, query, replay->reader->minor);
    tl_trace_pack_question(&replay->pack, query);
    if (replay->pack.failed)
        return -ENOMEM;
    asked.blob = replay->pack.data;
    asked.blob_len = replay->pack.len;
    struct tl_play_request *request = find_request(replay, &asked);
    if (request == NULL)
        request = repeat_request(replay, &asked);
    if (request == NULL)
        return tl_play_diverge(
            replay, "diverged: the program looks up what the trace does not have\n  %s\n",
            tl_trace_format_event(&asked, TL_SIDE_PROGRAM, 64, text, sizeof text));
    take_request(request, &query->request);
    if (request->due)
        tl_replay_job_add(&replay->added, &query->request);
    return 0;
}

int tl_play_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_WORK,
        .arg = {work->out != NULL ? (int64_t)work->out_len : 0},
    };

    if (replay->fate != 0)
        return replay->fate;
    struct tl_play_request *request = find_request(replay, &asked);
    work->request.owner = NULL;
    if (request != NULL)
        take_request(request, &work->request);
    tl_replay_job_add(request == NULL || request->due ? &replay->added : &replay->jobs,
                      &work->request);
    return 0;
}

/* A job that ran then has begun, whenever it is called off now: which is faster is chance. */
int tl_play_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_request *recorded = request->owner;

    if (replay->fate != 0)
        return replay->fate;
    if (recorded != NULL && recorded->event.kind == TL_TRACE_WORK && recorded->answer_kind != 0)
        return -EALREADY;
    (void)tl_replay_job_take(request);
    if (recorded != NULL)
        recorded->asker = NULL;
    return 0;
}

static int answer_work(struct tl_stream_replay *replay, const struct tl_play_request *request,
                       struct tl_work *work)
{
    size_t len = work->out != NULL ? work->out_len : 0;

    if (request != NULL && request->answer_kind == 0)
        request = NULL; /* called off then, and not now: it runs in earnest */
    if (request != NULL && request->answer_len != len)
        return tl_play_diverge(replay, "diverged: a job's result has room for %zu bytes\n", len);
    if (request == NULL || work->out == NULL)
        tl_replay_job_run(&work->request);
    (void)tl_replay_job_take(&work->request); /* it may have run for what it posted */
    if (request != NULL && len > 0)
        memcpy(work->out, request->answer, len);
    return 0;
}

static int answer_query(struct tl_stream_replay *replay, const struct tl_play_request *request,
                        struct tl_query *query)
{
    int result = (int)tl_trace_result_in(request->result);
    int r = result > 0 ? -EINVAL : 0;

    if (result == 0)
        r = tl_trace_unpack_answer(request->answer, request->answer_len,
                                   request->answer_kind == TL_TRACE_RESOLVED, query);
    if (r == -EINVAL)
        return tl_play_diverge(replay, "the trace has an answer that cannot be understood\n");
    if (r == 0)
        query->result = result;
    return r;
}

int tl_play_answer(struct tl_stream_replay *replay, struct tl_play_request *request,
                   struct tl_event *ret)
{
    struct tl_request *asker = request->asker;
    bool work = request->event.kind == TL_TRACE_WORK;

    int r = work ? answer_work(replay, request, (struct tl_work *)asker)
                 : answer_query(replay, request, (struct tl_query *)asker);
    if (r < 0)
        return r;
    request->asker = NULL;
    *ret = (struct tl_event){.token = asker, .kind = work ? TL_EVENT_WORK : TL_EVENT_RESOLVED};
    return 0;
}

int tl_play_answer_added(struct tl_stream_replay *replay, struct tl_request **requests,
                         struct tl_event *ret)
{
    struct tl_request *asker = *requests;
    int r;

    while (asker->next != NULL) /* the oldest: there are few */
        asker = asker->next;
    struct tl_play_request *request = asker->owner;
    if (request == NULL) {
        *ret = (struct tl_event){.token = asker, .kind = TL_EVENT_WORK};
        r = answer_work(replay, NULL, (struct tl_work *)asker);
    } else {
        if (request->event.kind != TL_TRACE_WORK)
            (void)tl_replay_job_take(asker);
        r = tl_play_answer(replay, request, ret);
    }
    return r < 0 ? r : 1;
}

/* --- Facts --- */

/* The recorded answer to a question, of which the blob's first len bytes are a part; NULL when it
 * was never asked. */
static const struct tl_trace_event *find_fact(struct tl_stream_replay *replay, uint32_t kind,
                                              int64_t arg, const void *blob, size_t len)
{
    struct tl_play_fact *last = NULL;

    for (size_t i = 0; i < replay->script.facts_count; i++) {
        struct tl_play_fact *fact = &replay->script.facts[i];
        if (fact->event.kind != kind || fact->event.arg[0] != arg || fact->event.blob_len < len ||
            (len > 0 && memcmp(fact->event.blob, blob, len) != 0))
            continue;
        last = fact;
        if (!fact->used)
            break;
    }
    if (last == NULL)
        return NULL;
    last->used = true;
    return &last->event;
}

int64_t tl_play_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                     size_t size)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    int64_t process = tl_trace_file_process();

    if (what == TL_INFO_PID) /* see the strict replayer's */
        return process == replay->process && replay->script.pid >= 0 ? replay->script.pid : process;
    if (replay->fate != 0)
        return replay->fate;
    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_text(&replay->pack, name);
    if (replay->pack.failed)
        return -ENOMEM;
    const struct tl_trace_event *fact =
        find_fact(replay, TL_TRACE_INFO, what, replay->pack.data, replay->pack.len);
    if (fact == NULL) /* a plain answer: one processor, the main thread, no such variable */
        return what == TL_INFO_ENVIRONMENT ? -ENOENT : 1;
    size_t len = fact->blob_len - replay->pack.len;
    if (fact->result >= 0 && text != NULL && size > 0) {
        len = len < size - 1 ? len : size - 1;
        memcpy(text, fact->blob + replay->pack.len, len);
        text[len] = '\0';
    }
    return fact->result;
}

/* Bytes that nobody recorded: any will do, the same ones every time. */
static void invent(struct tl_stream_replay *replay, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t word = tl_hash_fold(++replay->invented ^ TL_HASH_K0, TL_HASH_K1);
        buf[i] = (uint8_t)(word >> 32);
    }
}

int tl_play_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->fate != 0)
        return replay->fate;
    len = buf != NULL ? len : 0;
    const struct tl_trace_event *fact = find_fact(replay, TL_TRACE_ENTROPY, (int64_t)len, NULL, 0);
    if (fact != NULL && fact->result >= 0 && fact->blob_len == len && len > 0)
        memcpy(buf, fact->blob, len);
    else if (len > 0)
        invent(replay, buf, len);
    return fact != NULL ? (int)fact->result : 0;
}

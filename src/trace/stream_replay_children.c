/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children in a stream replay; see stream_replay.c.
 *
 * No process is started: a child is the next recorded one of that program with those arguments, and
 * has that one's number. One that is brought in keeps its own number, and is the next that was.
 */
#include <errno.h>
#include "trace/stream_replay.h"

/* The child with that number that the program has, or NULL. */
static struct tl_play_child *find(const struct tl_stream_replay *replay, int64_t pid)
{
    for (size_t i = 0; i < replay->script.children_count; i++) {
        struct tl_play_child *child = replay->script.children[i];
        if (child->taken && !child->gone && child->pid == pid)
            return child;
    }
    return NULL;
}

/* The next recorded answer to a question for a child: 0, the error that it is, or the end of the
 * replay. */
static int next(struct tl_stream_replay *replay, const struct tl_trace_event *asked,
                struct tl_play_child **ret)
{
    struct tl_play_question *question =
        tl_play_script_question(&replay->script, asked->kind, 0, asked->blob, asked->blob_len);

    if (question == NULL || (question->next->child != NULL && question->next->child->taken))
        return tl_play_unknown(replay, asked);
    const struct tl_play_told *told = tl_play_take_told(question);
    *ret = told->child;
    return told->child != NULL ? 0 : (int)told->result;
}

int64_t tl_play_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_SPAWN};
    struct tl_play_child *child = NULL;

    if (replay->fate != 0)
        return replay->fate;
    for (int i = 0; i < 3; i++) {
        if (spawn->fds[i] >= 0 && tl_play_any_handle_of(replay, spawn->fds[i]) == NULL)
            return -EBADF;
        asked.arg[i] = spawn->fds[i] < 0 ? spawn->fds[i] : 0;
    }
    asked.arg[3] = spawn->new_session;
    tl_trace_pack_spawn(&replay->pack, spawn);
    if (replay->pack.failed)
        return -ENOMEM;
    asked.blob = replay->pack.data;
    asked.blob_len = replay->pack.len;
    int r = next(replay, &asked, &child);
    if (r < 0 || child == NULL)
        return r;
    child->taken = true;
    child->token = spawn->token;
    return child->pid;
}

int tl_play_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_ADOPT_CHILD, .arg = {pid}};
    struct tl_play_child *child = NULL;

    if (replay->fate != 0)
        return replay->fate;
    if (find(replay, pid) != NULL)
        return -EEXIST;
    int r = next(replay, &asked, &child);
    if (r < 0 || child == NULL)
        return r;
    child->taken = true;
    child->token = token;
    child->pid = pid;
    return 0;
}

int tl_play_kill(struct tl_kernel *kernel, int64_t pid, int signum)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_child *child = find(replay, pid);

    if (replay->fate != 0 || child == NULL)
        return replay->fate != 0 ? replay->fate : -ESRCH;
    if (signum < 0 || signum > 64)
        return -EINVAL;
    child->killed++;
    return 0;
}

int tl_play_release_child(struct tl_kernel *kernel, int64_t pid)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_child *child = find(replay, pid);

    if (replay->fate != 0 || child == NULL)
        return replay->fate != 0 ? replay->fate : -ESRCH;
    replay->children_due -= child->due;
    child->due = false;
    child->gone = true;
    return 0;
}

void tl_play_end_child(struct tl_stream_replay *replay, struct tl_play_child *child, int64_t status)
{
    if (child->gone) {
        replay->counts.unused++;
        return;
    }
    replay->children_due += !child->due; /* a broken trace may tell of it twice */
    child->due = true;
    child->status = status;
}

int tl_play_collect_children(struct tl_stream_replay *replay, struct tl_event *events, int count)
{
    int n = 0;

    for (size_t i = 0; replay->children_due > 0 && n < count && i < replay->script.children_count;
         i++) {
        struct tl_play_child *child = replay->script.children[i];
        if (!child->due || !child->taken)
            continue;
        events[n++] = (struct tl_event){
            .token = child->token, .kind = TL_EVENT_CHILD, .value = child->status};
        child->due = false;
        child->gone = true;
        replay->children_due--;
    }
    return n;
}

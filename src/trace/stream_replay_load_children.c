/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of children in a script; see stream_replay_load.c.
 *
 * A child that was started answers the question for that program with those arguments, one that was
 * brought in the question for the next. Its end is a step, which waits for the signals that it was
 * sent. What it read and wrote through pipes is those pipes' business.
 */
#include <errno.h>
#include "trace/stream_replay_script.h"

/* The recorded child with that ordinal, or NULL. */
static struct tl_play_child *child_of(const struct tl_play_script *script, uint64_t ordinal)
{
    return ordinal > 0 && ordinal <= script->children_count ? script->children[ordinal - 1] : NULL;
}

static int take_made(struct tl_play_script *script, const struct tl_trace_event *event, int64_t pid)
{
    struct tl_play_child *child = NULL;

    if (event->result >= 0) {
        if (event->object != script->children_count + 1)
            return -ENOTSUP;
        int r = tl_play_script_reserve(script, &script->children, script->children_count,
                                       &script->children_capacity, sizeof(struct tl_play_child *));
        child = tl_play_script_alloc(script, sizeof *child);
        if (r < 0 || child == NULL)
            return -ENOMEM;
        child->pid = pid;
        script->children[script->children_count++] = child;
    }
    struct tl_play_told *told = tl_play_script_tell(script, event, 0, NULL);
    if (told == NULL)
        return -ENOMEM;
    told->child = child;
    return 0;
}

static int take_end(struct tl_play_script *script, const struct tl_trace_event *event,
                    struct tl_play_child *child)
{
    struct tl_play_step *step = tl_play_script_add_step(script, event, TL_STEP_CHILD, NULL);

    if (step == NULL)
        return -ENOMEM;
    step->child = child;
    step->value = event->arg[0];
    step->caused = child->kills;
    return 0;
}

int tl_play_script_take_child(struct tl_play_script *script, const struct tl_trace_event *event)
{
    struct tl_play_child *child = child_of(script, event->object);

    switch (event->kind) {
    case TL_TRACE_SPAWN:
        return take_made(script, event, event->result);
    case TL_TRACE_ADOPT_CHILD:
        return event->result == -EEXIST ? 0 : take_made(script, event, event->arg[0]);
    case TL_TRACE_KILL:
        if (child != NULL && event->result == 0)
            child->kills++;
        return 0;
    case TL_TRACE_CHILD:
        return child != NULL ? take_end(script, event, child) : -ENOTSUP;
    default:
        return 0; /* the replay knows whether there is one to be given back */
    }
}

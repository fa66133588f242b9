/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_soon_threadsafe: a handle with a post in front of it, handed to the kernel.
 *
 * The kernel's post is safe against everything but the kernel going away, so the check that the
 * loop is open and the post are one step under the process's lock, and closing the loop takes the
 * same lock. loop->posts counts what was handed over and not yet delivered: closing fetches that
 * many, for their memory is ours.
 *
 * On the loop's own thread, inside a run, the callback simply joins the queue: it keeps its place
 * among that thread's call_soon calls.
 */
#include "core/post.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/handle.h"
#include "core/loop.h"
#include "core/self.h"

struct posted {
    struct tl_post post;
    tl_handle *handle; /* with the loop's reference */
};

static int hand_over(tl_loop *loop, struct posted *posted)
{
    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    int r = TL_ECLOSED;
    if (tl_loop_open(loop)) {
        r = loop->kernel->ops->post(loop->kernel, &posted->post);
        if (r == 0)
            loop->posts++;
    }
    context->ops->unlock(context);
    return r;
}

static void name_producer(struct tl_post *post, struct tl_thread *self)
{
    memcpy(post->producer, self->name, sizeof post->producer);
    post->ordinal = self->posts++;
}

int tl_loop_call_soon_threadsafe(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    struct tl_thread *self = tl_thread_self();
    if (self->running == loop)
        return tl_loop_call_soon(loop, callback, arg, ret);

    struct posted *posted = tl_calloc(sizeof *posted);
    if (posted == NULL)
        return -ENOMEM;
    tl_handle *handle = tl_handle_new(callback, arg, ret);
    posted->handle = handle;
    int r = -ENOMEM;
    if (handle != NULL) {
        name_producer(&posted->post, self);
        r = hand_over(loop, posted);
    }
    if (r < 0) {
        tl_free(handle);
        tl_free(posted);
    }
    return r;
}

/* The handle in a post that has arrived, which is then gone. */
static tl_handle *take_handle(struct tl_post *post)
{
    struct posted *posted = tl_container_of(post, struct posted, post);
    tl_handle *handle = posted->handle;
    tl_free(posted);
    return handle;
}

static void count_delivered(tl_loop *loop)
{
    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    loop->posts--;
    context->ops->unlock(context);
}

void tl_posts_deliver(tl_loop *loop, struct tl_post *post)
{
    count_delivered(loop);
    tl_loop_queue(loop, &take_handle(post)->ready);
}

struct tl_kernel *tl_posts_close(tl_loop *loop)
{
    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    struct tl_kernel *kernel = loop->kernel;
    loop->kernel = NULL;
    context->ops->unlock(context);
    return kernel;
}

void tl_posts_drain(tl_loop *loop, struct tl_kernel *kernel)
{
    enum { EVENTS_MAX = 64 };
    while (loop->posts > 0) {
        struct tl_event events[EVENTS_MAX];
        int count = kernel->ops->poll(kernel, 0, events, EVENTS_MAX);
        if (count <= 0)
            return;
        for (int i = 0; i < count; i++) {
            if (events[i].kind != TL_EVENT_POSTED)
                continue;
            count_delivered(loop);
            tl_handle_unref(take_handle(events[i].token));
        }
    }
}

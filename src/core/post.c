/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_soon_threadsafe and post_message: from any thread to the loop's ready queue.
 *
 * What is handed over is one allocation: a post for the kernel's way across, and what takes its
 * turn in the queue on the other side, a handle (posted.c) or a message.
 *
 * A thread that hands something over counts itself in posting while it does. Closing sets a bit
 * there and waits until nobody is left, so a kernel is never destroyed under a poster; what the
 * kernel has not handed out by then it releases itself.
 *
 * The thread that owns the loop's queue needs no way across: what it hands over joins the queue at
 * once and keeps its place among its call_soon calls (asyncio: it is one queue). That is the thread
 * that made the loop, until another one runs it. Both say what they are about before they look at
 * what the other one says, owner on the one side and posting on the other, so either the poster
 * sees that it owns the queue no more, or the runner sees the poster and waits.
 */
#include "core/post.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/handle.h"
#include "core/loop.h"
#include "core/posted.h"
#include "core/self.h"

struct message {
    struct tl_post post;
    struct tl_ready ready; /* runs tl_message_run(this) */
    tl_loop *loop;         /* set when it is delivered */
    char data[];
};

/* --- Who is handing over ---------------------------------------------------------------------- */

/* Whether the loop is open, and will stay so until leave. */
static bool enter(tl_loop *loop)
{
    return (__atomic_fetch_add(&loop->shared.posting, 1, __ATOMIC_SEQ_CST) & TL_POSTS_CLOSED) == 0;
}

static void leave(tl_loop *loop)
{
    (void)__atomic_fetch_sub(&loop->shared.posting, 1, __ATOMIC_RELEASE);
}

static void await_posters(tl_loop *loop)
{
    struct tl_context *context = tl_thread_self()->context;
    while ((__atomic_load_n(&loop->shared.posting, __ATOMIC_SEQ_CST) & ~TL_POSTS_CLOSED) != 0)
        context->ops->give_way(context);
}

/* For a thread that has entered. A job that is run here inline is as good as on another thread. */
static bool owns_queue(tl_loop *loop, const struct tl_thread *self)
{
    return !self->in_job && __atomic_load_n(&loop->shared.owner, __ATOMIC_SEQ_CST) == self;
}

void tl_posts_own(tl_loop *loop, struct tl_thread *self)
{
    if (__atomic_load_n(&loop->shared.owner, __ATOMIC_RELAXED) == self)
        return;
    __atomic_store_n(&loop->shared.owner, self, __ATOMIC_SEQ_CST);
    await_posters(loop);
}

void tl_posts_close(tl_loop *loop)
{
    (void)__atomic_fetch_or(&loop->shared.posting, TL_POSTS_CLOSED, __ATOMIC_SEQ_CST);
    await_posters(loop);
}

/* --- Callbacks -------------------------------------------------------------------------------- */

/* As call_soon, for this thread owns the queue. The handle may be let go while another one does. */
static int queue_callback(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret)
{
    int r = tl_loop_call_soon(loop, callback, arg, ret);
    if (r == 0 && ret != NULL)
        (*ret)->shared = true;
    return r;
}

/* For a thread that has entered. */
static int hand_over_callback(tl_loop *loop, struct tl_thread *self, tl_callback callback,
                              void *arg, tl_handle **ret)
{
    if (owns_queue(loop, self))
        return queue_callback(loop, callback, arg, ret);
    struct tl_posted *posted = tl_posted_new(loop, self, callback, arg, ret);
    if (posted == NULL)
        return -ENOMEM;
    int r = loop->kernel->ops->post(loop->kernel, &posted->post);
    if (r < 0)
        tl_posted_free(&posted->handle, NULL);
    return r;
}

int tl_loop_call_soon_threadsafe(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    struct tl_thread *self = tl_thread_self();
    if (self->running == loop)
        return queue_callback(loop, callback, arg, ret);
    tl_handle *handle;
    int r = enter(loop)
                ? hand_over_callback(loop, self, callback, arg, ret != NULL ? &handle : NULL)
                : TL_ECLOSED;
    leave(loop);
    if (r == 0 && ret != NULL)
        *ret = handle;
    return r;
}

/* --- Messages --------------------------------------------------------------------------------- */

static struct message *message_of(struct tl_post *post)
{
    return tl_container_of(post, struct message, post);
}

static void message_release(struct tl_post *post)
{
    tl_free(message_of(post));
}

struct tl_post *tl_post_new_message(uint32_t kind, const void *data, size_t len)
{
    struct message *message =
        len <= SIZE_MAX - sizeof *message ? tl_alloc(sizeof *message + len) : NULL;
    if (message == NULL)
        return NULL;
    message->post = (struct tl_post){
        .release = message_release, .data = message->data, .len = len, .kind = kind};
    tl_ready_init(&message->ready, tl_message_run, message);
    message->loop = NULL;
    if (len > 0)
        memcpy(message->data, data, len);
    return &message->post;
}

void tl_message_run(void *arg)
{
    struct message *message = arg;
    tl_loop *loop = message->loop;
    if (loop->message_handler != NULL)
        loop->message_handler(loop, message->post.kind, message->data, message->post.len,
                              loop->message_arg);
    else
        tl_loop_report(loop, "A message was posted to a loop that has no message handler", 0, NULL,
                       NULL);
    tl_free(message);
}

void tl_message_discard(void *message)
{
    tl_free(message);
}

int tl_loop_set_message_handler(tl_loop *loop, tl_message_handler handler, void *arg)
{
    if (loop == NULL)
        return -EINVAL;
    loop->message_handler = handler;
    loop->message_arg = handler != NULL ? arg : NULL;
    return 0;
}

/* For a thread that has entered. */
static int hand_over_message(tl_loop *loop, struct tl_thread *self, struct tl_post *post)
{
    if (owns_queue(loop, self)) {
        tl_posts_deliver(loop, post);
        return 0;
    }
    memcpy(post->producer, self->name, sizeof post->producer);
    return loop->kernel->ops->post(loop->kernel, post);
}

int tl_loop_post_message(tl_loop *loop, uint32_t kind, const void *data, size_t len)
{
    if (loop == NULL || (data == NULL && len > 0))
        return -EINVAL;
    struct tl_post *post = tl_post_new_message(kind, data, len);
    if (post == NULL)
        return -ENOMEM;
    int r = enter(loop) ? hand_over_message(loop, tl_thread_self(), post) : TL_ECLOSED;
    leave(loop);
    if (r < 0)
        message_release(post);
    return r;
}

/* --- On the loop's side ----------------------------------------------------------------------- */

void tl_posts_deliver(tl_loop *loop, struct tl_post *post)
{
    if (post->data == NULL) {
        tl_handle *handle = &tl_posted_of(post)->handle;
        /* It may have been cancelled on its way, on this thread. */
        if (handle->cancelled)
            tl_handle_unref(handle);
        else
            tl_loop_queue(loop, &handle->ready);
        return;
    }
    struct message *message = message_of(post);
    message->loop = loop;
    tl_loop_queue(loop, &message->ready);
}

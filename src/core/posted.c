/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of posted callbacks.
 *
 * One thread makes a posted callback, another one lets it go, and it is small and short-lived: the
 * worst case of a general allocator, where it would cost more than everything else about a post. So
 * the memory goes round. The thread that runs a loop gathers what it lets go and hands it back by
 * the bundle, onto a stack that all posters of the loop see; a poster with nothing left takes the
 * whole stack, which needs no more than an exchange, and keeps it for its next posts. Bounds on
 * both keep a flood from staying in memory for ever.
 *
 * Lines of memory that move between processors are what the rest of the cost is. What posters and
 * the loop both write is apart from what the loop alone does (see tl_loop), and a post says where
 * an older one of its thread is, for the loop to have it fetched while it works on this one.
 */
#include "core/posted.h"

#include "core/alloc.h"
#include "core/debug.h"
#include "core/loop.h"
#include "core/poison.h"
#include "core/self.h"

enum { BUNDLE = 32, BUNDLES_MAX = 16 };

/* --- Around ----------------------------------------------------------------------------------- */

/* What is kept may not be touched but for the link. */
static void close_up(struct tl_posted *posted)
{
    TL_POISON(&posted->handle, sizeof posted->handle);
}

static void open_up(struct tl_posted *posted)
{
    TL_UNPOISON(&posted->handle, sizeof posted->handle);
}

static void free_all(struct tl_post *post)
{
    while (post != NULL) {
        struct tl_posted *posted = tl_posted_of(post);
        post = post->next;
        open_up(posted);
        tl_free(posted);
    }
}

/* Takes what is kept by this thread, or by the loop for any. */
static struct tl_posted *take(tl_loop *loop, struct tl_thread *self)
{
    struct tl_post *post = self->spare_posts;
    if (post == NULL)
        post = __atomic_exchange_n(&loop->shared.spare_posts, NULL, __ATOMIC_ACQUIRE);
    if (post == NULL)
        return tl_alloc(sizeof(struct tl_posted));
    self->spare_posts = post->next;
    __builtin_prefetch(post->next, 1);
    struct tl_posted *posted = tl_posted_of(post);
    open_up(posted);
    return posted;
}

/* Shows the bundle to the posters. */
static void share(tl_loop *loop)
{
    struct tl_posted_pool *pool = &loop->posted;
    struct tl_post *head = __atomic_load_n(&loop->shared.spare_posts, __ATOMIC_RELAXED);
    pool->bundles = head != NULL ? pool->bundles + 1 : 1;
    if (pool->bundles > BUNDLES_MAX) {
        pool->bundles--;
        free_all(pool->first);
    } else {
        do
            pool->last->next = head;
        while (!__atomic_compare_exchange_n(&loop->shared.spare_posts, &head, pool->first, true,
                                            __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    }
    pool->first = NULL;
    pool->count = 0;
}

static void keep(tl_loop *loop, struct tl_posted *posted)
{
    struct tl_posted_pool *pool = &loop->posted;
    close_up(posted);
    posted->post.next = NULL;
    if (pool->first == NULL)
        pool->first = &posted->post;
    else
        pool->last->next = &posted->post;
    pool->last = &posted->post;
    if (++pool->count == BUNDLE)
        share(loop);
}

void tl_posted_pool_finish(tl_loop *loop)
{
    free_all(loop->posted.first);
    free_all(loop->shared.spare_posts);
    loop->posted = (struct tl_posted_pool){0};
    loop->shared.spare_posts = NULL;
}

void tl_thread_finish(struct tl_thread *self)
{
    tl_free(self->read_buffer);
    self->read_buffer = NULL;
    free_all(self->spare_posts);
    self->spare_posts = NULL;
}

/* --- One -------------------------------------------------------------------------------------- */

static void release(struct tl_post *post)
{
    tl_handle_unref(&tl_posted_of(post)->handle);
}

/* Says who posts, and which of its posts it is; and where an older one of them was, which is just a
 * guess at what will be needed soon. */
static void sign(struct tl_post *post, struct tl_thread *self)
{
    __builtin_memcpy(post->producer, self->name, sizeof post->producer);
    post->ordinal = self->posts++;
    struct tl_post **older = &self->recent_posts[post->ordinal % TL_RECENT_POSTS];
    post->older = *older;
    *older = post;
}

/* As take, with room for a traceback. */
static struct tl_posted *make_traced(void)
{
    return tl_alloc(sizeof(struct tl_posted) - sizeof(tl_handle) + sizeof(struct tl_traced_handle));
}

struct tl_posted *tl_posted_new(tl_loop *loop, struct tl_thread *self, tl_callback callback,
                                void *arg, tl_handle **ret)
{
    bool traced = __builtin_expect(tl_loop_debug(loop), false);
    struct tl_posted *posted = traced ? make_traced() : take(loop, self);
    if (posted == NULL)
        return NULL;
    /* The caller's reference is written now: once it is posted, the loop may run and free it. */
    tl_handle_init(&posted->handle, callback, arg, ret);
    posted->handle.posted = true;
    posted->handle.shared = ret != NULL; /* else the loop alone will ever have it */
    if (traced)
        tl_traced_handle_sign(&posted->handle);
    posted->post.release = release;
    posted->post.data = NULL;
    posted->post.len = 0;
    posted->post.kind = 0;
    sign(&posted->post, self);
    return posted;
}

void tl_posted_free(tl_handle *handle, tl_loop *running)
{
    struct tl_posted *posted = tl_container_of(handle, struct tl_posted, handle);
    if (running == NULL || handle->traced)
        tl_free(posted);
    else
        keep(running, posted);
}

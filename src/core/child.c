/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default child watcher: has the loop's kernel watch processes that the program started
 * itself, and calls back from that loop when they end.
 *
 * There is one in each context, part of it, used by the default policy unless the program sets
 * another. It is attached to one loop at a time. Its children move along when it is attached to
 * another; while it has none nobody waits for them, and they stay zombies until it has. It hears of
 * its loop's closing through the loop's list of what can act.
 *
 * A record of a child lives from add_child_handler until its callback has been called, it is
 * removed, or the watcher is closed.
 */
#include "core/child.h"

#include <errno.h>

#include "core/alloc.h"
#include "core/child_watcher.h"
#include "core/loop.h"

struct tl_watched_child {
    struct tl_child child; /* runs call_back(this) */
    struct tl_watched_child *next;
    struct tl_default_watcher *watcher;
    int64_t pid;
    tl_child_callback callback;
    void *arg;
    bool known; /* to the kernel of the watcher's loop */
    bool ended;
};

void tl_child_deliver(tl_loop *loop, struct tl_child *child, int64_t status)
{
    child->status = (int)status;
    tl_loop_queue(loop, &child->ready);
}

/* --- Records ---------------------------------------------------------------------------------- */

static struct tl_default_watcher *watcher_of(tl_child_watcher *watcher)
{
    return tl_container_of(watcher, struct tl_default_watcher, base);
}

static struct tl_watched_child **find(struct tl_default_watcher *watcher, int64_t pid)
{
    struct tl_watched_child **link = &watcher->children;
    while (*link != NULL && (*link)->pid != pid)
        link = &(*link)->next;
    return link;
}

/* Takes a record out of the list, and its child back from the kernel. */
static void drop(struct tl_default_watcher *watcher, struct tl_watched_child **link)
{
    struct tl_watched_child *child = *link;
    *link = child->next;
    tl_ready_remove(&child->child.ready);
    if (child->known && watcher->loop != NULL) {
        struct tl_kernel *kernel = watcher->loop->kernel;
        (void)kernel->ops->release_child(kernel, child->pid);
    }
    tl_free(child);
}

static void call_back(void *arg)
{
    struct tl_watched_child *child = arg;
    tl_child_callback callback = child->callback;
    void *callback_arg = child->arg;
    int64_t pid = child->pid;
    int status = child->child.status;
    child->known = false; /* the kernel has forgotten it with its event */
    drop(child->watcher, find(child->watcher, pid));
    callback(pid, status, callback_arg);
}

/* --- Its loop --------------------------------------------------------------------------------- */

/* What a loop that is left knows of the children; those that have ended keep their status. */
static void leave(struct tl_default_watcher *watcher, bool closing)
{
    struct tl_kernel *kernel = watcher->loop->kernel;
    for (struct tl_watched_child *child = watcher->children; child != NULL; child = child->next) {
        bool ended = tl_ready_queued(&child->child.ready);
        child->ended = child->ended || ended;
        tl_ready_remove(&child->child.ready);
        if (child->known && !ended && !closing)
            (void)kernel->ops->release_child(kernel, child->pid);
        child->known = false;
    }
    tl_live_remove(&watcher->live);
    watcher->loop = NULL;
}

static void loop_closes(struct tl_live *live)
{
    leave(tl_container_of(live, struct tl_default_watcher, live), true);
}

/* Has the loop watch one child more, or tell of one that has ended. */
static int enter(struct tl_default_watcher *watcher, struct tl_watched_child *child)
{
    struct tl_kernel *kernel = watcher->loop->kernel;
    if (child->ended) {
        tl_loop_queue(watcher->loop, &child->child.ready);
        return 0;
    }
    int r = kernel->ops->adopt_child(kernel, child->pid, &child->child);
    child->known = r == 0;
    return r;
}

/* asyncio's answer for a child that somebody else has waited for. */
enum { STATUS_UNKNOWN = 255 };

static int attach_loop(tl_child_watcher *base, tl_loop *loop)
{
    struct tl_default_watcher *watcher = watcher_of(base);
    int result = 0;
    if (loop != NULL && !tl_loop_open(loop))
        return TL_ECLOSED;
    if (watcher->loop == loop)
        return 0;
    if (watcher->loop != NULL)
        leave(watcher, false);
    if (loop == NULL)
        return 0;
    watcher->loop = loop;
    tl_live_add(&watcher->live, loop, loop_closes);
    for (struct tl_watched_child *child = watcher->children; child != NULL; child = child->next) {
        int r = enter(watcher, child);
        if (r == -ECHILD) {
            child->ended = true;
            child->child.status = STATUS_UNKNOWN;
            r = enter(watcher, child);
        }
        if (r < 0)
            result = r;
    }
    return result;
}

/* --- The other operations --------------------------------------------------------------------- */

static int add_child_handler(tl_child_watcher *base, int64_t pid, tl_child_callback callback,
                             void *arg)
{
    struct tl_default_watcher *watcher = watcher_of(base);
    if (watcher->loop == NULL)
        return TL_ENOLOOP;
    struct tl_watched_child *child = *find(watcher, pid);
    if (child != NULL) { /* asyncio: the second handler of a child replaces the first */
        child->callback = callback;
        child->arg = arg;
        return 0;
    }
    child = tl_calloc(sizeof *child);
    if (child == NULL)
        return -ENOMEM;
    tl_ready_init(&child->child.ready, call_back, child);
    child->watcher = watcher;
    child->pid = pid;
    child->callback = callback;
    child->arg = arg;
    int r = enter(watcher, child);
    if (r < 0) {
        tl_free(child);
        return r;
    }
    child->next = watcher->children;
    watcher->children = child;
    return 0;
}

static int remove_child_handler(tl_child_watcher *base, int64_t pid)
{
    struct tl_default_watcher *watcher = watcher_of(base);
    struct tl_watched_child **link = find(watcher, pid);
    if (*link == NULL)
        return 0;
    if (tl_ready_queued(&(*link)->child.ready))
        (*link)->known = false;
    drop(watcher, link);
    return 1;
}

static void close_watcher(tl_child_watcher *base)
{
    struct tl_default_watcher *watcher = watcher_of(base);
    if (watcher->loop != NULL)
        leave(watcher, false);
    while (watcher->children != NULL)
        drop(watcher, &watcher->children);
}

static bool is_active(const tl_child_watcher *base)
{
    const tl_loop *loop = ((const struct tl_default_watcher *)base)->loop;
    return loop != NULL && loop->running;
}

static const struct tl_child_watcher_ops watcher_ops = {
    .add_child_handler = add_child_handler,
    .remove_child_handler = remove_child_handler,
    .attach_loop = attach_loop,
    .close = close_watcher,
    .is_active = is_active,
};

tl_child_watcher *tl_default_watcher_init(struct tl_default_watcher *watcher)
{
    *watcher = (struct tl_default_watcher){.base.ops = &watcher_ops};
    return &watcher->base;
}

/* --- Asking any watcher ----------------------------------------------------------------------- */

int tl_child_watcher_add_child_handler(tl_child_watcher *watcher, int64_t pid,
                                       tl_child_callback callback, void *arg)
{
    if (watcher == NULL || callback == NULL)
        return -EINVAL;
    return watcher->ops->add_child_handler != NULL
               ? watcher->ops->add_child_handler(watcher, pid, callback, arg)
               : -ENOSYS;
}

int tl_child_watcher_remove_child_handler(tl_child_watcher *watcher, int64_t pid)
{
    if (watcher == NULL)
        return -EINVAL;
    return watcher->ops->remove_child_handler != NULL
               ? watcher->ops->remove_child_handler(watcher, pid)
               : -ENOSYS;
}

int tl_child_watcher_attach_loop(tl_child_watcher *watcher, tl_loop *loop)
{
    if (watcher == NULL)
        return -EINVAL;
    return watcher->ops->attach_loop != NULL ? watcher->ops->attach_loop(watcher, loop) : -ENOSYS;
}

void tl_child_watcher_close(tl_child_watcher *watcher)
{
    if (watcher != NULL && watcher->ops->close != NULL)
        watcher->ops->close(watcher);
}

bool tl_child_watcher_is_active(const tl_child_watcher *watcher)
{
    return watcher != NULL && watcher->ops->is_active != NULL && watcher->ops->is_active(watcher);
}

int tl_child_watcher_enter(tl_child_watcher *watcher)
{
    if (watcher == NULL)
        return -EINVAL;
    return watcher->ops->enter != NULL ? watcher->ops->enter(watcher) : 0;
}

void tl_child_watcher_exit(tl_child_watcher *watcher)
{
    if (watcher != NULL && watcher->ops->exit != NULL)
        watcher->ops->exit(watcher);
}

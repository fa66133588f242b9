/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies, and the four functions that obtain a loop.
 *
 * The default policy keeps a current loop per thread, in tl_self, and makes a loop on whatever
 * kernel the process's context gives: that is the only place where the world a program runs in
 * makes a difference, and it is an answer, not a question. A thread's current loop belongs to the
 * generation of policies that set it: once the policy is replaced, the loops that the old one kept
 * are forgotten.
 */
#include <twinloop/policy.h>

#include <errno.h>

#include "core/loop.h"
#include "core/self.h"

/* --- The default policy ----------------------------------------------------------------------- */

static tl_loop *current_loop(const struct tl_thread *self)
{
    bool valid = self->current_generation == self->context->policy_generation;
    return valid ? self->current : NULL;
}

static bool current_was_set(const struct tl_thread *self)
{
    return self->current_was_set && self->current_generation == self->context->policy_generation;
}

int tl_default_get_event_loop(tl_policy *policy, tl_loop **ret)
{
    struct tl_thread *self = tl_thread_self();
    if (current_loop(self) == NULL && !current_was_set(self) && self->is_main) {
        /* asyncio: made and set by the policy's own operations, which may be somebody else's. */
        tl_loop *loop;
        int r = policy->ops->new_event_loop(policy, &loop);
        if (r < 0)
            return r;
        r = policy->ops->set_event_loop(policy, loop);
        if (r < 0) {
            tl_loop_free(loop);
            return r;
        }
    }
    tl_loop *loop = current_loop(self);
    if (loop == NULL)
        return TL_ENOLOOP;
    *ret = loop;
    return 0;
}

/* The watcher, if there has been need for one. */
static tl_child_watcher *watcher_there(struct tl_context *context)
{
    context->ops->lock(context);
    tl_child_watcher *watcher = context->child_watcher;
    context->ops->unlock(context);
    return watcher;
}

int tl_default_set_event_loop(tl_policy *policy, tl_loop *loop)
{
    (void)policy;
    struct tl_thread *self = tl_thread_self();
    self->current = loop;
    self->current_generation = self->context->policy_generation;
    self->current_was_set = true;
    /* asyncio: children are watched by the main thread's loop. */
    tl_child_watcher *watcher = self->is_main ? watcher_there(self->context) : NULL;
    if (watcher == NULL || watcher->ops->attach_loop == NULL)
        return 0;
    return watcher->ops->attach_loop(watcher, loop);
}

int tl_default_new_event_loop(tl_policy *policy, tl_loop **ret)
{
    (void)policy;
    struct tl_context *context = tl_thread_self()->context;
    struct tl_kernel *kernel;
    int r = context->ops->new_kernel(context, &kernel);
    return r < 0 ? r : tl_loop_take(kernel, ret);
}

int tl_default_get_child_watcher(tl_policy *policy, tl_child_watcher **ret)
{
    (void)policy;
    struct tl_thread *self = tl_thread_self();
    struct tl_context *context = self->context;
    context->ops->lock(context);
    bool fresh = context->child_watcher == NULL;
    if (fresh)
        context->child_watcher = tl_default_watcher_init(&context->default_watcher);
    tl_child_watcher *watcher = context->child_watcher;
    context->ops->unlock(context);
    tl_loop *loop = current_loop(self);
    if (fresh && self->is_main && loop != NULL && tl_loop_open(loop))
        (void)tl_child_watcher_attach_loop(watcher, loop); /* it has no children that could fail */
    *ret = watcher;
    return 0;
}

int tl_default_set_child_watcher(tl_policy *policy, tl_child_watcher *watcher)
{
    (void)policy;
    struct tl_context *context = tl_thread_self()->context;
    if (watcher != NULL && watcher->ops == NULL)
        return -EINVAL;
    context->ops->lock(context);
    tl_child_watcher *before = context->child_watcher;
    context->child_watcher = watcher;
    context->ops->unlock(context);
    if (before != watcher)
        tl_child_watcher_close(before);
    return 0;
}

static const struct tl_policy_ops default_ops = {
    .get_event_loop = tl_default_get_event_loop,
    .set_event_loop = tl_default_set_event_loop,
    .new_event_loop = tl_default_new_event_loop,
    .get_child_watcher = tl_default_get_child_watcher,
    .set_child_watcher = tl_default_set_child_watcher,
};

/* --- Which policy ----------------------------------------------------------------------------- */

tl_policy *tl_get_event_loop_policy(void)
{
    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    if (context->policy == NULL) {
        context->default_policy.ops = &default_ops;
        context->policy = &context->default_policy;
    }
    tl_policy *policy = context->policy;
    context->ops->unlock(context);
    return policy;
}

int tl_set_event_loop_policy(tl_policy *policy)
{
    if (policy != NULL && policy->ops == NULL)
        return -EINVAL;
    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    context->policy = policy;
    context->policy_generation++;
    /* What the old policy's rules have kept is forgotten: loops by the generation, and this. */
    tl_child_watcher *watcher = context->child_watcher;
    context->child_watcher = NULL;
    context->ops->unlock(context);
    if (watcher == &context->default_watcher.base)
        tl_child_watcher_close(watcher);
    return 0;
}

/* --- Obtaining a loop ------------------------------------------------------------------------- */

tl_loop *tl_get_running_loop(void)
{
    struct tl_thread *self = tl_thread_self();
    tl_loop *loop = self->running;
    if (loop != NULL) {
        /* A child forked from inside the loop has this memory too, but runs nothing. */
        struct tl_kernel *kernel = loop->kernel;
        if (kernel->ops->info(kernel, TL_INFO_PID, NULL, NULL, 0) == self->running_pid)
            return loop;
    }
    self->last_error = TL_ENORUNNING;
    return NULL;
}

int tl_get_event_loop(tl_loop **ret)
{
    if (ret == NULL)
        return -EINVAL;
    tl_loop *running = tl_get_running_loop();
    if (running != NULL) {
        *ret = running;
        return 0;
    }
    tl_policy *policy = tl_get_event_loop_policy();
    return policy->ops->get_event_loop != NULL ? policy->ops->get_event_loop(policy, ret) : -ENOSYS;
}

int tl_set_event_loop(tl_loop *loop)
{
    tl_policy *policy = tl_get_event_loop_policy();
    return policy->ops->set_event_loop != NULL ? policy->ops->set_event_loop(policy, loop)
                                               : -ENOSYS;
}

int tl_new_event_loop(tl_loop **ret)
{
    tl_policy *policy = tl_get_event_loop_policy();
    return policy->ops->new_event_loop != NULL ? policy->ops->new_event_loop(policy, ret) : -ENOSYS;
}

/* --- Child watchers --------------------------------------------------------------------------- */

int tl_get_child_watcher(tl_child_watcher **ret)
{
    tl_policy *policy = tl_get_event_loop_policy();
    return policy->ops->get_child_watcher != NULL ? policy->ops->get_child_watcher(policy, ret)
                                                  : -ENOSYS;
}

int tl_set_child_watcher(tl_child_watcher *watcher)
{
    tl_policy *policy = tl_get_event_loop_policy();
    return policy->ops->set_child_watcher != NULL ? policy->ops->set_child_watcher(policy, watcher)
                                                  : -ENOSYS;
}

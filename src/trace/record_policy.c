/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy whose loops are recorded: what a program sets when it was started with --record.
 *
 * Each new loop gets the kernel that the default policy would give it, with a recorder around. The
 * policy belongs to who made it and holds nothing but the writer's address.
 */
#include <errno.h>
#include <twinloop/trace.h>
#include "core/alloc.h"
#include "core/loop.h"
#include "core/self.h"

struct record_policy {
    tl_policy policy;
    tl_trace_writer *writer;
    tl_allocator allocator; /* that the policy came from */
};

static int record_new_event_loop(tl_policy *policy, tl_loop **ret)
{
    struct record_policy *ours = (struct record_policy *)policy;
    struct tl_context *context = tl_thread_self()->context;
    struct tl_kernel *inner, *recorder;

    int r = context->ops->new_kernel(context, &inner);
    if (r < 0)
        return r;
    r = tl_record_kernel_new(inner, ours->writer, &recorder);
    if (r < 0) {
        inner->ops->destroy(inner);
        return r;
    }
    return tl_loop_take(recorder, ret);
}

static const struct tl_policy_ops record_policy_ops = {
    .get_event_loop = tl_default_get_event_loop,
    .set_event_loop = tl_default_set_event_loop,
    .new_event_loop = record_new_event_loop,
};

int tl_record_policy_new(tl_trace_writer *writer, tl_policy **ret)
{
    if (writer == NULL || ret == NULL)
        return -EINVAL;
    struct record_policy *policy = tl_calloc(sizeof *policy);
    if (policy == NULL)
        return -ENOMEM;
    policy->policy.ops = &record_policy_ops;
    policy->writer = writer;
    policy->allocator = *tl_get_allocator();
    *ret = &policy->policy;
    return 0;
}

void tl_record_policy_free(tl_policy *policy)
{
    if (policy == NULL)
        return;
    tl_allocator allocator = ((struct record_policy *)policy)->allocator;
    tl_allocator_free(&allocator, policy);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: who decides which loop a thread gets (rows asyncio.get_event_loop_policy,
 * asyncio.set_event_loop_policy, AbstractEventLoopPolicy).
 *
 * There is one policy per process. The default one keeps a current loop per thread, makes one on
 * the main thread when asked for the first time, and lets the process decide what a new loop runs
 * on: epoll in an operating-system process, the fake kernel in a simulated one. So a program that
 * calls tl_new_event_loop runs in both worlds unchanged; a program that wants something else (a
 * recording, a replay, a kernel of its own) sets another policy.
 */
#ifndef TWINLOOP_POLICY_H
#define TWINLOOP_POLICY_H

#include <twinloop/handle.h>

typedef struct tl_policy tl_policy;
typedef struct tl_child_watcher tl_child_watcher;

/* What a policy can be asked; a NULL member means -ENOSYS. Each returns 0 or a negative error. */
struct tl_policy_ops {
    int (*get_event_loop)(tl_policy *policy, tl_loop **ret);
    int (*set_event_loop)(tl_policy *policy, tl_loop *loop);
    int (*new_event_loop)(tl_policy *policy, tl_loop **ret);
    int (*get_child_watcher)(tl_policy *policy, tl_child_watcher **ret);
    int (*set_child_watcher)(tl_policy *policy, tl_child_watcher *watcher);
};

/* Embedded at the start of a policy's own struct, which the policy's maker owns. */
struct tl_policy {
    const struct tl_policy_ops *ops;
};

/* Row asyncio.get_event_loop_policy. This process's policy; never NULL. */
tl_policy *tl_get_event_loop_policy(void);

/* Row asyncio.set_event_loop_policy. The policy stays its maker's and must live while it is set.
 * NULL brings back a fresh default policy. The child watcher of the one before is closed if it is
 * the default policy's. Running loops do not notice. 0, or -EINVAL for a policy
 * without ops. */
int tl_set_event_loop_policy(tl_policy *policy);

/* The default policy's own answers, for a policy that wants to change only one of them. */
int tl_default_get_event_loop(tl_policy *policy, tl_loop **ret);
int tl_default_set_event_loop(tl_policy *policy, tl_loop *loop);
int tl_default_new_event_loop(tl_policy *policy, tl_loop **ret);
int tl_default_get_child_watcher(tl_policy *policy, tl_child_watcher **ret);
int tl_default_set_child_watcher(tl_policy *policy, tl_child_watcher *watcher);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child watchers: who tells a program that a process which it has started by its own means has
 * ended (asyncio's AbstractChildWatcher, and the last two operations of AbstractEventLoopPolicy).
 *
 * The default policy has a watcher of its own, made when it is first asked for, attached to the
 * main thread's current loop and moved along by tl_set_event_loop. It waits for the children that
 * were given to it and for nobody else's: by pidfd, or by a SIGCHLD handler that leaves the
 * program's own in place where the system has no pidfds. A watcher is used on its loop's thread.
 */
#ifndef TWINLOOP_CHILD_H
#define TWINLOOP_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/handle.h>
#include <twinloop/policy.h>

/* status is the exit code, -signal, or 255 when somebody else has waited for the child. Runs from
 * the loop, after the child was reaped. */
typedef void (*tl_child_callback)(int64_t pid, int status, void *arg);

/* What a watcher can be asked. A NULL member means -ENOSYS; for close and exit nothing happens, for
 * enter 0, for is_active false. */
struct tl_child_watcher_ops {
    int (*add_child_handler)(tl_child_watcher *watcher, int64_t pid, tl_child_callback callback,
                             void *arg);
    int (*remove_child_handler)(tl_child_watcher *watcher, int64_t pid);
    int (*attach_loop)(tl_child_watcher *watcher, tl_loop *loop);
    void (*close)(tl_child_watcher *watcher);
    bool (*is_active)(const tl_child_watcher *watcher);
    int (*enter)(tl_child_watcher *watcher);
    void (*exit)(tl_child_watcher *watcher);
};

/* Embedded at the start of a watcher's own struct, which its maker owns. */
struct tl_child_watcher {
    const struct tl_child_watcher_ops *ops;
};

/* This policy's watcher, borrowed; NULL is never given. 0, -ENOSYS for a policy without. */
int tl_get_child_watcher(tl_child_watcher **ret);

/* Replaces it. The default policy closes the one before; NULL lets it make another when it is next
 * asked. -EINVAL for a watcher without ops. */
int tl_set_child_watcher(tl_child_watcher *watcher);

/* Has callback called once when the child ends. A second handler of a child replaces the first. 0;
 * -ECHILD when the process has no such child; TL_ENOLOOP when no loop is attached; -ENOMEM. */
int tl_child_watcher_add_child_handler(tl_child_watcher *watcher, int64_t pid,
                                       tl_child_callback callback, void *arg);

/* 1 when there was a handler, whose child is from now on the program's to wait for; else 0. */
int tl_child_watcher_remove_child_handler(tl_child_watcher *watcher, int64_t pid);

/* Moves the watcher to another loop, with its children; NULL only takes it off its loop. 0 or a
 * negative error, after which some children are not watched. */
int tl_child_watcher_attach_loop(tl_child_watcher *watcher, tl_loop *loop);

/* Drops all handlers and takes it off its loop. NULL is allowed. */
void tl_child_watcher_close(tl_child_watcher *watcher);

/* Whether it is attached to a loop that runs. */
bool tl_child_watcher_is_active(const tl_child_watcher *watcher);

/* Around starting a child and adding its handler, for watchers that must know. */
int tl_child_watcher_enter(tl_child_watcher *watcher);
void tl_child_watcher_exit(tl_child_watcher *watcher);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All state of the library that is not in an object hangs off one thread-local pointer, tl_self.
 *
 * A tl_thread is what one thread of a program knows: its running and its current loop. A tl_context
 * is what the program as a whole knows: policy, allocator, log handler, and how to make a kernel.
 * In an operating-system process src/real makes one context for the process and one tl_thread for
 * each thread that uses the library; a simulated process has one of each, and the world points
 * tl_self at them while it runs. There is no other static or thread-local data in the core.
 */
#ifndef TL_CORE_SELF_H
#define TL_CORE_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/alloc.h>
#include <twinloop/log.h>
#include <twinloop/policy.h>
#include "core/child_watcher.h"

struct tl_kernel;
struct tl_post;
struct tl_context;
struct tl_task;
struct tl_task_stacks;

/* How a context differs from world to world; supplied by who makes the context. */
struct tl_context_ops {
    /* A kernel for a new loop of the default policy. 0 or a negative error. */
    int (*new_kernel)(struct tl_context *context, struct tl_kernel **ret);

    /* A failed TL_ASSERT of the program: does not return. */
    void (*assertion_failed)(struct tl_context *context, const char *text)
        __attribute__((noreturn));

    /* Guards members of the context that several threads may change. */
    void (*lock)(struct tl_context *context);
    void (*unlock)(struct tl_context *context);

    /* Lets other threads go on, for one that waits for them to leave a few lines of code. */
    void (*give_way)(struct tl_context *context);

    /* Writes a message where it is seen when no log handler is set. */
    void (*log)(struct tl_context *context, enum tl_log_level level, const char *text);

    /* For debug mode: writes down up to count return addresses of the calls that led to the core's,
     * the innermost first, and returns how many. */
    unsigned (*backtrace)(struct tl_context *context, void **addresses, unsigned count);

    /* Names an address in code, as "function+0x12", "function" where it begins, "module+0x1234"
     * where nothing is known; never by its number, which no two runs have in common. */
    void (*symbol)(struct tl_context *context, const void *address, char *text, size_t size);
};

/* Those two as they are done in an operating-system process, which a simulated one lives in too. In
 * src/real. */
unsigned tl_native_backtrace(struct tl_context *context, void **addresses, unsigned count);
void tl_native_symbol(struct tl_context *context, const void *address, char *text, size_t size);

struct tl_context {
    const struct tl_context_ops *ops;
    struct tl_allocator allocator; /* realloc NULL: the C library's */
    tl_log_handler log_handler;    /* NULL: ops->log */
    void *log_arg;
    tl_policy *policy;                         /* NULL: default_policy */
    tl_policy default_policy;                  /* ops NULL until it is first asked for */
    tl_child_watcher *child_watcher;           /* the default policy's; NULL: not asked for yet */
    struct tl_default_watcher default_watcher; /* what it makes */
    struct tl_task_stacks *task_stacks;        /* of all loops; under the lock */
    uint32_t policy_generation; /* counts set_event_loop_policy: a thread's loop belongs to one
                                   generation */
};

enum { TL_RECENT_POSTS = 8 };

struct tl_thread {
    struct tl_context *context;
    struct tl_loop *running;     /* whose run_forever is on this thread's stack */
    struct tl_task *task;        /* whose stack this is; NULL outside of tasks */
    int64_t running_pid;         /* the process in which that is true: a forked child sees none */
    struct tl_loop *current;     /* set_event_loop's */
    uint32_t current_generation; /* the policy generation that set it */
    bool current_was_set;        /* set_event_loop was called, if only with NULL */
    bool is_main;                /* the program's first thread */
    bool in_job;                 /* it runs a job, if only inline: no loop is this thread's */
    int last_error;              /* tl_last_error's */
    char name[16];               /* for the trace, as the producer of posts */
    uint64_t posts;              /* how many this thread has made */
    struct tl_post *recent_posts[TL_RECENT_POSTS]; /* by ordinal; they may be gone: see posted.c */
    struct tl_post *spare_posts; /* memory for posts to come; of the context's allocator */
    void *read_buffer; /* TL_READ_BUFFER_SIZE bytes that transports read into; NULL until needed;
                          of the context's allocator */
};

/* Frees what hangs off the calling thread, before whoever has self lets go of it. */
void tl_thread_finish(struct tl_thread *self);

/* What one read asks for at most. */
#define TL_READ_BUFFER_SIZE 65536

/* In the thread's static storage, of which there is enough for one pointer of a library that is
 * loaded late: so asking for it is no call. */
extern _Thread_local struct tl_thread *tl_self __attribute__((tls_model("initial-exec")));

/* Makes the calling operating-system thread's tl_thread, points tl_self at it and returns it. Never
 * NULL. In src/real. */
struct tl_thread *tl_thread_attach(void);

/* This thread's tl_thread. */
static inline struct tl_thread *tl_thread_self(void)
{
    struct tl_thread *self = tl_self;
    return self != NULL ? self : tl_thread_attach();
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This operating-system process as a place for the core to run in: the one thread-local pointer,
 * a tl_thread for each thread that uses the library, and the process's one context.
 *
 * A thread's tl_thread is thread-local storage, so attaching cannot fail; it is filled at the
 * thread's first use of the library. What hangs off it is freed by a thread-exit destructor, after
 * which the thread may still use the library, and attaches anew. The context lives as long as the
 * process. A simulated world points tl_self elsewhere while its processes run.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <twinloop/kernel.h>
#include <twinloop/real.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/log.h"
#include "core/self.h"

/* Defined by libtwinloop-sim, which a program that can replay is linked with: a kernel that answers
 * from the trace which TWINLOOP_REPLAY names. */
int tl_replay_kernel_from_environment(struct tl_kernel **ret) __attribute__((weak));

struct native_context {
    struct tl_context context;
    pthread_mutex_t mutex;
    pthread_once_t once;
    pthread_key_t key; /* its destructor ends a thread's use of the library */
    bool keyed;        /* the key could be made */
};

/* --- The context --- */

static int native_new_kernel(struct tl_context *context, struct tl_kernel **ret)
{
    const char *replay = secure_getenv("TWINLOOP_REPLAY");

    (void)context;
    if (replay == NULL || *replay == '\0')
        return tl_real_kernel_new(ret);
    /* Somebody asked for a replay: touching the real world instead would be the worst answer. */
    if (tl_replay_kernel_from_environment == NULL)
        return -ENOSYS;
    return tl_replay_kernel_from_environment(ret);
}

/* The one abort of the library: what failed is an assertion that the program made of itself. */
static __attribute__((noreturn)) void native_assertion_failed(struct tl_context *context,
                                                              const char *text)
{
    (void)context;
    tl_log(TL_LOG_ERROR, "%s", text);
    abort();
}

static void native_lock(struct tl_context *context)
{
    pthread_mutex_lock(&((struct native_context *)context)->mutex);
}

static void native_unlock(struct tl_context *context)
{
    pthread_mutex_unlock(&((struct native_context *)context)->mutex);
}

static void native_give_way(struct tl_context *context)
{
    (void)context;
    sched_yield();
}

/* One system call, so that messages of several threads do not mix. */
static void native_log(struct tl_context *context, enum tl_log_level level, const char *text)
{
    const char *head = level == TL_LOG_ERROR ? "twinloop: error: " : "twinloop: warning: ";
    struct iovec parts[] = {
        {.iov_base = (char *)head, .iov_len = strlen(head)},
        {.iov_base = (char *)text, .iov_len = strlen(text)},
        {.iov_base = "\n", .iov_len = 1},
    };

    (void)context;
    if (level < TL_LOG_WARNING)
        return;
    if (writev(STDERR_FILENO, parts, 3) < 0)
        return; /* There is nowhere left to say so. */
}

static const struct tl_context_ops native_ops = {
    .new_kernel = native_new_kernel,
    .assertion_failed = native_assertion_failed,
    .lock = native_lock,
    .unlock = native_unlock,
    .give_way = native_give_way,
    .log = native_log,
    .backtrace = tl_native_backtrace,
    .symbol = tl_native_symbol,
};

static struct native_context native = {
    .context = {.ops = &native_ops},
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .once = PTHREAD_ONCE_INIT,
};

/* --- Threads --- */

_Thread_local struct tl_thread *tl_self;

static _Thread_local struct tl_thread native_thread;

static void thread_exit(void *arg)
{
    struct tl_thread *thread = arg;

    tl_self = thread;
    tl_thread_finish(thread);
    tl_self = NULL;
}

static void make_key(void)
{
    native.keyed = pthread_key_create(&native.key, thread_exit) == 0;
}

/* What the trace calls this thread. The first thread's name is the program's file name, which a
 * replay should not depend on. */
static void set_name(struct tl_thread *thread)
{
    if (thread->is_main) {
        memcpy(thread->name, "main", sizeof "main");
        return;
    }
    if (pthread_getname_np(pthread_self(), thread->name, sizeof thread->name) != 0)
        memcpy(thread->name, "thread", sizeof "thread");
    /* Nothing of an earlier, longer name behind the end. */
    size_t len = strlen(thread->name);
    memset(thread->name + len, 0, sizeof thread->name - len);
}

struct tl_thread *tl_thread_attach(void)
{
    struct tl_thread *thread = &native_thread;

    pthread_once(&native.once, make_key);
    if (thread->context == NULL) {
        thread->context = &native.context;
        thread->is_main = gettid() == getpid();
        set_name(thread);
    }
    /* Fails only for want of memory, and then one buffer is not freed at the thread's end. */
    if (native.keyed)
        (void)pthread_setspecific(native.key, thread);
    tl_self = thread;
    return thread;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: getaddrinfo and getnameinfo, which block for as long as a server of names takes to answer,
 * on threads of their own.
 *
 *     queued --a thread is free--> running --> finished --poll--> the query is answered
 *        |                            |            |
 *        `----------- given up -------+------------'
 *
 * They are no jobs, because a lookup must never be waited for: one that nobody wants any more is
 * left to its thread, which throws the answer away. So a lookup (lookup.c) owns a copy of what it
 * was asked, and the threads share a struct that outlives the kernel until the last of them has
 * returned. Both are memory of the C library: the program's allocator need not outlive the kernel.
 *
 * The loop's thread alone starts threads and fills in queries. Everything else in the shared struct
 * is guarded by its mutex; what a running lookup is asked and answers is its thread's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include "real/lookup.h"
#include "real/real.h"

enum { THREADS_MAX = 16 };

struct tl_real_resolver {
    int wake; /* the kernel's eventfd */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the queue, stopping, or how many threads are left */
    struct tl_real_lookups queue;
    struct tl_real_lookups running;
    struct tl_real_lookups finished;
    unsigned queued;
    unsigned waiting; /* threads that sleep until there is a lookup */
    unsigned threads;
    bool stopping; /* the kernel is gone; the last thread frees the struct */
};

/* --- Lists ------------------------------------------------------------------------------------ */

static void move(struct tl_real_lookup *lookup, struct tl_real_lookups *list)
{
    if (lookup->list != NULL)
        TAILQ_REMOVE(lookup->list, lookup, place);
    lookup->list = list;
    if (list != NULL)
        TAILQ_INSERT_TAIL(list, lookup, place);
}

static void discard(struct tl_real_lookup *lookup)
{
    move(lookup, NULL);
    tl_real_lookup_free(lookup);
}

/* --- Threads ---------------------------------------------------------------------------------- */

static void resolver_free(struct tl_real_resolver *resolver)
{
    pthread_cond_destroy(&resolver->changed);
    pthread_mutex_destroy(&resolver->mutex);
    free(resolver);
}

/* The next lookup, with the mutex held; NULL when the kernel is gone. */
static struct tl_real_lookup *next_lookup(struct tl_real_resolver *resolver)
{
    while (TAILQ_EMPTY(&resolver->queue) && !resolver->stopping) {
        resolver->waiting++;
        pthread_cond_wait(&resolver->changed, &resolver->mutex);
        resolver->waiting--;
    }
    if (resolver->stopping)
        return NULL;
    struct tl_real_lookup *lookup = TAILQ_FIRST(&resolver->queue);
    resolver->queued--;
    move(lookup, &resolver->running);
    return lookup;
}

/* With the mutex held, so that the kernel cannot go meanwhile. */
static void finish(struct tl_real_lookup *lookup)
{
    struct tl_real_resolver *resolver = lookup->resolver;
    bool first = TAILQ_EMPTY(&resolver->finished);

    if (lookup->query == NULL) {
        discard(lookup);
        return;
    }
    move(lookup, &resolver->finished);
    if (first)
        tl_real_wake(resolver->wake);
}

static void *thread_main(void *arg)
{
    struct tl_real_resolver *resolver = arg;
    struct tl_real_lookup *lookup;

    (void)pthread_setname_np(pthread_self(), "tl-resolver");
    pthread_mutex_lock(&resolver->mutex);
    while ((lookup = next_lookup(resolver)) != NULL) {
        pthread_mutex_unlock(&resolver->mutex);
        tl_real_lookup_ask(lookup);
        pthread_mutex_lock(&resolver->mutex);
        finish(lookup);
    }
    resolver->threads--;
    bool last = resolver->threads == 0 && resolver->wake < 0;
    pthread_cond_broadcast(&resolver->changed);
    pthread_mutex_unlock(&resolver->mutex);
    if (last)
        resolver_free(resolver);
    return NULL;
}

static int start_thread(struct tl_real_resolver *resolver)
{
    pthread_t thread;
    int r = tl_real_thread_start(&thread, thread_main, resolver);

    if (r == 0)
        pthread_detach(thread);
    return r;
}

/* --- The kernel's side ------------------------------------------------------------------------ */

static struct tl_real_resolver *resolver_of(struct tl_real *real)
{
    if (real->resolver != NULL || tl_real_wake_open(real) < 0)
        return real->resolver;
    struct tl_real_resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL)
        return NULL;
    resolver->wake = real->wake;
    /* With default attributes these cannot fail on Linux. */
    pthread_mutex_init(&resolver->mutex, NULL);
    pthread_cond_init(&resolver->changed, NULL);
    TAILQ_INIT(&resolver->queue);
    TAILQ_INIT(&resolver->running);
    TAILQ_INIT(&resolver->finished);
    real->resolver = resolver;
    return resolver;
}

/* Puts a lookup into the queue, with a thread more if there is none for it. */
static int enqueue(struct tl_real_resolver *resolver, struct tl_real_lookup *lookup)
{
    int r = 0;

    pthread_mutex_lock(&resolver->mutex);
    if (resolver->waiting <= resolver->queued && resolver->threads < THREADS_MAX) {
        r = start_thread(resolver);
        if (r == 0)
            resolver->threads++;
        else if (resolver->threads > 0)
            r = 0; /* it only has to wait for one of those */
    }
    if (r == 0) {
        move(lookup, &resolver->queue);
        resolver->queued++;
        pthread_cond_signal(&resolver->changed);
    }
    pthread_mutex_unlock(&resolver->mutex);
    return r;
}

int tl_real_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct tl_real_resolver *resolver = resolver_of(tl_real_of(kernel));
    struct tl_real_lookup *lookup = resolver != NULL ? tl_real_lookup_new(query) : NULL;

    if (lookup == NULL)
        return -ENOMEM;
    lookup->resolver = resolver;
    int r = enqueue(resolver, lookup);
    if (r < 0) {
        discard(lookup);
        return r;
    }
    query->request.owner = lookup;
    query->request.link = NULL; /* that of jobs alone is ever set */
    return 0;
}

/* Which lookup this is the request of, in one of the lists; or NULL. */
static struct tl_real_lookup *find(struct tl_real_resolver *resolver,
                                   const struct tl_request *request)
{
    struct tl_real_lookups *lists[] = {&resolver->queue, &resolver->running, &resolver->finished};
    struct tl_real_lookup *lookup;

    for (unsigned i = 0; i < 3; i++)
        TAILQ_FOREACH(lookup, lists[i], place)
    if (lookup->query != NULL && &lookup->query->request == request)
        return lookup;
    return NULL;
}

int tl_real_resolve_cancel(struct tl_real *real, struct tl_request *request)
{
    struct tl_real_resolver *resolver = real->resolver;

    if (resolver == NULL)
        return -ENOENT;
    pthread_mutex_lock(&resolver->mutex);
    struct tl_real_lookup *lookup = find(resolver, request);
    if (lookup != NULL) {
        request->owner = NULL;
        lookup->query = NULL;
        if (lookup->list == &resolver->queue)
            resolver->queued--;
        if (lookup->list != &resolver->running)
            discard(lookup);
    }
    pthread_mutex_unlock(&resolver->mutex);
    return lookup != NULL ? 0 : -ENOENT;
}

int tl_real_resolved_take(struct tl_real *real, struct tl_event *events, int room)
{
    struct tl_real_resolver *resolver = real->resolver;
    struct tl_real_lookup *lookup;
    int made = 0;

    if (resolver == NULL)
        return 0;
    pthread_mutex_lock(&resolver->mutex);
    while (made < room && (lookup = TAILQ_FIRST(&resolver->finished)) != NULL) {
        /* The analyzer does not see that a lookup leaves its list. NOLINTNEXTLINE */
        struct tl_query *query = lookup->query;
        tl_real_lookup_answer(lookup, query);
        query->request.owner = NULL;
        discard(lookup);
        events[made++] = (struct tl_event){.token = query, .kind = TL_EVENT_RESOLVED};
    }
    pthread_mutex_unlock(&resolver->mutex);
    return made;
}

bool tl_real_resolved_waiting(const struct tl_real *real)
{
    struct tl_real_resolver *resolver = real->resolver;

    if (resolver == NULL)
        return false;
    pthread_mutex_lock(&resolver->mutex);
    bool waiting = !TAILQ_EMPTY(&resolver->finished);
    pthread_mutex_unlock(&resolver->mutex);
    return waiting;
}

static void drop(struct tl_real_lookups *list)
{
    struct tl_real_lookup *next;

    for (struct tl_real_lookup *lookup = TAILQ_FIRST(list); lookup != NULL; lookup = next) {
        next = TAILQ_NEXT(lookup, place);
        discard(lookup);
    }
}

/* Threads that have nothing to do end at once, and are waited for; those that are inside the
 * resolver are not. */
void tl_real_resolver_finish(struct tl_real *real, bool forked)
{
    struct tl_real_resolver *resolver = real->resolver;
    struct tl_real_lookup *lookup;
    unsigned busy = 0;

    if (resolver == NULL)
        return;
    real->resolver = NULL;
    if (forked) { /* none of the threads is here, and the mutex in whatever state it was */
        drop(&resolver->queue);
        drop(&resolver->running);
        drop(&resolver->finished);
        free(resolver);
        return;
    }
    pthread_mutex_lock(&resolver->mutex);
    resolver->stopping = true;
    drop(&resolver->queue);
    drop(&resolver->finished);
    TAILQ_FOREACH(lookup, &resolver->running, place)
    {
        lookup->query = NULL;
        busy++;
    }
    pthread_cond_broadcast(&resolver->changed);
    while (resolver->threads > busy)
        pthread_cond_wait(&resolver->changed, &resolver->mutex);
    bool last = resolver->threads == 0;
    resolver->wake = -1;
    pthread_mutex_unlock(&resolver->mutex);
    if (last)
        resolver_free(resolver);
}

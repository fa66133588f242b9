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
 * left to its thread, which throws the answer away. So a lookup owns a copy of what it was asked,
 * and the threads share a struct that outlives the kernel until the last of them has returned. Both
 * are memory of the C library, as what its resolver answers is: the program's allocator need not
 * outlive the kernel.
 *
 * The loop's thread alone starts threads and fills in queries. Everything else in the shared struct
 * is guarded by its mutex; what a running lookup is asked and answers is its thread's.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include "core/alloc.h"
#include "real/real.h"
#include "real/resolve.h"

enum { THREADS_MAX = 16, HOST_MAX = 1025, SERVICE_MAX = 32 };

TAILQ_HEAD(lookup_list, lookup);

struct lookup {
    TAILQ_ENTRY(lookup) place;
    struct lookup_list *list; /* the one that it is in */
    struct tl_real_resolver *resolver;
    struct tl_query *query; /* NULL: given up */

    bool of_addresses;
    const char *host; /* in text, or NULL */
    const char *service;
    struct addrinfo hints;
    struct sockaddr_storage addr;
    unsigned addr_len;
    int flags;

    int code;  /* EAI_* */
    int error; /* EAI_SYSTEM's errno */
    struct addrinfo *answers;
    char *names; /* HOST_MAX bytes, SERVICE_MAX bytes; in text */

    char text[];
};

struct tl_real_resolver {
    int wake; /* the kernel's eventfd */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the queue, stopping, or how many threads are left */
    struct lookup_list queue;
    struct lookup_list running;
    struct lookup_list finished;
    unsigned queued;
    unsigned waiting; /* threads that sleep until there is a lookup */
    unsigned threads;
    bool stopping; /* the kernel is gone; the last thread frees the struct */
};

/* --- Lookups ---------------------------------------------------------------------------------- */

static void move(struct lookup *lookup, struct lookup_list *list)
{
    if (lookup->list != NULL)
        TAILQ_REMOVE(lookup->list, lookup, place);
    lookup->list = list;
    if (list != NULL)
        TAILQ_INSERT_TAIL(list, lookup, place);
}

static void lookup_free(struct lookup *lookup)
{
    move(lookup, NULL);
    if (lookup->answers != NULL)
        freeaddrinfo(lookup->answers);
    free(lookup);
}

/* A copy of text in the room at *at, which is moved on. */
static const char *keep(const char *text, char **at)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    char *kept = memcpy(*at, text, size);
    *at += size;
    return kept;
}

static size_t size_of(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static struct lookup *lookup_new(struct tl_real_resolver *resolver, struct tl_query *query)
{
    bool of_addresses = query->kind == TL_QUERY_ADDRESSES;
    size_t room = of_addresses ? size_of(query->host) + size_of(query->service)
                               : (size_t)HOST_MAX + SERVICE_MAX;
    struct lookup *lookup = calloc(1, sizeof *lookup + room);
    char *at;

    if (lookup == NULL)
        return NULL;
    lookup->resolver = resolver;
    lookup->query = query;
    lookup->of_addresses = of_addresses;
    at = lookup->text;
    if (of_addresses) {
        lookup->host = keep(query->host, &at);
        lookup->service = keep(query->service, &at);
        lookup->hints.ai_family = tl_real_resolve_family(query->hints.family);
        lookup->hints.ai_socktype = tl_real_resolve_type(query->hints.type);
        lookup->hints.ai_protocol = query->hints.protocol;
        lookup->hints.ai_flags = tl_real_ai_flags(query->hints.flags);
    } else {
        lookup->names = at;
        lookup->flags = tl_real_ni_flags(query->flags);
        if (query->addr.family == TL_FAMILY_UNIX || /* whose names libc makes up */
            tl_real_addr_encode(&query->addr, &lookup->addr, &lookup->addr_len) < 0)
            lookup->addr_len = 0;
    }
    return lookup;
}

/* On a thread, without the mutex. */
static void ask(struct lookup *lookup)
{
    errno = 0;
    if (lookup->of_addresses)
        lookup->code = getaddrinfo(lookup->host, lookup->service, &lookup->hints, &lookup->answers);
    else
        lookup->code =
            getnameinfo((const struct sockaddr *)&lookup->addr, lookup->addr_len, lookup->names,
                        HOST_MAX, lookup->names + HOST_MAX, SERVICE_MAX, lookup->flags);
    lookup->error = errno;
    if (lookup->code != 0)
        lookup->answers = NULL;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void fill(tl_addrinfo *info, const struct addrinfo *answer)
{
    struct sockaddr_storage storage = {0};

    memcpy(&storage, answer->ai_addr, answer->ai_addrlen);
    *info = (tl_addrinfo){
        .type = tl_real_resolved_type(answer->ai_socktype),
        .protocol = answer->ai_protocol,
        .canonname = "",
    };
    tl_real_addr_decode(&storage, answer->ai_addrlen, &info->addr);
}

/* The list, and behind it the one name that there may be. */
static int give_addresses(const struct lookup *lookup, struct tl_query *query)
{
    size_t count = 0;
    const char *name = lookup->answers != NULL ? lookup->answers->ai_canonname : NULL;

    for (const struct addrinfo *at = lookup->answers; at != NULL; at = at->ai_next)
        count++;
    tl_addrinfo *infos = tl_alloc(count * sizeof *infos + size_of(name));
    if (infos == NULL)
        return TL_EAI_MEMORY;
    query->infos = infos;
    query->infos_count = count;
    for (const struct addrinfo *at = lookup->answers; at != NULL; at = at->ai_next)
        fill(infos++, at);
    if (name != NULL)
        query->infos->canonname = memcpy(infos, name, size_of(name));
    return 0;
}

static int give_names(const struct lookup *lookup, struct tl_query *query)
{
    size_t host = size_of(lookup->names), service = size_of(lookup->names + HOST_MAX);
    tl_nameinfo *names = tl_alloc(sizeof *names + host + service);

    if (names == NULL)
        return TL_EAI_MEMORY;
    char *at = (char *)(names + 1);
    names->host = memcpy(at, lookup->names, host);
    names->service = memcpy(at + host, lookup->names + HOST_MAX, service);
    query->names = names;
    return 0;
}

static void answer(const struct lookup *lookup, struct tl_query *query)
{
    query->result = tl_real_resolve_code(lookup->code, lookup->error);
    if (query->result < 0)
        return;
    query->result =
        lookup->of_addresses ? give_addresses(lookup, query) : give_names(lookup, query);
}

/* --- Threads ---------------------------------------------------------------------------------- */

static void resolver_free(struct tl_real_resolver *resolver)
{
    pthread_cond_destroy(&resolver->changed);
    pthread_mutex_destroy(&resolver->mutex);
    free(resolver);
}

/* The next lookup, with the mutex held; NULL when the kernel is gone. */
static struct lookup *next_lookup(struct tl_real_resolver *resolver)
{
    while (TAILQ_EMPTY(&resolver->queue) && !resolver->stopping) {
        resolver->waiting++;
        pthread_cond_wait(&resolver->changed, &resolver->mutex);
        resolver->waiting--;
    }
    if (resolver->stopping)
        return NULL;
    struct lookup *lookup = TAILQ_FIRST(&resolver->queue);
    resolver->queued--;
    move(lookup, &resolver->running);
    return lookup;
}

/* With the mutex held, so that the kernel cannot go meanwhile. */
static void finish(struct lookup *lookup)
{
    struct tl_real_resolver *resolver = lookup->resolver;
    bool first = TAILQ_EMPTY(&resolver->finished);

    if (lookup->query == NULL) {
        lookup_free(lookup);
        return;
    }
    move(lookup, &resolver->finished);
    if (first)
        tl_real_wake(resolver->wake);
}

static void *thread_main(void *arg)
{
    struct tl_real_resolver *resolver = arg;
    struct lookup *lookup;

    (void)pthread_setname_np(pthread_self(), "tl-resolver");
    pthread_mutex_lock(&resolver->mutex);
    while ((lookup = next_lookup(resolver)) != NULL) {
        pthread_mutex_unlock(&resolver->mutex);
        ask(lookup);
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
static int enqueue(struct tl_real_resolver *resolver, struct lookup *lookup)
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
    struct lookup *lookup = resolver != NULL ? lookup_new(resolver, query) : NULL;

    if (lookup == NULL)
        return -ENOMEM;
    int r = enqueue(resolver, lookup);
    if (r < 0) {
        lookup_free(lookup);
        return r;
    }
    query->request.owner = lookup;
    query->request.link = NULL; /* that of jobs alone is ever set */
    return 0;
}

/* Which lookup this is the request of, in one of the lists; or NULL. */
static struct lookup *find(struct tl_real_resolver *resolver, const struct tl_request *request)
{
    struct lookup_list *lists[] = {&resolver->queue, &resolver->running, &resolver->finished};
    struct lookup *lookup;

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
    struct lookup *lookup = find(resolver, request);
    if (lookup != NULL) {
        request->owner = NULL;
        lookup->query = NULL;
        if (lookup->list == &resolver->queue)
            resolver->queued--;
        if (lookup->list != &resolver->running)
            lookup_free(lookup);
    }
    pthread_mutex_unlock(&resolver->mutex);
    return lookup != NULL ? 0 : -ENOENT;
}

int tl_real_resolved_take(struct tl_real *real, struct tl_event *events, int room)
{
    struct tl_real_resolver *resolver = real->resolver;
    struct lookup *lookup;
    int made = 0;

    if (resolver == NULL)
        return 0;
    pthread_mutex_lock(&resolver->mutex);
    while (made < room && (lookup = TAILQ_FIRST(&resolver->finished)) != NULL) {
        /* The analyzer does not see that a lookup leaves its list. NOLINTNEXTLINE */
        struct tl_query *query = lookup->query;
        answer(lookup, query);
        query->request.owner = NULL;
        lookup_free(lookup);
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

static void drop(struct lookup_list *list)
{
    struct lookup *next;

    for (struct lookup *lookup = TAILQ_FIRST(list); lookup != NULL; lookup = next) {
        next = TAILQ_NEXT(lookup, place);
        lookup_free(lookup);
    }
}

/* Threads that have nothing to do end at once, and are waited for; those that are inside the
 * resolver are not. */
void tl_real_resolver_finish(struct tl_real *real, bool forked)
{
    struct tl_real_resolver *resolver = real->resolver;
    struct lookup *lookup;
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: functions that run on other threads, so that what blocks does not block the loop.
 *
 * A pool's threads are started when jobs want them, as many as there are jobs at once up to its
 * limit, and live until it is retired or the kernel is destroyed; that waits for the jobs that are
 * running, whose memory is the program's, and drops those that are not. A thread has every signal
 * blocked, so signals go to the program's own threads, and no loop.
 *
 * The loop's thread alone makes pools and starts and ends threads. Jobs go to the workers through
 * queues guarded by one mutex and come back as posts do (post.c): each pushes its own, and whoever
 * finds none there wakes the loop. Finished jobs are collected before posts and handed out after
 * them: so what a job has posted comes before its own event.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "core/alloc.h"
#include "real/real.h"

#define WORKERS_MAX 32

struct job_list {
    struct tl_request *first;
    struct tl_request **tail;
};

struct worker {
    struct worker *next;
    pthread_t thread;
};

/* The workers of one tl_workers. */
struct pool {
    struct pool *next;
    struct tl_real_jobs *all;
    struct tl_workers *described; /* NULL: the kernel's own pool */
    char name[16];                /* of the threads */
    unsigned jobs;                /* given, and their events not handed out */
    unsigned workers_max;
    unsigned workers_count;
    struct worker *workers;

    pthread_cond_t changed; /* with the mutex: the queue, or stopping */
    struct job_list queue;  /* not begun */
    unsigned queued;        /* length of queue */
    unsigned waiting;       /* threads that sleep until there is a job */
    bool stopping;
    _Atomic unsigned running; /* jobs whose ends have not been made known */
};

struct tl_real_jobs {
    struct pool *pools;
    struct pool *own;          /* of jobs that name no pool; NULL until the first of them */
    int wake;                  /* the kernel's eventfd */
    struct job_list collected; /* run; to be handed out next */

    pthread_mutex_t mutex;
    _Atomic(struct tl_request *) finished; /* run, and not collected; the newest first */
};

/* --- Lists --- */

static void job_list_init(struct job_list *list)
{
    list->first = NULL;
    list->tail = &list->first;
}

static void job_list_push(struct job_list *list, struct tl_request *request)
{
    request->next = NULL;
    request->link = list->tail;
    *list->tail = request;
    list->tail = &request->next;
}

static void job_list_remove(struct job_list *list, struct tl_request *request)
{
    *request->link = request->next;
    if (request->next != NULL)
        request->next->link = request->link;
    else
        list->tail = request->link;
    request->next = NULL;
    request->link = NULL;
}

static struct tl_request *job_list_pop(struct job_list *list)
{
    struct tl_request *request = list->first;

    job_list_remove(list, request);
    return request;
}

/* --- Workers --- */

/* The next job, with the mutex held; NULL when the pool stops. */
static struct tl_work *next_job(struct pool *pool)
{
    while (pool->queue.first == NULL && !pool->stopping) {
        pool->waiting++;
        pthread_cond_wait(&pool->changed, &pool->all->mutex);
        pool->waiting--;
    }
    if (pool->stopping)
        return NULL;
    pool->queued--;
    atomic_fetch_add_explicit(&pool->running, 1, memory_order_relaxed);
    return (struct tl_work *)job_list_pop(&pool->queue);
}

/* Without the mutex, which the loop may want as soon as it is awake. The worker is free before the
 * loop can know of it, so a job that follows goes to it and not to a new thread. */
static void finish(struct pool *pool, struct tl_work *work)
{
    struct tl_real_jobs *all = pool->all;

    atomic_fetch_sub_explicit(&pool->running, 1, memory_order_relaxed);
    struct tl_request *head = atomic_load_explicit(&all->finished, memory_order_relaxed);
    do {
        work->request.next = head;
    } while (!atomic_compare_exchange_weak_explicit(&all->finished, &head, &work->request,
                                                    memory_order_release, memory_order_relaxed));
    if (head == NULL)
        tl_real_wake(all->wake);
}

static void *worker_main(void *arg)
{
    struct pool *pool = arg;
    struct tl_real_jobs *all = pool->all;
    struct tl_work *work;

    (void)pthread_setname_np(pthread_self(), pool->name);
    pthread_mutex_lock(&all->mutex);
    while ((work = next_job(pool)) != NULL) {
        pthread_mutex_unlock(&all->mutex);
        tl_work_run(work);
        finish(pool, work);
        pthread_mutex_lock(&all->mutex);
    }
    pthread_mutex_unlock(&all->mutex);
    return NULL;
}

/* Signals go to the program's own threads. */
int tl_real_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(ret, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

static int start_worker(struct pool *pool)
{
    struct worker *worker = tl_alloc(sizeof *worker);

    if (worker == NULL)
        return -ENOMEM;
    int r = tl_real_thread_start(&worker->thread, worker_main, pool);
    if (r < 0) {
        tl_free(worker);
        return r;
    }
    worker->next = pool->workers;
    pool->workers = worker;
    pool->workers_count++;
    return 0;
}

/* Has every worker end, and waits for them unless there are none to wait for. */
static void stop_workers(struct pool *pool, bool forked)
{
    if (!forked) {
        pthread_mutex_lock(&pool->all->mutex);
        pool->stopping = true;
        pthread_cond_broadcast(&pool->changed);
        pthread_mutex_unlock(&pool->all->mutex);
    }
    while (pool->workers != NULL) {
        struct worker *worker = pool->workers;
        pool->workers = worker->next;
        if (!forked)
            pthread_join(worker->thread, NULL);
        tl_free(worker);
    }
}

/* --- Pools --- */

static unsigned default_workers(void)
{
    int wanted = tl_real_cpus() + 4;

    return wanted < WORKERS_MAX ? (unsigned)wanted : WORKERS_MAX;
}

static struct pool *pool_new(struct tl_real_jobs *all, struct tl_workers *described)
{
    struct pool *pool = tl_calloc(sizeof *pool);
    bool named = described != NULL && described->name[0] != '\0';

    if (pool == NULL)
        return NULL;
    pool->all = all;
    pool->described = described;
    snprintf(pool->name, sizeof pool->name, "%s", named ? described->name : "tl-worker");
    pool->workers_max = described != NULL ? described->max : 0;
    if (pool->workers_max == 0)
        pool->workers_max = default_workers();
    /* With default attributes this cannot fail on Linux. */
    pthread_cond_init(&pool->changed, NULL);
    job_list_init(&pool->queue);
    pool->next = all->pools;
    all->pools = pool;
    return pool;
}

/* Nor can this be undone half-way: its workers have ended. */
static void pool_free(struct pool *pool, bool forked)
{
    stop_workers(pool, forked);
    if (!forked)
        pthread_cond_destroy(&pool->changed);
    tl_free(pool);
}

/* The workers that a job is for, made if need be; NULL when memory is out, or
 * there are no descriptors. */
static struct pool *pool_for(struct tl_real *real, struct tl_workers *described)
{
    struct tl_real_jobs *all = real->jobs;

    if (all == NULL) {
        if (tl_real_wake_open(real) < 0)
            return NULL;
        all = tl_calloc(sizeof *all);
        if (all == NULL)
            return NULL;
        pthread_mutex_init(&all->mutex, NULL);
        job_list_init(&all->collected);
        all->wake = real->wake;
        real->jobs = all;
    }
    struct pool *pool = described != NULL ? described->owner : all->own;
    if (pool != NULL)
        return pool;
    pool = pool_new(all, described);
    if (described != NULL)
        described->owner = pool;
    else
        all->own = pool;
    return pool;
}

int tl_real_retire(struct tl_kernel *kernel, struct tl_workers *described)
{
    struct tl_real *real = tl_real_of(kernel);

    if (described == NULL)
        return -EINVAL;
    struct pool *pool = described->owner;
    if (pool == NULL)
        return 0;
    if (pool->jobs > 0)
        return -EBUSY;
    struct pool **link = &real->jobs->pools;
    while (*link != pool)
        link = &(*link)->next;
    *link = pool->next;
    described->owner = NULL;
    pool_free(pool, getpid() != real->pid);
    return 0;
}

/* --- Jobs --- */

static void forget(struct tl_request *request)
{
    struct pool *pool = request->owner;

    pool->jobs--;
    request->owner = NULL;
}

/* Puts a job into its pool's queue: whether that wants one more worker. */
static bool enqueue(struct pool *pool, struct tl_work *work)
{
    pool->jobs++;
    work->request.owner = pool;
    pthread_mutex_lock(&pool->all->mutex);
    job_list_push(&pool->queue, &work->request);
    pool->queued++;
    unsigned running = atomic_load_explicit(&pool->running, memory_order_relaxed);
    bool busy = pool->queued + running > pool->workers_count;
    if (pool->waiting > 0)
        pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->all->mutex);
    return busy && pool->workers_count < pool->workers_max;
}

int tl_real_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct pool *pool = pool_for(tl_real_of(kernel), work->workers);

    if (pool == NULL)
        return -ENOMEM;
    if (!enqueue(pool, work))
        return 0;
    int r = start_worker(pool);
    /* With a thread there already, the job only has to wait for it. */
    if (r == 0 || pool->workers_count > 0)
        return 0;
    job_list_remove(&pool->queue, &work->request);
    pool->queued--;
    forget(&work->request);
    return r;
}

int tl_real_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    struct tl_real *real = tl_real_of(kernel);
    bool queued = false;

    if (tl_real_resolve_cancel(real, request) == 0)
        return 0;
    struct pool *pool = request->owner;
    if (pool == NULL)
        return -EALREADY;
    pthread_mutex_lock(&real->jobs->mutex);
    queued = request->link != NULL;
    if (queued) {
        job_list_remove(&pool->queue, request);
        pool->queued--;
    }
    pthread_mutex_unlock(&real->jobs->mutex);
    if (!queued)
        return -EALREADY;
    forget(request);
    return 0;
}

void tl_real_jobs_collect(struct tl_real *real)
{
    struct tl_real_jobs *all = real->jobs;

    if (all == NULL)
        return;
    struct tl_request *newest =
        atomic_exchange_explicit(&all->finished, NULL, memory_order_acquire);
    struct tl_request *oldest = NULL;
    struct tl_request **tail = newest != NULL ? &newest->next : all->collected.tail;

    while (newest != NULL) {
        struct tl_request *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    *all->collected.tail = oldest;
    all->collected.tail = tail;
}

int tl_real_jobs_take(struct tl_real *real, struct tl_event *events, int room)
{
    int made = 0;

    if (real->jobs == NULL)
        return 0;
    struct job_list *list = &real->jobs->collected;
    for (; made < room && list->first != NULL; made++) {
        struct tl_request *request = list->first;
        list->first = request->next;
        if (list->first == NULL)
            list->tail = &list->first;
        request->next = NULL;
        forget(request);
        events[made] = (struct tl_event){.token = request, .kind = TL_EVENT_WORK};
    }
    return made;
}

bool tl_real_jobs_waiting(const struct tl_real *real)
{
    return real->jobs != NULL && real->jobs->collected.first != NULL;
}

/* A forked child has none of the threads, and a mutex in whatever state it was. */
void tl_real_jobs_finish(struct tl_real *real, bool forked)
{
    struct tl_real_jobs *all = real->jobs;

    if (all == NULL)
        return;
    while (all->pools != NULL) {
        struct pool *pool = all->pools;
        all->pools = pool->next;
        pool_free(pool, forked);
    }
    if (!forked)
        pthread_mutex_destroy(&all->mutex);
    tl_free(all);
    real->jobs = NULL;
}

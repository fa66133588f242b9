/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: functions that run on other threads, so that what blocks does not block the loop.
 *
 * A kernel's threads are started when jobs want them, as many as there are jobs at once up to a
 * limit, and live until the kernel is destroyed; that waits for the jobs that are running and drops
 * those that are not. A thread has every signal blocked, so signals go to the program's own
 * threads, and no loop. The pool is made by the first job; its loop's thread alone starts threads,
 * everything else in it is guarded by its mutex.
 */
#include <errno.h>
#include <pthread.h>
#include "core/alloc.h"
#include "real/real.h"

#define THREADS_MAX 32

struct job_list {
    struct tl_work *first;
    struct tl_work **tail;
};

struct tl_real_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed;   /* the queue, or stopping */
    struct job_list queue;    /* not begun */
    struct job_list finished; /* run, and not handed out */
    unsigned queued;          /* length of queue */
    unsigned idle;            /* threads that wait for a job */
    bool stopping;
    int wake;               /* the kernel's eventfd */
    unsigned threads_max;   /* the loop's thread's from here on */
    unsigned threads_count; /* started */
    pthread_t threads[THREADS_MAX];
};

static void job_list_init(struct job_list *list)
{
    list->first = NULL;
    list->tail = &list->first;
}

static void job_list_push(struct job_list *list, struct tl_work *work)
{
    work->next = NULL;
    *list->tail = work;
    list->tail = &work->next;
}

static struct tl_work *job_list_pop(struct job_list *list)
{
    struct tl_work *work = list->first;

    list->first = work->next;
    if (list->first == NULL)
        list->tail = &list->first;
    work->next = NULL;
    return work;
}

/* The next job, with the mutex held; NULL when the pool stops. */
static struct tl_work *next_job(struct tl_real_pool *pool)
{
    while (pool->queue.first == NULL && !pool->stopping) {
        pool->idle++;
        pthread_cond_wait(&pool->changed, &pool->mutex);
        pool->idle--;
    }
    if (pool->stopping)
        return NULL;
    pool->queued--;
    return job_list_pop(&pool->queue);
}

static void *worker_main(void *arg)
{
    struct tl_real_pool *pool = arg;
    struct tl_work *work;

    /* By itself and first of all: a job that posts is known by this name. */
    (void)pthread_setname_np(pthread_self(), "tl-worker");
    pthread_mutex_lock(&pool->mutex);
    while ((work = next_job(pool)) != NULL) {
        pthread_mutex_unlock(&pool->mutex);
        work->run(work);
        pthread_mutex_lock(&pool->mutex);
        bool first = pool->finished.first == NULL;
        job_list_push(&pool->finished, work);
        if (first)
            tl_real_wake(pool->wake);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static int start_thread(struct tl_real_pool *pool)
{
    pthread_t *thread = &pool->threads[pool->threads_count];
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(thread, NULL, worker_main, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    pool->threads_count++;
    return 0;
}

static struct tl_real_pool *pool_new(int wake)
{
    struct tl_real_pool *pool = tl_calloc(sizeof *pool);
    int wanted = tl_real_cpus() + 4;

    if (pool == NULL)
        return NULL;
    /* With default attributes neither can fail on Linux. */
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    job_list_init(&pool->queue);
    job_list_init(&pool->finished);
    pool->wake = wake;
    pool->threads_max = wanted < THREADS_MAX ? (unsigned)wanted : THREADS_MAX;
    return pool;
}

int tl_real_work(struct tl_kernel *kernel, struct tl_work *work)
{
    struct tl_real *real = tl_real_of(kernel);
    struct tl_real_pool *pool = real->pool;
    int r;

    if (pool == NULL) {
        pool = real->pool = pool_new(real->wake);
        if (pool == NULL)
            return -ENOMEM;
    }
    pthread_mutex_lock(&pool->mutex);
    bool wanted = pool->queued >= pool->idle && pool->threads_count < pool->threads_max;
    pthread_mutex_unlock(&pool->mutex);
    if (wanted) {
        r = start_thread(pool);
        /* With a thread there already, the job only has to wait for it. */
        if (r < 0 && pool->threads_count == 0)
            return r;
    }
    pthread_mutex_lock(&pool->mutex);
    job_list_push(&pool->queue, work);
    pool->queued++;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    return 0;
}

int tl_real_jobs_take(struct tl_real *real, struct tl_event *events, int room)
{
    struct tl_real_pool *pool = real->pool;
    int made = 0;

    if (pool == NULL)
        return 0;
    pthread_mutex_lock(&pool->mutex);
    for (; made < room && pool->finished.first != NULL; made++)
        events[made] = (struct tl_event){
            .token = job_list_pop(&pool->finished),
            .kind = TL_EVENT_WORK,
        };
    pthread_mutex_unlock(&pool->mutex);
    return made;
}

bool tl_real_jobs_waiting(const struct tl_real *real)
{
    struct tl_real_pool *pool = real->pool;

    if (pool == NULL)
        return false;
    pthread_mutex_lock(&pool->mutex);
    bool waiting = pool->finished.first != NULL;
    pthread_mutex_unlock(&pool->mutex);
    return waiting;
}

static void pool_stop(struct tl_real_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->threads_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
}

/* A forked child has none of the threads, and a mutex in whatever state it was. */
void tl_real_jobs_finish(struct tl_real *real, bool forked)
{
    if (real->pool == NULL)
        return;
    if (!forked)
        pool_stop(real->pool);
    tl_free(real->pool);
    real->pool = NULL;
}

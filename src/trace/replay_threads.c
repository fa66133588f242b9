/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The posts and jobs of a replay; see replay_threads.h.
 *
 * How long the program's threads take is the one thing that a replay cannot know, so a post that is
 * due and not there is waited for in real time.
 */
#include "trace/replay_threads.h"

#include <string.h>
#include <time.h>

#define PATIENCE (10 * TL_SECOND)

void tl_replay_posts_init(struct tl_replay_posts *posts)
{
    pthread_condattr_t monotonic;

    *posts = (struct tl_replay_posts){.patience = PATIENCE};
    posts->tail = &posts->first;
    pthread_mutex_init(&posts->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&posts->posted, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void tl_replay_posts_finish(struct tl_replay_posts *posts)
{
    while (posts->first != NULL) {
        struct tl_post *post = posts->first;
        posts->first = post->next;
        tl_post_release(post);
    }
    pthread_cond_destroy(&posts->posted);
    pthread_mutex_destroy(&posts->mutex);
}

void tl_replay_posts_add(struct tl_replay_posts *posts, struct tl_post *post)
{
    if (post->data != NULL) { /* the trace has it */
        tl_post_release(post);
        return;
    }
    pthread_mutex_lock(&posts->mutex);
    post->next = NULL;
    *posts->tail = post;
    posts->tail = &post->next;
    pthread_cond_signal(&posts->posted);
    pthread_mutex_unlock(&posts->mutex);
}

/* With the mutex held. */
static struct tl_post *take(struct tl_replay_posts *posts, tl_replay_post_test *test, void *arg)
{
    for (struct tl_post **link = &posts->first; *link != NULL; link = &(*link)->next) {
        struct tl_post *post = *link;
        if (test(post, arg)) {
            *link = post->next;
            if (posts->tail == &post->next)
                posts->tail = link;
            return post;
        }
    }
    return NULL;
}

struct tl_post *tl_replay_posts_take(struct tl_replay_posts *posts, tl_replay_post_test *test,
                                     void *arg)
{
    pthread_mutex_lock(&posts->mutex);
    struct tl_post *post = take(posts, test, arg);
    pthread_mutex_unlock(&posts->mutex);
    return post;
}

struct tl_post *tl_replay_posts_await(struct tl_replay_posts *posts, tl_replay_post_test *test,
                                      void *arg)
{
    struct timespec until;
    struct tl_post *post;

    /* check: allowed, the program's threads run in real time whatever the trace's clock says */
    clock_gettime(CLOCK_MONOTONIC, &until);
    tl_time nanoseconds = until.tv_nsec + posts->patience % TL_SECOND;
    until.tv_sec += (time_t)(posts->patience / TL_SECOND + nanoseconds / TL_SECOND);
    until.tv_nsec = (long)(nanoseconds % TL_SECOND);

    pthread_mutex_lock(&posts->mutex);
    int r = 0;
    while ((post = take(posts, test, arg)) == NULL && r == 0)
        r = pthread_cond_timedwait(&posts->posted, &posts->mutex, &until);
    pthread_mutex_unlock(&posts->mutex);
    return post;
}

bool tl_replay_is_producer(const char producer[16], const void *name, size_t len)
{
    return strnlen(producer, 16) == len && memcmp(producer, name, len) == 0;
}

/* --- Jobs --- */

void tl_replay_job_add(struct tl_request **jobs, struct tl_request *request)
{
    request->next = *jobs;
    request->link = jobs;
    if (request->next != NULL)
        request->next->link = &request->next;
    *jobs = request;
}

bool tl_replay_job_take(struct tl_request *request)
{
    if (request->link == NULL)
        return false;
    *request->link = request->next;
    if (request->next != NULL)
        request->next->link = request->link;
    request->next = NULL;
    request->link = NULL;
    return true;
}

void tl_replay_job_run(struct tl_request *request)
{
    if (tl_replay_job_take(request))
        tl_work_run((struct tl_work *)request);
}

void tl_replay_jobs_run_poster(struct tl_request *jobs, const void *name, size_t len)
{
    for (struct tl_request *request = jobs; request != NULL; request = request->next) {
        if (len > 0 && tl_replay_is_producer(((struct tl_work *)request)->name, name, len)) {
            tl_replay_job_run(request);
            return;
        }
    }
}

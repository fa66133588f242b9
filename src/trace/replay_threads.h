/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What crosses threads in a replay: posts that the program's own threads make again, and jobs that
 * are run inline.
 *
 * Used by both replayers. Posts lie in a list, guarded by a mutex, until the trace's turn for them
 * has come; a replayer takes one by a test of its own, at once or waiting for it. Jobs lie in
 * another one, the loop's thread's alone, until they have been run.
 */
#ifndef TL_TRACE_REPLAY_THREADS_H
#define TL_TRACE_REPLAY_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/kernel.h>

struct tl_replay_posts {
    tl_time patience;      /* how long a post is waited for */
    pthread_mutex_t mutex; /* any thread: guards what follows */
    pthread_cond_t posted;
    struct tl_post *first; /* not handed out yet, the oldest first */
    struct tl_post **tail;
};

/* Whether a post is the one that is looked for. */
typedef bool tl_replay_post_test(const struct tl_post *post, void *arg);

void tl_replay_posts_init(struct tl_replay_posts *posts);

/* Releases what the program's threads posted and nobody took. */
void tl_replay_posts_finish(struct tl_replay_posts *posts);

/* Any thread. Messages are in the trace: what threads post of them is released. */
void tl_replay_posts_add(struct tl_replay_posts *posts, struct tl_post *post);

/* The oldest post that passes the test, which is the caller's from now on; NULL when there is none.
 * await waits for one, as long as patience goes. */
struct tl_post *tl_replay_posts_take(struct tl_replay_posts *posts, tl_replay_post_test *test,
                                     void *arg);
struct tl_post *tl_replay_posts_await(struct tl_replay_posts *posts, tl_replay_post_test *test,
                                      void *arg);

/* Whether a producer is the one of that name, which is len bytes without a NUL. */
bool tl_replay_is_producer(const char producer[16], const void *name, size_t len);

/* Puts a job in front of a list of those that have not been run. */
void tl_replay_job_add(struct tl_request **jobs, struct tl_request *request);

/* Takes a job out of its list; false when it was in none. */
bool tl_replay_job_take(struct tl_request *request);

/* Runs a job that is in a list, which it leaves; one that is in none has been run. */
void tl_replay_job_run(struct tl_request *request);

/* Runs the job of that name, if there is one: a post of its is due. */
void tl_replay_jobs_run_poster(struct tl_request *jobs, const void *name, size_t len);

#endif

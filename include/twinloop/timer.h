/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An embeddable timer, for what a server does for every message it gets: push an idle timeout into
 * the future. It lives in the user's struct, start and stop allocate nothing, and moving a running
 * one to a later deadline is a store: the timer is put in its new place only when the old one
 * surfaces.
 *
 * Order and precision are those of tl_loop_call_at: never early, and equal deadlines in the order
 * in which they were started.
 */
#ifndef TWINLOOP_TIMER_H
#define TWINLOOP_TIMER_H

#include <stdbool.h>
#include <twinloop/handle.h>

/* Its members are the library's. Must not move or be freed while it runs. */
struct tl_timer {
    tl_callback callback;
    void *arg;
    tl_loop *loop;
    tl_time when;      /* the deadline asked for */
    uint64_t sequence; /* its turn among equal deadlines */
    uint32_t slot;     /* 1 + its place among the loop's, 0 when it has none */
};

/* Prepares a stopped timer. The loop must outlive it. */
void tl_timer_init(struct tl_timer *timer, tl_loop *loop, tl_callback callback, void *arg);

/* Runs callback(arg) once the loop's time has reached when. A running timer is moved, and takes its
 * new place among equal deadlines. 0; TL_ECLOSED when the loop is; -ENOMEM, and then a running
 * timer keeps its old deadline. */
int tl_timer_start(struct tl_timer *timer, tl_time when);

/* The callback will not run until the timer is started again, even if its turn was already fixed in
 * the batch that runs now. A no-op on a stopped timer. */
void tl_timer_stop(struct tl_timer *timer);

/* Whether the callback is still to come. */
bool tl_timer_active(const struct tl_timer *timer);

#endif

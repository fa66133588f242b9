/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other threads hand over, callbacks and messages: how it crosses to the loop, and how closing
 * a loop copes with threads that are in the middle of it.
 */
#ifndef TL_CORE_POST_H
#define TL_CORE_POST_H

#include <stddef.h>
#include <stdint.h>
#include <twinloop/handle.h>

struct tl_kernel;
struct tl_post;
struct tl_thread;

/* In tl_loop.posting: nothing is handed over any more. */
#define TL_POSTS_CLOSED UINT32_C(0x80000000)

/* A message as it travels, with a copy of data and its release set; for replays, which make
 * messages that no thread posts. NULL when memory is out. */
struct tl_post *tl_post_new_message(uint32_t kind, const void *data, size_t len);

/* Queues what another thread handed over. */
void tl_posts_deliver(tl_loop *loop, struct tl_post *post);

/* The calling thread is about to run the loop: from now on it is the one that owns the queue. */
void tl_posts_own(tl_loop *loop, struct tl_thread *self);

/* Closes the loop to other threads: from here on they get TL_ECLOSED, and none is inside the kernel
 * any more. */
void tl_posts_close(tl_loop *loop);

/* What the ready queue calls for a message. */
void tl_message_run(void *message);
void tl_message_discard(void *message);

#endif

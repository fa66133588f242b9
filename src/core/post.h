/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callbacks from other threads: how call_soon_threadsafe crosses over, and how closing a loop copes
 * with threads that are in the middle of it.
 */
#ifndef TL_CORE_POST_H
#define TL_CORE_POST_H

#include <twinloop/handle.h>

struct tl_kernel;
struct tl_post;

/* Queues what another thread handed over. */
void tl_posts_deliver(tl_loop *loop, struct tl_post *post);

/* Closes the loop to other threads: from here on they get TL_ECLOSED. Returns the kernel that the
 * loop had. */
struct tl_kernel *tl_posts_close(tl_loop *loop);

/* Fetches what was handed over before that and drops it. */
void tl_posts_drain(tl_loop *loop, struct tl_kernel *kernel);

#endif

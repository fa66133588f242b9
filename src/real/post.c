/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts: what other threads hand to the loop.
 *
 * Posters push onto a list with one compare-and-swap; whoever finds it empty wakes the loop, so a
 * burst of posts costs one write. poll takes the whole list at once and turns it round, which
 * keeps the order of each thread and of each one relative to what it could know about.
 */
#include <errno.h>
#include <unistd.h>
#include "real/real.h"

void tl_real_wake(int wake)
{
    static const uint64_t one = 1;

    /* Fails only if the counter is full, and then the wake-up is on its way already. */
    while (write(wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

int tl_real_post(struct tl_kernel *kernel, struct tl_post *post)
{
    struct tl_real *real = tl_real_of(kernel);

    /* Once the post is on the list, the loop may run it and, as the last thing it waited for,
     * destroy the kernel; the count keeps it until this thread is out of here. */
    atomic_fetch_add_explicit(&real->posting, 1, memory_order_relaxed);
    struct tl_post *head = atomic_load_explicit(&real->posted, memory_order_relaxed);
    do {
        post->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&real->posted, &head, post,
                                                    memory_order_release, memory_order_relaxed));
    if (head == NULL)
        tl_real_wake(real->wake);
    atomic_fetch_sub_explicit(&real->posting, 1, memory_order_release);
    return 0;
}

void tl_real_posts_collect(struct tl_real *real)
{
    struct tl_post *newest = atomic_exchange_explicit(&real->posted, NULL, memory_order_acquire);
    struct tl_post *oldest = NULL;
    struct tl_post **tail = newest != NULL ? &newest->next : real->posts_tail;

    while (newest != NULL) {
        struct tl_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    *real->posts_tail = oldest;
    real->posts_tail = tail;
}

int tl_real_posts_take(struct tl_real *real, struct tl_event *events, int room)
{
    int made = 0;

    for (; made < room && real->posts != NULL; made++) {
        struct tl_post *post = real->posts;
        real->posts = post->next;
        if (real->posts == NULL)
            real->posts_tail = &real->posts;
        post->next = NULL;
        events[made] = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    }
    return made;
}

bool tl_real_posts_waiting(const struct tl_real *real)
{
    return real->posts != NULL;
}

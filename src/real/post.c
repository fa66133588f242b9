/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts: what other threads hand to the loop.
 *
 * Posters push onto a list with one compare-and-swap. poll takes the whole list at once and turns
 * it round, which keeps the order of each thread and of each one relative to what it could know
 * about.
 *
 * A poll that is going to wait says so in asleep and then looks at the list once more; a poster
 * pushes and then looks at asleep, if it found the list empty. So one of the two always sees the
 * other, a loop that is busy is never written to, and one that sleeps is written to once.
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

    struct tl_post *head = atomic_load_explicit(&real->posted, memory_order_relaxed);
    do {
        post->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&real->posted, &head, post,
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (head == NULL && atomic_load(&real->asleep) && atomic_exchange(&real->asleep, false) &&
        real->wake >= 0)
        tl_real_wake(real->wake);
    return 0;
}

void tl_real_posts_collect(struct tl_real *real)
{
    struct tl_post *newest = atomic_exchange_explicit(&real->posted, NULL, memory_order_acquire);
    struct tl_post *oldest = NULL;
    struct tl_post **tail = newest != NULL ? &newest->next : real->posts_tail;

    while (newest != NULL) {
        struct tl_post *next = newest->next;
        __builtin_prefetch(newest->older, 1); /* another processor has it */
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

void tl_real_posts_finish(struct tl_real *real)
{
    tl_real_posts_collect(real);
    while (real->posts != NULL) {
        struct tl_post *post = real->posts;
        real->posts = post->next;
        tl_post_release(post);
    }
}

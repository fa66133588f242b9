/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder: see ladder.h.
 */
#include "support/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/alloc.h"
#include "core/self.h"

/* More requests than any scenario makes: it goes round in circles then. */
enum { RUNGS_MAX = 10000 };

static bool fails(struct ladder *ladder)
{
    if (!ladder->armed || ladder->rung == 0)
        return false;
    ladder->asked++;
    bool failing = ladder->sticky ? ladder->asked >= ladder->rung : ladder->asked == ladder->rung;
    ladder->hit = ladder->hit || failing;
    return failing;
}

static void *counting_realloc(void *ctx, void *ptr, size_t size)
{
    struct ladder *ladder = ctx;
    if (size == 0) {
        ladder->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (fails(ladder) || size > PTRDIFF_MAX)
        return NULL;
    void *moved = realloc(ptr, size);
    ladder->live += ptr == NULL && moved != NULL;
    return moved;
}

/* The thread's read buffer stays for later reads: that is no leak, but it must be a rung. */
static void drop_read_buffer(void)
{
    struct tl_thread *self = tl_thread_self();
    tl_free(self->read_buffer);
    self->read_buffer = NULL;
}

void ladder_install(struct ladder *ladder)
{
    const tl_allocator allocator = {.realloc = counting_realloc, .ctx = ladder};
    *ladder = (struct ladder){.live = 0};
    drop_read_buffer();
    tl_set_allocator(&allocator);
}

void ladder_remove(struct ladder *ladder)
{
    ladder->armed = false;
    drop_read_buffer();
    tl_set_allocator(NULL);
}

void ladder_arm(struct ladder *ladder)
{
    ladder->armed = true;
}

void ladder_disarm(struct ladder *ladder)
{
    ladder->armed = false;
}

static void climb(struct ladder *ladder, bool sticky, void (*scenario)(void *arg), void *arg)
{
    ladder->sticky = sticky;
    for (size_t rung = 1; rung < RUNGS_MAX; rung++) {
        ladder->rung = rung;
        ladder->asked = 0;
        ladder->hit = false;
        size_t before = ladder->live;
        scenario(arg);
        ladder->armed = false;
        drop_read_buffer();
        if (ladder->live != before)
            fail_msg("failing request %zu%s left %zd allocations", rung,
                     sticky ? " and all after it" : "", (ssize_t)(ladder->live - before));
        ladder->rungs = rung - 1;
        if (!ladder->hit)
            return;
    }
    fail_msg("the scenario makes more than %d requests", (int)RUNGS_MAX);
}

void ladder_climb(struct ladder *ladder, void (*scenario)(void *arg), void *arg)
{
    climb(ladder, false, scenario, arg);
    climb(ladder, true, scenario, arg);
}

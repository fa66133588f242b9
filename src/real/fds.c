/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of descriptors: which numbers belong to this kernel, what they are, and what epoll was
 * told of them.
 *
 * An array indexed by descriptor number, so that every operation finds its entry with one bounds
 * check. It never shrinks. Its memory grows by doubling; how much of that is in force grows by as
 * little as is needed, so that what no descriptor came to is not touched. epoll's data is the
 * number; it leads poll back to the entry and its token.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"
#include "real/real.h"

/* How far beyond the highest number so far a reserve reaches. New numbers are the lowest that are
 * free, so they go further only when the program opens many descriptors by other means. */
#define RESERVE 32

/* The table grows by this much at the least; a power of two. */
#define STEP 64

static int make_room(struct tl_real *real, unsigned needed)
{
    unsigned room = real->fds_room != 0 ? real->fds_room : STEP;

    while (room < needed)
        room *= 2;
    struct tl_real_fd *fds = tl_realloc(real->fds, room * sizeof *fds);
    if (fds == NULL)
        return -ENOMEM;
    real->fds = fds;
    real->fds_room = room;
    return 0;
}

static int grow(struct tl_real *real, unsigned needed)
{
    unsigned count = (needed + STEP - 1) / STEP * STEP;

    if (needed <= real->fds_count)
        return 0;
    if (count > real->fds_room) {
        int r = make_room(real, count);
        if (r < 0)
            return r;
    }
    memset(real->fds + real->fds_count, 0, (count - real->fds_count) * sizeof *real->fds);
    real->fds_count = count;
    return 0;
}

int tl_real_fds_reserve(struct tl_real *real)
{
    return grow(real, real->fds_top + RESERVE);
}

int tl_real_fds_add(struct tl_real *real, int fd, enum tl_real_kind kind)
{
    int r = grow(real, (unsigned)fd + 1);
    if (r < 0)
        return r;
    real->fds[fd] = (struct tl_real_fd){.kind = (uint8_t)kind};
    if (real->fds_top <= (unsigned)fd)
        real->fds_top = (unsigned)fd + 1;
    return 0;
}

int tl_real_fds_take(struct tl_real *real, int fd, enum tl_real_kind kind)
{
    int r = tl_real_fds_add(real, fd, kind);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

void tl_real_fds_forget(struct tl_real *real, int fd)
{
    struct tl_real_fd *entry = &real->fds[fd];

    /* Not left to close: a duplicate of the descriptor (in a child, say) would keep the
     * registration alive, and with it events that nobody can turn off. It can fail only when the
     * program has closed an adopted descriptor behind our back. */
    if (entry->watched != 0)
        (void)epoll_ctl(real->epoll, EPOLL_CTL_DEL, fd, NULL);
    *entry = (struct tl_real_fd){0};
}

void tl_real_fds_finish(struct tl_real *real)
{
    for (unsigned fd = 0; fd < real->fds_top; fd++)
        if (real->fds[fd].kind != TL_REAL_NONE)
            close((int)fd);
    tl_free(real->fds);
    real->fds = NULL;
    real->fds_count = 0;
    real->fds_room = 0;
    real->fds_top = 0;
}

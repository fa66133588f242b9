/* SPDX-License-Identifier: Apache-2.0 */
/*
 * add_reader, add_writer and their removal: callbacks for descriptors of the program's own.
 */
#include <errno.h>

#include "core/debug.h"
#include "core/fd.h"

/* What was ready for an earlier callback is not ready for the next one. */
static void forget_ready(struct tl_fd *fd, enum tl_direction direction)
{
    fd->watch.ready &= (uint8_t) ~(direction == TL_READING ? TL_READABLE : TL_WRITABLE);
    if (fd->watch.ready == 0)
        tl_ready_remove(&fd->watch.place);
}

static int add(tl_loop *loop, tl_socket socket, enum tl_direction direction, tl_callback callback,
               void *arg)
{
    struct tl_fd *fd;
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    if (loop->debug && tl_debug_wrong_thread(loop))
        return TL_ETHREAD;
    int r = tl_fd_get(loop, socket, &fd);
    if (r < 0)
        return r;
    struct tl_fd_side *side = &fd->side[direction], before = *side;
    if (side->op != NULL)
        return -EBUSY; /* which keeps it in use */
    *side = (struct tl_fd_side){.callback = callback, .arg = arg};
    r = tl_fd_update(fd);
    if (r < 0) {
        *side = before;
        tl_fd_done(fd);
        return r;
    }
    forget_ready(fd, direction);
    return 0;
}

static int remove_one(tl_loop *loop, tl_socket socket, enum tl_direction direction)
{
    if (loop == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return 0;
    struct tl_fd *fd = tl_fd_find(loop, socket);
    if (fd == NULL || fd->claimed || fd->side[direction].op != NULL) {
        /* Only adopting tells whether it is a transport's. */
        int r = fd != NULL ? -EBUSY : tl_fd_get(loop, socket, &fd);
        if (r == 0)
            tl_fd_done(fd);
        return r == -EBUSY ? r : 0;
    }
    if (fd->side[direction].callback == NULL)
        return 0;
    fd->side[direction].callback = NULL;
    (void)tl_fd_update(fd);
    tl_fd_done(fd);
    return 1;
}

int tl_loop_add_reader(tl_loop *loop, tl_socket socket, tl_callback callback, void *arg)
{
    return add(loop, socket, TL_READING, callback, arg);
}

int tl_loop_remove_reader(tl_loop *loop, tl_socket socket)
{
    return remove_one(loop, socket, TL_READING);
}

int tl_loop_add_writer(tl_loop *loop, tl_socket socket, tl_callback callback, void *arg)
{
    return add(loop, socket, TL_WRITING, callback, arg);
}

int tl_loop_remove_writer(tl_loop *loop, tl_socket socket)
{
    return remove_one(loop, socket, TL_WRITING);
}

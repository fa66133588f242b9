/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the program's descriptors, and the system calls on them.
 *
 * An entry is made when a number is first used and stays at its place until the loop is closed, so
 * that a callback may close its own descriptor, and another one may get the same number at once.
 * The table is in pages, since kernels need not count from 0.
 */
#include "core/fd.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/debug.h"
#include "core/sock.h"

enum { PAGE = 256 };

struct tl_fd_table {
    struct tl_fd *oldest; /* of what is known; NULL: nothing is */
    struct tl_fd *newest;
    size_t count;           /* of pages */
    struct tl_fd **pages[]; /* PAGE entries each, by number; NULL: never used, as in a page */
};

/* --- The table -------------------------------------------------------------------------------- */

static int grow(tl_loop *loop, size_t pages)
{
    size_t count = loop->fds != NULL ? loop->fds->count : 0;
    if (pages <= count)
        return 0;
    struct tl_fd_table *grown =
        tl_realloc(loop->fds, sizeof *grown + pages * sizeof(struct tl_fd **));
    if (grown == NULL)
        return -ENOMEM;
    if (loop->fds == NULL)
        grown->oldest = grown->newest = NULL;
    memset(grown->pages + count, 0, (pages - count) * sizeof(struct tl_fd **));
    grown->count = pages;
    loop->fds = grown;
    return 0;
}

/* Where the entry of a number is; NULL when memory is out. */
static struct tl_fd **place_for(tl_loop *loop, int number)
{
    size_t page = (size_t)number / PAGE;
    if (grow(loop, page + 1) < 0)
        return NULL;
    struct tl_fd ***entries = &loop->fds->pages[page];
    if (*entries == NULL)
        *entries = tl_calloc(PAGE * sizeof(struct tl_fd *));
    return *entries != NULL ? &(*entries)[number % PAGE] : NULL;
}

/* A direction that is ready: the operation that waits there, or the callback. */
static void run_side(struct tl_fd *fd, enum tl_direction direction)
{
    struct tl_fd_side *side = &fd->side[direction];
    if (side->op != NULL)
        tl_sock_op_ready(side->op);
    else if (side->callback != NULL)
        side->callback(side->arg);
}

/* asyncio: the reader's turn, then the writer's, unless the first has removed the second. */
static void run(void *arg)
{
    struct tl_fd *fd = arg;
    if ((fd->watch.ready & TL_READABLE) != 0) {
        fd->watch.ready &= (uint8_t)~TL_READABLE;
        run_side(fd, TL_READING);
    }
    if ((fd->watch.ready & TL_WRITABLE) != 0) {
        fd->watch.ready &= (uint8_t)~TL_WRITABLE;
        run_side(fd, TL_WRITING);
    }
}

/* The entry of a number, which is unused. */
static int reserve(tl_loop *loop, int number, struct tl_fd **ret)
{
    struct tl_fd **place = place_for(loop, number);
    if (place == NULL)
        return -ENOMEM;
    if (*place == NULL) {
        *place = tl_calloc(sizeof **place);
        if (*place == NULL)
            return -ENOMEM;
        (*place)->loop = loop;
        tl_watch_init(&(*place)->watch, -1, run, *place);
    }
    *ret = *place;
    return 0;
}

static void enlist(struct tl_fd *fd)
{
    struct tl_fd_table *table = fd->loop->fds;
    fd->older = table->newest;
    fd->newer = NULL;
    *(fd->older != NULL ? &fd->older->newer : &table->oldest) = fd;
    table->newest = fd;
}

static void delist(struct tl_fd *fd)
{
    struct tl_fd_table *table = fd->loop->fds;
    *(fd->older != NULL ? &fd->older->newer : &table->oldest) = fd->newer;
    *(fd->newer != NULL ? &fd->newer->older : &table->newest) = fd->older;
}

static void use(struct tl_fd *fd, int number, enum tl_adopted_kind kind)
{
    if (!fd->known)
        enlist(fd);
    fd->watch.fd = number;
    fd->known = true;
    fd->adopted = false;
    fd->kept = false;
    fd->blocking = false;
    fd->kind = (uint8_t)kind;
}

/* Those that have been visited are the newest, behind a mark. */
void tl_fds_visit(tl_loop *loop, void (*visit)(struct tl_fd *fd))
{
    struct tl_fd mark = {.loop = loop};
    struct tl_fd *fd;
    if (loop->fds == NULL)
        return;
    enlist(&mark);
    while ((fd = loop->fds->oldest) != &mark) {
        delist(fd);
        enlist(fd);
        visit(fd);
    }
    delist(&mark);
}

struct tl_fd *tl_fd_find(const tl_loop *loop, tl_socket socket)
{
    const struct tl_fd_table *table = loop->fds;
    size_t page = (size_t)socket.fd / PAGE;
    if (table == NULL || socket.fd < 0 || page >= table->count || table->pages[page] == NULL)
        return NULL;
    struct tl_fd *fd = table->pages[page][socket.fd % PAGE];
    return fd != NULL && fd->known ? fd : NULL;
}

static int adopt(tl_loop *loop, int number, struct tl_fd **ret)
{
    struct tl_adopted found;
    struct tl_fd *fd = NULL;
    int r = loop->kernel->ops->adopt(loop->kernel, number, &found);
    if (r < 0)
        return r == -EEXIST ? -EBUSY : r;
    r = reserve(loop, number, &fd);
    if (r < 0) {
        (void)loop->kernel->ops->release(loop->kernel, number);
        return r;
    }
    use(fd, number, found.kind);
    fd->adopted = true;
    fd->blocking = !found.nonblocking;
    *ret = fd;
    return 0;
}

int tl_fd_get(tl_loop *loop, tl_socket socket, struct tl_fd **ret)
{
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    struct tl_fd *fd = tl_fd_find(loop, socket);
    if (fd == NULL)
        return socket.fd < 0 ? -EBADF : adopt(loop, socket.fd, ret);
    if (fd->claimed)
        return -EBUSY;
    *ret = fd;
    return 0;
}

int tl_fd_add(tl_loop *loop, int number, enum tl_adopted_kind kind, const tl_traceback *origin)
{
    struct tl_fd *fd = NULL;
    int r = reserve(loop, number, &fd);
    if (r < 0) {
        (void)loop->kernel->ops->close(loop->kernel, number);
        return r;
    }
    use(fd, number, kind);
    if (loop->debug)
        fd->origin = origin != NULL ? tl_traceback_copy(origin) : tl_traceback_new();
    return 0;
}

static bool waits(const struct tl_fd_side *side)
{
    return side->callback != NULL || (side->op != NULL && !side->op->resolving);
}

int tl_fd_update(struct tl_fd *fd)
{
    uint32_t events = 0;
    for (int i = TL_READING; i <= TL_WRITING; i++)
        if (waits(&fd->side[i]))
            events |= i == TL_READING ? TL_READABLE : TL_WRITABLE;
    return tl_watch_want(&fd->watch, fd->loop, events);
}

void tl_fd_quieten(struct tl_fd *fd)
{
    fd->side[TL_READING].callback = NULL;
    fd->side[TL_WRITING].callback = NULL;
    (void)tl_fd_update(fd);
}

void tl_fd_give_up(struct tl_fd *fd)
{
    tl_fd_quieten(fd);
    delist(fd);
    fd->known = false;
    fd->claimed = false;
    fd->watch.fd = -1;
    tl_traceback_free(fd->origin);
    fd->origin = NULL;
}

void tl_fd_done(struct tl_fd *fd)
{
    if (!fd->known || !fd->adopted || fd->kept || fd->claimed || fd->holders > 0 ||
        fd->watch.wanted != 0 || fd->side[TL_WRITING].op != NULL)
        return;
    int number = fd->watch.fd;
    tl_fd_give_up(fd);
    (void)fd->loop->kernel->ops->release(fd->loop->kernel, number);
}

void tl_fd_fail(tl_future *future, int code, tl_socket socket)
{
    if (code == -EBUSY)
        (void)tl_future_fail(future, code,
                             "File descriptor %d is used by a transport or by another operation",
                             socket.fd);
    else
        (void)tl_future_set_exception(future, code, NULL);
}

/* The loop is about to be closed. */
static void drop(struct tl_fd *fd)
{
    for (int d = TL_READING; d <= TL_WRITING; d++)
        if (fd->side[d].op != NULL)
            tl_sock_op_abandon(fd->side[d].op);
    tl_ready_remove(&fd->watch.place);
    tl_traceback_free(fd->origin);
    tl_free(fd);
}

void tl_fds_close(tl_loop *loop)
{
    struct tl_fd_table *table = loop->fds;
    if (table == NULL)
        return;
    for (struct tl_fd *fd = table->oldest; fd != NULL; fd = fd->newer)
        if (fd->adopted)
            (void)loop->kernel->ops->release(loop->kernel, fd->watch.fd);
    loop->fds = NULL;
    for (size_t page = 0; page < table->count; page++) {
        for (size_t i = 0; table->pages[page] != NULL && i < PAGE; i++)
            if (table->pages[page][i] != NULL)
                drop(table->pages[page][i]);
        tl_free(table->pages[page]);
    }
    tl_free(table);
}

/* --- Making and ending ------------------------------------------------------------------------ */

int tl_socket_adopt(tl_loop *loop, int number, tl_socket *ret)
{
    struct tl_fd *fd = NULL;
    if (loop == NULL || ret == NULL)
        return -EINVAL;
    int r = tl_fd_get(loop, (tl_socket){number}, &fd);
    if (r < 0)
        return r;
    fd->kept = true;
    ret->fd = number;
    return 0;
}

int tl_socket_open(tl_loop *loop, enum tl_family family, enum tl_socket_type type, tl_socket *ret)
{
    if (loop == NULL || ret == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    int fd = loop->kernel->ops->socket(loop->kernel, family, type);
    enum tl_adopted_kind kind = type == TL_DATAGRAM ? TL_ADOPTED_DATAGRAM : TL_ADOPTED_STREAM;
    int r = fd < 0 ? fd : tl_fd_add(loop, fd, kind, NULL);
    if (r == 0)
        ret->fd = fd;
    return r;
}

static int open_two(tl_loop *loop, enum tl_pipe_kind kind, tl_socket *ret_one, tl_socket *ret_other)
{
    enum tl_adopted_kind found = kind == TL_PIPE_ONE_WAY ? TL_ADOPTED_FIFO : TL_ADOPTED_STREAM;
    int fds[2];
    if (loop == NULL || ret_one == NULL || ret_other == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    int r = loop->kernel->ops->pipe(loop->kernel, kind, fds);
    if (r < 0)
        return r;
    r = tl_fd_add(loop, fds[0], found, NULL);
    if (r < 0) {
        (void)loop->kernel->ops->close(loop->kernel, fds[1]);
        return r;
    }
    r = tl_fd_add(loop, fds[1], found, NULL);
    if (r < 0) {
        (void)tl_socket_close(loop, (tl_socket){fds[0]});
        return r;
    }
    ret_one->fd = fds[0];
    ret_other->fd = fds[1];
    return 0;
}

int tl_socket_pair(tl_loop *loop, tl_socket *ret_one, tl_socket *ret_other)
{
    return open_two(loop, TL_PIPE_STREAM_PAIR, ret_one, ret_other);
}

int tl_pipe_open(tl_loop *loop, tl_socket *ret_reader, tl_socket *ret_writer)
{
    return open_two(loop, TL_PIPE_ONE_WAY, ret_reader, ret_writer);
}

int tl_socket_close(tl_loop *loop, tl_socket socket)
{
    struct tl_fd *fd = NULL;
    if (loop == NULL)
        return -EINVAL;
    int r = tl_fd_get(loop, socket, &fd);
    if (r < 0)
        return r;
    if (fd->holders > 0)
        return -EBUSY;
    fd->kept = true; /* while its operations are ended */
    for (int d = TL_READING; d <= TL_WRITING; d++)
        if (fd->side[d].op != NULL)
            tl_sock_op_fail(fd->side[d].op, -EBADF);
    tl_fd_give_up(fd);
    return loop->kernel->ops->close(loop->kernel, socket.fd);
}

int tl_socket_release(tl_loop *loop, tl_socket socket)
{
    struct tl_fd *fd = NULL;
    if (loop == NULL)
        return -EINVAL;
    int r = tl_fd_get(loop, socket, &fd);
    if (r < 0)
        return r;
    if (fd->side[TL_READING].op != NULL || fd->side[TL_WRITING].op != NULL || fd->holders > 0)
        return -EBUSY;
    tl_fd_give_up(fd);
    return loop->kernel->ops->release(loop->kernel, socket.fd);
}

/* --- Asking and setting ----------------------------------------------------------------------- */

/* The program's socket, for one call of the kernel; then done is due. */
static int begin(tl_loop *loop, tl_socket socket, struct tl_fd **ret_fd, struct tl_kernel **ret)
{
    if (loop == NULL)
        return -EINVAL;
    int r = tl_fd_get(loop, socket, ret_fd);
    if (r == 0)
        *ret = loop->kernel;
    return r;
}

/* Returns the call's result. */
static int done(struct tl_fd *fd, int result)
{
    tl_fd_done(fd);
    return result;
}

int tl_socket_bind(tl_loop *loop, tl_socket socket, const tl_addr *addr)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    int r = addr == NULL ? -EINVAL : begin(loop, socket, &fd, &kernel);
    return r < 0 ? r : done(fd, kernel->ops->bind(kernel, socket.fd, addr));
}

int tl_socket_listen(tl_loop *loop, tl_socket socket, int backlog)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    int r = begin(loop, socket, &fd, &kernel);
    return r < 0 ? r : done(fd, kernel->ops->listen(kernel, socket.fd, backlog));
}

int tl_socket_shutdown(tl_loop *loop, tl_socket socket, enum tl_shutdown how)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    int r = begin(loop, socket, &fd, &kernel);
    return r < 0 ? r : done(fd, kernel->ops->shutdown(kernel, socket.fd, how));
}

int tl_socket_address(tl_loop *loop, tl_socket socket, enum tl_address_side side, tl_addr *ret)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    int r = ret == NULL ? -EINVAL : begin(loop, socket, &fd, &kernel);
    return r < 0 ? r : done(fd, kernel->ops->address(kernel, socket.fd, side, ret));
}

int tl_socket_set_option(tl_loop *loop, tl_socket socket, enum tl_option option, int value)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    int r = begin(loop, socket, &fd, &kernel);
    if (r < 0)
        return r;
    r = kernel->ops->option(kernel, socket.fd, option, &value, NULL);
    if (r == 0 && option == TL_OPTION_NONBLOCK)
        fd->blocking = value == 0;
    return done(fd, r);
}

int tl_socket_get_option(tl_loop *loop, tl_socket socket, enum tl_option option, int *ret)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    int r = ret == NULL ? -EINVAL : begin(loop, socket, &fd, &kernel);
    return r < 0 ? r : done(fd, kernel->ops->option(kernel, socket.fd, option, NULL, ret));
}

ssize_t tl_socket_read(tl_loop *loop, tl_socket socket, void *buf, size_t len)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    int r = buf == NULL && len > 0 ? -EINVAL : begin(loop, socket, &fd, &kernel);
    if (r < 0)
        return r;
    ssize_t n = kernel->ops->read(kernel, socket.fd, &message, 1);
    tl_fd_done(fd);
    return n;
}

ssize_t tl_socket_write(tl_loop *loop, tl_socket socket, const void *data, size_t len)
{
    struct tl_kernel *kernel = NULL;
    struct tl_fd *fd = NULL;
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    int r = data == NULL && len > 0 ? -EINVAL : begin(loop, socket, &fd, &kernel);
    if (r < 0)
        return r;
    ssize_t n = kernel->ops->write(kernel, socket.fd, &message, 1);
    tl_fd_done(fd);
    return n;
}

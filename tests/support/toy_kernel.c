/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The toy kernel; see toy_kernel.h. The session that asks it is in toy_session.c.
 */
#include "support/toy_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

enum {
    FDS_MAX = 64,
    QUEUE_MAX = 64,
    DESCRIPTOR = 7, /* where its numbers begin */
};

struct toy {
    struct tl_kernel kernel;
    unsigned calls;
    tl_time now;
    int fds; /* made so far */
    unsigned walls, accepts, reads, writes;
    int64_t pids;
    struct {
        bool open;
        unsigned wanted;
        void *token;
    } fd[FDS_MAX];
    struct tl_event queue[QUEUE_MAX]; /* for the next poll */
    int queued;
};

static struct toy *toy_of(struct tl_kernel *kernel)
{
    struct toy *toy = (struct toy *)kernel;

    toy->calls++;
    return toy;
}

static void queue(struct toy *toy, struct tl_event event)
{
    if (toy->queued < QUEUE_MAX)
        toy->queue[toy->queued++] = event;
}

static bool is_open(const struct toy *toy, int fd)
{
    return fd >= DESCRIPTOR && fd < FDS_MAX && toy->fd[fd].open;
}

static int make_fd(struct toy *toy)
{
    int fd = DESCRIPTOR + toy->fds;

    if (fd >= FDS_MAX)
        return -EMFILE;
    toy->fds++;
    toy->fd[fd].open = true;
    return fd;
}

/* --- Time and chance --- */

static void toy_destroy(struct tl_kernel *kernel)
{
    tl_free(kernel);
}

static tl_time toy_now(struct tl_kernel *kernel)
{
    struct toy *toy = toy_of(kernel);

    return toy->now += 1000;
}

static tl_time toy_wall(struct tl_kernel *kernel)
{
    struct toy *toy = toy_of(kernel);

    /* Back and forth, as wall clocks do. */
    return 1600000000 * TL_SECOND + (toy->walls++ % 2 ? toy->now : -toy->now);
}

static int toy_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    (void)toy_of(kernel);
    if (buf == NULL)
        return 1;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)(200 + i * 7);
    return 0;
}

/* --- Waiting --- */

static int toy_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd))
        return -EBADF;
    toy->fd[fd].wanted = events;
    toy->fd[fd].token = token;
    return 0;
}

static int toy_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct toy *toy = toy_of(kernel);
    int n = toy->queued < count ? toy->queued : count;

    if (count <= 0)
        return -EINVAL;
    toy->now += timeout >= 0 ? timeout : TL_SECOND;
    for (int i = 0; i < n; i++) {
        events[i] = toy->queue[i];
        if (events[i].kind == TL_EVENT_FD)
            events[i].token = toy->fd[events[i].value].token;
        if (events[i].kind == TL_EVENT_FD)
            events[i].value = 0;
        if (events[i].kind == TL_EVENT_WORK)
            ((struct tl_work *)events[i].token)->run(events[i].token);
    }
    toy->queued -= n;
    memmove(toy->queue, toy->queue + n, (size_t)toy->queued * sizeof *toy->queue);
    return n;
}

static int toy_post(struct tl_kernel *kernel, struct tl_post *post)
{
    queue((struct toy *)kernel, (struct tl_event){.kind = TL_EVENT_POSTED, .token = post});
    return 0;
}

void toy_kernel_ready(struct tl_kernel *kernel, int fd, unsigned ready)
{
    queue((struct toy *)kernel,
          (struct tl_event){.kind = TL_EVENT_FD, .ready = ready, .value = fd});
}

/* --- Sockets and pipes --- */

static int toy_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct toy *toy = toy_of(kernel);

    (void)type;
    return family == TL_FAMILY_INET6 ? -EAFNOSUPPORT : make_fd(toy);
}

static int toy_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct toy *toy = toy_of(kernel);

    return !is_open(toy, fd) ? -EBADF : addr->port == 80 ? -EACCES : 0;
}

static int toy_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    struct toy *toy = toy_of(kernel);

    (void)backlog;
    if (!is_open(toy, fd))
        return -EBADF;
    toy_kernel_ready(kernel, fd, TL_READABLE);
    return 0;
}

static int toy_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd))
        return -EBADF;
    if (toy->accepts++ % 2)
        return -EAGAIN;
    *ret_peer =
        (tl_addr){.family = TL_FAMILY_INET6, .port = 4711, .scope = 3, .data = {0xfe, 0x80}};
    return make_fd(toy);
}

static int toy_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct toy *toy = toy_of(kernel);

    (void)addr;
    if (!is_open(toy, fd))
        return -EBADF;
    toy_kernel_ready(kernel, fd, TL_WRITABLE | TL_HANGUP | TL_FAULT);
    return -EINPROGRESS;
}

static int toy_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    struct toy *toy = toy_of(kernel);

    return !is_open(toy, fd) ? -EBADF : how == TL_SHUTDOWN_BOTH ? -ENOTCONN : 0;
}

static int toy_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                      int *ret)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd))
        return -EBADF;
    if (ret != NULL)
        *ret = option == TL_OPTION_ERROR ? ECONNREFUSED : set != NULL ? 2 * *set : 1;
    return 0;
}

static int toy_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd) || side == TL_ADDRESS_PEER)
        return -ENOTCONN;
    *ret = (tl_addr){.family = TL_FAMILY_UNIX, .len = 5, .data = "/sock"};
    return 0;
}

static int toy_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    struct toy *toy = toy_of(kernel);

    (void)kind;
    ret_fds[0] = make_fd(toy);
    ret_fds[1] = make_fd(toy);
    return ret_fds[1] < 0 ? ret_fds[1] : 0;
}

static int toy_close(struct tl_kernel *kernel, int fd)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd))
        return -EBADF;
    toy->fd[fd].open = false;
    return 0;
}

/* --- Bytes --- */

static size_t fill(struct tl_message *message, size_t most, uint8_t first)
{
    size_t done = 0;

    for (size_t i = 0; i < message->iov_count; i++)
        for (size_t k = 0; k < message->iov[i].iov_len && done < most; k++)
            ((uint8_t *)message->iov[i].iov_base)[k] = (uint8_t)(first + done++);
    if (message->addr != NULL)
        *message->addr = (tl_addr){.family = TL_FAMILY_INET, .port = 53, .data = {10, 0, 0, first}};
    message->len = done;
    return done;
}

static ssize_t toy_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd))
        return -EBADF;
    if (count == 1)
        return toy->reads++ % 5 == 4 ? -EAGAIN : (ssize_t)fill(messages, 100000, 'a');
    for (size_t i = 0; i + 1 < count; i++) {
        fill(&messages[i], 3 + i, (uint8_t)('0' + i));
        messages[i].truncated = i == 1;
    }
    return (ssize_t)count - 1;
}

static ssize_t toy_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                         size_t count)
{
    struct toy *toy = toy_of(kernel);
    size_t offered = 0;

    if (!is_open(toy, fd))
        return -EBADF;
    for (size_t i = 0; i < messages->iov_count; i++)
        offered += messages->iov[i].iov_len;
    if (count > 1) {
        messages[0].len = offered;
        return 1;
    }
    /* All, half of it, nothing. */
    unsigned turn = toy->writes++ % 3;
    if (turn == 2)
        return -EAGAIN;
    messages->len = turn == 0 ? offered : offered / 2;
    return (ssize_t)messages->len;
}

static ssize_t toy_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                            size_t count, struct tl_witness *witness)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, fd) || !is_open(toy, file))
        return -EBADF;
    if (witness != NULL && count >= 2)
        witness->see(witness, "toys", count / 2 < 4 ? count / 2 : 4);
    *offset += (int64_t)count / 2;
    return (ssize_t)count / 2;
}

/* --- Files --- */

static int toy_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    struct toy *toy = toy_of(kernel);

    (void)flags, (void)mode;
    return strcmp(path, "/missing") == 0 ? -ENOENT : make_fd(toy);
}

static ssize_t toy_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    struct toy *toy = toy_of(kernel);

    if (!is_open(toy, file))
        return -EBADF;
    if (offset >= 100)
        return 0;
    memset(buf, (int)offset + 1, len);
    return (ssize_t)len;
}

static ssize_t toy_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                          int64_t offset)
{
    struct toy *toy = toy_of(kernel);

    (void)buf, (void)offset;
    return !is_open(toy, file) ? -EBADF : (ssize_t)(len > 100 ? 100 : len);
}

static int toy_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    (void)toy_of(kernel);
    if (strcmp(path, "/missing") == 0)
        return -ENOENT;
    *ret = (struct tl_stat){.size = 1234, .modified = -5, .kind = TL_ADOPTED_FILE, .identity = ~0u};
    return 0;
}

static int toy_unlink(struct tl_kernel *kernel, const char *path)
{
    (void)toy_of(kernel), (void)path;
    return -EROFS;
}

static int toy_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    (void)toy_of(kernel), (void)source, (void)target;
    return 0;
}

static int toy_fsync(struct tl_kernel *kernel, int file)
{
    return is_open(toy_of(kernel), file) ? 0 : -EBADF;
}

/* --- Descriptors made elsewhere, processes, requests --- */

static int toy_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    struct toy *toy = toy_of(kernel);

    if (fd < 0 || fd >= FDS_MAX)
        return -EBADF;
    if (is_open(toy, fd))
        return -EEXIST;
    toy->fd[fd].open = true;
    *ret = (struct tl_adopted){
        .kind = TL_ADOPTED_STREAM,
        .nonblocking = true,
        .peer = {.family = TL_FAMILY_INET, .port = 1, .data = {127, 0, 0, 1}},
    };
    return 0;
}

static int toy_release(struct tl_kernel *kernel, int fd)
{
    return toy_close(kernel, fd);
}

static int64_t toy_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn)
{
    struct toy *toy = toy_of(kernel);

    if (strcmp(spawn->program, "missing") == 0)
        return -ENOENT;
    queue(toy, (struct tl_event){.kind = TL_EVENT_CHILD, .token = spawn->token, .value = -9});
    return 1000 + ++toy->pids;
}

static int toy_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token)
{
    struct toy *toy = toy_of(kernel);

    if (pid != 4321)
        return -ECHILD;
    queue(toy, (struct tl_event){.kind = TL_EVENT_CHILD, .token = token, .value = 3});
    return 0;
}

static int toy_release_child(struct tl_kernel *kernel, int64_t pid)
{
    (void)kernel;
    (void)pid;
    return -ESRCH;
}

static int toy_kill(struct tl_kernel *kernel, int64_t pid, int signum)
{
    struct toy *toy = toy_of(kernel);

    (void)signum;
    return pid == 1000 + toy->pids ? 0 : -ESRCH;
}

static int toy_signal(struct tl_kernel *kernel, int signum, bool enable)
{
    struct toy *toy = toy_of(kernel);

    if (signum > 64)
        return -EINVAL;
    if (enable)
        queue(toy, (struct tl_event){.kind = TL_EVENT_SIGNAL, .value = signum});
    return 0;
}

static int toy_names(struct tl_query *query)
{
    tl_nameinfo *names = tl_alloc(sizeof *names);

    if (names == NULL)
        return -ENOMEM;
    *names = (tl_nameinfo){.host = "toy", .service = "toys"};
    query->names = names;
    return 0;
}

static int toy_addresses(struct tl_query *query)
{
    static const tl_addrinfo infos[] = {
        {.addr = {.family = TL_FAMILY_INET, .port = 80, .data = {10, 1, 2, 3}},
         .type = TL_STREAM,
         .protocol = 6,
         .canonname = "toy"},
        {.addr = {.family = TL_FAMILY_INET6, .port = 80, .data = {0x20, 1}},
         .type = TL_RAW,
         .canonname = ""},
    };

    query->result = TL_EAI_NONAME;
    if (strcmp(query->host, "nowhere") == 0)
        return 0;
    query->infos = tl_alloc(sizeof infos);
    if (query->infos == NULL)
        return -ENOMEM;
    memcpy(query->infos, infos, sizeof infos);
    query->infos_count = 2;
    query->result = 0;
    return 0;
}

static int toy_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct toy *toy = toy_of(kernel);

    int r = query->kind == TL_QUERY_NAMES ? toy_names(query) : toy_addresses(query);
    if (r < 0)
        return r;
    queue(toy, (struct tl_event){.kind = TL_EVENT_RESOLVED, .token = query});
    return 0;
}

static int toy_work(struct tl_kernel *kernel, struct tl_work *work)
{
    queue(toy_of(kernel), (struct tl_event){.kind = TL_EVENT_WORK, .token = work});
    return 0;
}

static int toy_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    struct toy *toy = toy_of(kernel);

    for (int i = 0; i < toy->queued; i++)
        if (toy->queue[i].token == request) {
            toy->queued--;
            memmove(&toy->queue[i], &toy->queue[i + 1],
                    (size_t)(toy->queued - i) * sizeof *toy->queue);
            return 0;
        }
    return -EALREADY;
}

static int toy_retire(struct tl_kernel *kernel, struct tl_workers *workers)
{
    (void)kernel, (void)workers;
    return 0;
}

static int64_t toy_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                        size_t size)
{
    (void)toy_of(kernel);
    switch (what) {
    case TL_INFO_PID:
        return 4242;
    case TL_INFO_CPUS:
        return 2;
    case TL_INFO_MAIN_THREAD:
        return 1;
    case TL_INFO_ENVIRONMENT:
        break;
    }
    if (strcmp(name, "HOME") != 0)
        return -ENOENT;
    if (size > 0) {
        strncpy(text, "/home/toy", size - 1);
        text[size - 1] = '\0';
    }
    return (int64_t)strlen("/home/toy");
}

static int toy_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len)
{
    (void)kernel, (void)kind, (void)data, (void)len;
    return 0;
}

static const struct tl_kernel_ops toy_ops = {
    .name = "toy",
    .destroy = toy_destroy,
    .now = toy_now,
    .wall = toy_wall,
    .entropy = toy_entropy,
    .watch = toy_watch,
    .poll = toy_poll,
    .post = toy_post,
    .socket = toy_socket,
    .bind = toy_bind,
    .listen = toy_listen,
    .accept = toy_accept,
    .connect = toy_connect,
    .shutdown = toy_shutdown,
    .option = toy_option,
    .address = toy_address,
    .pipe = toy_pipe,
    .close = toy_close,
    .read = toy_read,
    .write = toy_write,
    .sendfile = toy_sendfile,
    .open = toy_open,
    .pread = toy_pread,
    .pwrite = toy_pwrite,
    .stat = toy_stat,
    .unlink = toy_unlink,
    .rename = toy_rename,
    .fsync = toy_fsync,
    .adopt = toy_adopt,
    .release = toy_release,
    .spawn = toy_spawn,
    .kill = toy_kill,
    .adopt_child = toy_adopt_child,
    .release_child = toy_release_child,
    .signal = toy_signal,
    .resolve = toy_resolve,
    .work = toy_work,
    .cancel = toy_cancel,
    .retire = toy_retire,
    .info = toy_info,
    .note = toy_note,
};

struct tl_kernel *toy_kernel_new(void)
{
    struct toy *toy = tl_calloc(sizeof *toy);

    if (toy == NULL)
        return NULL;
    toy->kernel.ops = &toy_ops;
    toy->now = 50 * TL_SECOND;
    return &toy->kernel;
}

unsigned toy_kernel_calls(const struct tl_kernel *kernel)
{
    return ((const struct toy *)kernel)->calls;
}

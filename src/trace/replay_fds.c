/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer's operations on descriptors; see replay.c.
 *
 * Descriptors are numbers, made up where the program cannot have its own; the lowest free one
 * first, as systems do. A descriptor that the program made elsewhere and brought in keeps its
 * number and stays real: nothing is read from it or written to it, but who brought it in expects it
 * to be closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"
#include "trace/replay.h"

/* --- Numbers --- */

static int reserve_fds(struct tl_replay *replay, unsigned count)
{
    size_t needed = replay->slots_used + count;

    if (needed > INT_MAX - TL_REPLAY_FD_BASE)
        return -EMFILE;
    if (needed > replay->slots_count) {
        size_t larger = replay->slots_count != 0 ? 2 * replay->slots_count : 64;
        uint8_t *slots = tl_allocator_realloc(&replay->allocator, replay->slots, larger);
        if (slots == NULL)
            return -ENOMEM;
        memset(slots + replay->slots_count, 0, larger - replay->slots_count);
        replay->slots = slots;
        replay->slots_count = larger;
    }
    return tl_trace_objects_reserve(&replay->fds, count);
}

static int new_fd(struct tl_replay *replay, uint64_t ordinal)
{
    size_t slot = replay->slots_free;

    while (replay->slots[slot] != 0)
        slot++;
    replay->slots[slot] = 1;
    replay->slots_free = slot + 1;
    replay->slots_used++;
    int fd = TL_REPLAY_FD_BASE + (int)slot;
    tl_trace_objects_add(&replay->fds, (uint64_t)fd, ordinal);
    return fd;
}

/* A descriptor is none any more. */
static void forget(struct tl_replay *replay, int fd)
{
    struct tl_trace_object *object = tl_trace_objects_find(&replay->fds, (uint64_t)(int64_t)fd);

    if (object != NULL)
        tl_trace_objects_remove(&replay->fds, object);
    if (fd < TL_REPLAY_FD_BASE)
        return;
    size_t slot = (size_t)(fd - TL_REPLAY_FD_BASE);
    if (slot >= replay->slots_count || replay->slots[slot] == 0)
        return;
    replay->slots[slot] = 0;
    replay->slots_used--;
    if (slot < replay->slots_free)
        replay->slots_free = slot;
}

/* Matches an operation that makes a descriptor: the descriptor, or what it answers instead. */
static int make_fd(struct tl_replay *replay, const struct tl_trace_event *asked)
{
    int r = reserve_fds(replay, 1);

    if (r == 0)
        r = (int)tl_replay_result_of(replay, asked);
    return r < 0 ? r : new_fd(replay, replay->item.object);
}

/* Matches an operation with an object, one argument and no more to its answer than the result. */
static int simple(struct tl_kernel *kernel, enum tl_trace_kind kind, int fd, int64_t arg)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = kind, .object = tl_replay_ordinal(replay, fd), .arg = {arg}};

    return (int)tl_replay_result_of(replay, &asked);
}

static int with_address(struct tl_kernel *kernel, enum tl_trace_kind kind, int fd,
                        const tl_addr *addr)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = kind, .object = tl_replay_ordinal(replay, fd)};

    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_addr(&replay->pack, addr);
    int r = tl_replay_match_packed(replay, &asked);
    return r < 0 ? r : (int)replay->item.result;
}

/* Takes addresses out of the matched event: 0, or the end of the replay. */
static int answer_addresses(struct tl_replay *replay, tl_addr *ret, tl_addr *ret_second)
{
    const uint8_t *p = replay->item.blob;
    const uint8_t *end = p + replay->item.blob_len;
    tl_addr first, second;

    if (!tl_trace_unpack_addr(&p, end, &first) ||
        (ret_second != NULL && !tl_trace_unpack_addr(&p, end, &second)))
        return tl_replay_diverge(replay, NULL, "an address that cannot be understood");
    if (ret != NULL)
        *ret = first;
    if (ret_second != NULL)
        *ret_second = second;
    return 0;
}

/* --- Sockets and pipes --- */

int tl_replay_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct tl_trace_event asked = {.kind = TL_TRACE_SOCKET, .arg = {family, type}};

    return make_fd(tl_replay_of(kernel), &asked);
}

int tl_replay_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    return with_address(kernel, TL_TRACE_BIND, fd, addr);
}

int tl_replay_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    return with_address(kernel, TL_TRACE_CONNECT, fd, addr);
}

int tl_replay_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    return simple(kernel, TL_TRACE_LISTEN, fd, backlog);
}

int tl_replay_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    return simple(kernel, TL_TRACE_SHUTDOWN, fd, how);
}

int tl_replay_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_ACCEPT,
                                   .object = tl_replay_ordinal(replay, fd)};

    int r = reserve_fds(replay, 1);
    if (r == 0)
        r = (int)tl_replay_result_of(replay, &asked);
    if (r >= 0)
        r = answer_addresses(replay, ret_peer, NULL);
    return r < 0 ? r : new_fd(replay, (uint64_t)replay->item.arg[0]);
}

int tl_replay_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                     int *ret)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_OPTION,
        .object = tl_replay_ordinal(replay, fd),
        .arg = {option, (set != NULL) | (ret != NULL) << 1, set != NULL ? *set : 0},
    };

    int r = (int)tl_replay_result_of(replay, &asked);
    if (r < 0 || ret == NULL)
        return r;
    int64_t answer = replay->item.arg[3];
    *ret = (int)(option == TL_OPTION_ERROR ? -tl_trace_result_in(answer) : answer);
    return r;
}

int tl_replay_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    int r = simple(kernel, TL_TRACE_ADDRESS, fd, side);

    return r < 0 ? r : answer_addresses(replay, ret, NULL);
}

int tl_replay_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_PIPE, .arg = {kind}};

    int r = reserve_fds(replay, 2);
    if (r == 0)
        r = (int)tl_replay_result_of(replay, &asked);
    if (r < 0)
        return r;
    ret_fds[0] = new_fd(replay, replay->item.object);
    ret_fds[1] = new_fd(replay, (uint64_t)replay->item.arg[1]);
    return r;
}

int tl_replay_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    struct tl_trace_event asked = {
        .kind = TL_TRACE_OPEN,
        .arg = {flags, mode},
        .blob = (const uint8_t *)path,
        .blob_len = strlen(path),
    };

    return make_fd(tl_replay_of(kernel), &asked);
}

/* --- Descriptors made elsewhere --- */

/* The place of a real descriptor among those that are to be closed; their number when it is none.
 */
static size_t adopted_place(const struct tl_replay *replay, int fd)
{
    size_t i = 0;

    while (i < replay->adopted_count && replay->adopted[i] != fd)
        i++;
    return i;
}

/* Whether fd was one of them; it is not any more. */
static bool disown(struct tl_replay *replay, int fd)
{
    size_t i = adopted_place(replay, fd);

    if (i == replay->adopted_count)
        return false;
    replay->adopted_count--;
    memmove(&replay->adopted[i], &replay->adopted[i + 1],
            (replay->adopted_count - i) * sizeof *replay->adopted);
    return true;
}

static int reserve_adopted(struct tl_replay *replay)
{
    size_t larger = replay->adopted_capacity != 0 ? 2 * replay->adopted_capacity : 8;

    if (replay->adopted_count < replay->adopted_capacity)
        return 0;
    int *adopted =
        tl_allocator_realloc(&replay->allocator, replay->adopted, larger * sizeof *adopted);
    if (adopted == NULL)
        return -ENOMEM;
    replay->adopted = adopted;
    replay->adopted_capacity = larger;
    return 0;
}

int tl_replay_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_ADOPT};

    int r = tl_trace_objects_reserve(&replay->fds, 1);
    if (r == 0)
        r = reserve_adopted(replay);
    if (r == 0)
        r = (int)tl_replay_result_of(replay, &asked);
    if (r < 0)
        return r;
    struct tl_adopted adopted = {
        .kind = (uint32_t)replay->item.arg[0],
        .nonblocking = replay->item.arg[1] != 0,
    };
    r = answer_addresses(replay, &adopted.local, &adopted.peer);
    if (r < 0)
        return r;
    tl_trace_objects_add(&replay->fds, (uint64_t)(int64_t)fd, replay->item.object);
    if (fcntl(fd, F_GETFD) >= 0 && adopted_place(replay, fd) == replay->adopted_count)
        replay->adopted[replay->adopted_count++] = fd;
    *ret = adopted;
    return 0;
}

int tl_replay_release(struct tl_kernel *kernel, int fd)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    int r = simple(kernel, TL_TRACE_RELEASE, fd, 0);

    if (r == 0) {
        (void)disown(replay, fd);
        forget(replay, fd);
    }
    return r;
}

int tl_replay_close(struct tl_kernel *kernel, int fd)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    int r = simple(kernel, TL_TRACE_CLOSE, fd, 0);

    if (disown(replay, fd))
        (void)close(fd);
    forget(replay, fd);
    return r;
}

void tl_replay_close_adopted(struct tl_replay *replay)
{
    for (size_t i = 0; i < replay->adopted_count; i++)
        (void)close(replay->adopted[i]);
    tl_allocator_free(&replay->allocator, replay->adopted);
    replay->adopted = NULL;
    replay->adopted_count = 0;
}

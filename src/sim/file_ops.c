/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the simulated kernel on files. Each asks in Linux's order what speaks against
 * it, has the host's files (file.c) or the descriptor do the work, and hashes what came of it.
 */
#include <errno.h>
#include <string.h>

#include "sim/file.h"
#include "sim/host.h"
#include "sim/kernel.h"
#include "sim/mix.h"

enum { PAGE = 4096 };

static tl_host *host_of(struct tl_kernel *kernel)
{
    return tl_sim(kernel)->process->host;
}

static uint64_t hash_text(const char *text)
{
    return tl_mix_bytes(text, strlen(text));
}

/* --- By path ---------------------------------------------------------------------------------- */

static int open_file(struct tl_sim_kernel *kernel, const char *path, unsigned flags)
{
    const unsigned known =
        TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE | TL_OPEN_EXCLUSIVE;
    tl_process *process = kernel->process;
    struct tl_descriptor *descriptor;
    if ((flags & ~known) != 0 || (flags & (TL_OPEN_READ | TL_OPEN_WRITE)) == 0)
        return -EINVAL;
    if (tl_sim_refuses_descriptor(process))
        return -EMFILE;
    int fd = tl_fds_next(&process->fds, &process->world->allocator);
    if (fd < 0)
        return fd;
    int r = tl_file_open(process->host, path, flags, &descriptor);
    if (r < 0)
        return r;
    tl_ready_item_init(&descriptor->item, TL_READY_DESCRIPTOR,
                       tl_entity(process->entity, "object", process->objects + 1));
    tl_sim_give(kernel, fd, descriptor);
    return fd;
}

int tl_sim_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    (void)mode; /* permissions are not kept */
    int fd = open_file(tl_sim(kernel), path, flags);
    tl_sim_note(tl_sim(kernel), TL_KIND_OPEN, tl_sim_ordinal(tl_sim(kernel), fd), fd < 0 ? fd : 0,
                tl_mix(hash_text(path), flags), 0);
    return fd;
}

int tl_sim_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    struct tl_file *file;
    int r = tl_file_find(host_of(kernel), path, &file);
    if (r == 0)
        tl_file_stat(file, ret);
    tl_sim_note(tl_sim(kernel), TL_KIND_STAT, 0, r,
                tl_mix(hash_text(path), r == 0 ? (uint64_t)ret->size : 0), 0);
    return r;
}

int tl_sim_unlink(struct tl_kernel *kernel, const char *path)
{
    int r = tl_file_unlink(host_of(kernel), path);
    tl_sim_note(tl_sim(kernel), TL_KIND_UNLINK, 0, r, hash_text(path), 0);
    return r;
}

int tl_sim_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    int r = tl_file_rename(host_of(kernel), source, target);
    tl_sim_note(tl_sim(kernel), TL_KIND_RENAME, 0, r, tl_mix(hash_text(source), hash_text(target)),
                0);
    return r;
}

/* --- By descriptor ---------------------------------------------------------------------------- */

/* The open file with this number, of which the access is wanted. */
static int get_file(struct tl_kernel *kernel, int fd, unsigned access, struct tl_open_file **ret)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    if (descriptor == NULL)
        return -EBADF;
    struct tl_open_file *open = tl_open_file_of(descriptor);
    if (open == NULL)
        return -ESPIPE;
    if ((open->flags & access) == 0)
        return -EBADF;
    *ret = open;
    return 0;
}

/* Whether a range of bytes ends where no file can. */
static bool is_beyond(int64_t offset, size_t len)
{
    return len > (uint64_t)(INT64_MAX - offset);
}

static ssize_t read_at(struct tl_kernel *kernel, int fd, void *buf, size_t len, int64_t offset)
{
    struct tl_open_file *open;
    const unsigned char *bytes;
    int r = offset < 0 ? -EINVAL : get_file(kernel, fd, TL_OPEN_READ, &open);
    if (r < 0)
        return r;
    if (open->file->kind == TL_FILE_DIRECTORY)
        return -EISDIR;
    if (is_beyond(offset, len))
        return -EINVAL;
    size_t n = tl_file_look(open->file, offset, len, &bytes);
    if (n > 0)
        memcpy(buf, bytes, n);
    return (ssize_t)n;
}

ssize_t tl_sim_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    ssize_t n = read_at(kernel, file, buf, len, offset);
    tl_sim_note(tl_sim(kernel), TL_KIND_PREAD, tl_sim_ordinal(tl_sim(kernel), file), n,
                tl_mix(len, (uint64_t)offset), 0);
    return n;
}

static ssize_t write_at(struct tl_kernel *kernel, int fd, const void *buf, size_t len,
                        int64_t offset)
{
    struct tl_open_file *open;
    int r = offset < 0 ? -EINVAL : get_file(kernel, fd, TL_OPEN_WRITE, &open);
    if (r < 0)
        return r;
    return is_beyond(offset, len) ? -EINVAL : tl_open_file_put(open, buf, len, offset);
}

ssize_t tl_sim_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                      int64_t offset)
{
    ssize_t n = write_at(kernel, file, buf, len, offset);
    tl_sim_note(tl_sim(kernel), TL_KIND_PWRITE, tl_sim_ordinal(tl_sim(kernel), file), n,
                tl_mix(len, (uint64_t)offset), n > 0 ? tl_mix_bytes(buf, (size_t)n) : 0);
    return n;
}

int tl_sim_fsync(struct tl_kernel *kernel, int file)
{
    struct tl_open_file *open;
    int r = get_file(kernel, file, TL_OPEN_READ | TL_OPEN_WRITE, &open);
    if (r == -ESPIPE)
        r = -EINVAL;
    tl_sim_note(tl_sim(kernel), TL_KIND_FSYNC, tl_sim_ordinal(tl_sim(kernel), file), r, 0, 0);
    return r;
}

/* --- Sendfile --------------------------------------------------------------------------------- */

/* A write of nothing tells whether a descriptor can be written to at all, without a choice. */
static bool is_writable(struct tl_descriptor *descriptor)
{
    const struct tl_open_file *open = tl_open_file_of(descriptor);
    struct iovec none = {NULL, 0};
    struct tl_message message = {.iov = &none, .iov_count = 1};
    uint64_t content;
    if (open != NULL)
        return (open->flags & TL_OPEN_WRITE) != 0;
    return descriptor->ops->socket != NULL ||
           descriptor->ops->write(descriptor, &message, 1, &content) != -EBADF;
}

/* The file's side and the target's, as Linux asks for them. */
static int get_ends(struct tl_kernel *kernel, int fd, int file, int64_t offset,
                    struct tl_descriptor **ret_target, struct tl_open_file **ret_open)
{
    int r = get_file(kernel, file, TL_OPEN_READ, ret_open);
    if (r < 0)
        return r;
    if (offset < 0)
        return -EINVAL;
    *ret_target = tl_sim_descriptor(tl_sim(kernel), fd);
    if (*ret_target == NULL || !is_writable(*ret_target))
        return -EBADF;
    return (*ret_open)->file->kind == TL_FILE_DIRECTORY ? -EINVAL : 0;
}

/* A pipe is asked for room before the file is asked for bytes; 0 when it has some. */
static int ask_pipe(const struct tl_descriptor *target)
{
    if (target->ops->kind(target) != TL_ADOPTED_FIFO)
        return 0;
    uint32_t ready = target->ops->readiness(target);
    if ((ready & TL_FAULT) != 0)
        return -EPIPE;
    return (ready & TL_WRITABLE) != 0 ? 0 : -EAGAIN;
}

/* Sends up to count bytes of a file from *offset on, in one piece. */
static ssize_t send_piece(struct tl_descriptor *target, const struct tl_file *file, int64_t *offset,
                          size_t count, uint64_t *ret_content)
{
    const unsigned char *bytes;
    size_t len = tl_file_look(file, *offset, count, &bytes);
    if (len == 0)
        return 0;
    struct iovec iov = {(void *)bytes, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    ssize_t n = target->ops->write_pages != NULL
                    ? target->ops->write_pages(target, &iov, (size_t)(*offset % PAGE), ret_content)
                    : target->ops->write(target, &message, 1, ret_content);
    if (n > 0)
        *offset += n;
    return n;
}

/* A file that is sent to itself may overtake what it has yet to send, and has the more to send the
 * longer it gets: Linux goes on page by page. */
static ssize_t send_to_itself(struct tl_descriptor *target, const struct tl_file *file,
                              int64_t *offset, size_t count, uint64_t *ret_content)
{
    uint64_t content = 0;
    size_t sent = 0;
    ssize_t n;
    do {
        size_t rest = PAGE - (size_t)(*offset % PAGE);
        size_t len = count - sent < rest ? count - sent : rest;
        n = send_piece(target, file, offset, len, &content);
        *ret_content = tl_mix(*ret_content, content);
        sent += n > 0 ? (size_t)n : 0;
    } while (n > 0 && sent < count);
    return sent > 0 ? (ssize_t)sent : n;
}

static ssize_t send_file(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count,
                         uint64_t *ret_content)
{
    struct tl_descriptor *target;
    struct tl_open_file *open;
    int r = get_ends(kernel, fd, file, *offset, &target, &open);
    if (r < 0)
        return r;
    if (is_beyond(*offset, count))
        return -EINVAL;
    r = ask_pipe(target);
    if (r < 0)
        return r;
    const struct tl_open_file *other = tl_open_file_of(target);
    if (other != NULL && other->file == open->file)
        return send_to_itself(target, open->file, offset, count, ret_content);
    return send_piece(target, open->file, offset, count, ret_content);
}

/* What it was sent to may be the file itself, so its bytes are looked for again. */
static void show_sent(struct tl_kernel *kernel, int file, int64_t offset, size_t len,
                      struct tl_witness *witness)
{
    struct tl_open_file *open;
    const unsigned char *bytes;
    if (get_file(kernel, file, TL_OPEN_READ, &open) < 0)
        return;
    len = tl_file_look(open->file, offset, len, &bytes);
    if (len > 0)
        witness->see(witness, bytes, len);
}

ssize_t tl_sim_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count,
                        struct tl_witness *witness)
{
    int64_t from = *offset;
    uint64_t content = 0;
    ssize_t n = send_file(kernel, fd, file, offset, count, &content);
    if (n > 0 && witness != NULL)
        show_sent(kernel, file, from, (size_t)n, witness);
    uint64_t aux = tl_mix(tl_mix(count, (uint64_t)from), tl_sim_ordinal(tl_sim(kernel), file));
    tl_sim_note(tl_sim(kernel), TL_KIND_SENDFILE, tl_sim_ordinal(tl_sim(kernel), fd), n, aux,
                content);
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on files, by path and by descriptor.
 *
 * What is written is a stretch of the pattern that the operation's number picks, and what is read
 * is noted as a hash. Of what stat says neither times nor the size of a directory are compared, and
 * an identity is the first path that leads to the same file.
 */
#include <string.h>

#include "tests/fidelity/place.h"

enum { MODE = 0600 };

static unsigned char incoming[SIZE_MAX_BYTES];

static void note_bytes(struct answer *answer)
{
    if (answer->result > 0)
        snprintf(answer->note, sizeof answer->note, " %08x",
                 hash_bytes(incoming, (size_t)answer->result));
}

/* --- By path ---------------------------------------------------------------------------------- */

void file_open(struct run *run, const struct op *op, struct answer *answer)
{
    struct path path = path_of(run, op->other);
    int fd = run->kernel->ops->open(run->kernel, path.text, op->what, MODE);
    answer->result = fd < 0 ? fd : 0;
    if (fd >= 0)
        place_fill(run, op->place, fd, SORT_FILE);
}

static const char *first_path(struct run *run, uint64_t identity)
{
    for (int i = 0; i < PATHS; i++) {
        struct path path = path_of(run, (uint8_t)(PATH + i));
        struct tl_stat status;
        if (run->kernel->ops->stat(run->kernel, path.text, &status) == 0 &&
            status.identity == identity)
            return program_paths[i];
    }
    return "none";
}

void file_stat(struct run *run, const struct op *op, struct answer *answer)
{
    struct path path = path_of(run, op->other);
    struct tl_stat status;
    answer->result = run->kernel->ops->stat(run->kernel, path.text, &status);
    if (answer->result < 0)
        return;
    bool directory = status.kind == TL_ADOPTED_OTHER;
    snprintf(answer->note, sizeof answer->note, " kind %u, %lld bytes, is %s", status.kind,
             directory ? 0 : (long long)status.size, first_path(run, status.identity));
}

void file_unlink(struct run *run, const struct op *op, struct answer *answer)
{
    struct path path = path_of(run, op->other);
    answer->result = run->kernel->ops->unlink(run->kernel, path.text);
}

void file_rename(struct run *run, const struct op *op, struct answer *answer)
{
    struct path source = path_of(run, op->other);
    struct path target = path_of(run, op->what);
    answer->result = run->kernel->ops->rename(run->kernel, source.text, target.text);
}

/* --- By descriptor ---------------------------------------------------------------------------- */

void file_pread(struct run *run, const struct op *op, struct answer *answer)
{
    answer->result = run->kernel->ops->pread(run->kernel, run->places[op->place].fd, incoming,
                                             (size_t)op->value, op->offset);
    note_bytes(answer);
}

void file_pwrite(struct run *run, const struct op *op, struct answer *answer)
{
    struct flow pattern = {.key = run->op};
    answer->result =
        run->kernel->ops->pwrite(run->kernel, run->places[op->place].fd,
                                 flow_next_written(&pattern), (size_t)op->value, op->offset);
}

void file_fsync(struct run *run, const struct op *op, struct answer *answer)
{
    answer->result = run->kernel->ops->fsync(run->kernel, run->places[op->place].fd);
}

void file_read(struct run *run, const struct op *op, struct answer *answer)
{
    struct iovec iov[PIECES_MAX];
    struct tl_message message = {.iov = iov};
    message.iov_count = cut_bytes(incoming, (size_t)op->value, op->pieces, iov);
    answer->result = run->kernel->ops->read(run->kernel, run->places[op->place].fd, &message, 1);
    note_bytes(answer);
}

void file_write(struct run *run, const struct op *op, struct answer *answer)
{
    struct iovec iov[PIECES_MAX];
    struct flow pattern = {.key = run->op};
    struct tl_message message = {.iov = iov};
    const unsigned char *bytes = flow_next_written(&pattern);
    if (op->kind == OP_SENDFILE) {
        answer->result = sendfile_bytes(run, op, bytes, (size_t)op->value);
        return;
    }
    message.iov_count = cut_bytes(bytes, (size_t)op->value, op->pieces, iov);
    answer->result = run->kernel->ops->write(run->kernel, run->places[op->place].fd, &message, 1);
}

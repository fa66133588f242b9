/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation that sends a file: what is sent is what a write would write at that point, by way
 * of a file that holds it at the operation's offset and is gone afterwards. What its pages count in
 * the buffers of sockets is what Linux counts from 6.5 on.
 */
#include <stdio.h>

#include "tests/fidelity/place.h"

enum { MODE = 0600, PAGE = 4096, PAGES_AT_ONCE = 16 };

bool sendfile_is_one_piece(const struct op *op)
{
    return op->offset < 0 || op->offset % PAGE + op->value <= PAGES_AT_ONCE * PAGE;
}

int64_t sendfile_bytes(struct run *run, const struct op *op, const unsigned char *bytes, size_t len)
{
    const struct tl_kernel_ops *ops = run->kernel->ops;
    char path[sizeof run->directory + 8];
    int64_t offset = op->offset;
    (void)snprintf(path, sizeof path, "%s/sent", run->directory);
    int file = ops->open(run->kernel, path, TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE, MODE);
    if (file < 0)
        return file;
    (void)ops->unlink(run->kernel, path);
    if (offset >= 0)
        (void)ops->pwrite(run->kernel, file, bytes, len, offset);
    int64_t r = ops->sendfile(run->kernel, run->places[op->place].fd, file, &offset, len, NULL);
    (void)ops->close(run->kernel, file);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that the client half knows; see files.h.
 */
#include "files.h"

#include <errno.h>
#include <stdio.h>

int64_t http_file_size(unsigned number)
{
    static const int64_t sizes[HTTP_FILES] = {0, 1, 1000, 40000, 600000};
    return sizes[number];
}

uint8_t http_file_byte(unsigned number, int64_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) * 13 + number * 31 + 1);
}

static int fill(tl_loop *loop, int file, unsigned number)
{
    char bytes[4096];
    int64_t size = http_file_size(number);
    for (int64_t at = 0; at < size; at += (int64_t)sizeof bytes) {
        size_t len = size - at < (int64_t)sizeof bytes ? (size_t)(size - at) : sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)http_file_byte(number, at + (int64_t)i);
        ssize_t n = tl_loop_write_file(loop, file, bytes, len, at);
        if (n != (ssize_t)len)
            return n < 0 ? (int)n : -ENOSPC;
    }
    return 0;
}

static int make(tl_loop *loop, const char *root)
{
    const unsigned flags = TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE;
    char path[1024];
    int r = 0;
    for (unsigned i = 0; r == 0 && i < HTTP_FILES; i++) {
        if (snprintf(path, sizeof path, "%s/file-%u.bin", root, i) >= (int)sizeof path)
            return -ENAMETOOLONG;
        int file = tl_loop_open_file(loop, path, flags, 0644);
        if (file < 0)
            return file;
        r = fill(loop, file, i);
        (void)tl_loop_close_file(loop, file);
    }
    return r;
}

int http_files_make(const char *root)
{
    tl_loop *loop;
    int r = tl_new_event_loop(&loop);
    if (r < 0)
        return r;
    r = make(loop, root);
    tl_loop_free(loop);
    return r;
}

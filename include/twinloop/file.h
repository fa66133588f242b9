/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a loop's kernel, plain and synchronous: what a program opens to send
 * (twinloop/sendfile.h), and the little that a server keeps on disk.
 *
 * asyncio leaves files to Python. They are here so that a program that uses them runs in the
 * simulator, where every host has files of its own in memory (tl_host_write_file), and is recorded
 * like any other. Each call waits for the disk, as in Python; tl_loop_run_in_executor is for what
 * must not wait. A file is addressed by offset: there is no position to keep or to restore.
 *
 * A file that was opened here is closed by tl_loop_close_file, at the latest with its loop. One
 * that the program opened by itself may be given to any function here by its number; the loop knows
 * it for as long as the call lasts, or the sendfile. Errors are the system's, negative; also
 * TL_ECLOSED for a closed loop, -EINVAL for NULL where something is required, -EBUSY for a
 * descriptor that a transport has.
 */
#ifndef TWINLOOP_FILE_H
#define TWINLOOP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <twinloop/loop.h>

/* How to open a file: for reading, for writing, or for both; and what to do first. */
enum {
    TL_OPEN_READ = 1,
    TL_OPEN_WRITE = 2,
    TL_OPEN_CREATE = 4,     /* makes it if it is not there */
    TL_OPEN_TRUNCATE = 8,   /* empties it */
    TL_OPEN_EXCLUSIVE = 16, /* with CREATE: -EEXIST if it is there */
};

/* What is known of a file. */
struct tl_stat {
    int64_t size;
    int64_t modified;  /* wall nanoseconds */
    uint32_t kind;     /* enum tl_adopted_kind: TL_ADOPTED_FILE for a regular file */
    uint64_t identity; /* the same for two paths that lead to one file */
};

/* open(2): a descriptor, or an error. mode is for a file that is made: 0644 and the like. */
int tl_loop_open_file(tl_loop *loop, const char *path, unsigned flags, unsigned mode);

/* close(2). -EBUSY while a sendfile sends it. */
int tl_loop_close_file(tl_loop *loop, int file);

/* stat(2). */
int tl_loop_stat_file(tl_loop *loop, const char *path, struct tl_stat *ret);

/* pread(2) and pwrite(2): how many bytes. A read of fewer than asked for has met the end. */
ssize_t tl_loop_read_file(tl_loop *loop, int file, void *buf, size_t len, int64_t offset);
ssize_t tl_loop_write_file(tl_loop *loop, int file, const void *data, size_t len, int64_t offset);

/* fsync(2), unlink(2), rename(2). */
int tl_loop_sync_file(tl_loop *loop, int file);
int tl_loop_unlink_file(tl_loop *loop, const char *path);
int tl_loop_rename_file(tl_loop *loop, const char *source, const char *target);

#endif

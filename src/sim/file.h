/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's files: a tree of directories in memory, in which regular files have their bytes and
 * Unix-domain sockets their paths.
 *
 * The tree and what is said of it follow Linux call by call, for a superuser: permissions are not
 * kept. There are no links of either kind, so a node has one name or, once it is unlinked, none. It
 * lives for as long as it has a name or somebody holds a reference: a descriptor, a socket. Every
 * host begins with an empty directory /tmp; the working directory of every process is /. Nothing is
 * ever lost: a file outlives the processes that wrote it, until the world is reset.
 */
#ifndef TL_SIM_FILE_H
#define TL_SIM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/kernel.h>
#include <twinloop/world.h>
#include "sim/fd.h"
#include "sim/list.h"

struct tl_unix;

enum tl_file_kind {
    TL_FILE_REGULAR,
    TL_FILE_DIRECTORY,
    TL_FILE_SOCKET,
};

/* The most bytes that a file may have: what goes beyond is -EFBIG. */
#define TL_FILE_SIZE_MAX ((int64_t)1 << 28)

struct tl_file {
    tl_host *host;
    struct tl_list place;   /* in its directory's children, in the order of their making */
    struct tl_file *parent; /* NULL: it has no name any more; the root is its own */
    char *name;
    unsigned refs; /* its name counts as one */
    uint8_t kind;  /* enum tl_file_kind */
    uint64_t identity;
    tl_time modified; /* wall clock */

    unsigned char *data; /* REGULAR */
    size_t size;
    size_t capacity;

    struct tl_list children; /* DIRECTORY */

    struct tl_unix *socket; /* SOCKET: who is bound to it; NULL: nobody any more */
};

/* Where a path leads: a name in a directory, and the file of that name, if there is one. */
struct tl_file_place {
    struct tl_file *directory;
    const char *name; /* not terminated */
    size_t len;
    bool dots;  /* the name is ".", ".." or none at all: file is a directory that exists */
    bool slash; /* followed by a slash: only a directory will do */
    struct tl_file *file;
};

/* --- By path (file.c) --- */

/* Finds a path's place. 0; -ENOENT, -ENOTDIR, -ENAMETOOLONG, -ENOMEM. That nothing has the name yet
 * is no error. */
int tl_file_walk(tl_host *host, const char *path, struct tl_file_place *ret);

/* The file that a path leads to; also -ENOENT. Borrowed. */
int tl_file_find(tl_host *host, const char *path, struct tl_file **ret);

/* Makes a file of a kind at a place where there is none. Borrowed: its reference is its name's.
 * -ENOMEM. */
int tl_file_create(const struct tl_file_place *place, enum tl_file_kind kind, struct tl_file **ret);

int tl_file_unlink(tl_host *host, const char *path);
int tl_file_rename(tl_host *host, const char *source, const char *target);

struct tl_file *tl_file_ref(struct tl_file *file);
void tl_file_unref(struct tl_file *file);

/* Frees every file of a host; nobody may hold any. */
void tl_files_drop(tl_host *host);

/* --- A regular file's bytes (file.c) --- */

/* At most len bytes from offset on: how many; they stay the file's. */
size_t tl_file_look(const struct tl_file *file, int64_t offset, size_t len,
                    const unsigned char **ret);

/* Replaces or adds len bytes at offset, which may be the file's own; a hole before is filled by
 * zeros. len, or -EFBIG, -ENOSPC when memory is out. */
ssize_t tl_file_put(struct tl_file *file, const void *data, size_t len, int64_t offset);

void tl_file_truncate(struct tl_file *file);

void tl_file_stat(const struct tl_file *file, struct tl_stat *ret);

/* --- Descriptors (file_fd.c) --- */

/* An open file. */
struct tl_open_file {
    struct tl_descriptor descriptor;
    struct tl_file *file;
    unsigned flags;   /* TL_OPEN_* */
    int64_t position; /* of read and write; pread, pwrite and sendfile have their own */
    uint32_t draws;   /* how often it has asked whether the disk is full */
};

/* Opens a file for a process of its host. 0, or as open(2) says. */
int tl_file_open(tl_host *host, const char *path, unsigned flags, struct tl_descriptor **ret);

/* As tl_file_put, for a program: -ENOSPC too when the disk is full, by choice. */
ssize_t tl_open_file_put(struct tl_open_file *open, const void *data, size_t len, int64_t offset);

/* The open file that a descriptor is, or NULL. */
struct tl_open_file *tl_open_file_of(struct tl_descriptor *descriptor);

#endif

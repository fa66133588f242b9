/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace files as files: the few system calls that writing and reading them takes.
 *
 * A trace is not part of the recorded world, so it does not go through a kernel. Every function
 * answers with a negative errno when it fails.
 */
#ifndef TL_TRACE_FILE_H
#define TL_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Creates or empties a file that only its owner may read. A descriptor, or an error. */
int tl_trace_file_create(const char *path);

/* Whether it is a regular file, which tl_trace_file_write wants to know. */
bool tl_trace_file_is_regular(int fd);

/* Writes all of it, to a regular file with one system call besides that for the writing itself,
 * unless that comes back early. Raises no signal. */
int tl_trace_file_write(int fd, bool regular, const void *data, size_t len);

/* Cuts the file to size bytes, as far as it is one that can be cut. */
void tl_trace_file_cut(int fd, uint64_t size);

/* Opens an existing regular file and says how long it is. -EINVAL for anything but a file. */
int tl_trace_file_open(const char *path, uint64_t *ret_size);

/* Reads up to len bytes at offset. How many there were; fewer only at the end of the file. */
int64_t tl_trace_file_read(int fd, void *data, size_t len, uint64_t offset);

int tl_trace_file_close(int fd);

/* A number for the process that runs now: another one in a forked child. */
int64_t tl_trace_file_process(void);

/* The process that began this, told from its forked children without a system call where the kernel
 * can wipe a page as it forks. */
struct tl_trace_process {
    int64_t number;
    volatile uint8_t *mark; /* 0 in children; NULL: there is no such page */
};

void tl_trace_process_begin(struct tl_trace_process *process);
bool tl_trace_process_is_same(const struct tl_trace_process *process);
void tl_trace_process_end(struct tl_trace_process *process);

#endif

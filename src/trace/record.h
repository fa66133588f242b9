/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's insides, for record*.c: the kernel around a kernel, and what its operations share.
 */
#ifndef TL_TRACE_RECORD_H
#define TL_TRACE_RECORD_H

#include <twinloop/kernel.h>
#include "trace/event.h"
#include "trace/objects.h"
#include "trace/pack.h"
#include "trace/writer.h"

struct tl_recorder {
    struct tl_kernel kernel;
    struct tl_kernel *inner; /* owned */
    struct tl_trace_out out;
    bool full_output;
    struct tl_trace_objects fds;      /* by number */
    struct tl_trace_objects children; /* by process id, and by ordinal, which is their token */
    struct tl_trace_objects requests; /* by address */
    uint64_t fds_made;                /* the last ordinal of each class */
    uint64_t children_made;
    uint64_t requests_made;
    int64_t pid;               /* the process id that was recorded last; -1: none */
    struct tl_trace_pack pack; /* for the blob of the event at hand */
};

static inline struct tl_recorder *tl_recorder_of(struct tl_kernel *kernel)
{
    return (struct tl_recorder *)kernel;
}

/* A descriptor or a process id as the key of a table. */
static inline uint64_t tl_recorder_key(int64_t number)
{
    return (uint64_t)number;
}

/* Writes an event down. */
void tl_recorder_put(struct tl_recorder *recorder, const struct tl_trace_event *event);

/* The same, with what is in the pack as its blob. */
void tl_recorder_put_packed(struct tl_recorder *recorder, struct tl_trace_event *event);

/* Appends to p, which has the room, what an object has taken: the bytes, or their hash. */
uint8_t *tl_recorder_put_output(const struct tl_recorder *recorder, uint8_t *p,
                                struct tl_trace_object *object, const struct iovec *iov,
                                size_t len);

/* The operations, for the table. */
tl_time tl_record_now(struct tl_kernel *kernel);
tl_time tl_record_wall(struct tl_kernel *kernel);
int tl_record_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token);
int tl_record_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count);
int tl_record_post(struct tl_kernel *kernel, struct tl_post *post);
ssize_t tl_record_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
ssize_t tl_record_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                        size_t count);
int tl_record_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type);
int tl_record_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_record_listen(struct tl_kernel *kernel, int fd, int backlog);
int tl_record_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer);
int tl_record_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_record_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how);
int tl_record_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                     int *ret);
int tl_record_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret);
int tl_record_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2]);
int tl_record_close(struct tl_kernel *kernel, int fd);
int tl_record_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret);
int tl_record_release(struct tl_kernel *kernel, int fd);
ssize_t tl_record_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                           size_t count, struct tl_witness *witness);

int tl_record_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode);
ssize_t tl_record_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset);
ssize_t tl_record_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                         int64_t offset);
int tl_record_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret);
int tl_record_unlink(struct tl_kernel *kernel, const char *path);
int tl_record_rename(struct tl_kernel *kernel, const char *source, const char *target);
int tl_record_fsync(struct tl_kernel *kernel, int file);

int tl_record_entropy(struct tl_kernel *kernel, void *buf, size_t len);
int64_t tl_record_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn);
int tl_record_kill(struct tl_kernel *kernel, int64_t pid, int signum);
int tl_record_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token);
int tl_record_release_child(struct tl_kernel *kernel, int64_t pid);
int tl_record_signal(struct tl_kernel *kernel, int signum, bool enable);
int tl_record_resolve(struct tl_kernel *kernel, struct tl_query *query);
int tl_record_work(struct tl_kernel *kernel, struct tl_work *work);
int tl_record_cancel(struct tl_kernel *kernel, struct tl_request *request);
int tl_record_retire(struct tl_kernel *kernel, struct tl_workers *workers);
int64_t tl_record_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                       size_t size);
int tl_record_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len);

#endif

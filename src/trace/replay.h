/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer's insides, for replay*.c: the kernel that answers from a trace, and what its
 * operations share.
 */
#ifndef TL_TRACE_REPLAY_H
#define TL_TRACE_REPLAY_H

#include <twinloop/kernel.h>
#include "trace/objects.h"
#include "trace/pack.h"
#include "trace/reader.h"
#include "trace/replay_threads.h"

/* Descriptors are invented from here up, where the program has none of its own. */
#define TL_REPLAY_FD_BASE (1 << 20)

struct tl_replay {
    struct tl_kernel kernel;
    tl_trace_reader *reader; /* borrowed */
    unsigned index;          /* of the stream */
    tl_allocator allocator;

    struct tl_trace_cursor cursor;
    struct tl_trace_event item; /* what the cursor read last */
    bool taken;                 /* item has been used, or there is none yet */
    int fate; /* what every operation answers from now on: 0 go on, TL_EDIVERGED, TL_EOUTOFREACH */

    tl_time now; /* the last answers */
    tl_time wall;
    bool header_now; /* the next reading is a recorder's: see TL_NOTE_RECORDING */
    bool header_wall;

    struct tl_trace_objects fds;      /* by number and ordinal, as the others */
    struct tl_trace_objects children; /* by process id */
    struct tl_trace_objects requests; /* by address */
    struct tl_request *jobs;          /* of these, the jobs that have not been run */
    uint8_t *slots;                   /* by invented number: whether it is in use */
    size_t slots_count;
    size_t slots_used;
    size_t slots_free; /* none below this is free */
    int *adopted;      /* real descriptors that are this kernel's to close */
    size_t adopted_count;
    size_t adopted_capacity;

    /* A descriptor from elsewhere was ready, and nothing has been asked of it since: object told,
     * at event told_at. Once poll is asked again it is opaque: somebody reads it past its recorder.
     * */
    uint64_t told; /* 0: none */
    uint64_t told_at;
    uint64_t opaque_at; /* of the first such event; 0: none */

    int64_t process; /* the one that replays */
    int64_t pid;     /* the one that was recorded; -1: not said yet */

    struct tl_trace_pack pack; /* what the program asks, to compare it */

    struct tl_replay_posts posts;
};

static inline struct tl_replay *tl_replay_of(struct tl_kernel *kernel)
{
    return (struct tl_replay *)kernel;
}

/* --- Going through the trace (replay.c) --- */

/* The next event, clocks left behind, not taken yet: 0. Else what the operation answers. */
int tl_replay_peek(struct tl_replay *replay);

/* Takes the event in replay->item. */
void tl_replay_take(struct tl_replay *replay);

/* Takes the next event, which has to be what the program asked: object, arguments that are no
 * answers, and a blob that goes in. 0 with the event in replay->item; else what the operation
 * answers. */
int tl_replay_match(struct tl_replay *replay, const struct tl_trace_event *asked);

/* The same, with what is in the pack as the blob. */
int tl_replay_match_packed(struct tl_replay *replay, struct tl_trace_event *asked);

/* The same, for an operation whose answer is no more than its result. */
int64_t tl_replay_result_of(struct tl_replay *replay, const struct tl_trace_event *asked);

/* Ends the replay: the program did asked (NULL: nothing to show) where the trace has replay->item.
 * Returns TL_EDIVERGED. */
int tl_replay_diverge(struct tl_replay *replay, const struct tl_trace_event *asked, const char *why,
                      ...) __attribute__((format(printf, 3, 4)));

/* Shortens how long a post is waited for, for tests. */
void tl_replay_kernel_set_patience(struct tl_kernel *kernel, tl_time patience);

/* --- Descriptors (replay_fds.c) --- */

/* The ordinal of a descriptor; 0 for a number that is none. */
static inline uint64_t tl_replay_ordinal(struct tl_replay *replay, int fd)
{
    return tl_trace_objects_ordinal(&replay->fds, (uint64_t)(int64_t)fd);
}

/* Closes what the program had opened itself and made this kernel's. */
void tl_replay_close_adopted(struct tl_replay *replay);

int tl_replay_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type);
int tl_replay_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_replay_listen(struct tl_kernel *kernel, int fd, int backlog);
int tl_replay_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer);
int tl_replay_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_replay_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how);
int tl_replay_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                     int *ret);
int tl_replay_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret);
int tl_replay_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2]);
int tl_replay_close(struct tl_kernel *kernel, int fd);
int tl_replay_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode);
int tl_replay_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret);
int tl_replay_release(struct tl_kernel *kernel, int fd);

/* --- Bytes and files (replay_data.c) --- */

ssize_t tl_replay_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
ssize_t tl_replay_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                        size_t count);
ssize_t tl_replay_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                           size_t count, struct tl_witness *witness);
ssize_t tl_replay_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset);
ssize_t tl_replay_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                         int64_t offset);
int tl_replay_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret);
int tl_replay_unlink(struct tl_kernel *kernel, const char *path);
int tl_replay_rename(struct tl_kernel *kernel, const char *source, const char *target);
int tl_replay_fsync(struct tl_kernel *kernel, int file);
int tl_replay_entropy(struct tl_kernel *kernel, void *buf, size_t len);

/* --- Waiting, and what is waited for (replay_poll.c, replay_process.c) --- */

int tl_replay_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token);
int tl_replay_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count);
int tl_replay_post(struct tl_kernel *kernel, struct tl_post *post);

int64_t tl_replay_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn);
int tl_replay_kill(struct tl_kernel *kernel, int64_t pid, int signum);
int tl_replay_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token);
int tl_replay_release_child(struct tl_kernel *kernel, int64_t pid);
int tl_replay_signal(struct tl_kernel *kernel, int signum, bool enable);
int tl_replay_resolve(struct tl_kernel *kernel, struct tl_query *query);
int tl_replay_work(struct tl_kernel *kernel, struct tl_work *work);

int tl_replay_cancel(struct tl_kernel *kernel, struct tl_request *request);
int tl_replay_retire(struct tl_kernel *kernel, struct tl_workers *workers);
int64_t tl_replay_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                       size_t size);
int tl_replay_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len);

#endif

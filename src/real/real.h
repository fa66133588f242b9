/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real kernel's insides, for the files of src/real: what a kernel holds, its table of
 * descriptors, and the operations that each file implements (real.c puts them into the table).
 *
 * A kernel is one epoll instance, one eventfd that wakes it, and an entry for each descriptor it
 * has made or adopted. It is used on its loop's thread; what other threads may touch (posts, the
 * jobs' list, the counters of signals) is marked so.
 */
#ifndef TL_REAL_REAL_H
#define TL_REAL_REAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <twinloop/kernel.h>

/* What an entry of the table of descriptors is. The program's operations reach those from
 * TL_REAL_STREAM on; the ones before are the kernel's own. */
enum tl_real_kind {
    TL_REAL_NONE,     /* not this kernel's */
    TL_REAL_WAKE,     /* the eventfd */
    TL_REAL_CHILD,    /* a pidfd; token is its struct tl_real_child */
    TL_REAL_SIGCHLD,  /* the eventfd that tells of SIGCHLD, where there are no pidfds */
    TL_REAL_STREAM,   /* a stream socket, connected or listening */
    TL_REAL_DATAGRAM, /* a socket that keeps message boundaries */
    TL_REAL_PIPE,     /* anything that is no socket: readv and writev */
};

/* One descriptor of this process, found by its number: the entry is all the state that a
 * descriptor has here. */
struct tl_real_fd {
    void *token;     /* watch's, handed back in events */
    uint8_t kind;    /* enum tl_real_kind */
    uint8_t watched; /* TL_READABLE | TL_WRITABLE as epoll has them; 0: not registered */
    bool adopted;    /* made elsewhere */
};

/* A child that has not been reported yet. */
struct tl_real_child {
    struct tl_real_child *next;
    void *token; /* spawn's */
    pid_t pid;
    int pidfd; /* -1: told by SIGCHLD */
};

struct tl_real_jobs;
struct tl_real_resolver;

/* How many events one system call fetches at most. */
#define TL_REAL_BATCH_MAX 256

struct tl_real {
    struct tl_kernel kernel;
    struct tl_real_fd *fds; /* by number; entries that are in nobody's use are all zero */
    unsigned fds_count;
    unsigned fds_room; /* entries that there is memory for */
    unsigned fds_top;  /* one more than the highest number that has been in use */
    int epoll;
    int wake;              /* written to by whoever has something for poll; never read; -1: it was
                              not needed yet */
    bool pending;          /* signals, posts or jobs may be waiting to be handed out */
    bool no_pidfd;         /* children are told by SIGCHLD */
    bool children_due;     /* one may have ended since they were last asked after */
    bool coarse;           /* epoll_pwait2 is missing: whole milliseconds, rounded up */
    pid_t pid;             /* the process that made the kernel; a forked child only destroys it */
    struct tl_post *posts; /* collected and not yet handed out, the oldest first */
    struct tl_post **posts_tail;       /* where the next one goes */
    struct tl_real_jobs *jobs;         /* NULL until the first job */
    struct tl_real_resolver *resolver; /* NULL until the first lookup */
    struct tl_real_child *children;    /* not reported yet */
    int sigchld;                       /* the eventfd that tells of SIGCHLD; 0: none yet */
    uint64_t signals;                  /* bit n - 1: signal n is this kernel's */

    /* What posters write is apart from what is this thread's. */
    char apart[64];
    _Atomic(struct tl_post *) posted; /* any thread: not collected yet, the newest first */
    _Atomic bool asleep; /* any thread: poll waits, or is about to, and has to be woken */
    char apart_too[64];

    struct epoll_event batch[TL_REAL_BATCH_MAX];
};

static inline struct tl_real *tl_real_of(struct tl_kernel *kernel)
{
    return (struct tl_real *)kernel;
}

/* --- The table of descriptors (fds.c) --- */

/* The entry of a descriptor that the program may name, or NULL. */
static inline struct tl_real_fd *tl_real_fd(struct tl_real *real, int fd)
{
    if ((unsigned)fd >= real->fds_count || real->fds[fd].kind < TL_REAL_STREAM)
        return NULL;
    return &real->fds[fd];
}

/* Makes room for a few descriptors more, so that one can be entered after it was made. 0 or
 * -ENOMEM. */
int tl_real_fds_reserve(struct tl_real *real);

/* Enters a descriptor. 0; or -ENOMEM, which a reserve before makes all but impossible. */
int tl_real_fds_add(struct tl_real *real, int fd, enum tl_real_kind kind);

/* tl_real_fds_add for one just made: closes it when there is no room. Returns fd or -ENOMEM. */
int tl_real_fds_take(struct tl_real *real, int fd, enum tl_real_kind kind);

/* Unregisters an entry from epoll and forgets it. The descriptor stays open. */
void tl_real_fds_forget(struct tl_real *real, int fd);

/* Closes every descriptor of the table, and frees it. */
void tl_real_fds_finish(struct tl_real *real);

/* --- Addresses (addr.c) --- */

struct sockaddr_storage;

/* 0 and the length through ret_len, -EAFNOSUPPORT, or -EINVAL for a name that is too long. */
int tl_real_addr_encode(const tl_addr *addr, struct sockaddr_storage *ret, unsigned *ret_len);

/* What the system said, in our form; family TL_FAMILY_NONE for what we have no form for. */
void tl_real_addr_decode(const struct sockaddr_storage *storage, unsigned len, tl_addr *ret);

/* --- What poll hands out beside descriptors --- */

/* Makes the eventfd that poll is woken by, if there is none yet: before the first wait, and for who
 * will write to it. 0 or a negative error. */
int tl_real_wake_open(struct tl_real *real);

/* Makes the poll of whose eventfd this is return. Any thread, and signal handlers. */
void tl_real_wake(int wake);

/* What other threads have left is collected when woken, jobs before posts; handed out it is posts
 * first. */
void tl_real_jobs_collect(struct tl_real *real);
void tl_real_posts_collect(struct tl_real *real);

/* Each takes what fits into events and returns how many that were; waiting says whether there is
 * more. What comes after that wakes the kernel again. */
static inline bool tl_real_posts_new(const struct tl_real *real) /* that were not collected */
{
    return atomic_load_explicit(&real->posted, memory_order_relaxed) != NULL;
}
void tl_real_posts_finish(struct tl_real *real);
int tl_real_posts_take(struct tl_real *real, struct tl_event *events, int room);
bool tl_real_posts_waiting(const struct tl_real *real);

int tl_real_jobs_take(struct tl_real *real, struct tl_event *events, int room);
bool tl_real_jobs_waiting(const struct tl_real *real);
void tl_real_jobs_finish(struct tl_real *real, bool forked);

/* Starts a thread that has every signal blocked. 0 or a negative errno. */
int tl_real_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

int tl_real_resolved_take(struct tl_real *real, struct tl_event *events, int room);
bool tl_real_resolved_waiting(const struct tl_real *real);
void tl_real_resolver_finish(struct tl_real *real, bool forked);

int tl_real_signals_take(struct tl_real *real, struct tl_event *events, int room);
bool tl_real_signals_waiting(const struct tl_real *real);
void tl_real_signals_finish(struct tl_real *real);

/* A pidfd became readable: 1 with the child's event, or 0 when it was for nothing. */
int tl_real_child_reap(struct tl_real *real, struct tl_real_child *child, struct tl_event *event);

/* After SIGCHLD: the children that have ended and have no pidfd. */
int tl_real_children_take(struct tl_real *real, struct tl_event *events, int room);
void tl_real_children_finish(struct tl_real *real);

/* An eventfd of the caller's that is written to at each SIGCHLD from now on, or a negative errno;
 * and that the caller is done with it, which it has closed or will. */
int tl_real_sigchld_begin(void);
void tl_real_sigchld_end(void);

/* --- Operations --- */

tl_time tl_real_now(struct tl_kernel *kernel);
tl_time tl_real_wall(struct tl_kernel *kernel);
int tl_real_entropy(struct tl_kernel *kernel, void *buf, size_t len);

int tl_real_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token);
int tl_real_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count);
int tl_real_post(struct tl_kernel *kernel, struct tl_post *post);

int tl_real_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type);
int tl_real_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_real_listen(struct tl_kernel *kernel, int fd, int backlog);
int tl_real_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer);
int tl_real_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_real_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how);
int tl_real_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                   int *ret);
int tl_real_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret);
int tl_real_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2]);
int tl_real_close(struct tl_kernel *kernel, int fd);

ssize_t tl_real_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
ssize_t tl_real_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);

ssize_t tl_real_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count,
                         struct tl_witness *witness);

int tl_real_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode);
ssize_t tl_real_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset);
ssize_t tl_real_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                       int64_t offset);
int tl_real_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret);
int tl_real_unlink(struct tl_kernel *kernel, const char *path);
int tl_real_rename(struct tl_kernel *kernel, const char *source, const char *target);
int tl_real_fsync(struct tl_kernel *kernel, int file);

int tl_real_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret);
int tl_real_release(struct tl_kernel *kernel, int fd);

int64_t tl_real_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn);
int tl_real_kill(struct tl_kernel *kernel, int64_t pid, int signum);
int tl_real_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token);
int tl_real_release_child(struct tl_kernel *kernel, int64_t pid);
int tl_real_signal(struct tl_kernel *kernel, int signum, bool enable);

int tl_real_resolve(struct tl_kernel *kernel, struct tl_query *query);

/* Gives a query up; -ENOENT when the request is no query that is under way. */
int tl_real_resolve_cancel(struct tl_real *real, struct tl_request *request);

int tl_real_work(struct tl_kernel *kernel, struct tl_work *work);
int tl_real_cancel(struct tl_kernel *kernel, struct tl_request *request);
int tl_real_retire(struct tl_kernel *kernel, struct tl_workers *workers);

int64_t tl_real_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                     size_t size);
int tl_real_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len);

/* Processors that this process may use. */
int tl_real_cpus(void);

#endif

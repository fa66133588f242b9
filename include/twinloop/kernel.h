/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel: everything a loop asks of the world. This header is the porting guide.
 *
 * All of asyncio's semantics live in src/core and are written once, above the table of operations
 * below. A kernel is an implementation of the table: src/real asks Linux; src/sim asks a simulated
 * world; src/trace/record.c passes each call on to another kernel and writes down the answer;
 * src/trace/replay.c answers from what was written. A loop is given its kernel when it is made and
 * cannot tell which one it has. If something seems to need to know, an operation or an answer is
 * missing here.
 *
 * Rules that hold for every operation
 *   - Results are POSIX's meaning with the errno negated: 0 or a count when it worked, -EAGAIN and
 * the like when it did not. ret_x is written only on success. An operation that this kernel does
 * not have returns -ENOSYS; no member of the table is NULL.
 *   - poll is the only operation that lets time pass, and every asynchronous input is an event out
 * of poll. So the order in which a program learns things is the order of poll's events and of the
 * answers to its own calls, and nothing else.
 *   - Nothing blocks but poll. Descriptors are made non-blocking and close-on-exec.
 *   - Operations are called on the loop's thread only, except post, which any thread may call.
 *   - Pointers passed in are borrowed for the call unless the operation says otherwise.
 *   - No operation calls back into the core, except through a tl_work's run.
 *   - EINTR is never returned: the kernel repeats the call or, in poll, returns 0 events.
 */
#ifndef TWINLOOP_KERNEL_H
#define TWINLOOP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <twinloop/fd.h>
#include <twinloop/file.h>
#include <twinloop/loop.h>
#include <twinloop/net.h>
#include <twinloop/resolve.h>
#include <twinloop/value.h>

/* Readiness, asked for in watch and reported in events. A report may carry more than was asked for:
 * TL_HANGUP and TL_FAULT (EPOLLHUP, EPOLLERR) are always told while a descriptor is watched. */
enum {
    TL_READABLE = 1,
    TL_WRITABLE = 2,
    TL_HANGUP = 4,
    TL_FAULT = 8,
};

enum tl_event_kind {
    TL_EVENT_FD,       /* ready: readiness; token: as given to watch */
    TL_EVENT_POSTED,   /* token: the struct tl_post */
    TL_EVENT_WORK,     /* token: the struct tl_work, whose run has returned */
    TL_EVENT_SIGNAL,   /* value: the signal number */
    TL_EVENT_CHILD,    /* token: as given to spawn or adopt_child; value: exit code, or -signal */
    TL_EVENT_RESOLVED, /* token: the struct tl_query */
};

struct tl_event {
    void *token;
    uint32_t ready; /* TL_READABLE ... */
    uint32_t kind;  /* enum tl_event_kind */
    int64_t value;
};

/* One message of read and write: where the bytes are, and for datagrams the other side. */
struct tl_message {
    struct iovec *iov;
    size_t iov_count;
    tl_addr *addr;      /* read: NULL or filled with the source; write: NULL or the destination */
    size_t len;         /* result: the datagram's bytes that were transferred */
    unsigned truncated; /* result of read: the datagram was longer */
};

enum tl_pipe_kind {
    TL_PIPE_ONE_WAY,     /* pipe2: [0] reads what [1] writes */
    TL_PIPE_STREAM_PAIR, /* socketpair(AF_UNIX, SOCK_STREAM) */
};

struct tl_adopted {
    uint32_t kind;    /* enum tl_adopted_kind */
    bool nonblocking; /* as it was found; adopt does not change it */
    tl_addr local;    /* family TL_FAMILY_NONE where there is none */
    tl_addr peer;
};

/* Something handed over by another thread. Embedded in what the core hands over; the kernel owns it
 * from post until poll has returned its event. The producer is who posted it, for the trace: the
 * name of the thread or of the job that it runs, and how many posts that one had made before.
 *
 * With data NULL it is a callback: what it does is in the program's memory, so in a replay a thread
 * of the program has to post it again. Otherwise it is a message of len bytes, all that there is to
 * know about it: it is recorded by its content, and a replay makes it from the trace. */
struct tl_post {
    struct tl_post *next;
    struct tl_post *older; /* another one that may be near it in the queue, or be gone: a guess at
                              what to fetch into the cache, and nothing to follow; may be NULL */
    void (*release)(struct tl_post *post); /* by who has it and will not use it; may be NULL */
    char producer[16];
    uint64_t ordinal;
    const void *data;
    size_t len;
    uint32_t kind; /* the message's, as its sender named it */
};

/* Has whoever made a post take it back. */
static inline void tl_post_release(struct tl_post *post)
{
    if (post->release != NULL)
        post->release(post);
}

/* Who wants to see bytes that pass the program by: see is called for one piece after the other,
 * before the operation returns. */
struct tl_witness {
    void (*see)(struct tl_witness *witness, const void *data, size_t len);
};

/* What is asked for now and answered by an event out of poll. Comes first in a job and in a query;
 * all zero when it is handed in. The members are the kernel's own. */
struct tl_request {
    struct tl_request *next;
    struct tl_request **link; /* what points at it while it can be called off; NULL: it cannot */
    void *owner;
};

/* Workers for some jobs alone: how many at most, and what their threads are called. Stays where it
 * is, unchanged, from the first job for them until they are retired or the kernel is destroyed. */
struct tl_workers {
    unsigned max;  /* 0: 4 more than the processors, at most 32 */
    char name[16]; /* "": "tl-worker" */
    void *owner;   /* the kernel's own; NULL at first */
};

/* A job for a worker. run(work) is called once, by tl_work_run, on a thread of the kernel's
 * choosing (the loop's own inside poll, for kernels that have none), with no loop running there.
 * Jobs for the same workers begin in the order in which they were given. With out NULL the job is
 * pure: a replay runs it again. Otherwise the out_len bytes at out are all that run leaves behind:
 * they are recorded, and copied back instead of trusting a second run. What run posts is handed out
 * before the job's own event. */
struct tl_work {
    struct tl_request request;
    struct tl_workers *workers; /* NULL: the kernel's own */
    void (*run)(struct tl_work *work);
    void *out;
    size_t out_len;
    char name[16]; /* the producer of what it posts, unlike any other job's; "": it posts nothing */
};

/* For kernels: calls work->run as if on a fresh thread, whatever thread this is. */
void tl_work_run(struct tl_work *work);

/* What a query asks for. */
enum tl_query_kind {
    TL_QUERY_ADDRESSES, /* getaddrinfo: of a host and a service */
    TL_QUERY_NAMES,     /* getnameinfo: of an address */
};

/* A question for the resolver (for resolve). Strings are borrowed until the query is the asker's
 * again. The answer is one block for the asker, of the loop's thread's allocator: tl_free gives it
 * back. */
struct tl_query {
    struct tl_request request;
    uint32_t kind; /* enum tl_query_kind */

    /* ADDRESSES: as getaddrinfo takes them. */
    const char *host;    /* or NULL */
    const char *service; /* or NULL */
    tl_addrinfo_hints hints;

    /* NAMES: as getnameinfo takes them. */
    tl_addr addr;
    unsigned flags; /* TL_NI_* */

    int result; /* 0, TL_EAI_* or -errno */
    tl_addrinfo *infos;
    size_t infos_count;
    tl_nameinfo *names;
};

enum {
    TL_FD_INHERIT = -1, /* spawn: the child shares this process's descriptor */
    TL_FD_NULL = -2,    /* spawn: /dev/null */
};

/* A child to be started. */
struct tl_spawn {
    const char *program;     /* looked up in PATH when it has no slash */
    const char *const *argv; /* NULL-terminated, argv[0] included */
    const char *const *envp; /* NULL: this process's */
    const char *cwd;         /* NULL: this process's */
    int fds[3];              /* the child's 0, 1, 2: a descriptor of this kernel, which is made
                                blocking for it unless it was adopted, or TL_FD_* */
    bool new_session;
    void *token; /* comes back in TL_EVENT_CHILD */
};

enum tl_info {
    TL_INFO_PID,         /* this process's id */
    TL_INFO_CPUS,        /* processors this process may use */
    TL_INFO_MAIN_THREAD, /* 1 when the calling thread is the process's first, else 0 */
    TL_INFO_ENVIRONMENT, /* the variable called name, copied to text; its length, or -ENOENT */
};

/* What the core wants in a trace although no kernel can act on it. */
enum tl_note {
    TL_NOTE_TEXT,      /* something for people */
    TL_NOTE_RECORDING, /* a recorder says that it begins; the one reading of each clock that it
                          makes next is for its header and none of the program's */
};

struct tl_kernel;

struct tl_kernel_ops {
    const char *name; /* "real", "sim", "record", "replay" */

    /* Gives everything back: descriptors still open are closed, work not begun is dropped and what
     * runs is waited for, queries are given up, posts that were not handed out are released. The
     * last call: no thread is inside post any more. */
    void (*destroy)(struct tl_kernel *kernel);

    /* --- Time and chance --- */

    /* The monotonic clock. Never goes back. Must be cheap: it is read once in every iteration. */
    tl_time (*now)(struct tl_kernel *kernel);

    /* Nanoseconds since 1970, UTC. */
    tl_time (*wall)(struct tl_kernel *kernel);

    /* Fills buf with random bytes: 0. With buf NULL: 0 when the bytes come from a generator whose
     * state is part of the world (so that TLS must use it too), 1 when the caller may as well use
     * its own. */
    int (*entropy)(struct tl_kernel *kernel, void *buf, size_t len);

    /* --- Waiting --- */

    /* Sets what poll reports of fd to exactly events (TL_READABLE | TL_WRITABLE), with token; 0
     * forgets fd. Level-triggered: reported in every poll for as long as it holds. The caller keeps
     * token alive until it has forgotten fd. Events that poll has returned already are the caller's
     * business. -EPERM for what cannot be waited for (a regular file), -EBADF, -ENOMEM. */
    int (*watch)(struct tl_kernel *kernel, int fd, unsigned events, void *token);

    /* Waits until something happened, or for timeout nanoseconds (0: only look; negative: for
     * ever), never less. Puts up to count events into events, in an order of the kernel's choosing,
     * and returns how many; each descriptor appears at most once. What did not fit is reported by
     * the next poll. 0 when the time ran out or the wait was interrupted. Fails only for good:
     * TL_EDEADLOCK when it can prove that nothing will ever happen, TL_EDIVERGED in a replay that
     * no longer fits. */
    int (*poll)(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count);

    /* Hands post to the loop: poll returns it as TL_EVENT_POSTED, and wakes up for it. Any thread;
     * never blocks, never fails while the kernel lives. Posts of one thread arrive in the order in
     * which it made them. */
    int (*post)(struct tl_kernel *kernel, struct tl_post *post);

    /* --- Sockets and pipes --- */

    /* What is no socket is -ENOTSOCK to what is for sockets alone, before anything else is looked
     * at; then an address of no family that there is is -EAFNOSUPPORT, and what no member of an
     * enum stands for is -EINVAL, an option -ENOPROTOOPT. */

    /* A new descriptor, or -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -EAFNOSUPPORT, ... */
    int (*socket)(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type);
    int (*bind)(struct tl_kernel *kernel, int fd, const tl_addr *addr);
    int (*listen)(struct tl_kernel *kernel, int fd, int backlog);

    /* The next connection's descriptor, with the peer's address; -EAGAIN when there is none. */
    int (*accept)(struct tl_kernel *kernel, int fd, tl_addr *ret_peer);

    /* 0 when connected at once; -EINPROGRESS: fd becomes writable, then TL_OPTION_ERROR tells how
     * it went. A socket of datagrams is connected at once: from then on it sends there when it
     * names no address, and hears from there alone; a family of TL_FAMILY_NONE undoes that. A
     * stream socket's connection cannot be undone so: -EAFNOSUPPORT. */
    int (*connect)(struct tl_kernel *kernel, int fd, const tl_addr *addr);
    int (*shutdown)(struct tl_kernel *kernel, int fd, enum tl_shutdown how);

    /* Sets the option to *set when set is not NULL; then reads it into *ret when ret is not NULL.
     */
    int (*option)(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                  int *ret);
    int (*address)(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret);
    int (*pipe)(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2]);

    /* Forgets fd as watch does, then closes it. 0 or -EBADF. */
    int (*close)(struct tl_kernel *kernel, int fd);

    /* recv, readv, recvfrom, recvmmsg in one, and send, writev, sendto, sendmmsg. With count 1: the
     * bytes transferred; read returns 0 at the end of a stream. With more (datagrams only): the
     * messages transferred, which may be fewer than could be: a kernel need not take more than 16
     * at once. Results in the messages themselves are those of datagrams: a stream's need not be
     * set. -EAGAIN when none could be. An error of the first message is
     * returned, one of a later message ends the call there and is met by the next. A write never
     * raises SIGPIPE: -EPIPE. */
    ssize_t (*read)(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
    ssize_t (*write)(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);

    /* Sends up to count bytes of file from *offset on, which is advanced. What was sent is shown to
     * witness (NULL: nobody wants to see it), as far as the file still has it. */
    ssize_t (*sendfile)(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count,
                        struct tl_witness *witness);

    /* --- Files --- */

    int (*open)(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode);
    ssize_t (*pread)(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset);
    ssize_t (*pwrite)(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                      int64_t offset);
    int (*stat)(struct tl_kernel *kernel, const char *path, struct tl_stat *ret);
    int (*unlink)(struct tl_kernel *kernel, const char *path);
    int (*rename)(struct tl_kernel *kernel, const char *source, const char *target);
    int (*fsync)(struct tl_kernel *kernel, int file);

    /* --- Descriptors made elsewhere --- */

    /* Makes fd, which the program got without this kernel, an object of this kernel, and says what
     * it is. It is looked at once; its number stays. -EBADF, -EEXIST when it is one already. */
    int (*adopt)(struct tl_kernel *kernel, int fd, struct tl_adopted *ret);

    /* Gives an object back to the program: forgotten here, still open. */
    int (*release)(struct tl_kernel *kernel, int fd);

    /* --- Processes and signals --- */

    /* Starts a child and returns its process id (> 0). Its end is one TL_EVENT_CHILD. Errors are
     * those of exec and chdir, and leave nothing behind. */
    int64_t (*spawn)(struct tl_kernel *kernel, const struct tl_spawn *spawn);
    int (*kill)(struct tl_kernel *kernel, int64_t pid, int signum);

    /* Watches a child of this process that somebody else started: its end is one TL_EVENT_CHILD
     * with token, as if spawn had started it, and kill reaches it. -ECHILD when the process has no
     * such child, or it has been waited for; -EEXIST when this kernel watches it already. */
    int (*adopt_child)(struct tl_kernel *kernel, int64_t pid, void *token);

    /* Gives a child back: no event follows, and somebody else will wait for it. -ESRCH when this
     * kernel does not watch it. */
    int (*release_child)(struct tl_kernel *kernel, int64_t pid);

    /* From now on signum arrives as TL_EVENT_SIGNAL (enable), or as it did before. -EINVAL for a
     * number that cannot be caught, -EBUSY when another kernel of this process has it, TL_ETHREAD
     * off the main thread. */
    int (*signal)(struct tl_kernel *kernel, int signum, bool enable);

    /* --- Answers that come later --- */

    /* Has the resolver answer a query; TL_EVENT_RESOLVED follows. The query stays the kernel's
     * until then. Answers are those of getaddrinfo and getnameinfo, in their order. -EAGAIN,
     * -ENOMEM when it cannot be asked. */
    int (*resolve)(struct tl_kernel *kernel, struct tl_query *query);

    /* Has a job run; TL_EVENT_WORK follows. The work stays the kernel's until then. -EAGAIN,
     * -ENOMEM when there can be no worker. */
    int (*work)(struct tl_kernel *kernel, struct tl_work *work);

    /* Calls off a work or query: 0 when it had not begun, and no event follows; -EALREADY when it
     * has, and its event will come. A query may be given up (0) although it has begun. */
    int (*cancel)(struct tl_kernel *kernel, struct tl_request *request);

    /* Ends these workers and forgets them. 0; -EBUSY when they have a job whose event has not come.
     * Waits for no more than threads on their way out. */
    int (*retire)(struct tl_kernel *kernel, struct tl_workers *workers);

    /* --- The rest --- */

    /* A fact about this process; see enum tl_info. text may be NULL with size 0. */
    int64_t (*info)(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                    size_t size);

    /* Something for the trace; kernels that do not record do nothing. 0. */
    int (*note)(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len);
};

/* Embedded at the start of a kernel's own struct. */
struct tl_kernel {
    const struct tl_kernel_ops *ops;
};

/* Makes a loop on a kernel. Takes the kernel when it succeeds: closing the loop destroys it. 0 or
 * -ENOMEM. */
int tl_loop_new(struct tl_kernel *kernel, tl_loop **ret);

/* The kernel of a loop, borrowed; NULL once the loop is closed. For backends, shims and their
 * tests. */
struct tl_kernel *tl_loop_kernel(const tl_loop *loop);

#endif

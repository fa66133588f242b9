/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: a program in small steps that together ask every operation of a kernel; see
 * toy_kernel.h.
 *
 * A step may be told to deviate: it then asks for something a little different from what it asks
 * usually. Every step can, so that each operation's comparison in a replay is seen to work.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "core/self.h"
#include "support/toy_kernel.h"

struct session {
    struct tl_kernel *kernel;
    struct transcript *transcript;
    bool deviates; /* in the step at hand */
    int listener, stream, accepted, datagram, pipe[2], file, adopted;
    int tokens[8]; /* only their addresses are of use */
    struct tl_post post;
    struct tl_post message;
    struct tl_work pure, declared, cancelled;
    struct tl_workers workers;
    uint8_t result[32];
    struct tl_query query, lost, named;
    int64_t pid;
    int jobs; /* that were run */
};

static __attribute__((format(printf, 2, 3))) void say(struct session *session, const char *format,
                                                      ...)
{
    struct transcript *transcript = session->transcript;
    va_list args;

    va_start(args, format);
    int n = vsnprintf(transcript->text + transcript->len, sizeof transcript->text - transcript->len,
                      format, args);
    va_end(args);
    transcript->len += (size_t)n;
    if (transcript->len >= sizeof transcript->text)
        transcript->len = sizeof transcript->text - 1;
}

/* A descriptor's number is the kernel's business; that there is one is the program's. */
static int said(struct session *session, const char *what, int fd)
{
    say(session, "%s %s\n", what, fd >= 0 ? "made" : tl_err_name(fd));
    return fd;
}

static void say_addr(struct session *session, const char *what, const tl_addr *addr)
{
    say(session, "%s %u/%u/%u/%u/%02x%02x%02x%02x\n", what, addr->family, addr->len, addr->port,
        addr->scope, addr->data[0], addr->data[1], addr->data[2], addr->data[3]);
}

static void say_bytes(struct session *session, const char *what, const void *data, int64_t len)
{
    uint32_t sum = 0;

    for (int64_t i = 0; i < len; i++)
        sum = sum * 31 + ((const uint8_t *)data)[i];
    say(session, "%s %lld bytes %08x\n", what, (long long)len, sum);
}

#define ASK(session, operation, ...)                                                               \
    ((session)->kernel->ops->operation((session)->kernel, ##__VA_ARGS__))

/* --- Time and chance --- */

static void step_clocks(struct session *session)
{
    tl_time first = ASK(session, now);
    tl_time second = ASK(session, now);

    say(session, "now %lld %lld wall %lld\n", (long long)first, (long long)second,
        (long long)ASK(session, wall));
    if (session->deviates)
        (void)ASK(session, socket, TL_FAMILY_INET, TL_STREAM);
    say(session, "wall %lld\n", (long long)ASK(session, wall));
}

static void step_entropy(struct session *session)
{
    uint8_t bytes[24] = {0};
    size_t len = session->deviates ? 23 : 24;

    say(session, "entropy %d\n", ASK(session, entropy, NULL, 99));
    int r = ASK(session, entropy, bytes, len);
    say(session, "entropy %s\n", tl_err_name(r));
    say_bytes(session, "entropy", bytes, sizeof bytes);
}

/* --- Sockets --- */

static void step_listener(struct session *session)
{
    tl_addr addr = {.family = TL_FAMILY_INET, .port = 80, .data = {127, 0, 0, 1}};

    said(session, "socket", ASK(session, socket, TL_FAMILY_INET6, TL_STREAM));
    session->listener = said(session, "socket", ASK(session, socket, TL_FAMILY_INET, TL_STREAM));
    said(session, "bind", ASK(session, bind, session->listener, &addr));
    addr.port = session->deviates ? 8081 : 8080;
    said(session, "bind", ASK(session, bind, session->listener, &addr));
    said(session, "listen", ASK(session, listen, session->listener, 128));
    said(session, "watch",
         ASK(session, watch, session->listener, TL_READABLE, &session->tokens[0]));
    said(session, "watch", ASK(session, watch, 12345, TL_READABLE, &session->tokens[0]));
}

static void step_accept(struct session *session)
{
    struct tl_event events[4];
    tl_addr peer = {0};

    int n = ASK(session, poll, session->deviates ? 7 * TL_SECOND : 5 * TL_MILLISECOND, events, 4);
    say(session, "poll %d token %td ready %u\n", n,
        n > 0 ? (int *)events[0].token - session->tokens : -1, n > 0 ? events[0].ready : 0);
    session->accepted = said(session, "accept", ASK(session, accept, session->listener, &peer));
    say_addr(session, "peer", &peer);
    said(session, "accept", ASK(session, accept, session->listener, &peer));
    said(session, "accept", ASK(session, accept, 99, &peer));
}

static void step_connect(struct session *session)
{
    tl_addr addr = {.family = TL_FAMILY_UNIX, .len = 4, .data = "/tmp"};
    struct tl_event events[4];
    int error = 0, size = 1000;

    session->stream = said(session, "socket", ASK(session, socket, TL_FAMILY_UNIX, TL_STREAM));
    said(session, "connect", ASK(session, connect, session->stream, &addr));
    said(session, "watch",
         ASK(session, watch, session->stream, session->deviates ? TL_READABLE : TL_WRITABLE,
             &session->tokens[1]));
    int n = ASK(session, poll, -1, events, 4);
    say(session, "poll %d token %td ready %u\n", n,
        n > 0 ? (int *)events[0].token - session->tokens : -1, n > 0 ? events[0].ready : 0);
    said(session, "option", ASK(session, option, session->stream, TL_OPTION_ERROR, NULL, &error));
    said(session, "option", ASK(session, option, session->stream, TL_OPTION_SNDBUF, &size, &size));
    say(session, "error %s size %d\n", tl_err_name(-error), size);
    said(session, "option", ASK(session, option, 99, TL_OPTION_NODELAY, &size, NULL));
}

static void step_address(struct session *session)
{
    tl_addr addr = {0};
    int size = session->deviates ? 3 : 2;

    said(session, "address", ASK(session, address, session->stream, TL_ADDRESS_LOCAL, &addr));
    say_addr(session, "address", &addr);
    said(session, "address", ASK(session, address, session->stream, TL_ADDRESS_PEER, &addr));
    said(session, "option", ASK(session, option, session->stream, TL_OPTION_RCVBUF, &size, NULL));
    said(session, "pipe", ASK(session, pipe, TL_PIPE_STREAM_PAIR, session->pipe));
}

/* --- Bytes --- */

static void step_read(struct session *session)
{
    char one[10], two[20];
    struct iovec iov[2] = {{one, sizeof one}, {two, session->deviates ? 19 : sizeof two}};
    struct tl_message message = {.iov = iov, .iov_count = 2};

    for (int i = 0; i < 5; i++) {
        memset(one, 0, sizeof one);
        memset(two, 0, sizeof two);
        ssize_t n = ASK(session, read, session->accepted, &message, 1);
        say(session, "read %s len %zu\n", tl_err_name((int)n), n >= 0 ? message.len : 0);
        say_bytes(session, "one", one, sizeof one);
        say_bytes(session, "two", two, sizeof two);
    }
}

static void step_write(struct session *session)
{
    char one[] = "the quick brown fox jumps over", two[] = " the lazy dog";
    struct iovec iov[2] = {{one, sizeof one - 1}, {two, sizeof two - 1}};
    struct tl_message message = {.iov = iov, .iov_count = 2};

    for (int i = 0; i < 4; i++) {
        if (session->deviates && i == 3)
            one[4] = 'Q';
        ssize_t n = ASK(session, write, session->accepted, &message, 1);
        say(session, "write %s %zd\n", tl_err_name((int)n), n < 0 ? 0 : n);
    }
    message.iov_count = 1;
    iov[0].iov_len = 3;
    say(session, "write %zd\n", ASK(session, write, session->pipe[1], &message, 1));
}

static void step_datagrams(struct session *session)
{
    char bytes[3][8] = {{0}};
    tl_addr addrs[3] = {{0}};
    struct iovec iov[3];
    struct tl_message messages[3];

    session->datagram = said(session, "socket", ASK(session, socket, TL_FAMILY_INET, TL_DATAGRAM));
    for (int i = 0; i < 3; i++) {
        iov[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        messages[i] = (struct tl_message){.iov = &iov[i], .iov_count = 1, .addr = &addrs[i]};
    }
    int n = (int)ASK(session, read, session->datagram, messages, 3);
    say(session, "read %d\n", n);
    for (int i = 0; i < n; i++) {
        say_bytes(session, "datagram", bytes[i], (int64_t)messages[i].len);
        say_addr(session, messages[i].truncated ? "truncated from" : "from", &addrs[i]);
    }
    n = (int)ASK(session, read, session->datagram, messages, 1);
    say(session, "read %d\n", n);
    say_addr(session, "from", &addrs[0]);
    addrs[1].port = session->deviates ? 54 : 53;
    say(session, "write %zd\n", ASK(session, write, session->datagram, &messages[1], 1));
    say(session, "write %zd\n", ASK(session, write, session->datagram, messages, 3));
}

/* --- Files --- */

static void step_files(struct session *session)
{
    uint8_t bytes[300] = {0};
    struct tl_stat status = {0};

    said(session, "open", ASK(session, open, "/missing", TL_OPEN_READ, 0));
    session->file = said(session, "open",
                         ASK(session, open, session->deviates ? "/etc/passwords" : "/etc/motd",
                             TL_OPEN_READ | TL_OPEN_WRITE, 0600));
    say(session, "pread %zd\n", ASK(session, pread, session->file, bytes, 300, 40));
    say_bytes(session, "pread", bytes, sizeof bytes);
    say(session, "pread %zd\n", ASK(session, pread, session->file, bytes, 300, 100));
    say(session, "pwrite %zd\n", ASK(session, pwrite, session->file, bytes, 300, 7));
    said(session, "stat", ASK(session, stat, "/missing", &status));
    said(session, "stat", ASK(session, stat, "/etc/motd", &status));
    say(session, "size %lld modified %lld kind %u identity %llu\n", (long long)status.size,
        (long long)status.modified, status.kind, (unsigned long long)status.identity);
}

static void step_names(struct session *session)
{
    int64_t offset = 10;

    said(session, "unlink", ASK(session, unlink, "/etc/motd"));
    said(session, "rename", ASK(session, rename, "/a", session->deviates ? "/c" : "/b"));
    said(session, "fsync", ASK(session, fsync, session->file));
    ssize_t n = ASK(session, sendfile, session->accepted, session->file, &offset, 1000, NULL);
    say(session, "sendfile %zd offset %lld\n", n, (long long)offset);
}

/* --- Others --- */

static void step_adopt(struct session *session)
{
    struct tl_adopted adopted = {0};

    session->adopted = 5;
    said(session, "adopt", ASK(session, adopt, -3, &adopted));
    said(session, "adopt", ASK(session, adopt, session->adopted, &adopted));
    say(session, "kind %u nonblocking %d\n", adopted.kind, adopted.nonblocking);
    say_addr(session, "local", &adopted.local);
    say_addr(session, "peer", &adopted.peer);
    if (session->deviates)
        said(session, "close", ASK(session, close, session->adopted));
    else
        said(session, "release", ASK(session, release, session->adopted));
}

static void step_children(struct session *session)
{
    const char *argv[] = {"cat", session->deviates ? "-v" : "-n", NULL};
    const char *envp[] = {"LANG=C", NULL};
    struct tl_spawn spawn = {
        .program = "missing",
        .argv = argv,
        .fds = {TL_FD_INHERIT, session->pipe[0], TL_FD_NULL},
        .token = &session->tokens[2],
    };

    say(session, "spawn %s\n", tl_err_name((int)ASK(session, spawn, &spawn)));
    spawn.program = "cat";
    spawn.envp = envp;
    session->pid = ASK(session, spawn, &spawn);
    say(session, "spawn %lld\n", (long long)session->pid);
    said(session, "kill", ASK(session, kill, session->pid, 15));
    said(session, "kill", ASK(session, kill, 1, 15));
    said(session, "adopt_child", ASK(session, adopt_child, 1, NULL));
    said(session, "adopt_child", ASK(session, adopt_child, 4321, &session->tokens[2]));
    said(session, "release_child", ASK(session, release_child, 1));
}

static void step_signals(struct session *session)
{
    said(session, "signal", ASK(session, signal, 99, true));
    said(session, "signal", ASK(session, signal, session->deviates ? 1 : 2, true));
    said(session, "signal", ASK(session, signal, 15, false));
}

static void run_pure(struct tl_work *work)
{
    struct session *session = (struct session *)((char *)work - offsetof(struct session, pure));

    session->jobs++;
    say(session, "the job runs %s\n", tl_self->running == NULL ? "outside" : "inside a loop");
}

static void run_declared(struct tl_work *work)
{
    struct session *session = (struct session *)((char *)work - offsetof(struct session, declared));

    session->jobs++;
    memset(work->out, 42, work->out_len);
}

static void step_requests(struct session *session)
{
    session->pure = (struct tl_work){.run = run_pure};
    session->declared = (struct tl_work){
        .run = run_declared,
        .out = session->result,
        .out_len = session->deviates ? 31 : sizeof session->result,
    };
    session->cancelled = (struct tl_work){.run = run_pure};
    session->query = (struct tl_query){
        .host = "example", .service = "http", .hints = {.flags = TL_AI_CANONNAME}};
    session->lost =
        (struct tl_query){.host = "nowhere", .hints = {.family = TL_FAMILY_INET6, .type = 1}};
    session->named = (struct tl_query){
        .kind = TL_QUERY_NAMES,
        .addr = {.family = TL_FAMILY_INET, .port = 80, .data = {10, 1, 2, 3}},
        .flags = session->deviates ? TL_NI_DGRAM : 0,
    };
    said(session, "work", ASK(session, work, &session->pure));
    said(session, "work", ASK(session, work, &session->cancelled));
    said(session, "work", ASK(session, work, &session->declared));
    said(session, "resolve", ASK(session, resolve, &session->query));
    said(session, "resolve", ASK(session, resolve, &session->lost));
    said(session, "resolve", ASK(session, resolve, &session->named));
    said(session, "cancel", ASK(session, cancel, &session->cancelled.request));
    said(session, "cancel", ASK(session, cancel, &session->cancelled.request));
    said(session, "retire", ASK(session, retire, &session->workers));
    strcpy(session->post.producer, "worker-1");
    session->post.ordinal = 77;
    said(session, "post", ASK(session, post, &session->post));
    strcpy(session->message.producer, "worker-2");
    session->message.data = "a message";
    session->message.len = session->deviates ? 1 : 9;
    session->message.kind = 7;
    said(session, "post", ASK(session, post, &session->message));
}

/* Another one in a replay, which makes it itself. */
static void say_message(struct session *session, struct tl_post *post)
{
    say(session, "message %u '%.*s'\n", (unsigned)post->kind, (int)post->len,
        (const char *)post->data);
    tl_post_release(post);
}

static void say_event(struct session *session, const struct tl_event *event)
{
    const char *what = event->token == &session->tokens[2]  ? "the child"
                       : event->token == &session->pure     ? "the pure job"
                       : event->token == &session->declared ? "the declared job"
                       : event->token == &session->query    ? "the query"
                       : event->token == &session->lost     ? "the lost query"
                       : event->token == &session->named    ? "the query for names"
                       : event->token == &session->post     ? "the post"
                       : event->token == NULL               ? "nothing"
                                                            : "something else";

    say(session, "event %u of %s ready %u value %lld\n", event->kind, what, event->ready,
        (long long)event->value);
}

static void free_answers(struct session *session)
{
    tl_free(session->query.infos);
    tl_free(session->lost.infos);
    tl_free(session->named.names);
    session->query.infos = NULL;
    session->lost.infos = NULL;
    session->named.names = NULL;
}

static void step_events(struct session *session)
{
    struct tl_event events[16];
    int n = ASK(session, poll, session->deviates ? -1 : 0, events, 16);

    say(session, "poll %s\n", tl_err_name(n));
    for (int i = 0; i < n; i++) {
        struct tl_post *post = events[i].token;
        if (events[i].kind == TL_EVENT_POSTED && post->data != NULL)
            say_message(session, post);
        else
            say_event(session, &events[i]);
    }
    say_bytes(session, "result", session->result, sizeof session->result);
    for (size_t i = 0; i < session->query.infos_count; i++) {
        const tl_addrinfo *info = &session->query.infos[i];
        say_addr(session, "resolved", &info->addr);
        say(session, "for %d %d '%s'\n", info->type, info->protocol, info->canonname);
    }
    say(session, "lost %s\n", tl_err_name(session->lost.result));
    if (session->named.names != NULL)
        say(session, "names %s %s\n", session->named.names->host, session->named.names->service);
    free_answers(session);
}

static void step_facts(struct session *session)
{
    char text[32] = "";
    const char *name = session->deviates ? "PATH" : "HOME";

    say(session, "pid %lld\n", (long long)ASK(session, info, TL_INFO_PID, NULL, NULL, 0));
    say(session, "cpus %lld\n", (long long)ASK(session, info, TL_INFO_CPUS, NULL, NULL, 0));
    int64_t r = ASK(session, info, TL_INFO_ENVIRONMENT, name, text, sizeof text);
    say(session, "environment %lld '%s'\n", (long long)r, text);
    r = ASK(session, info, TL_INFO_ENVIRONMENT, name, text, 6);
    say(session, "environment %lld '%s'\n", (long long)r, text);
    r = ASK(session, info, TL_INFO_ENVIRONMENT, "NONE", text, sizeof text);
    say(session, "environment %s\n", tl_err_name((int)r));
    said(session, "note", ASK(session, note, TL_NOTE_TEXT, "a note", 6));
}

static void step_close(struct session *session)
{
    if (session->deviates)
        said(session, "shutdown", ASK(session, shutdown, session->stream, TL_SHUTDOWN_BOTH));
    else
        said(session, "shutdown", ASK(session, shutdown, session->stream, TL_SHUTDOWN_WRITE));
    said(session, "watch", ASK(session, watch, session->stream, 0, NULL));
    said(session, "close", ASK(session, close, session->stream));
    said(session, "close", ASK(session, close, session->stream));
    /* The number may be used again, for another object. */
    session->stream = said(session, "socket", ASK(session, socket, TL_FAMILY_INET, TL_STREAM));
    said(session, "close", ASK(session, close, session->accepted));
    say(session, "now %lld\n", (long long)ASK(session, now));
}

static void (*const steps[])(struct session *session) = {
    step_clocks,   step_entropy, step_listener,  step_accept, step_connect, step_address,
    step_read,     step_write,   step_datagrams, step_files,  step_names,   step_adopt,
    step_children, step_signals, step_requests,  step_events, step_facts,   step_close,
};

int session_steps(void)
{
    return sizeof steps / sizeof *steps;
}

void session_run(struct tl_kernel *kernel, const struct session_options *options,
                 struct transcript *transcript)
{
    static const struct session_options none = {0};
    static struct session session; /* the kernel has its posts until it is destroyed */

    if (options == NULL)
        options = &none;
    session = (struct session){.kernel = kernel, .transcript = transcript};
    transcript->len = 0;
    transcript->text[0] = '\0';
    for (int i = 0; i < session_steps(); i++) {
        if (options->stop == i + 1)
            break;
        session.deviates = options->deviate == i + 1;
        steps[i](&session);
    }
    free_answers(&session);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load generator: starts an echo server, sends it a fixed count of messages over a number of
 * connections, checks every byte that comes back, and prints what that cost the server.
 *
 *     load [-c CONNECTIONS] [-s SIZE] [-d DEPTH] [-m MESSAGES] [-p apart|together] [-b BYTES] [-v]
 *          SERVER [ARGS]...
 *
 * With -v every message is a visit: a connection of its own, which the client closes once it has
 * its answer; CONNECTIONS of them are there at any time. DEPTH messages of each connection are on
 * their way at any time. -p keeps the generator and the server on a processor each, or both on one;
 * else the system places them. -b is how large the kernel's send buffers of the server are, in
 * place of what the system thinks good; the generator's receive buffers likewise. One line is
 * printed:
 *
 *     messages N cpu_ns N wall_ns N connections N user_bytes N first_kib N idle_kib N used_kib N
 *     peak_kib N
 *
 * cpu_ns is the server's time on a processor, user and kernel, during the messages alone (after a
 * round of warm-up). The four sizes are the server's memory with one connection, with all of them
 * idle, after each has had a message, and the largest resident size at the end.
 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* What is sent is this many bytes over and over, so any stretch of it can be compared at once. */
enum { PERIOD = 65536, EVENTS_MAX = 1024, NANOSECONDS = 1000000000, TIME_LIMIT_S = 600 };

struct load {
    unsigned connections;
    size_t size;
    unsigned depth;
    uint64_t messages;
    const char *placement; /* apart, together; NULL: the system's choice */
    int buffer;            /* of the kernel, in bytes; 0: the system's choice */
    bool visits;
    char **server;

    int epoll;
    pid_t child; /* the server, or the tool it runs under */
    pid_t pid;   /* the server */
    unsigned port;
    unsigned long user_bytes;
    uint64_t goal; /* bytes each connection has to get in this phase */
    unsigned busy; /* connections that have not */
    struct connection *all;
};

struct connection {
    int fd;
    bool blocked; /* waits for room to send */
    uint64_t sent;
    uint64_t received;
};

static char pattern[2 * PERIOD];
static char received[PERIOD];

static __attribute__((noreturn)) void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

/* --- The server: starting, ending, and what it used ------------------------------------------- */

static void place(const struct load *load, bool server)
{
    cpu_set_t set;
    if (load->placement == NULL)
        return;
    CPU_ZERO(&set);
    CPU_SET(server && strcmp(load->placement, "apart") == 0, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static void start_server(struct load *load)
{
    int out[2];
    long pid;
    if (pipe(out) < 0 || (load->child = fork()) < 0)
        die("fork");
    if (load->child == 0) {
        place(load, true);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execvp(load->server[0], load->server);
        die(load->server[0]);
    }
    close(out[1]);
    FILE *line = fdopen(out[0], "r");
    if (line == NULL || fscanf(line, "%u %ld %lu", &load->port, &pid, &load->user_bytes) != 3)
        fail("the server did not say where it listens");
    load->pid = (pid_t)pid; /* the pipe stays open until the server ends */
    place(load, false);
}

static void stop_server(const struct load *load)
{
    int status;
    kill(load->pid, SIGTERM);
    if (waitpid(load->child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("the server did not end well");
}

static uint64_t read_number(const char *path, const char *key)
{
    char line[256];
    uint64_t value = 0;
    size_t len = strlen(key);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, len) == 0) {
            value = strtoull(line + len, NULL, 10);
            break;
        }
    if (file != NULL)
        (void)fclose(file);
    return value;
}

/* Of all its threads, once they had time to fall asleep. */
static uint64_t server_cpu_ns(const struct load *load)
{
    char path[300];
    uint64_t sum = 0;
    usleep(2000);
    snprintf(path, sizeof path, "/proc/%d/task", (int)load->pid);
    DIR *tasks = opendir(path);
    const struct dirent *task;
    while (tasks != NULL && (task = readdir(tasks)) != NULL)
        if (task->d_name[0] != '.') {
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)load->pid,
                     task->d_name);
            sum += read_number(path, "");
        }
    if (tasks != NULL)
        closedir(tasks);
    return sum;
}

static uint64_t server_kib(const struct load *load, const char *file, const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)load->pid, file);
    return read_number(path, key);
}

static uint64_t server_heap_kib(const struct load *load)
{
    return server_kib(load, "smaps_rollup", "Anonymous:");
}

/* --- Connections ------------------------------------------------------------------------------ */

static void control(const struct load *load, int operation, struct connection *connection,
                    uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(load->epoll, operation, connection->fd, &event) < 0)
        die("epoll_ctl");
}

/* A visitor's port rests for a minute afterwards, so each of many addresses lends its own. */
static void leave_from_elsewhere(const struct connection *connection)
{
    enum { ADDRESSES = 200 };
    static unsigned visitors;
    const int one = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + visitors++ % ADDRESSES);
    (void)setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(connection->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("bind");
}

static void connect_one(const struct load *load, struct connection *connection)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port)};
    int one = 1;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (load->visits)
        leave_from_elsewhere(connection);
    if (load->buffer > 0)
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_RCVBUF, &load->buffer, sizeof load->buffer);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("connect");
    if (setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        die("TCP_NODELAY");
    control(load, EPOLL_CTL_ADD, connection, EPOLLIN);
}

static void set_blocked(const struct load *load, struct connection *connection, bool blocked)
{
    if (connection->blocked == blocked)
        return;
    connection->blocked = blocked;
    control(load, EPOLL_CTL_MOD, connection, EPOLLIN | (blocked ? EPOLLOUT : 0));
}

/* Sends what the depth allows: that many messages beyond the last whole one that came back. */
static void send_more(const struct load *load, struct connection *connection)
{
    uint64_t whole = connection->received / load->size * load->size;
    uint64_t limit = whole + load->depth * load->size;
    if (limit > load->goal)
        limit = load->goal;
    while (connection->sent < limit) {
        size_t len = limit - connection->sent < PERIOD ? limit - connection->sent : PERIOD;
        ssize_t sent = send(connection->fd, pattern + connection->sent % PERIOD, len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            die("send");
        if (sent < 0)
            break;
        connection->sent += (uint64_t)sent;
    }
    set_blocked(load, connection, connection->sent < limit);
}

static void receive(struct load *load, struct connection *connection)
{
    ssize_t len = recv(connection->fd, received, sizeof received, MSG_DONTWAIT);
    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0)
        die("the server closed a connection");
    if (memcmp(received, pattern + connection->received % PERIOD, (size_t)len) != 0)
        fail("the server sent other bytes than it was sent");
    connection->received += (uint64_t)len;
    if (connection->received > connection->sent)
        fail("the server sent more than it was sent");
    if (connection->received == load->goal)
        load->busy--;
}

/* Runs the first count connections until each has had so many messages in all. */
static void run_phase(struct load *load, unsigned first, unsigned count, uint64_t messages)
{
    struct epoll_event events[EVENTS_MAX];
    load->goal = messages * load->size;
    load->busy = count;
    for (unsigned i = first; i < first + count; i++)
        send_more(load, &load->all[i]);
    while (load->busy > 0) {
        int n = epoll_wait(load->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(load, connection);
            send_more(load, connection);
        }
    }
}

/* --- Visits --- */

static void visit(struct load *load, struct connection *connection)
{
    *connection = (struct connection){.fd = -1};
    connect_one(load, connection);
    send_more(load, connection);
}

/* So many of them, and no connection is left. */
static void run_visits(struct load *load, uint64_t visits)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t begun = 0, over = 0;
    load->goal = load->size;
    for (unsigned i = 0; i < load->connections && begun < visits; i++, begun++)
        visit(load, &load->all[i]);
    while (over < visits) {
        int n = epoll_wait(load->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct connection *connection = events[i].data.ptr;
            receive(load, connection);
            if (connection->received < load->goal)
                continue;
            close(connection->fd);
            over++;
            if (begun++ < visits)
                visit(load, connection);
        }
    }
}

static void measure_visits(struct load *load)
{
    run_visits(load, load->messages / 10 + 1);
    uint64_t cpu = server_cpu_ns(load), start = now_ns();
    run_visits(load, load->messages);
    uint64_t wall = now_ns() - start;
    cpu = server_cpu_ns(load) - cpu;
    printf("messages %llu cpu_ns %llu wall_ns %llu connections %u\n",
           (unsigned long long)load->messages, (unsigned long long)cpu, (unsigned long long)wall,
           load->connections);
}

/* --- The whole -------------------------------------------------------------------------------- */

static void parse(struct load *load, int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "+c:s:d:m:p:b:v")) != -1)
        switch (option) {
        case 'c':
            load->connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            load->size = strtoul(optarg, NULL, 10);
            break;
        case 'd':
            load->depth = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'm':
            load->messages = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            load->placement = optarg;
            break;
        case 'b':
            load->buffer = atoi(optarg);
            (void)setenv("BENCH_SEND_BUFFER", optarg, 1);
            break;
        case 'v':
            load->visits = true;
            break;
        default:
            exit(2);
        }
    load->server = argv + optind;
    if (optind == argc || load->connections == 0 || load->size == 0 || load->depth == 0)
        fail("usage: load [-c N] [-s N] [-d N] [-m N] [-p PLACEMENT] [-b N] [-v] SERVER [ARGS]...");
}

/* As many connections as the system lets both ends have; the server inherits the limit. */
static void fit_file_limit(struct load *load)
{
    enum { OTHERS = 64 };
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (load->connections + OTHERS > limit.rlim_cur) {
        load->connections = (unsigned)limit.rlim_cur - OTHERS;
        fprintf(stderr, "load: only %u connections: see ulimit -n\n", load->connections);
    }
}

int main(int argc, char **argv)
{
    struct load load = {.connections = 1, .size = 64, .depth = 1, .messages = 1000};
    parse(&load, argc, argv);
    fit_file_limit(&load);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)((i % PERIOD * 2654435761U) >> 13);
    load.all = calloc(load.connections, sizeof load.all[0]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load.all == NULL || load.epoll < 0)
        die("epoll_create1");
    alarm(TIME_LIMIT_S);
    start_server(&load);
    if (load.visits) {
        measure_visits(&load);
        stop_server(&load);
        return 0;
    }

    /* The answer to the last connection's message shows that all before it were accepted. */
    connect_one(&load, &load.all[0]);
    run_phase(&load, 0, 1, 1);
    uint64_t first = server_heap_kib(&load);
    for (unsigned i = 1; i < load.connections; i++)
        connect_one(&load, &load.all[i]);
    run_phase(&load, load.connections - 1, load.connections > 1, 1);
    uint64_t idle = server_heap_kib(&load);

    uint64_t each = (load.messages + load.connections - 1) / load.connections;
    run_phase(&load, 1, load.connections > 2 ? load.connections - 2 : 0, 1);
    uint64_t used = server_heap_kib(&load);
    run_phase(&load, 0, load.connections, 1 + load.depth);
    uint64_t cpu = server_cpu_ns(&load), start = now_ns();
    if (each > 0)
        run_phase(&load, 0, load.connections, 1 + load.depth + each);
    uint64_t wall = now_ns() - start;
    cpu = server_cpu_ns(&load) - cpu;

    printf("messages %llu cpu_ns %llu wall_ns %llu connections %u user_bytes %lu first_kib %llu "
           "idle_kib %llu used_kib %llu peak_kib %llu\n",
           (unsigned long long)each * load.connections, (unsigned long long)cpu,
           (unsigned long long)wall, load.connections, load.user_bytes, (unsigned long long)first,
           (unsigned long long)idle, (unsigned long long)used,
           (unsigned long long)server_kib(&load, "status", "VmHWM:"));
    stop_server(&load);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What beginning anew costs: making a loop and freeing it, a simulated one in a world of its own
 * and a real one; and resetting a world, one in which nothing was done and one in which a
 * connection was made, with a message on it, and everything left open.
 *
 * A reset is timed alone, and what came before it is not: the figure is the median of them all,
 * less what reading the clock takes.
 *
 *     sim_loops [COUNT]
 */
#include "sample.h"

#include <errno.h>
#include <twinloop.h>
#include <twinloop/kernel.h>
#include <twinloop/net.h>
#include <twinloop/sim.h>

enum { REAL_FEWER = 20, PORT = 7, SIZE = 64 };

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static double median(int64_t *times, uint64_t count)
{
    qsort(times, count, sizeof *times, compare);
    return (double)times[count / 2];
}

/* --- Before a reset --------------------------------------------------------------------------- */

static void nothing(tl_host *host)
{
    (void)host;
}

static void wait_for(struct tl_kernel *kernel, int fd, unsigned events)
{
    struct tl_event event;
    check("watch", kernel->ops->watch(kernel, fd, events, &event));
    if (kernel->ops->poll(kernel, TL_SECOND, &event, 1) != 1)
        check("poll", -ETIMEDOUT);
}

static void connect_and_send(tl_host *host)
{
    static char message[SIZE];
    struct iovec iov = {message, SIZE};
    struct tl_message whole = {.iov = &iov, .iov_count = 1};
    struct tl_kernel *kernel;
    tl_addr address;
    check("join", tl_sim_kernel_join(host, &kernel));
    check("address", tl_addr_parse("127.0.0.1", PORT, &address));
    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    int client = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    check("bind", kernel->ops->bind(kernel, listener, &address));
    check("listen", kernel->ops->listen(kernel, listener, 1));
    (void)kernel->ops->connect(kernel, client, &address);
    wait_for(kernel, listener, TL_READABLE);
    int server = kernel->ops->accept(kernel, listener, NULL);
    check("write", (int)kernel->ops->write(kernel, client, &whole, 1));
    wait_for(kernel, server, TL_READABLE);
    check("read", (int)kernel->ops->read(kernel, server, &whole, 1));
}

/* The median time of a reset, or of nothing at all when there is no world. */
static double time_of(tl_world *world, void (*before)(tl_host *host), uint64_t count)
{
    const struct tl_world_options options = {.quiet = true};
    int64_t *times = calloc(count, sizeof *times);
    tl_host *host = world != NULL ? tl_world_add_host(world, "local", NULL) : NULL;
    if (times == NULL)
        exit(1);
    for (uint64_t i = 0; i < count; i++) {
        before(host);
        int64_t start = clock_ns();
        if (world != NULL)
            check("tl_world_reset", tl_world_reset(world, &options));
        times[i] = clock_ns() - start;
    }
    double time = median(times, count);
    free(times);
    return time;
}

static void measure_reset(const char *name, void (*before)(tl_host *host), uint64_t count)
{
    const struct tl_world_options options = {.quiet = true};
    tl_world *world = tl_world_new(&options);
    if (world == NULL)
        exit(1);
    sample(name, "ns", time_of(world, before, count) - time_of(NULL, nothing, count));
    tl_world_free(world);
}

/* --- Loops ------------------------------------------------------------------------------------ */

static void measure_loops(uint64_t count)
{
    tl_loop *loop;
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        check("tl_sim_loop_new", tl_sim_loop_new(NULL, &loop));
        tl_loop_free(loop);
    }
    sample("simulated loop, made and freed", "ns", (double)(cpu_ns() - start) / (double)count);

    count = count / REAL_FEWER + 1;
    start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        check("tl_new_event_loop", tl_new_event_loop(&loop));
        tl_loop_free(loop);
    }
    sample("real loop, made and freed", "ns", (double)(cpu_ns() - start) / (double)count);
}

int main(int argc, char **argv)
{
    uint64_t count = amount(argc, argv, 100000);
    measure_loops(count);
    measure_reset("world reset, nothing done in it", nothing, count);
    measure_reset("world reset, a connection left open", connect_and_send, count);
    return 0;
}

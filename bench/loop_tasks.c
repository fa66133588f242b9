/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tasks cost: a switch between stacks, beside the least that a switch can be and beside the C
 * library's; a task made, run and finished on a stack that was used before; one that waits; and the
 * memory of one that is suspended.
 *
 *     loop_tasks [COUNT]
 *
 * The bare switch saves what a function must preserve, the floating-point control words excepted,
 * and nothing else.
 */
#include "sample.h"

#include <stdint.h>
#include <twinloop.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/fiber_record.h"

enum { STACK_SIZE = 65536, BATCH = 100, SUSPENDED = 100000 };

static char stack[STACK_SIZE] __attribute__((aligned(64)));

/* --- The bare switch -------------------------------------------------------------------------- */

#if defined(__x86_64__)
void bare_switch(void **from, void *to);
__asm__(".text\n"
        ".type bare_switch, @function\n"
        "bare_switch:\n"
        "pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "movq %rsp, (%rdi)\n"
        "movq %rsi, %rsp\n"
        "popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "popq %rdx\n"
        "jmp *%rdx\n"
        ".size bare_switch, . - bare_switch\n");

static void *bare_here, *bare_there;

static void bare_loop(void)
{
    for (;;)
        bare_switch(&bare_there, bare_here);
}

static void measure_bare(uint64_t count)
{
    uintptr_t *top = (uintptr_t *)(stack + sizeof stack) - 2;
    *top = (uintptr_t)bare_loop;
    bare_there = top - 6;
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < count / 2; i++)
        bare_switch(&bare_here, bare_there);
    sample_of("a switch between stacks", "ns", "bare switch",
              (double)(cpu_ns() - start) / (double)count);
}
#else
static void measure_bare(uint64_t count)
{
    (void)count; /* written for one processor */
}
#endif

/* --- The C library's and ours ----------------------------------------------------------------- */

static ucontext_t context_here, context_there;

static void context_loop(void)
{
    for (;;)
        swapcontext(&context_there, &context_here);
}

static void measure_swapcontext(uint64_t count)
{
    check("getcontext", getcontext(&context_there));
    context_there.uc_stack = (stack_t){.ss_sp = stack, .ss_size = sizeof stack};
    makecontext(&context_there, context_loop, 0);
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < count / 2; i++)
        swapcontext(&context_here, &context_there);
    sample_of("a switch between stacks", "ns", "swapcontext",
              (double)(cpu_ns() - start) / (double)count);
}

static void fiber_loop(void *arg)
{
    for (;;)
        tl_fiber_leave(*(struct tl_fiber **)arg);
}

static void measure_fiber(uint64_t count)
{
    struct tl_fiber_pool *pool = tl_fiber_pool_new(STACK_SIZE);
    struct tl_fiber *fiber = tl_fiber_new(pool, fiber_loop, &fiber);
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < count / 2; i++)
        tl_fiber_enter(fiber);
    sample("a switch between stacks", "ns", (double)(cpu_ns() - start) / (double)count);
    tl_fiber_free(fiber);
    tl_fiber_pool_free(pool);
}

/* --- Tasks ------------------------------------------------------------------------------------ */

static int return_it(void *arg, tl_value *ret)
{
    *ret = tl_value_pointer(arg, NULL);
    return 0;
}

static int wait_for_it(void *arg, tl_value *ret)
{
    return tl_await(tl_future_ref(arg), ret);
}

static void turn(tl_loop *loop)
{
    tl_loop_stop(loop);
    check("tl_loop_run_forever", tl_loop_run_forever(loop));
}

static void start(tl_loop *loop, int (*run)(void *arg, tl_value *ret), void *arg)
{
    const tl_coro coro = {.run = run, .arg = arg};
    check("tl_loop_create_task", tl_loop_create_task(loop, &coro, NULL, NULL));
}

static void batch(tl_loop *loop)
{
    for (int i = 0; i < BATCH; i++)
        start(loop, return_it, NULL);
    turn(loop);
}

static void measure_life(tl_loop *loop, uint64_t count)
{
    batch(loop);
    int64_t begun = cpu_ns();
    for (uint64_t i = 0; i < count; i += BATCH)
        batch(loop);
    sample("a task made, run and finished", "ns", (double)(cpu_ns() - begun) / (double)count);
}

static int wait_again_and_again(void *arg, tl_value *ret)
{
    tl_loop *loop = tl_get_running_loop();
    (void)ret;
    for (uint64_t left = *(uint64_t *)arg; left > 0; left--) {
        int r = tl_await(tl_sleep(loop, 0), NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The iteration is part of it, of which there is one for each wait of all of them. */
static void measure_wait(tl_loop *loop, uint64_t count)
{
    uint64_t each = count / BATCH;
    int64_t begun = cpu_ns();
    for (int i = 1; i < BATCH; i++)
        start(loop, wait_again_and_again, &each);
    const tl_coro coro = {.run = wait_again_and_again, .arg = &each};
    tl_task *last;
    check("tl_loop_create_task", tl_loop_create_task(loop, &coro, NULL, &last));
    check("the tasks", tl_loop_run_until_complete(loop, tl_task_future(last), NULL));
    sample("a wait of a turn in a task", "ns", (double)(cpu_ns() - begun) / (double)(each * BATCH));
}

static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, pages = 0;
    if (file == NULL || fscanf(file, "%ld %ld", &size, &pages) != 2)
        check("/proc/self/statm", -1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void measure_memory(tl_loop *loop)
{
    tl_future *future = tl_loop_create_future(loop);
    long before = resident();
    for (int i = 0; i < SUSPENDED; i++)
        start(loop, wait_for_it, future);
    turn(loop);
    sample("memory of one of 100,000 suspended tasks", "bytes",
           (double)(resident() - before) / SUSPENDED);
    check("tl_future_set_result", tl_future_set_result(future, tl_value_none()));
    turn(loop);
    tl_future_unref(future);
}

int main(int argc, char **argv)
{
    uint64_t count = amount(argc, argv, 1000000);
    tl_loop *loop;
    check("tl_new_event_loop", tl_new_event_loop(&loop));
    measure_bare(10 * count);
    measure_fiber(10 * count);
    measure_swapcontext(count);
    measure_life(loop, count);
    measure_wait(loop, count);
    tl_loop_free(loop);
    check("tl_new_event_loop", tl_new_event_loop(&loop));
    measure_memory(loop);
    tl_loop_free(loop);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: order of control, what a switch preserves, reuse of stacks, abandoned ones.
 */
#include <errno.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/fiber.h"

#define COUNT 200

/* --- Control ---------------------------------------------------------------------------------- */

struct walker {
    struct tl_fiber *fiber;
    char *trail;
    char letter;
    int steps;
};

static void leave(struct walker *walker, char letter)
{
    size_t len = strlen(walker->trail);
    walker->trail[len] = letter;
    walker->trail[len + 1] = 0;
}

static void walk(void *arg)
{
    struct walker *walker = arg;
    for (int i = 0; i < walker->steps; i++) {
        leave(walker, walker->letter);
        tl_fiber_suspend(walker->fiber);
    }
    leave(walker, (char)(walker->letter - 'a' + 'A'));
}

static void control_goes_back_and_forth(void **state)
{
    (void)state;
    char trail[32] = "";
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    struct walker a = {.trail = trail, .letter = 'a', .steps = 2};
    struct walker b = {.trail = trail, .letter = 'b', .steps = 1};
    a.fiber = tl_fiber_new(pool, walk, &a);
    b.fiber = tl_fiber_new(pool, walk, &b);
    assert_string_equal(trail, "");
    tl_fiber_resume(a.fiber);
    tl_fiber_resume(b.fiber);
    leave(&a, '.');
    tl_fiber_resume(a.fiber);
    assert_false(tl_fiber_finished(a.fiber));
    tl_fiber_resume(a.fiber);
    assert_true(tl_fiber_finished(a.fiber));
    assert_false(tl_fiber_finished(b.fiber));
    tl_fiber_resume(b.fiber);
    assert_true(tl_fiber_finished(b.fiber));
    assert_string_equal(trail, "ab.aAB");
    tl_fiber_free(a.fiber);
    tl_fiber_free(b.fiber);
    tl_fiber_free(NULL);
    tl_fiber_pool_free(pool);
    tl_fiber_pool_free(NULL);
}

/* A fiber that resumes another one. */
static void walk_inner(void *arg)
{
    struct walker *outer = arg;
    struct walker inner = {.trail = outer->trail, .letter = 'i', .steps = 1};
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    inner.fiber = tl_fiber_new(pool, walk, &inner);
    tl_fiber_resume(inner.fiber);
    tl_fiber_suspend(outer->fiber);
    tl_fiber_resume(inner.fiber);
    leave(outer, 'o');
    tl_fiber_free(inner.fiber);
    tl_fiber_pool_free(pool);
}

static void fibers_nest(void **state)
{
    (void)state;
    char trail[32] = "";
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    struct walker outer = {.trail = trail};
    outer.fiber = tl_fiber_new(pool, walk_inner, &outer);
    tl_fiber_resume(outer.fiber);
    assert_string_equal(trail, "i");
    tl_fiber_resume(outer.fiber);
    assert_string_equal(trail, "iIo");
    tl_fiber_free(outer.fiber);
    tl_fiber_pool_free(pool);
}

/* --- What a switch preserves ------------------------------------------------------------------ */

struct adder {
    struct tl_fiber *fiber;
    uint64_t seed;
    uint64_t sum;
};

/* Many live values, so that every register that a callee must preserve is in use. */
static uint64_t churn(struct adder *adder)
{
    uint64_t a = adder->seed + 1, b = a * 3, c = b ^ a, d = c + b, e = d * 5, f = e ^ c, g = f + d;
    double x = (double)a, y = x * 1.5, z = y + x;
    for (int i = 0; i < 50; i++) {
        tl_fiber_suspend(adder->fiber);
        a += b, b ^= c, c += d, d ^= e, e += f, f ^= g, g += a;
        x += y, y = z - x, z = x + 1;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ (uint64_t)(int64_t)(x + y + z);
}

static void add(void *arg)
{
    struct adder *adder = arg;
    adder->sum = churn(adder);
}

static void many_fibers_keep_their_values(void **state)
{
    (void)state;
    static struct adder adders[COUNT];
    struct tl_fiber_pool *pool = tl_fiber_pool_new(32768);
    for (int i = 0; i < COUNT; i++) {
        adders[i] = (struct adder){.seed = (uint64_t)(i % 2)};
        adders[i].fiber = tl_fiber_new(pool, add, &adders[i]);
        assert_non_null(adders[i].fiber);
    }
    for (int round = 0; round <= 50; round++)
        for (int i = 0; i < COUNT; i++)
            tl_fiber_resume(adders[(i * 7) % COUNT].fiber);
    for (int i = 0; i < COUNT; i++) {
        assert_true(tl_fiber_finished(adders[i].fiber));
        assert_int_equal(adders[i].sum, adders[i % 2].sum);
        tl_fiber_free(adders[i].fiber);
    }
    assert_int_not_equal(adders[0].sum, adders[1].sum);
    tl_fiber_pool_free(pool);
}

static void change_errno(void *arg)
{
    struct adder *adder = arg;
    errno = ERANGE;
    tl_fiber_suspend(adder->fiber);
    adder->sum = errno == ERANGE;
}

static void errno_belongs_to_a_stack(void **state)
{
    (void)state;
    struct adder adder = {0};
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    adder.fiber = tl_fiber_new(pool, change_errno, &adder);
    errno = EDOM;
    tl_fiber_resume(adder.fiber);
    assert_int_equal(errno, EDOM);
    tl_fiber_resume(adder.fiber);
    assert_int_equal(adder.sum, 1);
    assert_int_equal(errno, EDOM);
    tl_fiber_free(adder.fiber);
    tl_fiber_pool_free(pool);
}

/* Both of the processor's ways of calculating have a mode: fegetround asks one of them. */
static bool rounds_up(void)
{
    volatile double one = 1, tiny = 1e-30;
    bool up = one + tiny > 1;
    assert_int_equal(fegetround() == FE_UPWARD, up);
    return up;
}

static void change_rounding(void *arg)
{
    struct adder *adder = arg;
    fesetround(FE_UPWARD);
    tl_fiber_suspend(adder->fiber);
    adder->sum = rounds_up();
}

static void rounding_belongs_to_a_stack(void **state)
{
    (void)state;
    struct adder adder = {0};
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    adder.fiber = tl_fiber_new(pool, change_rounding, &adder);
    tl_fiber_resume(adder.fiber);
    assert_false(rounds_up());
    tl_fiber_resume(adder.fiber);
    assert_int_equal(adder.sum, 1);
    assert_false(rounds_up());
    tl_fiber_free(adder.fiber);
    tl_fiber_pool_free(pool);
}

/* --- Stacks ----------------------------------------------------------------------------------- */

static void fill_stack(void *arg)
{
    struct adder *adder = arg;
    volatile char buffer[200 * 1024];
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (char)i;
    tl_fiber_suspend(adder->fiber);
    for (size_t i = 0; i < sizeof buffer; i++)
        adder->sum += buffer[i] == (char)i;
}

static void a_stack_has_its_size(void **state)
{
    (void)state;
    struct adder adder = {0};
    struct tl_fiber_pool *pool = tl_fiber_pool_new(256 * 1024);
    adder.fiber = tl_fiber_new(pool, fill_stack, &adder);
    tl_fiber_resume(adder.fiber);
    tl_fiber_resume(adder.fiber);
    assert_int_equal(adder.sum, 200 * 1024);
    tl_fiber_free(adder.fiber);
    tl_fiber_pool_free(pool);
}

/* Needs about 160 KiB, at any level of optimisation. */
static volatile int depth_max = 80;

static int descend(int depth)
{
    char frame[2048];
    __asm__ volatile("" : : "r"(frame) : "memory"); /* all of it is there */
    frame[0] = (char)depth;
    int below = depth < depth_max ? descend(depth + 1) : 0;
    __asm__ volatile("" : : "r"(frame) : "memory");
    return below + frame[0];
}

static void overflow(void *arg)
{
    *(volatile int *)arg = descend(0);
}

/* In a child, which must not live to tell. The stack is the upper one of a slab: were it not for
 * the guard, the overflow would go into the other one unnoticed. */
static void an_overflow_meets_the_guard(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        int sum;
        signal(SIGSEGV, SIG_DFL);
        close(2); /* a sanitizer would say much about it */
        struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
        tl_fiber_new(pool, overflow, &sum);
        tl_fiber_new(pool, overflow, &sum);
        tl_fiber_resume(tl_fiber_new(pool, overflow, &sum));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void abandoned_stacks_are_used_again(void **state)
{
    (void)state;
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    struct tl_fiber *first = NULL;
    for (int i = 0; i < 10 * COUNT; i++) {
        struct adder adder = {.seed = 1};
        adder.fiber = tl_fiber_new(pool, add, &adder);
        assert_non_null(adder.fiber);
        if (i == 0)
            first = adder.fiber;
        assert_ptr_equal(adder.fiber, first);
        tl_fiber_resume(adder.fiber);
        tl_fiber_free(adder.fiber); /* in the middle of churn */
    }
    tl_fiber_pool_free(pool);
}

/* What only a suspended fiber knows is not a leak: LeakSanitizer says so at the end. */
static void keep(void *arg)
{
    struct adder *adder = arg;
    void *volatile memory = tl_alloc(100);
    tl_fiber_suspend(adder->fiber);
    tl_free(memory);
}

static void memory_held_by_a_stack(void **state)
{
    (void)state;
    struct adder adder = {0};
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    adder.fiber = tl_fiber_new(pool, keep, &adder);
    tl_fiber_resume(adder.fiber);
    tl_fiber_resume(adder.fiber);
    assert_true(tl_fiber_finished(adder.fiber));
    tl_fiber_free(adder.fiber);
    tl_fiber_pool_free(pool);
}

/* --- Memory is out ---------------------------------------------------------------------------- */

static void *refuse_after(void *ctx, void *ptr, size_t size)
{
    int *left = ctx;
    if (size == 0)
        return test_realloc(ptr, 0);
    if ((*left)-- <= 0)
        return NULL;
    return test_realloc(ptr, size);
}

static void no_memory_is_null(void **state)
{
    (void)state;
    int left = 0;
    tl_allocator allocator = {.realloc = refuse_after, .ctx = &left};
    tl_set_allocator(&allocator);
    assert_null(tl_fiber_pool_new(65536));
    left = 1;
    struct tl_fiber_pool *pool = tl_fiber_pool_new(65536);
    assert_non_null(pool);
    struct adder adder = {0};
    assert_null(tl_fiber_new(pool, add, &adder));
    left = 1;
    adder.fiber = tl_fiber_new(pool, add, &adder);
    assert_non_null(adder.fiber);
    tl_fiber_free(adder.fiber);
    tl_fiber_pool_free(pool);
    tl_set_allocator(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_goes_back_and_forth),
        cmocka_unit_test(fibers_nest),
        cmocka_unit_test(many_fibers_keep_their_values),
        cmocka_unit_test(errno_belongs_to_a_stack),
        cmocka_unit_test(rounding_belongs_to_a_stack),
        cmocka_unit_test(a_stack_has_its_size),
        cmocka_unit_test(an_overflow_meets_the_guard),
        cmocka_unit_test(abandoned_stacks_are_used_again),
        cmocka_unit_test(memory_held_by_a_stack),
        cmocka_unit_test(no_memory_is_null),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch for processors without one of their own: makecontext and swapcontext.
 *
 * makecontext passes only ints, so the two pointers travel in halves.
 */
#include "core/fiber_switch.h"

#ifndef TL_FIBER_ASSEMBLY

#include <assert.h>
#include <stdint.h>

static void *join(unsigned high, unsigned low)
{
    return (void *)(uintptr_t)((uint64_t)high << 32 | low);
}

static void first_call(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
    void (*entry)(void *arg) = (void (*)(void *))join(entry_high, entry_low);
    entry(join(arg_high, arg_low));
}

void tl_fiber_prepare(struct tl_fiber_place *place, void *stack, size_t size,
                      void (*entry)(void *arg), void *arg)
{
    int r = getcontext(&place->context);
    assert(r == 0 && "cannot fail: it has no arguments that could be wrong");
    (void)r;
    place->context.uc_stack.ss_sp = stack;
    place->context.uc_stack.ss_size = size;
    place->context.uc_link = NULL;
    uint64_t code = (uintptr_t)entry;
    uint64_t data = (uintptr_t)arg;
    makecontext(&place->context, (void (*)(void))first_call, 4, (unsigned)(code >> 32),
                (unsigned)code, (unsigned)(data >> 32), (unsigned)data);
}

void tl_fiber_switch(struct tl_fiber_place *source, struct tl_fiber_place *target)
{
    int r = swapcontext(&source->context, &target->context);
    assert(r == 0 && "cannot fail: the target's stack was given by tl_fiber_prepare");
    (void)r;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch under fibers: leaves one stack and goes on with another.
 *
 * Written in assembly for x86-64 (fiber_x86_64.S) and aarch64 (fiber_aarch64.S), where a stopped
 * stack is known by its stack pointer alone and everything that the calling convention preserves
 * lies on it. Other processors use ucontext (fiber_ucontext.c), which costs two system calls a
 * switch; TL_FIBER_UCONTEXT asks for it anywhere. Only fiber.c calls this.
 */
#ifndef TL_CORE_FIBER_SWITCH_H
#define TL_CORE_FIBER_SWITCH_H

#if (defined(__x86_64__) && !defined(__ILP32__) || defined(__aarch64__)) &&                        \
    !defined(TL_FIBER_UCONTEXT)
#define TL_FIBER_ASSEMBLY 1
#endif

#ifndef __ASSEMBLER__

#include <stddef.h>
#ifndef TL_FIBER_ASSEMBLY
#include <ucontext.h>
#endif

/* Where a stack has stopped. */
struct tl_fiber_place {
#ifdef TL_FIBER_ASSEMBLY
    void *stack_pointer;
#else
    ucontext_t context;
#endif
};

/* Makes the place of a stack on which entry(arg) is about to be called; it must not return. */
void tl_fiber_prepare(struct tl_fiber_place *place, void *stack, size_t size,
                      void (*entry)(void *arg), void *arg);

/* Stops here, which is written to source, and goes on at target. Returns when somebody switches
 * to source. */
void tl_fiber_switch(struct tl_fiber_place *source, struct tl_fiber_place *target);

#endif

#endif

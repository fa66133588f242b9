/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch under coroutines: leaves one stack and goes on with another.
 *
 * Written in assembly for x86-64 (coro_x86_64.S) and aarch64 (coro_aarch64.S), where a stopped
 * stack is known by its stack pointer alone and everything that the calling convention preserves
 * lies on it. Other processors use ucontext (coro_ucontext.c), which costs two system calls a
 * switch; TL_CORO_UCONTEXT asks for it anywhere. Only coro.c calls this.
 */
#ifndef TL_CORE_CORO_SWITCH_H
#define TL_CORE_CORO_SWITCH_H

#if (defined(__x86_64__) && !defined(__ILP32__) || defined(__aarch64__)) &&                        \
    !defined(TL_CORO_UCONTEXT)
#define TL_CORO_ASSEMBLY 1
#endif

#ifndef __ASSEMBLER__

#include <stddef.h>
#ifndef TL_CORO_ASSEMBLY
#include <ucontext.h>
#endif

/* Where a stack has stopped. */
struct tl_coro_place {
#ifdef TL_CORO_ASSEMBLY
    void *stack_pointer;
#else
    ucontext_t context;
#endif
};

/* Makes the place of a stack on which entry(arg) is about to be called; it must not return. */
void tl_coro_prepare(struct tl_coro_place *place, void *stack, size_t size,
                     void (*entry)(void *arg), void *arg);

/* Stops here, which is written to source, and goes on at target. Returns when somebody switches
 * to source. */
void tl_coro_switch(struct tl_coro_place *source, struct tl_coro_place *target);

#endif

#endif

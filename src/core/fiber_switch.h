/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch under fibers: leaves one stack and goes on with another.
 *
 * Written in assembly for x86-64 (here, and fiber_x86_64.S) and aarch64 (fiber_aarch64.S), where a
 * stopped stack is known by its stack pointer alone and everything that the calling convention
 * preserves lies on it. Other processors use ucontext (fiber_ucontext.c), which costs two system
 * calls a switch; TL_FIBER_UCONTEXT asks for it anywhere. Called through fiber_record.h.
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
#if defined(__x86_64__) && defined(TL_FIBER_ASSEMBLY)
/* Part of who calls it, and left by a jump: a processor predicts where a ret goes from the calls
 * before it, which a switch would put out of step. What the caller needs of the registers the
 * compiler keeps; the rest lies on the stopped stack in this order, from its top:
 *
 *      0  (used by tl_fiber_load_modes)   4  x87 control word   8  rbp   16  where to go on
 *
 * Floating point has two control words. Reading mxcsr takes twice as long as all the rest, and
 * fesetround and feenableexcept keep the two alike; so the x87's is kept for both, and they are
 * loaded when it differs. What a program sets in mxcsr alone stays the thread's. */
static inline __attribute__((always_inline)) void tl_fiber_switch(struct tl_fiber_place *source,
                                                                  struct tl_fiber_place *target)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* a leaf's data may lie below its stack */
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "pushq %%rbp\n\t"
                     "subq $8, %%rsp\n\t"
                     "fnstcw 4(%%rsp)\n\t"
                     "movzwl 4(%%rsp), %%ecx\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq (%%rsi), %%rsp\n\t"
                     "cmpw %%cx, 4(%%rsp)\n\t"
                     "jne 3f\n"
                     "2:\n\t"
                     "addq $8, %%rsp\n\t"
                     "popq %%rbp\n\t"
                     "popq %%rax\n\t"
                     "jmp *%%rax\n"
                     "3:\n\t"
                     "call tl_fiber_load_modes\n\t"
                     "jmp 2b\n"
                     "1:\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     : "+D"(source), "+S"(target)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
#ifdef __AVX512F__
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                       "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1",
                       "k2", "k3", "k4", "k5", "k6", "k7",
#endif
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
                       "memory", "cc");
}
#else
void tl_fiber_switch(struct tl_fiber_place *source, struct tl_fiber_place *target);
#endif

#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch for x86-64 System V: six registers, the SSE control word and the x87 control word are
 * what a callee must preserve. They lie on the stopped stack in this order, from its top:
 *
 *      0  mxcsr    4  x87 control word
 *      8  r15     16  r14     24  r13     32  r12     40  rbx     48  rbp
 *     56  return address
 *
 * A new stack gets such a frame by hand, with entry in r12 and its argument in r13; its return
 * address is the stub at the end, where a debugger's backtrace ends too.
 *
 * The object carries no shadow-stack mark, so a program that links it runs without one.
 */
#include "core/fiber_switch.h"

#if defined(__x86_64__) && defined(TL_FIBER_ASSEMBLY)

#ifdef __CET__
#define LANDING endbr64
#else
#define LANDING
#endif

    .text

/* void tl_fiber_switch(struct tl_fiber_place *source, struct tl_fiber_place *target) */
    .p2align 4
    .globl tl_fiber_switch
    .type tl_fiber_switch, @function
tl_fiber_switch:
    .cfi_startproc
    LANDING
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    /* The same layout on the other stack: what is said above about places holds there too. */
    movq (%rsi), %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    ret
    .cfi_endproc
    .size tl_fiber_switch, . - tl_fiber_switch

/* void tl_fiber_prepare(struct tl_fiber_place *place, void *stack, size_t size,
 *                      void (*entry)(void *arg), void *arg) */
    .p2align 4
    .globl tl_fiber_prepare
    .type tl_fiber_prepare, @function
tl_fiber_prepare:
    .cfi_startproc
    LANDING
    leaq (%rsi, %rdx), %rax
    andq $-16, %rax
    subq $64, %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movq $0, 8(%rax)
    movq $0, 16(%rax)
    movq %r8, 24(%rax)
    movq %rcx, 32(%rax)
    movq $0, 40(%rax)
    movq $0, 48(%rax)
    leaq tl_fiber_first_call(%rip), %rcx
    movq %rcx, 56(%rax)
    movq %rax, (%rdi)
    ret
    .cfi_endproc
    .size tl_fiber_prepare, . - tl_fiber_prepare

/* Where a new stack begins: aligned to 16 bytes, so that the call leaves what functions expect. */
    .p2align 4
    .type tl_fiber_first_call, @function
tl_fiber_first_call:
    .cfi_startproc
    .cfi_undefined rip
    movq %r13, %rdi
    call *%r12
    ud2
    .cfi_endproc
    .size tl_fiber_first_call, . - tl_fiber_first_call

#endif

    .section .note.GNU-stack, "", @progbits

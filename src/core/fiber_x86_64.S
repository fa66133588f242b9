/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stack begins on x86-64 System V, and what a switch does when floating point differs. A new
 * stack gets a frame by hand, as a switch leaves it (fiber_switch.h): the argument is in the place
 * of rbp, the address is the stub at the end, where a debugger's backtrace ends too, and above the
 * frame lies the function that the stub calls.
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

/* void tl_fiber_prepare(struct tl_fiber_place *place, void *stack, size_t size,
 *                       void (*entry)(void *arg), void *arg) */
    .p2align 4
    .globl tl_fiber_prepare
    .type tl_fiber_prepare, @function
tl_fiber_prepare:
    .cfi_startproc
    LANDING
    leaq (%rsi, %rdx), %rax
    andq $-16, %rax
    subq $40, %rax
    fnstcw 4(%rax)
    movq %r8, 8(%rax)
    leaq tl_fiber_first_call(%rip), %rdx
    movq %rdx, 16(%rax)
    movq %rcx, 24(%rax)
    movq %rax, (%rdi)
    ret
    .cfi_endproc
    .size tl_fiber_prepare, . - tl_fiber_prepare

/* Puts the x87 control word of the stack that a switch goes to in force, and the same exceptions
 * and rounding into mxcsr, where the former are 7 bits and the latter 3 bits higher. Called inside
 * tl_fiber_switch; changes rax, rcx and rdx. */
    .p2align 4
    .globl tl_fiber_load_modes
    .hidden tl_fiber_load_modes
    .type tl_fiber_load_modes, @function
tl_fiber_load_modes:
    .cfi_startproc
    fldcw 12(%rsp)
    movzwl 12(%rsp), %ecx
    movl %ecx, %edx
    andl $0x3f, %edx
    shll $7, %edx
    andl $0xc00, %ecx
    shll $3, %ecx
    stmxcsr 8(%rsp)
    movl 8(%rsp), %eax
    andl $0xffff807f, %eax
    orl %edx, %eax
    orl %ecx, %eax
    movl %eax, 8(%rsp)
    ldmxcsr 8(%rsp)
    ret
    .cfi_endproc
    .size tl_fiber_load_modes, . - tl_fiber_load_modes

/* Where a new stack begins: aligned to 16 bytes, so that the call leaves what functions expect. */
    .p2align 4
    .type tl_fiber_first_call, @function
tl_fiber_first_call:
    .cfi_startproc
    .cfi_undefined rip
    LANDING
    movq %rbp, %rdi
    movq (%rsp), %rax
    xorl %ebp, %ebp
    call *%rax
    ud2
    .cfi_endproc
    .size tl_fiber_first_call, . - tl_fiber_first_call

#endif

    .section .note.GNU-stack, "", @progbits

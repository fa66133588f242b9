/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch for aarch64 (AAPCS64): x19 to x30, d8 to d15 and the floating-point control register
 * are what a callee must preserve. They lie on the stopped stack in this order, from its top:
 *
 *      0  x19 x20    16  x21 x22    32  x23 x24    48  x25 x26    64  x27 x28    80  x29 x30
 *     96  d8 d9     112  d10 d11   128  d12 d13   144  d14 d15   160  fpcr
 *
 * A new stack gets such a frame by hand, with entry in x19 and its argument in x20; its return
 * address is the stub at the end, where a debugger's backtrace ends too.
 */
#include "core/fiber_switch.h"

#if defined(__aarch64__) && defined(TL_FIBER_ASSEMBLY)

/* bti c, spelt so that any assembler takes it; processors without it do nothing. */
#define LANDING hint #34
#define FRAME 176

    .text

/* void tl_fiber_switch(struct tl_fiber_place *source, struct tl_fiber_place *target) */
    .p2align 4
    .globl tl_fiber_switch
    .type tl_fiber_switch, %function
tl_fiber_switch:
    .cfi_startproc
    LANDING
    sub sp, sp, #FRAME
    .cfi_adjust_cfa_offset FRAME
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x9, sp
    str x9, [x0]
    /* The same layout on the other stack: what is said above about places holds there too. */
    ldr x9, [x1]
    mov sp, x9
    ldr x9, [sp, #160]
    msr fpcr, x9
    ldp d14, d15, [sp, #144]
    ldp d12, d13, [sp, #128]
    ldp d10, d11, [sp, #112]
    ldp d8, d9, [sp, #96]
    ldp x29, x30, [sp, #80]
    ldp x27, x28, [sp, #64]
    ldp x25, x26, [sp, #48]
    ldp x23, x24, [sp, #32]
    ldp x21, x22, [sp, #16]
    ldp x19, x20, [sp, #0]
    add sp, sp, #FRAME
    .cfi_adjust_cfa_offset -FRAME
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size tl_fiber_switch, . - tl_fiber_switch

/* void tl_fiber_prepare(struct tl_fiber_place *place, void *stack, size_t size,
 *                      void (*entry)(void *arg), void *arg) */
    .p2align 4
    .globl tl_fiber_prepare
    .type tl_fiber_prepare, %function
tl_fiber_prepare:
    .cfi_startproc
    LANDING
    add x9, x1, x2
    and x9, x9, #-16
    sub x9, x9, #FRAME
    stp x3, x4, [x9, #0]
    stp xzr, xzr, [x9, #16]
    stp xzr, xzr, [x9, #32]
    stp xzr, xzr, [x9, #48]
    stp xzr, xzr, [x9, #64]
    adr x10, tl_fiber_first_call
    stp xzr, x10, [x9, #80]
    stp xzr, xzr, [x9, #96]
    stp xzr, xzr, [x9, #112]
    stp xzr, xzr, [x9, #128]
    stp xzr, xzr, [x9, #144]
    mrs x10, fpcr
    stp x10, xzr, [x9, #160]
    str x9, [x0]
    ret
    .cfi_endproc
    .size tl_fiber_prepare, . - tl_fiber_prepare

/* Where a new stack begins, aligned to 16 bytes. */
    .p2align 4
    .type tl_fiber_first_call, %function
tl_fiber_first_call:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size tl_fiber_first_call, . - tl_fiber_first_call

#endif

    .section .note.GNU-stack, "", %progbits

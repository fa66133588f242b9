/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory layouts for twice: two processes that run the same seed should agree on nothing but what
 * the seed says.
 *
 * A layout is a number. Its environment (size, what fresh memory is filled with) is set before the
 * program is executed; its heap and stack are made uneven afterwards, so that blocks come in an
 * order of their own and at addresses of their own, beside what address randomisation does.
 */
#ifndef TL_EXPLORE_LAYOUT_H
#define TL_EXPLORE_LAYOUT_H

#include <stdint.h>

/* Changes this process's environment for the program it is about to execute. 0 or a negative error.
 */
int tl_layout_environment(uint64_t layout);

/* Calls function(arg) on an uneven heap and a shifted stack, and returns what it returned. */
int tl_layout_call(uint64_t layout, int (*function)(void *arg), void *arg);

#endif

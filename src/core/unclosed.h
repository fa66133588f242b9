/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program in debug mode is told when it closes a loop: what of the loop it has left open.
 */
#ifndef TL_CORE_UNCLOSED_H
#define TL_CORE_UNCLOSED_H

#include "core/loop.h"

/* Before the loop is closed, in debug mode: tells the exception handler of each transport, server
 * and descriptor of the program's that is open, and where the program made it. */
void tl_loop_report_unclosed(tl_loop *loop);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where debug mode says that something was made.
 */
#ifndef TL_TESTS_TRACEBACK_H
#define TL_TESTS_TRACEBACK_H

#include <stdbool.h>
#include <twinloop.h>

/* What is looked for in tracebacks must not be merged with another function or lose its name. */
#define NAMED __attribute__((noinline, used))

/* Whether one of its frames is in this function. */
bool traceback_leads_through(const tl_traceback *traceback, const char *function);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the core says something: one formatted message to the process's log handler.
 */
#ifndef TL_CORE_LOG_H
#define TL_CORE_LOG_H

#include <twinloop/log.h>

/* Messages longer than a few kilobytes are cut. */
void tl_log(enum tl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

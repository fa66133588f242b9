/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library has to say. It never prints on its own account: a message goes to the handler
 * set here, and by default to standard error. Reports about a program's own mistakes (a future
 * whose failure nobody fetched, a callback that returned an error) go to the loop's exception
 * handler instead (loop.h), whose default ends here.
 */
#ifndef TWINLOOP_LOG_H
#define TWINLOOP_LOG_H

enum tl_log_level {
    TL_LOG_DEBUG,
    TL_LOG_INFO,
    TL_LOG_WARNING,
    TL_LOG_ERROR,
};

/* text is one message, possibly of several lines, without a final newline; valid for the call. May
 * be called on any thread that uses the library. */
typedef void (*tl_log_handler)(enum tl_log_level level, const char *text, void *arg);

/* Replaces the handler of this process; NULL restores the default, which writes warnings and errors
 * to standard error. */
void tl_set_log_handler(tl_log_handler handler, void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: from the library to the handler that the program set, or to where the process's world
 * shows them.
 */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/self.h"

enum { LOG_TEXT_MAX = 4096 };

void tl_set_log_handler(tl_log_handler handler, void *arg)
{
    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    context->log_handler = handler;
    context->log_arg = arg;
    context->ops->unlock(context);
}

void tl_log(enum tl_log_level level, const char *format, ...)
{
    char text[LOG_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);

    struct tl_context *context = tl_thread_self()->context;
    context->ops->lock(context);
    tl_log_handler handler = context->log_handler;
    void *arg = context->log_arg;
    context->ops->unlock(context);
    if (handler != NULL)
        handler(level, text, arg);
    else
        context->ops->log(context, level, text);
}

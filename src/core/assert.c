/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A failed TL_ASSERT: the sentence is put together here, what becomes of it is the world's answer.
 */
#include <twinloop/assert.h>

#include <stdarg.h>
#include <stdio.h>

#include "core/self.h"

enum { SENTENCE_MAX = 400, TEXT_MAX = 800 };

_Noreturn void tl_assertion_failed(const char *file, int line, const char *condition,
                                   const char *format, ...)
{
    char text[TEXT_MAX];
    char sentence[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s (%s:%d: %s)", sentence, file, line, condition);
    struct tl_context *context = tl_thread_self()->context;
    context->ops->assertion_failed(context, text);
    __builtin_unreachable();
}

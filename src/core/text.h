/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings that are copied behind a struct, into one allocation with it: who makes it asks for their
 * sizes first, then puts one after the other into the room that it has. A string that may be
 * missing is NULL, takes no room, and stays NULL.
 *
 * For the core and the kernels alike.
 */
#ifndef TL_CORE_TEXT_H
#define TL_CORE_TEXT_H

#include <stddef.h>
#include <string.h>

/* The room that a string takes, with its NUL. */
static inline size_t tl_text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* A copy of text in the room at *at, which is moved on. */
static inline const char *tl_text_keep(const char *text, char **at)
{
    size_t size = tl_text_size(text);
    char *kept = *at;
    if (text == NULL)
        return NULL;
    *at += size;
    return memcpy(kept, text, size);
}

#endif

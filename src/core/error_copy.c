/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping an error: the whole chain of causes in one block, first the structs, then the sentences.
 * Who keeps it (a future) owns the block.
 */
#include <stddef.h>
#include <string.h>

#include "core/alloc.h"
#include "core/error.h"

/* No chain that means anything is longer, and one that goes round has an end. */
enum { CHAIN_MAX = 256 };

static const char *sentence(const tl_error *error)
{
    return error->message != NULL ? error->message : tl_strerror(error->code);
}

tl_error *tl_error_copy(const tl_error *error)
{
    size_t count = 0;
    size_t text_len = 0;
    for (const tl_error *e = error; e != NULL && count < CHAIN_MAX; e = e->cause, count++)
        text_len += strlen(sentence(e)) + 1;
    tl_error *chain = tl_alloc(count * sizeof *chain + text_len);
    if (chain == NULL)
        return NULL;
    char *text = (char *)(chain + count);
    for (size_t i = 0; i < count; i++, error = error->cause) {
        chain[i] = (tl_error){.code = error->code, .message = text};
        chain[i].cause = i + 1 < count ? &chain[i + 1] : NULL;
        size_t size = strlen(sentence(error)) + 1;
        memcpy(text, sentence(error), size);
        text += size;
    }
    return chain;
}

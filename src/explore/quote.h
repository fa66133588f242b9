/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words as one would type them to a shell: what the runner prints can be pasted.
 */
#ifndef TL_EXPLORE_QUOTE_H
#define TL_EXPLORE_QUOTE_H

#include <stddef.h>
#include "explore/bytes.h"

/* Appends a word, in quotes if it needs them. 0 or -ENOMEM. */
int tl_quote(struct tl_bytes *line, const char *word);

/* Appends words with blanks between them, and a NUL. 0 or -ENOMEM. */
int tl_quote_words(struct tl_bytes *line, char *const *words, size_t count);

/* Prints "LABEL: INVOCATION COMMAND WORD" to standard output, the last of these quoted. */
void tl_print_command(const char *label, const char *invocation, const char *command,
                      const char *word);

#endif

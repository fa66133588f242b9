/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words as one would type them to a shell.
 */
#include "explore/quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int tl_quote(struct tl_bytes *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        return tl_bytes_append(line, word, strlen(word));
    int r = tl_bytes_append(line, "'", 1);
    for (const char *c = word; r == 0 && *c != '\0'; c++)
        r = *c == '\'' ? tl_bytes_append(line, "'\\''", 4) : tl_bytes_append(line, c, 1);
    return r < 0 ? r : tl_bytes_append(line, "'", 1);
}

int tl_quote_words(struct tl_bytes *line, char *const *words, size_t count)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (i > 0)
            r = tl_bytes_append(line, " ", 1);
        if (r == 0)
            r = tl_quote(line, words[i]);
    }
    return r < 0 ? r : tl_bytes_append(line, "", 1);
}

void tl_print_command(const char *label, const char *invocation, const char *command,
                      const char *word)
{
    struct tl_bytes line = {0};
    char *const words[] = {(char *)word};
    bool quoted = tl_quote_words(&line, words, 1) == 0;
    printf("%s: %s %s %s\n", label, invocation, command, quoted ? (char *)line.data : word);
    tl_bytes_finish(&line);
}

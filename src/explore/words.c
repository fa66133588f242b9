/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first event in which two runs differ.
 */
#include "explore/words.h"

#include <stdlib.h>
#include <string.h>

#define BEFORE 5 /* equal lines shown */

struct line {
    char *text; /* getline's */
    size_t size;
};

/* The next line without its end; NULL at the end of the file. */
static const char *next_line(FILE *file, struct line *line)
{
    ssize_t len = getline(&line->text, &line->size, file);
    if (len < 0)
        return NULL;
    if (len > 0 && line->text[len - 1] == '\n')
        line->text[len - 1] = '\0';
    return line->text;
}

static void print_difference(FILE *out, unsigned long long number, const struct line *ring,
                             const char *a, const char *b)
{
    unsigned long long from = number > BEFORE ? number - BEFORE : 1;
    fprintf(out, "first difference: event %llu\n", number);
    for (unsigned long long i = from; i < number; i++)
        fprintf(out, "        %s\n", ring[i % (BEFORE + 1)].text);
    fprintf(out, "  one   %s\n", a != NULL ? a : "(the run has ended)");
    fprintf(out, "  other %s\n", b != NULL ? b : "(the run has ended)");
}

bool tl_words_compare(FILE *first, FILE *second, FILE *out)
{
    struct line ring[BEFORE + 1] = {{0}}, other = {0};
    unsigned long long number = 0;
    const char *a, *b;
    bool differ;
    do {
        number++;
        a = next_line(first, &ring[number % (BEFORE + 1)]);
        b = next_line(second, &other);
        differ = a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
    } while (!differ && a != NULL);
    if (differ)
        print_difference(out, number, ring, a, b);
    for (unsigned i = 0; i <= BEFORE; i++)
        free(ring[i].text);
    free(other.text);
    return differ;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as Redis writes them: decimal, an optional '-', no '+', no blanks, no leading zeros.
 *
 * The same rule holds for lengths in the protocol and for the values that INCR counts.
 */
#ifndef EXAMPLES_KV_NUMBER_H
#define EXAMPLES_KV_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_NUMBER_MAX 21 /* characters of the longest number, with room for a NUL */

/* The whole of text as a number; false, with *ret untouched, if it is not one. */
bool kv_number_parse(const char *text, size_t len, int64_t *ret);

/* Writes a number without a NUL; how many characters. text has room for KV_NUMBER_MAX. */
size_t kv_number_format(int64_t number, char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that the client half knows: what is in them is a function of their number, so that it
 * has nothing to keep to compare with.
 */
#ifndef EXAMPLES_HTTP_FILES_H
#define EXAMPLES_HTTP_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <twinloop.h>

enum { HTTP_FILES = 5 };

/* "file-3.bin" has http_file_size(3) bytes: none, one, less and more than a segment, more than the
 * buffers on the way hold. */
int64_t http_file_size(unsigned number);

uint8_t http_file_byte(unsigned number, int64_t at);

/* Puts them into a folder, by way of a loop of its own. 0 or an error. */
int http_files_make(const char *root);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in HTTP's fields and targets: dates, ranges and paths.
 */
#ifndef EXAMPLES_HTTP_VALUES_H
#define EXAMPLES_HTTP_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "parser.h"

enum { HTTP_DATE_SIZE = 30 };

/* "Sun, 06 Nov 1994 08:49:37 GMT", for seconds since 1970 that are not negative. */
void http_date_format(int64_t seconds, char text[HTTP_DATE_SIZE]);

/* The seconds of such a date; false for every other form. */
bool http_date_parse(struct http_text text, int64_t *ret);

enum http_range_result {
    HTTP_RANGE_NONE,          /* no range that is understood: the whole is meant */
    HTTP_RANGE_PART,          /* first and count are inside */
    HTTP_RANGE_UNSATISFIABLE, /* nothing of it is inside */
};

/* "bytes=2-5", "bytes=2-", "bytes=-4" of something of this size; a list of them is HTTP_RANGE_NONE,
 * as RFC 9110 allows. */
enum http_range_result http_range_parse(struct http_text value, int64_t size, int64_t *ret_first,
                                        int64_t *ret_count);

/* The file that a target means below a folder, with its escapes decoded, the query cut off and
 * "index.html" for one that ends in a slash. 0; 400 for what is no path; 404 for what would lead
 * out of the folder or is too long. */
int http_path(struct http_text target, const char *root, char *path, size_t size);

/* By the path's extension. */
const char *http_content_type(const char *path);

#endif

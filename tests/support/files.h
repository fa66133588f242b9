/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files for tests: opened for both, in /tmp of whichever world the loop is in, without a name.
 */
#ifndef TL_TESTS_FILES_H
#define TL_TESTS_FILES_H

#include <stddef.h>
#include <twinloop/loop.h>

/* A path of this process's own, the same for every run of a case. */
const char *files_path(char *buf, size_t size, const char *name);

/* A file with this text in it. Fails the test if it cannot be made; the caller closes it. */
int files_text(tl_loop *loop, const char *text);

/* A file of so many bytes of the pattern (scene.h). */
int files_pattern(tl_loop *loop, size_t size);

#endif

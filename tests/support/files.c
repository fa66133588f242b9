/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making files for tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/file.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/files.h"
#include "support/scene.h"

const char *files_path(char *buf, size_t size, const char *name)
{
    snprintf(buf, size, "/tmp/twinloop-%d-%s", (int)getpid(), name);
    return buf;
}

static int file_with(tl_loop *loop, const char *data, size_t len)
{
    const unsigned flags = TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_EXCLUSIVE;
    char path[96];

    int file = tl_loop_open_file(loop, files_path(path, sizeof path, "file"), flags, 0600);
    assert_true(file >= 0);
    assert_int_equal(tl_loop_unlink_file(loop, path), 0);
    assert_int_equal(tl_loop_write_file(loop, file, data, len, 0), len);
    return file;
}

int files_text(tl_loop *loop, const char *text)
{
    return file_with(loop, text, strlen(text));
}

int files_pattern(tl_loop *loop, size_t size)
{
    char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = pattern_byte(i);
    int file = file_with(loop, data, size);
    free(data);
    return file;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace files for tests: a name that is gone again afterwards, whole files in memory, recordings of
 * the toy's session, and traces as text.
 */
#ifndef SUPPORT_TRACES_H
#define SUPPORT_TRACES_H

#include <stddef.h>
#include <stdint.h>
#include <twinloop/trace.h>
#include "support/toy_kernel.h"

enum { TRACE_PATH_MAX = 256 };

/* A file of one test: CMocka's state. */
struct trace_file {
    char path[TRACE_PATH_MAX];
};

/* Setup and teardown of a test that wants a trace file; *state is a struct trace_file. */
int trace_file_set_up(void **state);
int trace_file_tear_down(void **state);

#define TRACE_TEST(body)                                                                           \
    cmocka_unit_test_setup_teardown(body, trace_file_set_up, trace_file_tear_down)

/* The whole file, to be freed with free. */
uint8_t *trace_file_read(const char *path, size_t *ret_size);
void trace_file_write(const char *path, const void *data, size_t size);

/* A recorder around a kernel, writing to a new trace. */
struct tl_kernel *trace_record(struct tl_kernel *inner, const char *path,
                               const struct tl_record_options *options, tl_trace_writer **ret);

/* Records a session of the toy. */
void trace_record_session(const char *path, const struct tl_record_options *options,
                          struct transcript *transcript);

tl_trace_reader *trace_open(const char *path);

/* All events of a stream as text, one a line with its number; with clocks what those answered too.
 * To be freed with free. */
char *trace_text(const char *path, unsigned stream, bool clocks);

#endif

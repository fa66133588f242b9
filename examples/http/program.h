/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http as a program: its options, and what main does with them.
 */
#ifndef EXAMPLES_HTTP_PROGRAM_H
#define EXAMPLES_HTTP_PROGRAM_H

#include "../common/example.h"
#include "client.h"

struct http_options {
    struct example_listen listen; /* to serve */
    const char *root;
    uint64_t idle; /* seconds */
    bool make_files;
    bool be_client;
    struct http_client_options client;
};

extern const struct example http_example;

/* argv into *ret: 0 or an exit code. */
int http_parse(int argc, char **argv, struct http_options *ret);

/* The program, in both worlds. */
int http_program(int argc, char **argv);

#endif

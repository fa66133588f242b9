/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv as a program: its options, and what main does with them.
 */
#ifndef EXAMPLES_KV_PROGRAM_H
#define EXAMPLES_KV_PROGRAM_H

#include "../common/example.h"
#include "client.h"

struct kv_options {
    struct example_listen listen; /* to serve */
    struct kv_client_options client;
    bool be_client;
};

extern const struct example kv_example;

/* argv into *ret: 0 or an exit code. */
int kv_parse(int argc, char **argv, struct kv_options *ret);

/* The program, in both worlds. */
int kv_program(int argc, char **argv);

#endif

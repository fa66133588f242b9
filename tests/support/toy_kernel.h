/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that makes everything up, and a program that asks it everything: what the tests of
 * traces are made with.
 *
 * The toy answers every operation of the seam without the system's help, always the same way, with
 * successes and errors mixed. The session is a sequence of calls of every operation and writes down
 * what it was answered, so that two runs of it can be compared. Whatever a recorder and a replayer
 * have to get right is in there once.
 */
#ifndef SUPPORT_TOY_KERNEL_H
#define SUPPORT_TOY_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/kernel.h>

/* A new toy. Fails the test when memory is out, unless the allocator says so on purpose: NULL. */
struct tl_kernel *toy_kernel_new(void);

/* How many operations the toy was asked. */
unsigned toy_kernel_calls(const struct tl_kernel *kernel);

/* Queues a readiness of a descriptor for the next poll. */
void toy_kernel_ready(struct tl_kernel *kernel, int fd, unsigned ready);

enum { TRANSCRIPT_MAX = 16384 };

/* What a session was answered. */
struct transcript {
    size_t len;
    char text[TRANSCRIPT_MAX];
};

/* How a session is to deviate from the usual one, for tests that want to see that noticed. */
struct session_options {
    int deviate; /* number of the step that is done otherwise; 0: none */
    int stop;    /* number of the step before which the session ends; 0: none */
};

/* How many steps there are. */
int session_steps(void);

/* Asks every operation; the kernel lives on. options may be NULL. */
void session_run(struct tl_kernel *kernel, const struct session_options *options,
                 struct transcript *transcript);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real kernel: Linux, through epoll. What production links.
 *
 * A program needs this header only to ask for the real kernel by name, for example to wrap it;
 * otherwise the default policy makes loops on it.
 */
#ifndef TWINLOOP_REAL_H
#define TWINLOOP_REAL_H

#include <twinloop/kernel.h>
#include <twinloop/policy.h>

/* A kernel on this thread's behalf: one epoll instance and one eventfd. 0, -EMFILE, -ENOMEM, ... */
int tl_real_kernel_new(struct tl_kernel **ret);

/* What a kernel is to do without although the system may have it. */
struct tl_real_options {
    bool no_pidfd; /* learn of children's ends by SIGCHLD, as where there is no pidfd_open */
};

/* The same with options, which may be NULL. */
int tl_real_kernel_new_with(const struct tl_real_options *options, struct tl_kernel **ret);

/* A policy by the default one's rules whose loops run on the real kernel, whatever the process's
 * context would say (a replay that was asked for). It belongs to the library and is never freed. */
tl_policy *tl_real_policy(void);

#endif

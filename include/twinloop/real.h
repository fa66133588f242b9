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

#endif

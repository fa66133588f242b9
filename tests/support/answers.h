/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel whose resolver answers what a test wants, and on which connects may hang: a patch, so it
 * is the same on every kernel, with neither names nor a network of the machine's involved. Names
 * that tests ask for are "localhost", which every kernel knows; what it says is then replaced.
 */
#ifndef TL_TESTS_ANSWERS_H
#define TL_TESTS_ANSWERS_H

#include "support/patch.h"

enum { ANSWERS_MAX = 24, ANSWERS_SOCKETS_MAX = 32 };

/* What one lookup is answered. */
struct answer {
    tl_addr addrs[ANSWERS_MAX];
    size_t count;
    int protocol; /* 0: TCP */
    int result;
};

struct answers {
    struct kernel_patch patch;
    struct answer answers[2]; /* of the first lookup, and of the others */
    bool real;                /* leave what the kernel says */
    unsigned lookups;         /* asked */
    unsigned given_up;
    tl_addrinfo_hints hints; /* of the last one */
    char service[16];
    int sockets[ANSWERS_SOCKETS_MAX]; /* that are open */
    size_t sockets_count;
    tl_addr connects[ANSWERS_SOCKETS_MAX]; /* asked for, in order */
    tl_time times[ANSWERS_SOCKETS_MAX];    /* when, if timed */
    bool timed;
    size_t connects_count;
    tl_addr hangs; /* a connect there comes to nothing; family TL_FAMILY_NONE: none */
    int hanging[ANSWERS_SOCKETS_MAX];
    size_t hanging_count;
};

/* Replaces resolve, cancel, poll, socket, close, connect and watch. */
void answers_apply(struct answers *answers, struct tl_kernel *kernel);

/* 127.0.0.1 and a port. */
tl_addr answers_loopback(unsigned port);

/* Adds an address to the answer of lookup number turn. */
void answers_add(struct answers *answers, unsigned turn, tl_addr addr);

#endif

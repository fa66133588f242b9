/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library that knows nothing of Twinloop and asks the C library for whatever it likes: what the
 * tests of the guard bring into a world.
 */
#ifndef TL_TESTS_GUEST_H
#define TL_TESTS_GUEST_H

#include <stddef.h>
#include <stdint.h>

struct guest {
    int64_t (*seconds)(void);      /* time */
    int64_t (*nanoseconds)(void);  /* clock_gettime, the monotonic clock */
    int64_t (*microseconds)(void); /* gettimeofday */
    int64_t (*utc)(void);          /* timespec_get, in nanoseconds */
    long (*number)(
        unsigned which); /* of 0 to 5: rand, random, lrand48, mrand48, drand48, arc4random */
    void (*start)(unsigned number); /* srand */
    int (*entropy)(void *buf, size_t len);
    int (*start_thread)(void); /* and waits for it; 0 or an errno */
    int (*open_socket)(void);  /* 0 or an errno */
    int (*wait_a_bit)(void);   /* poll without descriptors for a millisecond; 0 or an errno */
    int (*sleep_a_bit)(void);  /* nanosleep for a nanosecond; 0 or an errno */
    int (*read_byte)(const char *path); /* 0 or an errno */
    int (*read_pipe)(void);             /* a byte that it has written there */
};

const struct guest *guest_get(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's chance, which inside a world is drawn from the world's seed; see guard.h.
 *
 * Each process has two streams: what it is given as entropy, and the numbers of rand and its kin,
 * which begin anew with srand. A draw is known by the process, the stream, its start and its place.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "sim/guard.h"
#include "sim/mix.h"
#include "sim/world.h"

const char tl_guard_chance_is_here = 0;

enum stream { ENTROPY = 1, NUMBERS = 2 };

static uint64_t draw(const struct tl_guarded *who, enum stream stream, uint64_t start,
                     uint64_t place)
{
    uint64_t entity = who->process != NULL ? who->process->entity : 0;
    uint64_t key = tl_mix(tl_mix(who->world->choices.seed, entity), tl_mix(stream, start));
    return tl_scramble(tl_mix(key, place));
}

/* --- Entropy ---------------------------------------------------------------------------------- */

void tl_guard_random(const struct tl_guarded *who, void *buf, size_t len)
{
    unsigned char *bytes = buf;
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0)
            word = draw(who, ENTROPY, 0, who->guard->entropy_drawn++);
        bytes[i] = (unsigned char)(word >> i % 8 * 8);
    }
}

TL_GUARD_REAL(getrandom)

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
    struct tl_guarded who;
    if (!tl_guard_inside(&who)) {
        ssize_t (*real)(void *, size_t, unsigned) = real_getrandom();
        return real != NULL ? real(buf, len, flags) : syscall(SYS_getrandom, buf, len, flags);
    }
    if (len > 33554431)
        len = 33554431; /* what Linux gives at most */
    tl_guard_random(&who, buf, len);
    return (ssize_t)len;
}

int getentropy(void *buf, size_t len)
{
    if (len > 256) {
        errno = EIO;
        return -1;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = getrandom((char *)buf + done, len - done, 0);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

#if __GLIBC_PREREQ(2, 36)
TL_GUARD_REAL(arc4random)
TL_GUARD_REAL(arc4random_buf)
TL_GUARD_REAL(arc4random_uniform)

uint32_t arc4random(void)
{
    struct tl_guarded who;
    uint32_t word;
    if (!tl_guard_inside(&who))
        return real_arc4random()();
    tl_guard_random(&who, &word, sizeof word);
    return word;
}

void arc4random_buf(void *buf, size_t len)
{
    struct tl_guarded who;
    if (!tl_guard_inside(&who))
        real_arc4random_buf()(buf, len);
    else
        tl_guard_random(&who, buf, len);
}

uint32_t arc4random_uniform(uint32_t bound)
{
    struct tl_guarded who;
    if (!tl_guard_inside(&who))
        return real_arc4random_uniform()(bound);
    uint64_t word = draw(&who, ENTROPY, 0, who.guard->entropy_drawn++) >> 32;
    return (uint32_t)(word * bound >> 32);
}
#endif

/* --- Numbers ---------------------------------------------------------------------------------- */

/* The next number, of 64 bits. */
static uint64_t number(const struct tl_guarded *who)
{
    return draw(who, NUMBERS, who->guard->numbers_start, who->guard->numbers_drawn++);
}

static void begin(const struct tl_guarded *who, uint64_t start)
{
    who->guard->numbers_start = start;
    who->guard->numbers_drawn = 0;
}

/* NAME: what it is inside a world, from the number drawn. */
#define NUMBER(type, name, expression)                                                             \
    TL_GUARD_REAL(name)                                                                            \
    type name(void)                                                                                \
    {                                                                                              \
        struct tl_guarded who;                                                                     \
        if (!tl_guard_inside(&who))                                                                \
            return real_##name()();                                                                \
        uint64_t drawn = number(&who);                                                             \
        return expression;                                                                         \
    }

#define START(type, name)                                                                          \
    TL_GUARD_REAL(name)                                                                            \
    void name(type start)                                                                          \
    {                                                                                              \
        struct tl_guarded who;                                                                     \
        if (!tl_guard_inside(&who))                                                                \
            real_##name()(start);                                                                  \
        else                                                                                       \
            begin(&who, (uint64_t)start + 1);                                                      \
    }

_Static_assert(RAND_MAX == 0x7fffffff, "rand and random have 31 bits");

NUMBER(int, rand, (int)(drawn >> 33))
NUMBER(long, random, (long)(drawn >> 33))
NUMBER(long, lrand48, (long)(drawn >> 33))
NUMBER(long, mrand48, (long)(int32_t)(drawn >> 32))
NUMBER(double, drand48, (double)(drawn >> 16) / (double)(UINT64_C(1) << 48))

START(unsigned, srand)
START(unsigned, srandom)
START(long, srand48)

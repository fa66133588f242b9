/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's clocks, which inside a world are the world's; see guard.h.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "sim/guard.h"
#include "sim/world.h"

const char tl_guard_time_is_here = 0;

TL_GUARD_REAL(clock_gettime)
TL_GUARD_REAL(clock)

static bool is_wall(clockid_t clock_id)
{
    return clock_id == CLOCK_REALTIME || clock_id == CLOCK_REALTIME_COARSE ||
           clock_id == CLOCK_REALTIME_ALARM || clock_id == CLOCK_TAI;
}

/* Only with the clock of the world, or the C library's without one. */
static int get(clockid_t clock_id, struct timespec *ret)
{
    struct tl_guarded who;
    if (!tl_guard_inside(&who)) {
        int (*real)(clockid_t, struct timespec *) = real_clock_gettime();
        return real != NULL ? real(clock_id, ret) : (int)syscall(SYS_clock_gettime, clock_id, ret);
    }
    tl_time t = who.world->now + (is_wall(clock_id) ? TL_WALL_BASE : 0);
    *ret = (struct timespec){.tv_sec = t / TL_SECOND, .tv_nsec = t % TL_SECOND};
    return 0;
}

int clock_gettime(clockid_t clock_id, struct timespec *ret)
{
    return get(clock_id, ret);
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t;
    if (zone != NULL)
        *(struct timezone *)zone = (struct timezone){0};
    int r = get(CLOCK_REALTIME, &t);
    if (r == 0)
        *ret = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
    return r;
}

time_t time(time_t *ret)
{
    struct timespec t;
    /* The C library's goes by the last tick of the clock, which is a little behind. */
    if (get(CLOCK_REALTIME_COARSE, &t) < 0)
        return -1;
    if (ret != NULL)
        *ret = t.tv_sec;
    return t.tv_sec;
}

int timespec_get(struct timespec *ret, int base)
{
    return base == TIME_UTC && get(CLOCK_REALTIME, ret) == 0 ? base : 0;
}

clock_t clock(void)
{
    struct tl_guarded who;
    if (!tl_guard_inside(&who)) {
        clock_t (*real)(void) = real_clock();
        return real != NULL ? real() : (clock_t)-1;
    }
    return (clock_t)(who.world->now / (TL_SECOND / CLOCKS_PER_SEC));
}

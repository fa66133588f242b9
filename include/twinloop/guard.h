/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: what of the C library cannot reach around a simulated world.
 *
 * A program that runs in a world has its clocks, its chance and its network from the kernel of its
 * loop. A library that it uses may ask the C library instead, and a run would no longer repeat. So
 * libtwinloop-sim defines the functions below itself. Called by a simulated process, by a callback
 * of the world, or by a callback of a loop on a simulated kernel, each answers for the world;
 * called anywhere else it is the C library's, as ever. That holds for every library of the program,
 * linked or opened by dlopen. libtwinloop, which production links, has nothing of this.
 *
 *   - Virtual time: clock_gettime, gettimeofday, time, timespec_get, clock. CLOCK_REALTIME and what
 *     is derived from it is the wall clock of the simulated kernel, every other clock its monotonic
 *     one (processor time included).
 *   - Chance of the world's seed, per process: getrandom, getentropy, arc4random, arc4random_buf,
 *     arc4random_uniform, rand, random, drand48, lrand48, mrand48, and read from /dev/random and
 *     /dev/urandom. srand, srandom and srand48 begin a sequence that depends on their argument.
 *   - Refused with EPERM, and reported by name to the log once per process: threads
 *     (pthread_create, thrd_create), sockets (socket, socketpair, bind, listen, connect, accept,
 *     accept4), waiting (poll, ppoll, select, pselect, epoll_wait, epoll_pwait, epoll_pwait2,
 *     sleep, usleep, nanosleep, clock_nanosleep, thrd_sleep), and read from anything that is
 *     neither a file nor one of the memory devices. Never an abort.
 *
 * What goes past it: system calls made by number, the processor's own counters, functions that a
 * library has linked into itself, streams of stdio on devices, and what the C library asks of
 * itself. The guard does not survive a link order in which the C library comes first;
 * tl_guard_check tells. A signal handler that interrupts a simulated process is answered like the
 * process, but for libFuzzer's alarm, which always sees real time.
 */
#ifndef TWINLOOP_GUARD_H
#define TWINLOOP_GUARD_H

/* Whether the guard is in place: 0, or -ENOSYS when the C library's own functions are found before
 * it, which is also said in the log. Looked at once, when the first world is made; later calls
 * repeat the answer. */
int tl_guard_check(void);

#endif

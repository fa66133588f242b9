/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small steps for the tests of the simulator: a kernel or a world with given options, programs that
 * leave notes, and what a run must come to. None of them can fail without failing the test.
 */
#ifndef TL_TESTS_SIMULATED_H
#define TL_TESTS_SIMULATED_H

#include <twinloop/kernel.h>
#include <twinloop/world.h>

/* --- On the caller's own stack --- */

/* A kernel in a world of its own. */
struct tl_kernel *simulated_kernel(struct tl_world_options options);

/* The same without any fault, cut, delay or permutation. */
struct tl_kernel *simulated_quiet_kernel(void);

/* Sets the odds of every site of the simulator to 0, and of one of them to these. */
void simulated_only(struct tl_kernel *kernel, const char *site, uint32_t odds);

tl_addr simulated_address(const char *host, uint16_t port);

/* A stream socket of IPv4. */
int simulated_socket(struct tl_kernel *kernel);

/* An allocator's realloc for tl_set_allocator: ctx is an int, how many more requests it grants. */
void *simulated_realloc(void *ctx, void *ptr, size_t size);

/* --- Worlds of programs --- */

/* What the programs of a test leave behind; all of them get it as their argument. */
struct notes {
    tl_world *world;
    tl_host *hosts[2]; /* "one", "two" */
    tl_process *other;
    char trail[64];
    int count;
    tl_time time;
};

void notes_open(struct notes *notes, struct tl_world_options options);

/* On host "one" unless told otherwise; the argument is always notes. */
tl_process *notes_spawn(struct notes *notes, tl_program program, const char *name);
tl_process *notes_spawn_daemon(struct notes *notes, tl_program program);
tl_process *notes_spawn_with(struct notes *notes, struct tl_process_options options);

/* Runs the world, which must end so, with these words in its report ("": in no report). */
void notes_expect(struct notes *notes, enum tl_outcome outcome, const char *report);

/* Opens, spawns one process, expects and frees. */
void notes_run(tl_program program, struct tl_world_options options, enum tl_outcome outcome,
               const char *report);

/* --- In a program --- */

struct notes *program_notes(void);
void notes_leave(struct notes *notes, const char *mark);

/* A kernel of the running process's world. */
struct tl_kernel *program_kernel(void);

/* A poll that has nothing to wait for but the time. */
int program_wait(struct tl_kernel *kernel, tl_time time);

/* The commonest programs: returns 0 after a second; returns 3; never returns, waking up each
 * second. */
int program_sleep(int argc, char **argv);
int program_return_three(int argc, char **argv);
int program_tick(int argc, char **argv);

/* A callback of the world that leaves the second in which it runs and a blank. */
void callback_leave_second(tl_world *world, void *arg);

#endif

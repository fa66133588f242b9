/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See simulated.h. The programs ask their kernel directly, so that nothing but the simulator is
 * tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "core/self.h"
#include "support/simulated.h"

/* --- On the caller's own stack ---------------------------------------------------------------- */

struct tl_kernel *simulated_kernel(struct tl_world_options options)
{
    struct tl_kernel *kernel;
    assert_int_equal(tl_sim_kernel_new(&options, &kernel), 0);
    return kernel;
}

struct tl_kernel *simulated_quiet_kernel(void)
{
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.quiet = true});
    tl_world_set_odds(tl_sim_kernel_world(kernel), "poll.order", 0);
    return kernel;
}

void simulated_only(struct tl_kernel *kernel, const char *site, uint32_t odds)
{
    tl_world *world = tl_sim_kernel_world(kernel);
    for (size_t i = 0; tl_sim_sites[i] != NULL; i++)
        assert_int_equal(tl_world_set_odds(world, tl_sim_sites[i]->name, 0), 0);
    assert_int_equal(tl_world_set_odds(world, site, odds), 0);
    tl_world_set_faults(world, true);
}

tl_addr simulated_address(const char *host, uint16_t port)
{
    tl_addr addr;
    assert_int_equal(tl_addr_parse(host, port, &addr), 0);
    return addr;
}

int simulated_socket(struct tl_kernel *kernel)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_true(fd >= 0);
    return fd;
}

void *simulated_realloc(void *ctx, void *ptr, size_t size)
{
    int *left = ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return *left > 0 && (*left)-- > 0 ? realloc(ptr, size) : NULL;
}

/* --- Worlds of programs ----------------------------------------------------------------------- */

void notes_open(struct notes *notes, struct tl_world_options options)
{
    memset(notes, 0, sizeof *notes);
    notes->world = tl_world_new(&options);
    assert_non_null(notes->world);
    notes->hosts[0] = tl_world_add_host(notes->world, "one", NULL);
    notes->hosts[1] = tl_world_add_host(notes->world, "two", NULL);
}

tl_process *notes_spawn_with(struct notes *notes, struct tl_process_options options)
{
    options.arg = notes;
    tl_process *process = tl_host_spawn(notes->hosts[0], &options);
    assert_non_null(process);
    return process;
}

tl_process *notes_spawn(struct notes *notes, tl_program program, const char *name)
{
    return notes_spawn_with(notes, (struct tl_process_options){.program = program, .name = name});
}

tl_process *notes_spawn_daemon(struct notes *notes, tl_program program)
{
    return notes_spawn_with(
        notes, (struct tl_process_options){.program = program, .name = "daemon", .daemon = true});
}

void notes_expect(struct notes *notes, enum tl_outcome outcome, const char *report)
{
    enum tl_outcome ended = tl_world_run(notes->world);
    if (ended != outcome || strstr(tl_world_report(notes->world), report) == NULL)
        fail_msg("outcome %d, report: %s", ended, tl_world_report(notes->world));
    assert_int_equal(tl_world_run(notes->world), outcome);
    if (outcome == TL_OUTCOME_HELD)
        assert_string_equal(tl_world_report(notes->world), "");
}

void notes_run(tl_program program, struct tl_world_options options, enum tl_outcome outcome,
               const char *report)
{
    struct notes notes;
    notes_open(&notes, options);
    notes_spawn(&notes, program, "prog");
    notes_expect(&notes, outcome, report);
    tl_world_free(notes.world);
}

/* --- In a program ----------------------------------------------------------------------------- */

struct notes *program_notes(void)
{
    return tl_process_arg(tl_process_current());
}

void notes_leave(struct notes *notes, const char *mark)
{
    strncat(notes->trail, mark, sizeof notes->trail - strlen(notes->trail) - 1);
}

struct tl_kernel *program_kernel(void)
{
    struct tl_kernel *kernel;
    int r = tl_self->context->ops->new_kernel(tl_self->context, &kernel);
    TL_ASSERT(r == 0, "a process has a kernel");
    return kernel;
}

int program_wait(struct tl_kernel *kernel, tl_time time)
{
    struct tl_event event;
    return kernel->ops->poll(kernel, time, &event, 1);
}

int program_sleep(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    program_wait(program_kernel(), TL_SECOND);
    return 0;
}

int program_return_three(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 3;
}

int program_tick(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    while (program_wait(kernel, TL_SECOND) == 0)
        continue;
    return 0;
}

void callback_leave_second(tl_world *world, void *arg)
{
    char mark[24];
    snprintf(mark, sizeof mark, "%d ", (int)(tl_world_time(world) / TL_SECOND));
    notes_leave(arg, mark);
}

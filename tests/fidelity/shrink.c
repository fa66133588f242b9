/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a program, and making one that disagrees as short as it can be.
 *
 * The first run on the real kernel is a quick one. Only when it disagrees is the program run
 * patiently, three times over: Linux may have been about to deliver something, or a port that was
 * picked may have been an old one. What counts is a disagreement that stays.
 */
#include "tests/fidelity/run.h"

enum { AGAIN = 3 };

/* One run in each world; -1 when they agree. */
static int try_once(const struct program *program, const struct trial *trial, bool patient,
                    struct transcript *real, struct transcript *sim)
{
    bool whole = trial->seeds > 0;
    struct manner linux_manner = {.real = true, .patient = patient, .whole = whole};
    run_program(program, &linux_manner, real);
    for (unsigned i = 0; i < trial->seeds + !whole; i++) {
        struct manner manner = {.whole = whole, .chances = whole, .seed = trial->seed + i};
        run_program(program, &manner, sim);
        int at = compare_transcripts(program, real, sim);
        if (at >= 0 || !whole)
            return at;
        manner.hurried = true;
        run_program(program, &manner, sim);
        at = find_broken(sim);
        if (at >= 0)
            return at;
    }
    return -1;
}

int try_program(const struct program *program, const struct trial *trial, struct transcript *real,
                struct transcript *sim, unsigned *ret_unsteady)
{
    int at = try_once(program, trial, false, real, sim);
    for (int i = 0; i < AGAIN && at >= 0; i++) {
        at = try_once(program, trial, true, real, sim);
        if (at < 0)
            ++*ret_unsteady;
    }
    return at;
}

static void delete_op(struct program *program, size_t index)
{
    program->count--;
    for (size_t i = index; i < program->count; i++)
        program->ops[i] = program->ops[i + 1];
}

void shrink_program(struct program *program, const struct trial *trial)
{
    static struct transcript real, sim;
    unsigned unsteady = 0;
    bool shorter = true;
    while (shorter) {
        shorter = false;
        for (size_t i = program->count; i-- > 0;) {
            struct program smaller = *program;
            delete_op(&smaller, i);
            if (try_program(&smaller, trial, &real, &sim, &unsteady) < 0)
                continue;
            *program = smaller;
            shorter = true;
        }
    }
}

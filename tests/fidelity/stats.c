/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of stats.h.
 */
#include "tests/fidelity/stats.h"

#include <twinloop/error.h>

static void add(unsigned long *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void stats_count(struct stats *stats, const struct program *program,
                 const struct transcript *transcript)
{
    for (size_t i = 0; i < program->count; i++) {
        const struct op *op = &program->ops[i];
        const struct answer *answer = &transcript->answers[i];
        if (answer->skipped)
            add(&stats->skipped[op->kind]);
        else if (answer->result < 0 && answer->result > -ERRNO_MAX)
            add(&stats->errors[op->kind][-answer->result]);
        else if (answer->result <= 0)
            add(&stats->none[op->kind]);
        else
            add(answer->result < op->value ? &stats->some[op->kind] : &stats->all[op->kind]);
    }
}

static void print_count(FILE *file, const char *what, unsigned long count)
{
    if (count > 0)
        fprintf(file, "  %s %lu", what, count);
}

void stats_print(FILE *file, const struct stats *stats)
{
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        fprintf(file, "%-9s", op_name((enum op_kind)kind));
        print_count(file, "skipped", stats->skipped[kind]);
        print_count(file, "0", stats->none[kind]);
        print_count(file, "some", stats->some[kind]);
        print_count(file, "all", stats->all[kind]);
        for (int i = 1; i < ERRNO_MAX; i++)
            print_count(file, tl_err_name(-i), stats->errors[kind][i]);
        fputc('\n', file);
    }
}

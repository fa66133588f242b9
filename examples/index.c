/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: the small programs of Python's asyncio pages, by name, on the real loop or, with --sim, on
 * a simulated one. See index/index.h.
 *
 *     index NAME [--sim [SEED]] [ARGUMENT]
 */
#include <stdio.h>
#include <string.h>

#include "common/example.h"
#include "index/index.h"

static const struct {
    const char *name;
    int (*program)(int argc, char **argv);
} programs[] = {
    {"hello_world", index_hello_world}, {"display_date", index_display_date},
    {"future", index_future},           {"coroutine", index_coroutine},
    {"gather", index_gather},
};

enum { PROGRAMS = sizeof programs / sizeof programs[0] };

int main(int argc, char **argv)
{
    static const struct example_option no_options[] = {{.name = NULL}};
    for (int i = 0; argc > 1 && i < PROGRAMS; i++) {
        const struct example example = {
            .name = programs[i].name,
            .about = "one of the small programs of Python's asyncio pages",
            .program = programs[i].program,
            .options = no_options,
        };
        if (strcmp(argv[1], programs[i].name) == 0)
            return example_main(argc - 1, argv + 1, &example);
    }
    fprintf(stderr, "usage: index NAME [--sim [SEED]], where NAME is one of:");
    for (int i = 0; i < PROGRAMS; i++)
        fprintf(stderr, " %s", programs[i].name);
    fprintf(stderr, "\n");
    return EXAMPLE_USAGE;
}

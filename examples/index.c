/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: the small programs of Python's asyncio pages, by name, on the real loop or, with --sim, on
 * a simulated one. See index/index.h.
 *
 *     index NAME [--sim [SEED]] [OPTION]...
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/example.h"
#include "index/index.h"

static const struct example_option no_options[] = {{.name = NULL}};

#define ABOUT "one of the small programs of Python's asyncio pages"

static const struct example small[] = {
    {"hello_world", ABOUT, index_hello_world, no_options, NULL, NULL, 0},
    {"display_date", ABOUT, index_display_date, no_options, NULL, NULL, 0},
    {"watch_fd", ABOUT, index_watch_fd, no_options, NULL, NULL, 0},
    {"signals", ABOUT, index_signals, no_options, NULL, NULL, SIGTERM},
    {"future", ABOUT, index_future, no_options, NULL, NULL, 0},
    {"coroutine", ABOUT, index_coroutine, no_options, NULL, NULL, 0},
    {"gather", ABOUT, index_gather, no_options, NULL, NULL, 0},
    {"existing_socket", ABOUT, index_existing_socket, no_options, NULL, NULL, 0},
};

enum { SMALL = sizeof small / sizeof small[0], ALL = SMALL + 2 };

static const struct example *example_at(int i)
{
    const struct example *pairs[] = {&index_tcp_echo, &index_udp_echo};
    return i < SMALL ? &small[i] : pairs[i - SMALL];
}

int main(int argc, char **argv)
{
    for (int i = 0; argc > 1 && i < ALL; i++)
        if (strcmp(argv[1], example_at(i)->name) == 0)
            return example_main(argc - 1, argv + 1, example_at(i));
    fprintf(stderr, "usage: index NAME [--sim [SEED]] [OPTION]..., where NAME is one of:");
    for (int i = 0; i < ALL; i++)
        fprintf(stderr, " %s", example_at(i)->name);
    fprintf(stderr, "\n");
    return EXAMPLE_USAGE;
}

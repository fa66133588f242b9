/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that is known by name, and its visitors: the programs of names_scenario.c.
 *
 * The service stands on several hosts. Each tells who connects its own number and which of its
 * addresses that was, in one line, and closes. A visitor knows the name alone, and when the name
 * stands for which hosts, so that it can tell whether it was led to the right one.
 */
#ifndef EXAMPLES_NAMES_NAMES_H
#define EXAMPLES_NAMES_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop.h>

#define NAMES_SERVICE "www.example"
#define NAMES_PORT 7100

/* What the name stands for: sets of hosts, a bit for each number. */
struct names_record {
    uint32_t before; /* until moved */
    uint32_t after;  /* from back on; between the two it stands for nothing */
    tl_time moved;
    tl_time back;
};

struct names_visitor_options {
    struct names_record record;
    unsigned rounds;
    bool eyeballs; /* several addresses at once */
    bool hurry;    /* each attempt is given up after a second, and made again */
    bool prompt;   /* with eyeballs: nothing keeps an attempt that succeeds from being quick */
};

/* The service of one host, argv[1] being its number, until SIGTERM. */
int names_service_program(int argc, char **argv);

/* Visits the service that often, one visit after the other. Returns an exit code; what is wrong is
 * asserted. */
int names_visit(const struct names_visitor_options *options);

#endif

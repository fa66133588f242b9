/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run's configuration: the scenario's parameters as they were drawn, in one line.
 */
#ifndef TL_EXPLORE_CONFIGURATION_H
#define TL_EXPLORE_CONFIGURATION_H

#include <stddef.h>
#include <stdint.h>
#include "explore/outcome.h"

/* Zero is empty. */
struct tl_configuration {
    char text[2048];        /* "clients=3 size=1,4096", in the order drawn; cut with "..." */
    char last[TL_LINE_MAX]; /* the name that was added last */
    size_t len;
};

/* A parameter drawn several times in a row is named once. */
void tl_configuration_add(struct tl_configuration *configuration, const char *name, uint32_t value);

/* The site behind tl_parameter: whoever is told of a choice can find out the value, which is the
 * answer above least. */
struct tl_parameter_site {
    tl_site site; /* first; meaning is tl_parameter_meaning itself */
    uint32_t least;
};

extern const char tl_parameter_meaning[];

#endif

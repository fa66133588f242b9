/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario parameters: drawing them, and writing down what was drawn.
 *
 * A parameter is a USER choice of as many answers as it has values, every value equally likely
 * under a seed. Its site lives for the call: a site's identity is its name.
 */
#include "explore/configuration.h"

#include <stdio.h>
#include <string.h>
#include <twinloop/explore.h>

const char tl_parameter_meaning[] = "a scenario parameter: how much above the least";

#define ALWAYS 65536u

uint32_t tl_parameter(tl_world *world, const char *name, uint32_t least, uint32_t most)
{
    if (most <= least)
        return least;
    uint32_t bound = most - least < UINT32_MAX ? most - least + 1 : UINT32_MAX;
    struct tl_parameter_site parameter = {
        .site =
            {
                .name = name,
                .kind = TL_SITE_USER,
                .odds = ALWAYS - ALWAYS / bound,
                .meaning = tl_parameter_meaning,
            },
        .least = least,
    };
    return least + tl_choose(world, &parameter.site, 0, bound);
}

void tl_configuration_add(struct tl_configuration *configuration, const char *name, uint32_t value)
{
    static const char cut[] = " ...";
    char more[TL_LINE_MAX + 16];
    size_t room = sizeof configuration->text - sizeof cut;
    if (configuration->len > room) /* it is cut already */
        return;
    if (configuration->len > 0 && strcmp(configuration->last, name) == 0)
        snprintf(more, sizeof more, ",%u", value);
    else
        snprintf(more, sizeof more, "%s%.*s=%u", configuration->len > 0 ? " " : "", TL_LINE_MAX - 1,
                 name, value);
    const char *text = configuration->len + strlen(more) <= room ? more : cut;
    memcpy(configuration->text + configuration->len, text, strlen(text) + 1);
    configuration->len =
        text == more ? configuration->len + strlen(more) : sizeof configuration->text;
    snprintf(configuration->last, sizeof configuration->last, "%s", name);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: a table of them against argv, with the usage text made from the same table.
 *
 * Nothing is kept between calls (getopt has statics, which simulated processes would share).
 */
#include "example.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct example_option *find(const struct example_option *options, const char *name,
                                         size_t len)
{
    for (; options->name != NULL; options++)
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
            return options;
    return NULL;
}

/* Decimal digits and nothing else. */
static bool parse_number(const char *text, uint64_t *ret)
{
    uint64_t number = 0;
    if (*text == '\0')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    if (*text != '\0')
        return false;
    *ret = number;
    return true;
}

/* Puts one option's value into the program's struct; whether it is one. */
static bool store(const struct example_option *option, const char *text, void *ret)
{
    char *member = ret == NULL ? NULL : (char *)ret + option->offset;
    bool set = true;
    uint64_t number;
    switch (option->kind) {
    case EXAMPLE_FLAG:
        if (member != NULL)
            memcpy(member, &set, sizeof set);
        return true;
    case EXAMPLE_TEXT:
        if (member != NULL)
            memcpy(member, &text, sizeof text);
        return true;
    case EXAMPLE_NUMBER:
        if (!parse_number(text, &number) || number < option->least || number > option->most)
            return false;
        if (member != NULL)
            memcpy(member, &number, sizeof number);
        return true;
    }
    return false;
}

static int misuse(const struct example *example, const char *argument, const char *why)
{
    fprintf(stderr, "%s: %s: %s\nusage: %s [OPTION]... ('%s --help' lists them)\n", example->name,
            argument, why, example->name, example->name);
    return EXAMPLE_USAGE;
}

/* The only values that can be wrong are numbers. */
static int not_in_range(const struct example *example, const struct example_option *option,
                        const char *text)
{
    char why[128];
    (void)snprintf(why, sizeof why,
                   "expected a number from %" PRIu64 " to %" PRIu64 ", got '%.40s'", option->least,
                   option->most, text);
    char argument[64];
    (void)snprintf(argument, sizeof argument, "--%s", option->name);
    return misuse(example, argument, why);
}

int example_parse(const struct example *example, int argc, char **argv, void *ret)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strncmp(argument, "--", 2) != 0)
            return misuse(example, argument, "not an option");
        size_t len = strcspn(argument + 2, "=");
        const struct example_option *option = find(example->options, argument + 2, len);
        if (option == NULL)
            return misuse(example, argument, "unknown option");
        const char *text = argument[2 + len] == '=' ? argument + 2 + len + 1 : NULL;
        if (option->kind == EXAMPLE_FLAG && text != NULL)
            return misuse(example, argument, "takes no value");
        if (option->kind != EXAMPLE_FLAG && text == NULL) {
            if (i + 1 == argc)
                return misuse(example, argument, "needs a value");
            text = argv[++i];
        }
        if (!store(option, text, ret))
            return not_in_range(example, option, text);
    }
    return 0;
}

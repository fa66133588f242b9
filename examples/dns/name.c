/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: in text, and as the labels that messages have.
 */
#include <string.h>

#include "message.h"

enum { LABEL_MAX = 63 };

size_t dns_name_write(uint8_t *name, const char *text)
{
    size_t len = 0;
    if (strcmp(text, ".") == 0)
        text = "";
    while (*text != '\0') {
        size_t label = strcspn(text, ".");
        if (label == 0 || label > LABEL_MAX || len + 1 + label + 1 > DNS_NAME_MAX)
            return 0;
        name[len++] = (uint8_t)label;
        memcpy(name + len, text, label);
        len += label;
        text += label;
        if (*text == '.')
            text++;
    }
    name[len++] = 0;
    return len;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool dns_name_is(const uint8_t *name, const char *text)
{
    while (*name != 0) {
        size_t label = strcspn(text, ".");
        if (label != *name++)
            return false;
        for (size_t i = 0; i < label; i++)
            if (lower(name[i]) != lower((uint8_t)text[i]))
                return false;
        name += label;
        text += label;
        if (*text == '.')
            text++;
    }
    return *text == '\0';
}

bool dns_name_within(const uint8_t *name, const char *text)
{
    for (;; name += 1 + *name) {
        if (dns_name_is(name, text))
            return true;
        if (*name == 0)
            return false;
    }
}

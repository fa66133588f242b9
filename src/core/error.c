/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes: their sentences, their names, and the index under which traces and hashes know them.
 *
 * One table: the operating system's errors first, then the library's own. Index 0 is success. The
 * library's codes start at a fixed index, so that errno.def can grow without moving them, and the
 * resolver's at another.
 */
#include <twinloop/error.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/self.h"

enum { OWN_INDEX_BASE = 512, EAI_INDEX_BASE = 768 };

struct error_name {
    int code;
    const char *name;
};

/* The place of each in the table, from 1. */
enum {
    INDEX_OK,
#define TL_ERRNO_NAME(NAME) INDEX_##NAME,
#include "core/errno.def"
};

static const struct error_name os_errors[] = {
#define TL_ERRNO_NAME(NAME) {-NAME, #NAME},
#include "core/errno.def"
};

struct own_error {
    int code;
    const char *name;
    const char *sentence;
};

static const struct own_error own_errors[] = {
#define TL_ERROR_ROW(name, number, sentence) {number, #name, sentence},
    TL_ERRORS(TL_ERROR_ROW)};

static const struct own_error eai_errors[] = {TL_EAI_ERRORS(TL_ERROR_ROW)};
#undef TL_ERROR_ROW

enum {
    OS_COUNT = sizeof os_errors / sizeof os_errors[0],
    OWN_COUNT = sizeof own_errors / sizeof own_errors[0],
    EAI_COUNT = sizeof eai_errors / sizeof eai_errors[0],
};

/* The error with this code, and its index; or NULL. */
static const struct own_error *find_own(int code, unsigned *ret_index)
{
    for (unsigned i = 0; i < OWN_COUNT; i++) {
        *ret_index = OWN_INDEX_BASE + i;
        if (own_errors[i].code == code)
            return &own_errors[i];
    }
    for (unsigned i = 0; i < EAI_COUNT; i++) {
        *ret_index = EAI_INDEX_BASE + i;
        if (eai_errors[i].code == code)
            return &eai_errors[i];
    }
    return NULL;
}

const char *tl_strerror(int code)
{
    if (code >= 0)
        return "no error";
    unsigned index;
    const struct own_error *own = find_own(code, &index);
    if (own != NULL)
        return own->sentence;
    const char *text = strerrordesc_np(-code);
    return text != NULL ? text : "unknown error";
}

const char *tl_err_name(int code)
{
    if (code >= 0)
        return "OK";
    unsigned index;
    const struct own_error *own = find_own(code, &index);
    if (own != NULL)
        return own->name;
    const char *name = strerrorname_np(-code);
    return name != NULL ? name : "UNKNOWN";
}

/* The event hash asks for every operation that fails: no search. 0: not the operating system's. */
static unsigned os_index(int code)
{
    switch (-code) {
#define TL_ERRNO_NAME(NAME)                                                                        \
    case NAME:                                                                                     \
        return INDEX_##NAME;
#include "core/errno.def"
    }
    return 0;
}

unsigned tl_err_index(int code)
{
    if (code >= 0)
        return 0;
    unsigned index = os_index(code);
    if (index > 0)
        return index;
    return find_own(code, &index) != NULL ? index : 0;
}

int tl_err_from_index(unsigned index)
{
    if (index == 0)
        return 0;
    if (index <= OS_COUNT)
        return os_errors[index - 1].code;
    if (index >= OWN_INDEX_BASE && index < OWN_INDEX_BASE + OWN_COUNT)
        return own_errors[index - OWN_INDEX_BASE].code;
    if (index >= EAI_INDEX_BASE && index < EAI_INDEX_BASE + EAI_COUNT)
        return eai_errors[index - EAI_INDEX_BASE].code;
    return -EIO;
}

int tl_last_error(void)
{
    return tl_thread_self()->last_error;
}

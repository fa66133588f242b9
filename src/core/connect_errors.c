/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the attempts to connect failed with, and what the caller is told of it.
 *
 * Errors are kept as what they are about and spelled out at the end. asyncio: a single one is told
 * as it is, and so is the first of several that say the same; otherwise one that quotes them all,
 * with the first one's code. Whoever asks for all of them gets a chain of causes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/connect.h"

enum { TEXT_MAX = 256 };

static const struct tl_connect_error *error_at(const struct tl_connect_errors *errors, size_t i)
{
    return i == 0 ? &errors->first : &errors->more[i - 1];
}

/* Takes the last one to its place: attempts that run side by side fail in any order. */
static void sort_last(struct tl_connect_errors *errors)
{
    struct tl_connect_error *at = &errors->more[errors->count - 2];
    const struct tl_connect_error last = *at;
    for (; at > errors->more && at[-1].attempt > last.attempt; at--)
        *at = at[-1];
    *at = last;
    if (at == errors->more && errors->first.attempt > last.attempt) {
        *at = errors->first;
        errors->first = last;
    }
}

void tl_connect_errors_add(struct tl_connect_errors *errors, const struct tl_connect_error *error)
{
    if (errors->count == 0) {
        errors->first = *error;
        errors->count = 1;
        return;
    }
    if (errors->count > errors->capacity) {
        size_t capacity = errors->capacity > 0 ? 2 * errors->capacity : 4;
        struct tl_connect_error *more = tl_realloc(errors->more, capacity * sizeof *more);
        if (more == NULL) {
            errors->incomplete = true;
            return;
        }
        errors->more = more;
        errors->capacity = capacity;
    }
    errors->more[errors->count - 1] = *error;
    errors->count++;
    sort_last(errors);
}

void tl_connect_errors_finish(struct tl_connect_errors *errors)
{
    tl_free(errors->more);
    *errors = (struct tl_connect_errors){.count = 0};
}

/* --- Spelled out ------------------------------------------------------------------------------ */

static void spell(const struct tl_connect_error *error, char *text)
{
    char addr[TL_ADDR_TEXT_MAX];
    const char *why = tl_strerror(error->code);
    switch (error->step) {
    case TL_STEP_SOCKET:
        (void)snprintf(text, TEXT_MAX, "%s", why);
        break;
    case TL_STEP_BIND:
        (void)snprintf(text, TEXT_MAX, "error while attempting to bind on address %s: %s",
                       tl_addr_format(&error->addr, addr, sizeof addr), why);
        break;
    case TL_STEP_NO_LOCAL:
        (void)snprintf(text, TEXT_MAX, "no matching local address with family=%s found",
                       error->addr.family == TL_FAMILY_INET ? "AF_INET" : "AF_INET6");
        break;
    case TL_STEP_CONNECT:
        (void)snprintf(text, TEXT_MAX, "Connect call failed %s: %s",
                       tl_addr_format(&error->addr, addr, sizeof addr), why);
        break;
    }
}

static bool all_the_same(const struct tl_connect_errors *errors)
{
    char first[TEXT_MAX], text[TEXT_MAX];
    spell(&errors->first, first);
    for (size_t i = 1; i < errors->count; i++) {
        spell(error_at(errors, i), text);
        if (strcmp(first, text) != 0)
            return false;
    }
    return true;
}

static void tell_first(const struct tl_connect_errors *errors, tl_future *future)
{
    char text[TEXT_MAX];
    spell(&errors->first, text);
    (void)tl_future_set_exception(future, errors->first.code, text);
}

/* "Multiple exceptions: a, b, c" */
static int tell_joined(const struct tl_connect_errors *errors, tl_future *future)
{
    static const char start[] = "Multiple exceptions: ";
    size_t len = sizeof start - 1;
    char *text = tl_alloc(len + errors->count * (TEXT_MAX + 2));
    if (text == NULL)
        return -ENOMEM;
    memcpy(text, start, sizeof start);
    for (size_t i = 0; i < errors->count; i++) {
        if (i > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        spell(error_at(errors, i), text + len);
        len += strlen(text + len);
    }
    (void)tl_future_set_exception(future, errors->first.code, text);
    tl_free(text);
    return 0;
}

/* Each is the cause of the one before, the first that of one that says what was tried. */
static int tell_chain(const struct tl_connect_errors *errors, tl_future *future)
{
    struct link {
        tl_error error;
        char text[TEXT_MAX];
    } *links = tl_alloc(errors->count * sizeof *links);
    if (links == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < errors->count; i++) {
        spell(error_at(errors, i), links[i].text);
        links[i].error = (tl_error){
            .code = error_at(errors, i)->code,
            .message = links[i].text,
            .cause = i + 1 < errors->count ? &links[i + 1].error : NULL,
        };
    }
    const tl_error all = {
        .code = errors->first.code, .message = "create_connection failed", .cause = &links->error};
    (void)tl_future_set_error(future, &all);
    tl_free(links);
    return 0;
}

void tl_connect_errors_tell(const struct tl_connect_errors *errors, tl_future *future,
                            bool separately)
{
    int r = 0;
    if (errors->incomplete)
        r = -ENOMEM;
    else if (separately)
        r = tell_chain(errors, future);
    else if (errors->count == 1 || all_the_same(errors))
        tell_first(errors, future);
    else
        r = tell_joined(errors, future);
    if (r < 0)
        (void)tl_future_set_exception(future, r, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What options sockets have that can be set and asked for, and which are refused.
 */
#include "sim/option.h"

#include <errno.h>
#include <stddef.h>

#include "sim/buffer.h"

static bool *flag_of(const struct tl_option_places *places, enum tl_option option)
{
    return (unsigned)option < TL_OPTION_COUNT ? places->flags[option] : NULL;
}

/* Whether it is an option of another protocol than the socket's. */
static bool is_foreign(const struct tl_option_places *places, enum tl_option option)
{
    if (option == TL_OPTION_V6ONLY)
        return places->family != TL_FAMILY_INET6;
    return option == TL_OPTION_NODELAY && places->flags[option] == NULL;
}

/* Unix-domain sockets cannot share a name; they may be told not to. */
static bool cannot_share(const struct tl_option_places *places, enum tl_option option)
{
    return option == TL_OPTION_REUSEPORT && places->flags[option] == NULL;
}

static int set_option(const struct tl_option_places *places, enum tl_option option, int value)
{
    bool *flag = flag_of(places, option);
    if (is_foreign(places, option))
        return places->family == TL_FAMILY_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
    if (cannot_share(places, option))
        return value != 0 ? -EOPNOTSUPP : 0;
    if (option == TL_OPTION_V6ONLY && places->bound)
        return -EINVAL;
    if (flag != NULL)
        *flag = value != 0;
    else if (option == TL_OPTION_SNDBUF)
        tl_buffer_set(places->send_room, value, TL_SEND_BUFFER_MIN);
    else if (option == TL_OPTION_RCVBUF)
        tl_buffer_set(places->receive_room, value, TL_RECEIVE_BUFFER_MIN);
    else
        return -ENOPROTOOPT;
    return 0;
}

static int take_error(int *error)
{
    int taken = -*error;
    *error = 0;
    return taken;
}

static int get_option(const struct tl_option_places *places, enum tl_option option, int *ret)
{
    const bool *flag = flag_of(places, option);
    /* Asked for what is of another protocol, IPv6 alone has not this errno. */
    if (is_foreign(places, option) && places->family != TL_FAMILY_INET6)
        return -EOPNOTSUPP;
    if (flag != NULL)
        *ret = *flag;
    else if (cannot_share(places, option))
        *ret = 0;
    else if (option == TL_OPTION_ERROR)
        *ret = take_error(places->error);
    else if (option == TL_OPTION_SNDBUF)
        *ret = tl_buffer_get(*places->send_room);
    else if (option == TL_OPTION_RCVBUF)
        *ret = tl_buffer_get(*places->receive_room);
    else
        return -ENOPROTOOPT;
    return 0;
}

int tl_option(const struct tl_option_places *places, enum tl_option option, const int *set,
              int *ret)
{
    int r = 0;
    if (set != NULL)
        r = set_option(places, option, *set);
    if (r == 0 && ret != NULL)
        r = get_option(places, option, ret);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver's flags, types and codes, in our numbers and in this system's.
 */
#include <netdb.h>
#include <sys/socket.h>
#include "real/resolve.h"

struct number {
    int ours;
    int theirs;
};

static const struct number ai_flags[] = {
    {TL_AI_PASSIVE, AI_PASSIVE},
    {TL_AI_CANONNAME, AI_CANONNAME},
    {TL_AI_NUMERICHOST, AI_NUMERICHOST},
    {TL_AI_V4MAPPED, AI_V4MAPPED},
    {TL_AI_ALL, AI_ALL},
    {TL_AI_ADDRCONFIG, AI_ADDRCONFIG},
    {TL_AI_NUMERICSERV, AI_NUMERICSERV},
    {0, 0},
};

static const struct number ni_flags[] = {
    {TL_NI_NUMERICHOST, NI_NUMERICHOST},
    {TL_NI_NUMERICSERV, NI_NUMERICSERV},
    {TL_NI_NOFQDN, NI_NOFQDN},
    {TL_NI_NAMEREQD, NI_NAMEREQD},
    {TL_NI_DGRAM, NI_DGRAM},
    {0, 0},
};

static const struct number codes[] = {
    {TL_EAI_ADDRFAMILY, EAI_ADDRFAMILY}, {TL_EAI_AGAIN, EAI_AGAIN},
    {TL_EAI_BADFLAGS, EAI_BADFLAGS},     {TL_EAI_FAIL, EAI_FAIL},
    {TL_EAI_FAMILY, EAI_FAMILY},         {TL_EAI_MEMORY, EAI_MEMORY},
    {TL_EAI_NODATA, EAI_NODATA},         {TL_EAI_NONAME, EAI_NONAME},
    {TL_EAI_OVERFLOW, EAI_OVERFLOW},     {TL_EAI_SERVICE, EAI_SERVICE},
    {TL_EAI_SOCKTYPE, EAI_SOCKTYPE},     {0, 0},
};

static int translate(const struct number *table, unsigned flags)
{
    int theirs = 0;

    for (; table->ours != 0; table++)
        if (flags & (unsigned)table->ours) {
            theirs |= table->theirs;
            flags &= ~(unsigned)table->ours;
        }
    return flags == 0 ? theirs : 1 << 30;
}

int tl_real_ai_flags(unsigned flags)
{
    return translate(ai_flags, flags);
}

int tl_real_ni_flags(unsigned flags)
{
    return translate(ni_flags, flags);
}

int tl_real_resolve_code(int code, int error)
{
    if (code == 0)
        return 0;
    if (code == EAI_SYSTEM)
        return error > 0 ? -error : TL_EAI_SYSTEM;
    for (const struct number *row = codes; row->ours != 0; row++)
        if (row->theirs == code)
            return row->ours;
    return TL_EAI_FAIL;
}

int tl_real_resolve_family(int family)
{
    switch (family) {
    case TL_FAMILY_NONE:
        return AF_UNSPEC;
    case TL_FAMILY_INET:
        return AF_INET;
    case TL_FAMILY_INET6:
        return AF_INET6;
    }
    return AF_UNIX; /* which the resolver does not have */
}

int tl_real_resolve_type(int type)
{
    static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW};

    return type >= 0 && type < 4 ? types[type] : -1;
}

int tl_real_resolved_type(int type)
{
    return type == SOCK_STREAM ? TL_STREAM : type == SOCK_DGRAM ? TL_DATAGRAM : TL_RAW;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of Unix-domain sockets: abstract ones, which a host keeps in a list, and paths. An abstract
 * name may be that of a stream socket and of one of datagrams, which know nothing of each other.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/unix.h"

/* --- Abstract names --------------------------------------------------------------------------- */

/* A name that the system makes up: a NUL and five hexadecimal digits. */
enum { MADE_UP_LEN = 6, MADE_UP_MAX = 0xfffff };

static bool is_abstract(const tl_addr *addr)
{
    return addr->len > 0 && addr->data[0] == '\0';
}

/* The socket of the asker's kind that has this name. */
static struct tl_unix *find_abstract(const struct tl_unix *asker, const tl_addr *addr)
{
    const struct tl_list *names = &asker->host->unix_names;
    for (struct tl_list *at = names->next; at != names; at = at->next) {
        struct tl_unix *socket = tl_listed(at, struct tl_unix, named);
        if (socket->datagrams == asker->datagrams && socket->name.len == addr->len &&
            memcmp(socket->name.data, addr->data, addr->len) == 0)
            return socket;
    }
    return NULL;
}

static tl_addr make_up(tl_host *host)
{
    tl_addr addr = {.family = TL_FAMILY_UNIX, .len = MADE_UP_LEN};
    char digits[MADE_UP_LEN];
    snprintf(digits, sizeof digits, "%05x", (unsigned)(host->next_unix_name++ & MADE_UP_MAX));
    memcpy(addr.data + 1, digits, MADE_UP_LEN - 1);
    return addr;
}

static void set_name(struct tl_unix *socket, const tl_addr *addr)
{
    socket->bound = true;
    socket->name = (tl_addr){.family = TL_FAMILY_UNIX, .len = addr->len};
    memcpy(socket->name.data, addr->data, addr->len);
}

/* Gives a socket that has no name one that the system makes up. */
static int take_made_up(struct tl_unix *socket)
{
    for (int tries = 0; tries <= MADE_UP_MAX; tries++) {
        tl_addr addr = make_up(socket->host);
        if (find_abstract(socket, &addr) != NULL)
            continue;
        set_name(socket, &addr);
        tl_list_push(&socket->host->unix_names, &socket->named);
        return 0;
    }
    return -ENOSPC;
}

static int take_abstract(struct tl_unix *socket, const tl_addr *addr)
{
    if (socket->bound)
        return -EINVAL;
    if (find_abstract(socket, addr) != NULL)
        return -EADDRINUSE;
    set_name(socket, addr);
    tl_list_push(&socket->host->unix_names, &socket->named);
    return 0;
}

/* --- Paths ------------------------------------------------------------------------------------ */

/* An address's path, as a string. */
struct path {
    char text[sizeof((tl_addr *)NULL)->data + 1];
};

static struct path path_of(const tl_addr *addr)
{
    struct path path = {{0}};
    memcpy(path.text, addr->data, addr->len);
    return path;
}

/* Makes the file. That somebody has the path is found out before that the socket has a name. */
static int take_path(struct tl_unix *socket, const tl_addr *addr)
{
    struct path path = path_of(addr);
    struct tl_file_place place;
    struct tl_file *file;
    int r = tl_file_walk(socket->host, path.text, &place);
    if (r < 0)
        return r;
    if (place.file != NULL || place.dots)
        return -EADDRINUSE;
    if (place.slash)
        return -ENOENT;
    if (socket->bound)
        return -EINVAL;
    r = tl_file_create(&place, TL_FILE_SOCKET, &file);
    if (r < 0)
        return r;
    file->socket = socket;
    socket->file = tl_file_ref(file);
    tl_addr named = {.family = TL_FAMILY_UNIX, .len = (uint8_t)strlen(path.text)};
    memcpy(named.data, path.text, named.len);
    set_name(socket, &named);
    return 0;
}

/* NULL for a file that is no socket, and for a socket that nobody has. */
static int find_path(const struct tl_unix *asker, const tl_addr *addr, struct tl_unix **ret)
{
    struct path path = path_of(addr);
    struct tl_file *file;
    int r = tl_file_find(asker->host, path.text, &file);
    if (r < 0)
        return r;
    *ret = file->socket;
    return *ret != NULL && (*ret)->datagrams != asker->datagrams ? -EPROTOTYPE : 0;
}

/* --- Both ------------------------------------------------------------------------------------- */

int tl_unix_name_take(struct tl_unix *socket, const tl_addr *addr)
{
    if (addr->family != TL_FAMILY_UNIX || addr->len > sizeof addr->data)
        return -EINVAL;
    if (addr->len == 0)
        return socket->bound ? 0 : take_made_up(socket);
    return is_abstract(addr) ? take_abstract(socket, addr) : take_path(socket, addr);
}

int tl_unix_name_find(const struct tl_unix *asker, const tl_addr *addr, struct tl_unix **ret)
{
    if (addr->family != TL_FAMILY_UNIX || addr->len == 0 || addr->len > sizeof addr->data)
        return -EINVAL;
    struct tl_unix *socket = NULL;
    int r = 0;
    if (is_abstract(addr))
        socket = find_abstract(asker, addr);
    else
        r = find_path(asker, addr, &socket);
    if (r < 0)
        return r;
    *ret = socket;
    return socket != NULL ? 0 : -ECONNREFUSED;
}

void tl_unix_name_leave(struct tl_unix *socket)
{
    tl_list_remove(&socket->named);
    if (socket->file == NULL)
        return;
    socket->file->socket = NULL;
    tl_file_unref(socket->file);
    socket->file = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a simulated process has descriptors for, and the table of their numbers.
 *
 * A descriptor is the head of every such object: it is in the table under its number, it belongs to
 * the kernel through which it was made, and it knows whether that kernel watches it. The lowest
 * free number from 3 on is given out next, as an operating system does.
 */
#ifndef TL_SIM_FD_H
#define TL_SIM_FD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <twinloop/alloc.h>
#include <twinloop/kernel.h>
#include "sim/list.h"

struct tl_sim_kernel;
struct tl_descriptor;

enum tl_ready_kind {
    TL_READY_DESCRIPTOR,
    TL_READY_POSTS,
    TL_READY_SIGNALS,
    TL_READY_WORK,
    TL_READY_NAMES,
};

/* Something that a poll may find ready. Queued while it may be: poll looks again. */
struct tl_ready_item {
    struct tl_list place; /* in its kernel's ready list */
    uint64_t id;          /* entity, for choices of order */
    uint32_t draws;       /* how often it was first in line for one */
    uint8_t kind;         /* enum tl_ready_kind */
    bool queued;          /* in the ready list, or in the hands of a poll */
    uint8_t wanted;       /* of a descriptor, TL_READABLE | TL_WRITABLE; 0: not watched */
};

/* Halves of a socket that are over. */
enum {
    TL_SHUT_READ = 1,
    TL_SHUT_WRITE = 2,
    TL_SHUT_BOTH = 3,
};

/* What a socket does besides; see kernel.h. */
struct tl_socket_ops {
    int (*bind)(struct tl_descriptor *descriptor, const tl_addr *addr);
    int (*listen)(struct tl_descriptor *descriptor, int backlog);
    /* The next connection, which is the caller's to give a descriptor. */
    int (*accept)(struct tl_descriptor *descriptor, struct tl_descriptor **ret, tl_addr *ret_peer);
    int (*connect)(struct tl_descriptor *descriptor, const tl_addr *addr);
    int (*shutdown)(struct tl_descriptor *descriptor, uint8_t halves); /* TL_SHUT_* */
    int (*option)(struct tl_descriptor *descriptor, enum tl_option option, const int *set,
                  int *ret);
    int (*address)(struct tl_descriptor *descriptor, enum tl_address_side side, tl_addr *ret);
};

struct tl_descriptor_ops {
    const struct tl_socket_ops *socket; /* NULL: it is no socket */
    bool always_ready;                  /* cannot be waited for: -EPERM */
    enum tl_adopted_kind (*kind)(const struct tl_descriptor *descriptor);
    /* TL_READABLE ... as they are now; TL_WRITABLE only where it is wanted. */
    uint32_t (*readiness)(const struct tl_descriptor *descriptor);
    ssize_t (*read)(struct tl_descriptor *descriptor, struct tl_message *messages, size_t count);
    /* *ret_content: hash of what was taken. */
    ssize_t (*write)(struct tl_descriptor *descriptor, struct tl_message *messages, size_t count,
                     uint64_t *ret_content);
    /* As write, of a file's bytes, the first of which is at such a place of its page. NULL: to this
     * descriptor they are bytes as any others. */
    ssize_t (*write_pages)(struct tl_descriptor *descriptor, const struct iovec *bytes,
                           size_t place, uint64_t *ret_content);
    /* The last descriptor is gone: the object is the world's alone. */
    void (*close)(struct tl_descriptor *descriptor);
    /* For people: "stream 10.0.0.1:80 - 10.0.0.2:32768, established". */
    void (*describe)(const struct tl_descriptor *descriptor, char *text, size_t size);
};

struct tl_descriptor {
    struct tl_ready_item item;
    const struct tl_descriptor_ops *ops;
    struct tl_sim_kernel *kernel; /* NULL: no kernel of its process has it */
    void *token;                  /* watch's */
    int fd;                       /* -1: nobody has a descriptor for it */
    uint32_t ordinal;             /* among the objects of its process, from 1 */
};

struct tl_fds {
    struct tl_descriptor **slots;
    uint64_t *used; /* a bit for each slot */
    unsigned capacity;
    unsigned limit;
    unsigned lowest; /* no word of used below this one has a free bit */
};

void tl_fds_init(struct tl_fds *fds, unsigned limit);
void tl_fds_finish(struct tl_fds *fds, const tl_allocator *allocator);

/* Finds the next number and makes room for it, without taking it. -EMFILE, -ENOMEM. */
int tl_fds_next(struct tl_fds *fds, const tl_allocator *allocator);

/* Gives the number, which tl_fds_next just found, to an object. */
void tl_fds_take(struct tl_fds *fds, int fd, struct tl_descriptor *descriptor);

void tl_fds_give_back(struct tl_fds *fds, int fd);

/* The lowest number in use that is not below fd; -1: there is none. */
int tl_fds_first(const struct tl_fds *fds, int fd);

/* The object with this number, or NULL. */
static inline struct tl_descriptor *tl_fds_get(const struct tl_fds *fds, int fd)
{
    return fd >= 0 && (unsigned)fd < fds->capacity ? fds->slots[fd] : NULL;
}

#endif

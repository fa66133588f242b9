/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every kind of transport has in common: a counted object with a protocol, a phase and a table
 * of what its kind can do. The public functions of twinloop/transport.h check their arguments and
 * go through that table.
 */
#ifndef TL_CORE_TRANSPORT_H
#define TL_CORE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/handle.h>
#include <twinloop/loop.h>
#include <twinloop/transport.h>
#include "core/flow.h"
#include "core/object.h"

/* Only ever forwards, one step or several at a time. */
enum tl_transport_phase {
    TL_TRANSPORT_OPEN,
    TL_TRANSPORT_FLUSHING, /* closed by the program; what is queued is still written out */
    TL_TRANSPORT_ENDING,   /* connection_lost is queued, or connection_made and then that */
    TL_TRANSPORT_ENDED,    /* connection_lost has been called, or the loop was closed */
};

/* The end of what the program writes. */
enum tl_transport_output {
    TL_OUTPUT_OPEN,
    TL_OUTPUT_EOF_QUEUED, /* write_eof was called; end-of-file follows what is queued */
    TL_OUTPUT_EOF_SENT,
};

struct tl_transport {
    tl_object object;
    tl_loop *loop;         /* a reference */
    tl_protocol *protocol; /* held; NULL once connection_lost has returned */
    int error;             /* what connection_lost is told; 0: nothing went wrong */
    enum tl_transport_phase phase : 8;
    enum tl_transport_output output : 7;
    bool sending_file : 1;   /* the watch is a sendfile's, see core/sendfile.c */
    bool traced : 1;         /* where it was made is behind it: see tl_transport_origin */
    bool made : 1;           /* connection_made has been called */
    bool reading_paused : 1; /* by the program */
    bool eof_received : 1;   /* there is nothing more to read */
    bool writing_paused : 1; /* pause_writing has been called last, not resume_writing */
    uint8_t ignored : 3;     /* writes that came too late, as far as TL_IGNORED_QUIETLY */
    uint8_t info;            /* the kind of its extra info: see core/extra_info.h */
};

/* asyncio: as many writes that come too late are a race with the peer, and more are a program that
 * does not look. */
enum { TL_IGNORED_QUIETLY = 4 };

/* A kind of transport. A NULL member is something this kind cannot do: -EOPNOTSUPP. Every kind has
 * those up to extra_info, and write. */
struct tl_transport_type {
    struct tl_object_type object;
    size_t size; /* of the whole object, which begins with the transport */
    bool (*accepts)(const tl_protocol *protocol); /* for set_protocol */
    void (*close)(tl_transport *transport);
    void (*abort)(tl_transport *transport);
    const tl_value *(*extra_info)(tl_transport *transport, const char *name); /* NULL: unknown */
    int (*pause_reading)(tl_transport *transport);
    int (*resume_reading)(tl_transport *transport);
    int (*write)(tl_transport *transport, const void *data, size_t len);
    int (*writelines)(tl_transport *transport, const tl_buf *bufs, size_t count);
    int (*write_eof)(tl_transport *transport);
    struct tl_flow *(*flow)(tl_transport *transport);
    bool sends_files; /* it is a struct tl_stream on a socket */
};

/* A new transport of a kind, of which nothing else is set; origin is where the program asked for it
 * (a copy is kept), or NULL. NULL when memory is out. */
tl_transport *tl_transport_alloc(const struct tl_transport_type *type, tl_loop *loop,
                                 const tl_traceback *origin);

/* Where the program asked for it, or for the server that accepted it; NULL: nobody noted that. */
const tl_traceback *tl_transport_origin(const tl_transport *transport);

/* Something is written to a transport that is closing: it is counted, and from the fifth on logged
 * as a warning. */
void tl_transport_ignore_write(tl_transport *transport, const char *warning);

static inline const struct tl_transport_type *tl_transport_type(const tl_transport *transport)
{
    return (const struct tl_transport_type *)transport->object.type;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports: a connected stream socket of the loop's kernel, or an end of a pipe. Made by
 * servers, by attempts to connect and by connect_read_pipe and its like; everything else reaches
 * them through twinloop/transport.h.
 */
#ifndef TL_CORE_STREAM_H
#define TL_CORE_STREAM_H

#include "core/loop.h"
#include "core/transport_life.h"
#include "core/write_queue.h"

struct tl_stream;

/* Who made a stream and wants to know of its fate; embedded in a server or connection attempt. */
struct tl_stream_owner {
    /* connection_made has been called, the reader registered. NULL: of no interest. May let the
     * stream go by setting its owner to NULL. */
    void (*made)(struct tl_stream_owner *owner, struct tl_stream *stream);

    /* connection_lost has been called and the descriptor closed; or the loop was closed
     * (abandoned), and nothing was called. The stream's last word to its owner. */
    void (*lost)(struct tl_stream_owner *owner, bool abandoned);

    const tl_traceback *origin; /* in debug mode, where the stream was asked for; or NULL */
};

struct tl_stream {
    tl_transport transport;
    struct tl_live live;
    struct tl_watch watch;         /* its place also carries connection_made and connection_lost */
    struct tl_stream_owner *owner; /* outlives the stream's last word; or NULL */
    struct tl_write_queue queue;   /* flow.size bytes */
    struct tl_flow flow;
    union tl_extra_info info; /* transport.info tells of what kind */
};

/* A kind of stream: what sockets and pipes do differently. */
struct tl_stream_type {
    struct tl_transport_type transport;
    const char
        *late;      /* the warning about writes that come too late; NULL for what writes nothing */
    bool has_names; /* of sockets, to be known also after the descriptor is closed */
    bool watches;   /* wants to know from connection_made on when it is readable */
    tl_callback ready; /* the watch's; its argument is the stream */
    /* A read gave 0, the end, or an error other than -EAGAIN; NULL for what is not read from. */
    void (*read_nothing)(struct tl_stream *stream, int result);
};

static inline const struct tl_stream_type *tl_stream_type(const struct tl_stream *stream)
{
    return tl_container_of(tl_transport_type(&stream->transport), const struct tl_stream_type,
                           transport);
}

/* Sockets. */
extern const struct tl_stream_type tl_stream_socket_type;

/* The figure to watch: what an idle connection costs. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct tl_stream) <= 152,
               "a connection is one small allocation");

static inline struct tl_stream *tl_stream_of(tl_transport *transport)
{
    return tl_container_of(transport, struct tl_stream, transport);
}

/* A transport of this type on fd, with a protocol made by factory(farg); queues
 * connection_made. Takes fd when it succeeds. peer and owner may be NULL; *ret is borrowed from the
 * loop. 0; -ENOMEM, also when the factory returned NULL; -EINVAL when its protocol cannot read a
 * stream. */
int tl_stream_open_as(const struct tl_stream_type *type, tl_loop *loop, int fd,
                      tl_protocol_factory factory, void *farg, const tl_addr *peer,
                      struct tl_stream_owner *owner, struct tl_stream **ret);

/* The same on a connected socket. */
static inline int tl_stream_open(tl_loop *loop, int fd, tl_protocol_factory factory, void *farg,
                                 const tl_addr *peer, struct tl_stream_owner *owner,
                                 struct tl_stream **ret)
{
    return tl_stream_open_as(&tl_stream_socket_type, loop, fd, factory, farg, peer, owner, ret);
}

/* Calls act with every stream of the loop that has this owner; act calls no user code. */
void tl_stream_each(tl_loop *loop, const struct tl_stream_owner *owner,
                    void (*act)(tl_transport *transport));

/* Before the loop is closed: nothing can be done with its streams any more, and the names of those
 * that somebody holds are asked for, so that they are known afterwards. */
void tl_streams_closing(tl_loop *loop);

/* The transport whose place among the loop's live objects this is, or NULL. */
tl_transport *tl_stream_living(struct tl_live *live);

/* --- Between stream.c, stream_read.c, stream_write.c and pipe.c --- */

/* Members of a type's table, and the callback of those that read. */
void tl_stream_ready(void *stream);
void tl_stream_read_nothing(struct tl_stream *stream, int result);
void tl_stream_close(tl_transport *transport);
void tl_stream_abort(tl_transport *transport);
int tl_stream_pause_reading(tl_transport *transport);
int tl_stream_resume_reading(tl_transport *transport);
struct tl_flow *tl_stream_flow(tl_transport *transport);
void tl_stream_destroy(tl_object *object);

/* The connection is of no use any more: drops what is queued and queues connection_lost(error). A
 * no-op when that has happened already. */
void tl_stream_end(struct tl_stream *stream, int error);

/* A sendfile is over: reads again, if that is wanted, and sends the end-of-file that was held back.
 */
void tl_stream_go_on(struct tl_stream *stream);
void tl_stream_send_eof(struct tl_stream *stream);

/* Calls connection_lost, closes the descriptor and lets go of everything. From the loop; the stream
 * may be freed memory afterwards. */
void tl_stream_finish(struct tl_stream *stream);

/* Writes what is queued, as much as the kernel takes. From the loop; the stream may be freed memory
 * afterwards. */
void tl_stream_writable(struct tl_stream *stream);

int tl_stream_write(tl_transport *transport, const void *data, size_t len);
int tl_stream_writelines(tl_transport *transport, const tl_buf *bufs, size_t count);
int tl_stream_write_eof(tl_transport *transport);

#endif

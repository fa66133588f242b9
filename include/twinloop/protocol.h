/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols: what a program does with a connection (Python's "Transports and Protocols" page).
 *
 * A protocol is the user's memory: a struct of the user's with a tl_protocol in it, made by a
 * factory when a connection exists. The library calls its ops, from the loop and one at a time, in
 * this order: connection_made, any number of data_received, at most one eof_received,
 * connection_lost. pause_writing and resume_writing come in between, strictly alternating. After
 * connection_lost, once no result of the library refers to the protocol, release: the one place to
 * free it.
 *
 * pause_writing and error_received alone may be called inside the user's own call: the one in a
 * write, sendto or set_write_buffer_limits, the other in a sendto. They may call the transport
 * again, and if a task made the call they may await in it.
 *
 * An op that returns an int may return a negative error. It is reported to the loop's exception
 * handler; from data_received, buffer_updated, get_buffer and eof_received it also ends the
 * connection, with connection_lost being told. Every op but get_buffer and buffer_updated of a
 * buffered protocol may be NULL.
 */
#ifndef TWINLOOP_PROTOCOL_H
#define TWINLOOP_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <twinloop/error.h>

typedef struct tl_protocol tl_protocol;
typedef struct tl_transport tl_transport;
struct tl_addr;

enum tl_protocol_kind {
    TL_PROTOCOL_STREAM,     /* data_received */
    TL_PROTOCOL_BUFFERED,   /* get_buffer, buffer_updated */
    TL_PROTOCOL_DATAGRAM,   /* datagram_received, error_received */
    TL_PROTOCOL_SUBPROCESS, /* pipe_data_received, pipe_connection_lost, process_exited */
};

struct tl_protocol_ops {
    enum tl_protocol_kind kind;

    /* Row BaseProtocol.connection_made. First and once. The transport may be written to, closed or
     * paused here. Borrowed until connection_lost has returned; who keeps it longer takes a
     * reference. An error is reported, the connection stays open. */
    int (*connection_made)(tl_protocol *protocol, tl_transport *transport);

    /* Row BaseProtocol.connection_lost. Last and once. exc is NULL after an end that was asked for
     * (close, abort, the peer's EOF); otherwise says why, and is valid for the call. */
    void (*connection_lost)(tl_protocol *protocol, const tl_error *exc);

    /* Rows BaseProtocol.pause_writing, resume_writing. The transport's buffer has grown above its
     * high, has shrunk to its low water mark. What resume_writing writes comes before the end that
     * a close or write_eof waits to bring about; after an abort or an error it is not called. An
     * error is reported and changes nothing. */
    int (*pause_writing)(tl_protocol *protocol);
    int (*resume_writing)(tl_protocol *protocol);

    /* Row Protocol.data_received. len > 0 bytes, at most 256 KiB, valid for the call, in order, cut
     * anywhere. Never after a close, nor while reading is paused. */
    int (*data_received)(tl_protocol *protocol, const void *data, size_t len);

    /* Rows Protocol.eof_received, BufferedProtocol.eof_received. The peer will send no more; once,
     * after all data. 0 closes the transport once its buffer is flushed; 1 keeps it open for
     * writing, and it is the program's to close. NULL is 0. */
    int (*eof_received)(tl_protocol *protocol);

    /* Row BufferedProtocol.get_buffer. Sets *ret_buffer and *ret_len (> 0) to where the next bytes
     * go; hint is how many are wanted, or -1. Called before every read, which goes straight there;
     * nothing need follow: the read may find nothing, or the end. The memory must stay until
     * buffer_updated or the next get_buffer. */
    int (*get_buffer)(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len);

    /* Row BufferedProtocol.buffer_updated. len > 0 bytes were put at the start of the last buffer.
     */
    int (*buffer_updated)(tl_protocol *protocol, size_t len);

    /* Row DatagramProtocol.datagram_received. One datagram, whole, of 0 bytes or more, valid for
     * the call, as is from: NULL for a unix socket without a name. An error is reported, the
     * transport stays open. */
    int (*datagram_received)(tl_protocol *protocol, const void *data, size_t len,
                             const struct tl_addr *from);

    /* Row DatagramProtocol.error_received. What the kernel said against a datagram that was sent,
     * inside sendto or while the queue is flushed, or against receiving (-ECONNREFUSED; -EMSGSIZE
     * for one of more than 256 KiB, which is dropped: a unix socket's may be that long). The
     * transport stays open. */
    int (*error_received)(tl_protocol *protocol, const tl_error *exc);

    /* Rows SubprocessProtocol.pipe_data_received, pipe_connection_lost, process_exited. */
    int (*pipe_data_received)(tl_protocol *protocol, int fd, const void *data, size_t len);
    int (*pipe_connection_lost)(tl_protocol *protocol, int fd, const tl_error *exc);
    int (*process_exited)(tl_protocol *protocol);

    /* Nothing refers to the protocol any more: free it, or do nothing if it is embedded elsewhere.
     * Called exactly once for a protocol that was given to the library. */
    void (*release)(tl_protocol *protocol);
};

/* Embedded in the user's struct; set with TL_PROTOCOL_INIT or by assigning ops and zeroing the
 * rest. */
struct tl_protocol {
    const struct tl_protocol_ops *ops;
    uint32_t holds; /* the library's: how many transports and results refer to it */
};

#define TL_PROTOCOL_INIT(table) ((tl_protocol){.ops = (table), .holds = 0})

/* The user's struct around an embedded member. */
#define tl_container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Makes a protocol for one connection; NULL when it cannot. Called from the loop; for a datagram
 * endpoint inside the call that makes it. */
typedef tl_protocol *(*tl_protocol_factory)(void *farg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a transport's life that are the same for streams and datagrams. stream.c draws the
 * phases; each kind adds to a step what it has of its own: queues, owners, files that it sends.
 *
 * A kind embeds a transport, a watch on its descriptor, its extra information and its place among
 * the loop's live objects. connection_made and connection_lost have no place of their own in the
 * ready queue: each borrows the watch's, of which nothing is wanted before the former nor after the
 * latter is due.
 */
#ifndef TL_CORE_TRANSPORT_LIFE_H
#define TL_CORE_TRANSPORT_LIFE_H

#include <twinloop/protocol.h>
#include "core/extra_info.h"
#include "core/loop.h"
#include "core/transport.h"
#include "core/watch.h"

/* A protocol made by factory(farg), held. 0; -ENOMEM, when the factory returned NULL; -EINVAL when
 * it is none for this kind. */
int tl_transport_protocol(const struct tl_transport_type *type, tl_protocol_factory factory,
                          void *farg, tl_protocol **ret);

/* Calls connection_made, from the place that is ready's from then on. Whether the transport had
 * been closed before: then connection_lost is next, and otherwise the reader. */
bool tl_transport_made(tl_transport *transport, struct tl_watch *watch, tl_callback ready);

/* Nothing is wanted any more, and lost, which calls connection_lost, is queued; or if
 * connection_made has not been called, that comes first and tl_transport_made says so. */
void tl_transport_ending(tl_transport *transport, struct tl_watch *watch, tl_callback lost);

/* Queues lost in the watch's place. */
void tl_transport_queue_lost(tl_transport *transport, struct tl_watch *watch, tl_callback lost);

/* Goes to ENDED and calls connection_lost. Nothing is queued to be written. */
void tl_transport_lost(tl_transport *transport);

/* The loop keeps the transport no more, but for its reference, nor the transport its protocol. */
void tl_transport_leave(tl_transport *transport, struct tl_live *live);

/* The transport's extra information of this name, from the kernel while the watch has a descriptor.
 */
const tl_value *tl_transport_name(tl_transport *transport, const struct tl_watch *watch,
                                  union tl_extra_info *info, const char *name);

/* Before the descriptor is closed: the names become known to whoever will still ask. */
void tl_transport_latch(tl_transport *transport, const struct tl_watch *watch,
                        union tl_extra_info *info);

/* Frees the transport, to which nobody has a reference. */
void tl_transport_free(tl_transport *transport, union tl_extra_info *info);

#endif

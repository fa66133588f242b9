/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every place where the simulator itself decides something.
 *
 * Names are for ever: scripts and reproducers refer to them. By default what any network does is
 * on (delay, cuts, order) and what a program must be written for is off (faults, and a send buffer
 * that is full), until a scenario gives it odds.
 */
#include <twinloop/world.h>

#include "sim/sites.h"

#define SITE(at, site_name, site_kind, site_odds, site_meaning)                                    \
    [at] = &(const tl_site)                                                                        \
    {                                                                                              \
        .name = site_name, .kind = site_kind, .odds = site_odds, .meaning = site_meaning           \
    }

const tl_site *const tl_sim_sites[TL_SIM_SITES_COUNT + 1] = {
    SITE(TL_AT_POLL_ORDER, "poll.order", TL_SITE_ORDER, 16384,
         "which of up to 8 ready descriptors a poll reports next; 0: the one that was ready first"),
    SITE(TL_AT_WORLD_ORDER, "world.order", TL_SITE_ORDER, 32768,
         "which of up to 8 processes that can go on does; 0: the one that could first"),
    SITE(TL_AT_WORLD_YIELD, "world.yield", TL_SITE_ORDER, 8192,
         "whether a process whose poll has something lets the others go first; 0: it goes on"),
    SITE(
        TL_AT_LISTEN_ORDER, "listen.order", TL_SITE_ORDER, 32768,
        "which of the sockets that share a port gets a connection; 0: the one that listened first"),
    SITE(TL_AT_WORK_ORDER, "work.order", TL_SITE_ORDER, 32768,
         "which of the finished jobs is reported next; 0: the one that finished first"),
    SITE(TL_AT_WORK_DURATION, "work.duration", TL_SITE_MAGNITUDE, 32768,
         "how much longer than 10 microseconds a job takes; 0: no longer, 1023: 0.4 s"),
    SITE(TL_AT_WORK_START, "work.start", TL_SITE_MAGNITUDE, 16384,
         "how long a free worker takes to begin a job; 0: no time, 1023: 0.4 s"),
    SITE(TL_AT_LINK_DELAY, "link.delay", TL_SITE_MAGNITUDE, 4096,
         "how much longer than the link's latency a segment takes; 0: no longer, 1023: 0.4 s"),
    SITE(TL_AT_STREAM_SEGMENT, "stream.segment", TL_SITE_SIZE, 8192,
         "how many bytes at the end of a segment come later than the rest; 0: none"),
    SITE(TL_AT_STREAM_READ, "stream.read", TL_SITE_SIZE, 4096,
         "how many bytes fewer than it could a read returns; 0: none"),
    SITE(TL_AT_STREAM_WRITE, "stream.write", TL_SITE_SIZE, 2048,
         "how many bytes fewer than it could a write takes; 0: none"),
    SITE(TL_AT_STREAM_RESET, "stream.reset", TL_SITE_FAULT, 0,
         "whether a segment is lost and its connection reset at both ends; 0: no"),
    SITE(TL_AT_ACCEPT_ABORTED, "accept.aborted", TL_SITE_FAULT, 0,
         "whether the connection about to be accepted is gone: ECONNABORTED; 0: no"),
    SITE(TL_AT_SOCKET_EMFILE, "socket.emfile", TL_SITE_FAULT, 0,
         "whether a new descriptor is refused: EMFILE; 0: no"),
    SITE(TL_AT_CONNECT_TIMEOUT, "connect.timeout", TL_SITE_FAULT, 0,
         "whether nobody answers a connect: ETIMEDOUT after 127 s; 0: no"),
    SITE(TL_AT_SIGNAL_APART, "signal.apart", TL_SITE_ORDER, 16384,
         "whether a process has handled a pending signal when the same comes again; 0: not yet"),
    SITE(TL_AT_RESOLVE_DELAY, "resolve.delay", TL_SITE_MAGNITUDE, 16384,
         "how much longer than a millisecond looking up a name takes; 0: no longer, 1023: 0.4 s"),
    SITE(TL_AT_RESOLVE_ORDER, "resolve.order", TL_SITE_ORDER, 16384,
         "by how many places the addresses of a name are rotated; 0: none"),
    SITE(TL_AT_RESOLVE_FAILED, "resolve.failed", TL_SITE_FAULT, 0,
         "whether a name is not found; 0: it is, 1: EAI_AGAIN after 10 s, 2: EAI_NONAME"),
    SITE(TL_AT_DATAGRAM_DELAY, "datagram.delay", TL_SITE_MAGNITUDE, 4096,
         "how much longer than the link's latency a datagram between two hosts takes, which others "
         "may overtake meanwhile; 0: no longer, 1023: 0.4 s"),
    SITE(TL_AT_DATAGRAM_SHARE, "datagram.share", TL_SITE_ORDER, 32768,
         "which of the sockets that share a port gets what a socket sends there; 0: the one that "
         "was bound first"),
    SITE(TL_AT_DATAGRAM_LOSS, "datagram.loss", TL_SITE_FAULT, 0,
         "whether a datagram between two hosts is lost; 0: no"),
    SITE(TL_AT_DATAGRAM_DUPLICATE, "datagram.duplicate", TL_SITE_FAULT, 0,
         "whether a datagram between two hosts arrives twice; 0: no"),
    SITE(TL_AT_DATAGRAM_BUSY, "datagram.busy", TL_SITE_MAGNITUDE, 0,
         "for how long after a datagram was sent the send buffer is full: EAGAIN; 0: it is not, "
         "1023: 0.4 s"),
    SITE(TL_AT_DISK_FULL, "disk.full", TL_SITE_FAULT, 0,
         "whether there is no room for a write that makes a file longer: ENOSPC; 0: there is"),
};

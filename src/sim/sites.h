/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites of the simulator by number, for its own files: tl_sim_sites[TL_AT_POLL_ORDER].
 */
#ifndef TL_SIM_SITES_H
#define TL_SIM_SITES_H

#include <twinloop/value.h>

enum tl_sim_site {
    TL_AT_POLL_ORDER,
    TL_AT_WORLD_ORDER,
    TL_AT_WORLD_YIELD,
    TL_AT_LISTEN_ORDER,
    TL_AT_WORK_ORDER,
    TL_AT_WORK_DURATION,
    TL_AT_WORK_START,
    TL_AT_LINK_DELAY,
    TL_AT_STREAM_SEGMENT,
    TL_AT_STREAM_READ,
    TL_AT_STREAM_WRITE,
    TL_AT_STREAM_RESET,
    TL_AT_ACCEPT_ABORTED,
    TL_AT_SOCKET_EMFILE,
    TL_AT_CONNECT_TIMEOUT,
    TL_AT_SIGNAL_APART,
    TL_AT_RESOLVE_DELAY,
    TL_AT_RESOLVE_ORDER,
    TL_AT_RESOLVE_FAILED,
    TL_AT_DATAGRAM_DELAY,
    TL_AT_DATAGRAM_SHARE,
    TL_AT_DATAGRAM_LOSS,
    TL_AT_DATAGRAM_DUPLICATE,
    TL_AT_DATAGRAM_BUSY,
    TL_AT_DISK_FULL,
    TL_SIM_SITES_COUNT,
};

/* How many answers a MAGNITUDE site has. */
#define TL_MAGNITUDES 1024

/* The time that an answer of a MAGNITUDE site adds: 0 for 0, then from 6.5 microseconds to 416
 * milliseconds in 16 octaves of 64 even steps. So every scale of time is as likely as any other. */
static inline tl_time tl_magnitude(uint32_t answer)
{
    return answer == 0 ? 0 : (tl_time)((64 + answer % 64) << answer / 64) * 100;
}

#endif

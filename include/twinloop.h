/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twinloop: asyncio's low-level API in C, on a real loop and on a simulated one.
 *
 * This header is what a program that serves or connects includes. Backend authors and testers also
 * want twinloop/kernel.h, real.h, sim.h, world.h, trace.h and explore.h.
 */
#ifndef TWINLOOP_H
#define TWINLOOP_H

#include <twinloop/alloc.h>
#include <twinloop/assert.h>
#include <twinloop/asyncgen.h>
#include <twinloop/child.h>
#include <twinloop/datagram.h>
#include <twinloop/error.h>
#include <twinloop/executor.h>
#include <twinloop/fd.h>
#include <twinloop/file.h>
#include <twinloop/future.h>
#include <twinloop/gather.h>
#include <twinloop/handle.h>
#include <twinloop/log.h>
#include <twinloop/loop.h>
#include <twinloop/net.h>
#include <twinloop/pipe.h>
#include <twinloop/policy.h>
#include <twinloop/protocol.h>
#include <twinloop/resolve.h>
#include <twinloop/sendfile.h>
#include <twinloop/sock.h>
#include <twinloop/task.h>
#include <twinloop/timer.h>
#include <twinloop/tls.h>
#include <twinloop/transport.h>
#include <twinloop/unix.h>
#include <twinloop/value.h>
#include <twinloop/version.h>

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core's own part of addresses: ports as text.
 */
#ifndef TL_CORE_NET_H
#define TL_CORE_NET_H

#include <twinloop/net.h>

/* A decimal port, digits only. 0, or -EINVAL (also for NULL) with *ret untouched. */
int tl_port_parse(const char *text, uint16_t *ret);

#endif

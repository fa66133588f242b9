/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default child watcher's place: each context has one (core/self.h), which child.c fills.
 */
#ifndef TL_CORE_CHILD_WATCHER_H
#define TL_CORE_CHILD_WATCHER_H

#include <twinloop/child.h>
#include "core/live.h"

struct tl_watched_child;

struct tl_default_watcher {
    tl_child_watcher base;
    struct tl_live live; /* in its loop's list */
    tl_loop *loop;       /* NULL: attached to none */
    struct tl_watched_child *children;
};

/* A watcher without loop and children; returns its base. */
tl_child_watcher *tl_default_watcher_init(struct tl_default_watcher *watcher);

#endif

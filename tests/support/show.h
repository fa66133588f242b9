/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scene in which the client sends a file, for the tests of sendfile.
 */
#ifndef TL_TESTS_SHOW_H
#define TL_TESTS_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include "support/files.h"
#include "support/patch.h"
#include "support/scene.h"

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

/* A connection whose client sends a file as soon as it is made. */
struct show {
    struct scene scene;
    int file;
    bool fallback;
    tl_future *future; /* of the sendfile; NULL: none was begun */
    bool done;
    int code; /* how it ended */
    int64_t sent;
    struct kernel_patch patch;
    int calls; /* of sendfile that the patch has seen */
    struct later later;
};

struct show *show_of(struct side *side);

void show_open(struct show *show, struct contract *contract);

/* With a file of this text; or one of LARGE bytes of the pattern, which the peer takes quietly. */
void show_open_text(struct show *show, struct contract *contract, const char *text);
void show_open_large(struct show *show, struct contract *contract);

/* From now on the system has no sendfile. */
void show_without_system(struct show *show);

/* Closes the file too, and expects no reports. */
void show_close(struct show *show);

/* Runs it with made as the client's connection_made, and closes it. */
void show_play(struct show *show, int (*made)(struct side *side));

/* Sends a part of the file; what it comes to is noted. */
void show_send(struct show *show, int64_t offset, int64_t count);

/* Sends all of it; for made. */
int hook_send_file(struct side *side);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a job for a kernel: on a worker's thread, or on the loop's own where jobs run inline.
 *
 * Either way the job begins as on a fresh thread: no loop runs there or is current, and what it
 * posts is known by the job's name and not by the thread's. Which worker got the job is chance and
 * its name would not tell jobs apart; the job's own is the same in every run, so a recording says
 * who posted, and a replay knows whom to run.
 */
#include <string.h>
#include <twinloop/kernel.h>

#include "core/self.h"

void tl_work_run(struct tl_work *work)
{
    struct tl_thread *self = tl_thread_self();
    struct tl_thread outside = *self;
    self->running = NULL;
    self->current = NULL;
    self->is_main = false;
    self->in_job = true;
    if (work->name[0] != '\0') {
        memcpy(self->name, work->name, sizeof self->name);
        self->posts = 0;
    }
    work->run(work);
    outside.spare_posts = self->spare_posts;
    outside.read_buffer = self->read_buffer;
    outside.last_error = self->last_error;
    *self = outside;
}

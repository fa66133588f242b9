/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: a kernel that passes each operation to another kernel, writes the answer down and
 * returns it.
 *
 * This file makes and destroys it. The operations are one short function each: record_loop.c and
 * record_data.c have what a loop does all the time, record_fds.c and record_process.c the rest. No
 * operation knows anything of the one before it, and none behaves differently because it is
 * recorded: when memory or the disk is out, recording ends and the program goes on.
 */
#include "trace/record.h"

#include <errno.h>
#include <string.h>
#include <twinloop/trace.h>

#include "core/alloc.h"
#include "core/self.h"

/* --- Writing events down --- */

void tl_recorder_put(struct tl_recorder *recorder, const struct tl_trace_event *event)
{
    struct tl_trace_out *out = &recorder->out;
    uint8_t *p = tl_trace_out_begin_blob(out, event->blob_len);

    if (p != NULL)
        tl_trace_out_end(out, tl_trace_put_event(p, event));
}

void tl_recorder_put_packed(struct tl_recorder *recorder, struct tl_trace_event *event)
{
    if (recorder->pack.failed) {
        tl_trace_out_fail(&recorder->out, -ENOMEM);
        return;
    }
    event->blob = recorder->pack.data;
    event->blob_len = recorder->pack.len;
    tl_recorder_put(recorder, event);
}

/* --- Making and destroying --- */

static void finish_tables(struct tl_recorder *recorder)
{
    tl_trace_objects_finish(&recorder->fds);
    tl_trace_objects_finish(&recorder->children);
    tl_trace_objects_finish(&recorder->requests);
    tl_trace_pack_finish(&recorder->pack);
}

static void record_destroy(struct tl_kernel *kernel)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_kernel *inner = recorder->inner;
    /* The writer, and its allocator with it, may end with this stream. */
    tl_allocator allocator = *tl_trace_writer_allocator(recorder->out.writer);

    tl_recorder_put(recorder, &(struct tl_trace_event){.kind = TL_TRACE_DESTROY});
    inner->ops->destroy(inner);
    finish_tables(recorder);
    tl_trace_out_finish(&recorder->out);
    tl_allocator_free(&allocator, recorder);
}

static const struct tl_kernel_ops record_ops = {
    .name = "record",
    .destroy = record_destroy,
    .now = tl_record_now,
    .wall = tl_record_wall,
    .entropy = tl_record_entropy,
    .watch = tl_record_watch,
    .poll = tl_record_poll,
    .post = tl_record_post,
    .socket = tl_record_socket,
    .bind = tl_record_bind,
    .listen = tl_record_listen,
    .accept = tl_record_accept,
    .connect = tl_record_connect,
    .shutdown = tl_record_shutdown,
    .option = tl_record_option,
    .address = tl_record_address,
    .pipe = tl_record_pipe,
    .close = tl_record_close,
    .read = tl_record_read,
    .write = tl_record_write,
    .sendfile = tl_record_sendfile,
    .open = tl_record_open,
    .pread = tl_record_pread,
    .pwrite = tl_record_pwrite,
    .stat = tl_record_stat,
    .unlink = tl_record_unlink,
    .rename = tl_record_rename,
    .fsync = tl_record_fsync,
    .adopt = tl_record_adopt,
    .release = tl_record_release,
    .spawn = tl_record_spawn,
    .kill = tl_record_kill,
    .adopt_child = tl_record_adopt_child,
    .release_child = tl_record_release_child,
    .signal = tl_record_signal,
    .resolve = tl_record_resolve,
    .work = tl_record_work,
    .cancel = tl_record_cancel,
    .retire = tl_record_retire,
    .info = tl_record_info,
    .note = tl_record_note,
};

int tl_record_kernel_new(struct tl_kernel *inner, tl_trace_writer *writer, struct tl_kernel **ret)
{
    if (inner == NULL || writer == NULL || ret == NULL)
        return -EINVAL;
    const tl_allocator *allocator = tl_trace_writer_allocator(writer);
    struct tl_recorder *recorder = tl_allocator_calloc(allocator, sizeof *recorder);
    if (recorder == NULL)
        return -ENOMEM;
    recorder->kernel.ops = &record_ops;
    recorder->inner = inner;
    recorder->pid = -1;
    recorder->full_output = tl_trace_writer_full_output(writer);
    tl_trace_objects_init(&recorder->fds, allocator, false);
    tl_trace_objects_init(&recorder->children, allocator, true);
    tl_trace_objects_init(&recorder->requests, allocator, false);
    tl_trace_pack_init(&recorder->pack, allocator);

    (void)inner->ops->note(inner, TL_NOTE_RECORDING, NULL, 0);
    struct tl_trace_stream_facts facts = {
        .kernel = inner->ops->name,
        .thread = tl_thread_self()->name,
        .now = inner->ops->now(inner),
        .wall = inner->ops->wall(inner),
    };
    int r = tl_trace_out_init(&recorder->out, writer, &facts);
    if (r < 0) {
        finish_tables(recorder);
        tl_allocator_free(allocator, recorder);
        return r;
    }
    *ret = &recorder->kernel;
    return 0;
}

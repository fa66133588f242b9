/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of the tests of sendfile.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/show.h"

struct show *show_of(struct side *side)
{
    return tl_container_of(side->scene, struct show, scene);
}

void show_open(struct show *show, struct contract *contract)
{
    memset(show, 0, sizeof *show);
    scene_open(&show->scene, contract);
    show->fallback = true;
    show->scene.peer.hooks.eof = NULL;
}

void show_open_text(struct show *show, struct contract *contract, const char *text)
{
    show_open(show, contract);
    show->file = files_text(show->scene.loop, text);
}

void show_open_large(struct show *show, struct contract *contract)
{
    show_open(show, contract);
    show->file = files_pattern(show->scene.loop, LARGE);
    show->scene.peer.quiet = true;
}

void show_close(struct show *show)
{
    if (show->file > 0)
        assert_int_equal(tl_loop_close_file(show->scene.loop, show->file), 0);
    scene_close(&show->scene);
    assert_string_equal(show->scene.errors, "");
}

void show_play(struct show *show, int (*made)(struct side *side))
{
    show->scene.client.hooks.made = made;
    scene_play(&show->scene);
    show_close(show);
}

static void note_end(tl_future *future, void *arg)
{
    struct show *show = arg;
    tl_value value = tl_value_none();
    show->code = tl_future_result(future, &value);
    show->sent = show->code == 0 ? value.integer : -1;
    show->done = true;
    tl_future_unref(future);
    show->future = NULL;
}

void show_send(struct show *show, int64_t offset, int64_t count)
{
    tl_transport *transport = show->scene.client.transport;
    show->future =
        tl_loop_sendfile(show->scene.loop, transport, show->file, offset, count, show->fallback);
    assert_non_null(show->future);
    assert_int_equal(tl_future_add_done_callback(show->future, note_end, show), 0);
}

static ssize_t show_no_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                                size_t count, struct tl_witness *witness)
{
    (void)fd, (void)file, (void)offset, (void)count, (void)witness;
    tl_container_of(kernel_patch(kernel), struct show, patch)->calls++;
    return -EINVAL;
}

void show_without_system(struct show *show)
{
    kernel_patch_apply(&show->patch, tl_loop_kernel(show->scene.loop));
    show->patch.ops.sendfile = show_no_sendfile;
}

int hook_send_file(struct side *side)
{
    show_send(show_of(side), 0, -1);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, flow: water marks, a kernel that takes little at a time, and how few questions
 * the kernel is asked when all goes well.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

/* --- A kernel that takes little --- */

/* Every other write finds no room or takes nothing; the rest take a few bytes of the first. */
struct dribble {
    struct kernel_patch patch;
    int writes;
    int shutdowns;
};

static ssize_t dribble_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                             size_t count)
{
    struct dribble *dribble = tl_container_of(kernel_patch(kernel), struct dribble, patch);
    if (dribble->writes++ % 2 == 0)
        return dribble->writes % 4 == 1 ? -EAGAIN : 0;
    struct iovec iov = messages[0].iov[0];
    if (iov.iov_len > 7)
        iov.iov_len = 7;
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    return dribble->patch.inner->write(kernel, fd, &message, count);
}

static int dribble_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    struct dribble *dribble = tl_container_of(kernel_patch(kernel), struct dribble, patch);
    dribble->shutdowns++;
    return dribble->patch.inner->shutdown(kernel, fd, how);
}

/* One to three bytes more each time, so that pieces are left in every possible state. */
static int write_in_dribbles(struct side *side)
{
    char pattern[2000];
    size_t at = 0;
    int r = 0;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = pattern_byte(i);
    for (size_t len = 1; at + 3 * len < sizeof pattern && r == 0; len++) {
        const tl_buf bufs[] = {{pattern + at, len}, {pattern + at + len, 2 * len}};
        r = (len + (size_t)side->count) % 2 == 0
                ? tl_transport_write(side->transport, pattern + at, 3 * len)
                : tl_transport_writelines(side->transport, bufs, 2);
        at += 3 * len;
    }
    side->total = at;
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

static void dribbles_arrive_whole(struct contract *contract)
{
    struct scene scene;
    struct dribble dribble = {.writes = 0};
    for (int first = 0; first < 4; first++) {
        scene_open(&scene, contract);
        kernel_patch_apply(&dribble.patch, tl_loop_kernel(scene.loop));
        dribble.patch.ops.write = dribble_write;
        dribble.patch.ops.shutdown = dribble_shutdown;
        /* The first write is short, or finds no room at all; it is of one piece, or of two. */
        dribble.writes = first % 2;
        scene.client.count = first / 2;
        dribble.shutdowns = 0;
        scene.client.hooks.made = write_in_dribbles;
        scene.peer.quiet = true;
        scene_play(&scene);
        scene_close(&scene);
        assert_log(&scene.client, "made eof lost released");
        assert_log(&scene.peer, "made eof lost released");
        assert_int_equal(scene.peer.received, scene.client.total);
        assert_int_equal(scene.peer.wrong, 0);
        assert_int_equal(dribble.shutdowns, 1);
    }
}

static int small_marks_and_write(struct side *side)
{
    int r = tl_transport_set_write_buffer_limits(side->transport, 10, 0);
    return r < 0 ? r : tl_transport_write(side->transport, "a sentence longer than that", 27);
}

/* write_eof inside the very flush that empties the queue: the end is sent once. */
static void eof_in_the_last_resume(struct contract *contract)
{
    struct scene scene;
    struct dribble dribble = {.writes = 1};
    scene_open(&scene, contract);
    kernel_patch_apply(&dribble.patch, tl_loop_kernel(scene.loop));
    dribble.patch.ops.write = dribble_write;
    dribble.patch.ops.shutdown = dribble_shutdown;
    scene.client.hooks = (struct hooks){.made = small_marks_and_write, .resume = hook_write_eof};
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause resume 0 eof lost released");
    assert_log(&scene.peer, "made data(a sentence longer than that) eof lost released");
    assert_int_equal(dribble.shutdowns, 1);
}

/* --- Water marks --- */

static void log_limits(struct side *side, int r)
{
    size_t low;
    size_t high;
    tl_transport_get_write_buffer_limits(side->transport, &low, &high);
    side_log(side, "%s:%zu-%zu", tl_err_name(r), low, high);
}

static int set_limits(struct side *side)
{
    static const struct {
        ssize_t high;
        ssize_t low;
    } rows[] = {
        {100, 50},      {TL_UNSET, 1000},     {1000, TL_UNSET},       {0, TL_UNSET},
        {10, 11},       {-1, TL_UNSET},       {TL_UNSET, -1},         {TL_UNSET, SSIZE_MAX},
        {SSIZE_MAX, 0}, {TL_UNSET, TL_UNSET}, {TL_UNSET, -SSIZE_MAX}, {-SSIZE_MAX, TL_UNSET},
    };
    log_limits(side, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        log_limits(
            side, tl_transport_set_write_buffer_limits(side->transport, rows[i].high, rows[i].low));
    tl_transport_close(side->transport);
    side_log(side, "%s", tl_err_name(tl_transport_set_write_buffer_limits(side->transport, 1, 1)));
    return 0;
}

static void water_marks(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = set_limits;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client,
               "made OK:16384-65536 OK:50-100 OK:1000-4000 OK:250-1000 OK:0-0 EINVAL:0-0 "
               "EINVAL:0-0 EINVAL:0-0 OK:9223372036854775807-9223372036854775807 "
               "OK:0-9223372036854775807 OK:16384-65536 EINVAL:16384-65536 EINVAL:16384-65536 "
               "TL_ECLOSED lost released");
}

static int move_marks_over_a_queue(struct side *side)
{
    int r = tl_transport_set_write_buffer_limits(side->transport, SSIZE_MAX, TL_UNSET);
    if (r == 0)
        r = hook_send_at_once(side);
    side_log(side, "lower");
    if (r == 0)
        r = tl_transport_set_write_buffer_limits(side->transport, 10, TL_UNSET);
    side_log(side, "raise");
    if (r == 0)
        r = tl_transport_set_write_buffer_limits(side->transport, SSIZE_MAX, TL_UNSET);
    side_log(side, "close");
    tl_transport_close(side->transport);
    return r;
}

/* asyncio: lowering the marks may pause, raising them does not resume. */
static void moving_the_marks(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = move_marks_over_a_queue;
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made lower pause raise close resume lost released");
    assert_int_equal(scene.peer.received, LARGE);
}

static int write_more_and_log(struct side *side)
{
    side->count++;
    side_log(side, "%s", tl_err_name(tl_transport_write(side->transport, "more", 4)));
    return 0;
}

/* A write inside pause_writing joins the queue and pauses no second time; one inside
 * resume_writing is sent. */
static void writing_in_pause_and_resume(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){
        .made = hook_send_at_once, .pause = write_more_and_log, .resume = hook_write_eof};
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause OK resume 0 eof lost released");
    assert_int_equal(scene.peer.received, LARGE + 4);
}

/* --- Economy --- */

struct counted {
    struct kernel_patch patch;
    size_t reads;
    size_t writes;
    size_t watches;
};

static struct counted *counted_of(struct tl_kernel *kernel)
{
    return tl_container_of(kernel_patch(kernel), struct counted, patch);
}

static ssize_t counted_read(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                            size_t count)
{
    counted_of(kernel)->reads++;
    return counted_of(kernel)->patch.inner->read(kernel, fd, messages, count);
}

static ssize_t counted_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                             size_t count)
{
    counted_of(kernel)->writes++;
    return counted_of(kernel)->patch.inner->write(kernel, fd, messages, count);
}

static int counted_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    counted_of(kernel)->watches++;
    return counted_of(kernel)->patch.inner->watch(kernel, fd, events, token);
}

enum { ROUNDS = 50 };

static int bounce(struct side *side, const char *data, size_t len)
{
    struct counted *counted = side->user;
    if (++side->count == 1)
        *counted = (struct counted){.patch = counted->patch};
    if (side->count == ROUNDS) {
        side_log(side, "%zu %zu %zu", counted->reads, counted->writes, counted->watches);
        tl_transport_close(side->transport);
        return 0;
    }
    return tl_transport_write(side->transport, data, len);
}

/* Per message one read and one write, and not one change of what is watched. */
static void nothing_is_asked_twice(struct contract *contract)
{
    struct scene scene;
    struct counted counted = {.reads = 0};
    scene_open(&scene, contract);
    kernel_patch_apply(&counted.patch, tl_loop_kernel(scene.loop));
    counted.patch.ops.read = counted_read;
    counted.patch.ops.write = counted_write;
    counted.patch.ops.watch = counted_watch;
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .data = bounce};
    scene.client.quiet = true;
    scene.client.user = &counted;
    scene.peer.hooks.data = hook_echo;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made 98 98 0 lost released");
}

static int count_reads(struct side *side, const char *data, size_t len)
{
    struct counted *counted = side->user;
    (void)data;
    (void)len;
    side->count++;
    if (counted->reads > side->sent)
        side->sent = counted->reads;
    return 0;
}

static int reset_reads(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events,
                       int count)
{
    counted_of(kernel)->reads = 0;
    return counted_of(kernel)->patch.inner->poll(kernel, timeout, events, count);
}

/* A full buffer is followed by another read, at most three times. */
static void full_buffers_are_read_on(struct contract *contract)
{
    struct scene scene;
    struct counted counted = {.reads = 0};
    scene_open(&scene, contract);
    kernel_patch_apply(&counted.patch, tl_loop_kernel(scene.loop));
    counted.patch.ops.read = counted_read;
    counted.patch.ops.poll = reset_reads;
    scene.client.hooks = (struct hooks){.made = hook_send_and_close, .resume = hook_send_and_close};
    scene.client.quiet = true;
    scene.client.total = LARGE;
    scene.peer.hooks.data = count_reads;
    scene.peer.quiet = true;
    scene.peer.user = &counted;
    scene_play(&scene);
    scene_close(&scene);
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.sent, 4);
}

/* What the last write of a scene looked like. */
struct gathered {
    struct kernel_patch patch;
    size_t writes;
    size_t pieces;
    size_t len;
    size_t take; /* bytes that the next write may take at most */
};

static ssize_t gathered_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                              size_t count)
{
    struct gathered *gathered = tl_container_of(kernel_patch(kernel), struct gathered, patch);
    gathered->writes++;
    gathered->pieces = messages[0].iov_count;
    gathered->len = 0;
    for (size_t i = 0; i < messages[0].iov_count; i++)
        gathered->len += messages[0].iov[i].iov_len;
    if (gathered->take == 0)
        return -EAGAIN;
    struct iovec iov = messages[0].iov[0];
    struct tl_message first = {.iov = &iov, .iov_count = 1};
    if (gathered->take >= gathered->len)
        return gathered->patch.inner->write(kernel, fd, messages, count);
    iov.iov_len = gathered->take < iov.iov_len ? gathered->take : iov.iov_len;
    return gathered->patch.inner->write(kernel, fd, &first, count);
}

static const tl_buf five_pieces[] = {{"ab", 2}, {"", 0}, {"cde", 3}, {NULL, 0}, {"fghij", 5}};

static int write_five_pieces(struct side *side)
{
    struct gathered *gathered = side->user;
    (void)tl_transport_set_write_buffer_limits(side->transport, 8, 0);
    side_log(side, "%d", tl_transport_writelines(side->transport, five_pieces, 5));
    side_log(side, "%zu:%zu:%zu", gathered->writes, gathered->pieces, gathered->len);
    side_log(side, "%zu", tl_transport_get_write_buffer_size(side->transport));
    gathered->take = SIZE_MAX;
    tl_transport_close(side->transport);
    return 0;
}

/* Takes so many bytes of them. What the client has logged then; "" when the peer got them all. */
static void play_five_pieces(struct contract *contract, size_t take, const char *expected)
{
    struct scene scene;
    struct gathered gathered = {.take = take};
    scene_open(&scene, contract);
    kernel_patch_apply(&gathered.patch, tl_loop_kernel(scene.loop));
    gathered.patch.ops.write = gathered_write;
    scene.client.hooks.made = write_five_pieces;
    scene.client.user = &gathered;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, expected);
    assert_log(&scene.peer, "made data(abcdefghij) eof lost released");
}

/* One call of the kernel for all pieces that have bytes, and one evaluation of the water mark. */
static void writelines_is_one_gathered_write(struct contract *contract)
{
    play_five_pieces(contract, SIZE_MAX, "made 0 1:3:10 0 lost released");
    play_five_pieces(contract, 0, "made pause 0 1:3:10 10 resume lost released");
    play_five_pieces(contract, 1, "made pause 0 1:3:10 9 resume lost released");
    play_five_pieces(contract, 2, "made 0 1:3:10 8 lost released");
}

/* The first write meets a full kernel; then the pieces go into the queue without asking it. */
static int write_five_behind(struct side *side)
{
    struct gathered *gathered = side->user;
    (void)tl_transport_set_write_buffer_limits(side->transport, 8, 0);
    (void)tl_transport_write(side->transport, "-", 1);
    side_log(side, "%d", tl_transport_writelines(side->transport, five_pieces, 5));
    side_log(side, "%zu", gathered->writes);
    gathered->take = SIZE_MAX;
    tl_transport_close(side->transport);
    return 0;
}

static void writelines_joins_the_queue(struct contract *contract)
{
    struct scene scene;
    struct gathered gathered = {.take = 0};
    scene_open(&scene, contract);
    kernel_patch_apply(&gathered.patch, tl_loop_kernel(scene.loop));
    gathered.patch.ops.write = gathered_write;
    scene.client.hooks.made = write_five_behind;
    scene.client.user = &gathered;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause 0 1 resume lost released");
    assert_log(&scene.peer, "made data(-abcdefghij) eof lost released");
}

static const struct contract_case cases[] = {
    CONTRACT(dribbles_arrive_whole),
    CONTRACT(eof_in_the_last_resume),
    CONTRACT(water_marks),
    CONTRACT(moving_the_marks),
    CONTRACT(writing_in_pause_and_resume),
    CONTRACT(nothing_is_asked_twice),
    CONTRACT(full_buffers_are_read_on),
    CONTRACT(writelines_is_one_gathered_write),
    CONTRACT(writelines_joins_the_queue),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_flow", cases, sizeof cases / sizeof *cases);
}

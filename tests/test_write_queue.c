/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of bytes to be written, against a plain buffer that does the same; and what it does
 * when memory is out.
 */
#include "core/write_queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/ladder.h"

enum { MODEL_MAX = 1 << 20 };

/* What the queue should hold. */
struct model {
    struct tl_write_queue queue;
    size_t start;
    size_t end;
    unsigned char bytes[MODEL_MAX];
};

static void check(const struct model *model)
{
    struct iovec iov[64];
    size_t count = tl_write_queue_gather(&model->queue, iov, 64);
    size_t at = model->start;
    for (size_t i = 0; i < count; i++) {
        assert_true(iov[i].iov_len > 0 && iov[i].iov_len <= model->end - at);
        assert_memory_equal(iov[i].iov_base, model->bytes + at, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    assert_true(at == model->end || count == 64);
    /* Fewer iovecs give a shorter beginning of the same. */
    assert_int_equal(tl_write_queue_gather(&model->queue, iov, 1), count > 0);
}

static void append(struct model *model, size_t len)
{
    for (size_t i = 0; i < len; i++)
        model->bytes[model->end + i] = (unsigned char)((model->end + i) * 31 >> 3);
    assert_int_equal(tl_write_queue_append(&model->queue, model->bytes + model->end, len), 0);
    model->end += len;
}

static void consume(struct model *model, size_t len)
{
    tl_write_queue_consume(&model->queue, len);
    model->start += len;
}

static void holds_what_was_appended(void **state)
{
    static const size_t lengths[] = {1, 3999, 1, 4000, 4001, 10, 100000, 7, 8000, 2, 3990};
    struct model *model = calloc(1, sizeof *model);
    (void)state;
    check(model);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        append(model, lengths[i]);
        check(model);
    }
    while (model->start < model->end) {
        size_t left = model->end - model->start;
        consume(model, left < 1234 ? left : 1234);
        check(model);
    }
    assert_null(model->queue.tail);
    tl_write_queue_consume(&model->queue, 0);
    free(model);
}

static void random_walk(void **state)
{
    struct model *model = calloc(1, sizeof *model);
    uint32_t seed = 1;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t len = seed >> 20; /* below 4,096 */
        if ((seed & 1024) != 0 && model->end + len + 1 < MODEL_MAX) {
            append(model, len + 1);
        } else {
            size_t left = model->end - model->start;
            consume(model, len < left ? len : left);
        }
        check(model);
    }
    tl_write_queue_clear(&model->queue);
    assert_null(model->queue.tail);
    free(model);
}

/* Short writes share an allocation; an empty queue owns none. */
static void short_writes_share(void **state)
{
    struct ladder ladder;
    struct tl_write_queue queue = {NULL};
    (void)state;
    ladder_install(&ladder);
    for (int i = 0; i < 100; i++)
        assert_int_equal(tl_write_queue_append(&queue, "0123456789", 10), 0);
    assert_int_equal(ladder.live, 1);
    tl_write_queue_consume(&queue, 1000);
    assert_int_equal(ladder.live, 0);
    ladder_remove(&ladder);
}

static void a_failed_append_changes_nothing(void **state)
{
    static const unsigned char large[10000];
    struct ladder ladder;
    struct tl_write_queue queue = {NULL};
    struct iovec iov[4];
    (void)state;
    ladder_install(&ladder);
    ladder.rung = 2;
    ladder_arm(&ladder);
    assert_int_equal(tl_write_queue_append(&queue, "abc", 3), 0);
    assert_int_equal(tl_write_queue_append(&queue, large, sizeof large), -ENOMEM);
    assert_int_equal(tl_write_queue_gather(&queue, iov, 4), 1);
    assert_int_equal(iov[0].iov_len, 3);
    assert_memory_equal(iov[0].iov_base, "abc", 3);
    assert_int_equal(tl_write_queue_append(&queue, large, sizeof large), 0);
    assert_int_equal(tl_write_queue_append(&queue, large, SIZE_MAX - 100), -ENOMEM);
    tl_write_queue_clear(&queue);
    assert_int_equal(ladder.live, 0);
    ladder_remove(&ladder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_appended),
        cmocka_unit_test(random_walk),
        cmocka_unit_test(short_writes_share),
        cmocka_unit_test(a_failed_append_changes_nothing),
    };
    return !!cmocka_run_group_tests_name("write_queue", tests, NULL, NULL);
}

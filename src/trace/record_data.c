/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's read and write; see record.c.
 *
 * Nearly every call moves one message of one piece that has no address. Such a call is put down by
 * hand, in place; the others take the general way.
 */
#include <errno.h>
#include <string.h>
#include "trace/record.h"

static size_t messages_size(const struct tl_message *messages, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += tl_trace_iov_size(messages[i].iov, messages[i].iov_count);
    return size;
}

/* One message without an address is its bytes; everything else has a form of its own. */
static inline bool is_plain(const struct tl_message *messages, size_t count)
{
    return count == 1 && messages->addr == NULL;
}

/* One of one piece, of which bytes were moved. */
static inline bool is_simple(const struct tl_message *messages, size_t count, ssize_t result)
{
    return is_plain(messages, count) && messages->iov_count == 1 && result > 0;
}

static uint8_t *gather(uint8_t *p, const struct iovec *iov, size_t len)
{
    while (len > 0) {
        size_t part = iov->iov_len < len ? iov->iov_len : len;
        memcpy(p, iov->iov_base, part);
        p += part;
        len -= part;
        iov++;
    }
    return p;
}

/* --- Read --- */

static __attribute__((noinline)) void record_read(struct tl_recorder *recorder, uint64_t object,
                                                  const struct tl_message *messages, size_t count,
                                                  ssize_t result)
{
    bool packed = !is_plain(messages, count) || messages->truncated;
    struct tl_trace_event event = {
        .kind = TL_TRACE_READ,
        .object = object,
        .result = result,
        .arg = {(int64_t)messages_size(messages, count), (int64_t)count, packed},
    };

    tl_trace_pack_begin(&recorder->pack);
    if (packed)
        tl_trace_pack_messages(&recorder->pack, messages, count, result, true);
    else if (result > 0)
        tl_trace_pack_iov(&recorder->pack, messages->iov, (size_t)result);
    tl_recorder_put_packed(recorder, &event);
}

ssize_t tl_record_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);

    if (count > 0)
        messages->truncated = 0; /* a kernel need not say this of a stream */
    ssize_t n = recorder->inner->ops->read(recorder->inner, fd, messages, count);
    uint64_t object = tl_trace_objects_ordinal(&recorder->fds, tl_recorder_key(fd));
    if (!is_simple(messages, count, n) || messages->truncated) {
        record_read(recorder, object, messages, count, n);
        return n;
    }
    const struct iovec iov = *messages->iov;
    uint8_t *p = tl_trace_out_begin_blob(&recorder->out, (size_t)n);
    if (p != NULL) {
        p = tl_trace_put_row(p, TL_TRACE_READ, TL_FIELDS_READ);
        p = tl_put_head(p, TL_CBOR_UINT, object);
        p = tl_put_head(p, TL_CBOR_UINT, (size_t)n);
        p = tl_put_size(p, iov.iov_len);
        *p++ = 1; /* count */
        *p++ = 0; /* packed */
        p = tl_put_string(p, TL_CBOR_BYTES, iov.iov_base, (size_t)n);
        tl_trace_out_end(&recorder->out, p);
    }
    return n;
}

/* --- Write --- */

uint8_t *tl_recorder_put_output(const struct tl_recorder *recorder, uint8_t *p,
                                struct tl_trace_object *object, const struct iovec *iov, size_t len)
{
    if (recorder->full_output || object == NULL || len == 0) {
        p = tl_put_head(p, TL_CBOR_BYTES, len);
        return gather(p, iov, len);
    }
    for (; len > 0; iov++) {
        size_t part = iov->iov_len < len ? iov->iov_len : len;
        tl_trace_hash_add(&object->written, iov->iov_base, part);
        len -= part;
    }
    return tl_put_u64(p, tl_trace_hash_value(&object->written));
}

static __attribute__((noinline)) void record_write(struct tl_recorder *recorder,
                                                   struct tl_trace_object *object,
                                                   const struct tl_message *messages, size_t count,
                                                   ssize_t result)
{
    bool packed = !is_plain(messages, count);
    struct tl_trace_event event = {
        .object = object != NULL ? object->ordinal : 0,
        .result = result,
        .arg = {(int64_t)messages_size(messages, count), (int64_t)count, packed},
    };
    const struct iovec *iov = packed ? NULL : messages->iov;
    size_t len = !packed && result > 0 ? (size_t)result : 0;
    struct iovec whole;

    if (packed) {
        tl_trace_pack_begin(&recorder->pack);
        tl_trace_pack_messages(&recorder->pack, messages, count, result, false);
        if (recorder->pack.failed)
            tl_trace_out_fail(&recorder->out, -ENOMEM);
        whole = (struct iovec){recorder->pack.data, recorder->pack.len};
        iov = &whole;
        len = whole.iov_len;
    }
    uint8_t *p = tl_trace_out_begin_blob(&recorder->out, len);
    if (p != NULL) {
        p = tl_trace_put_fields(p, &event, TL_TRACE_WRITE, TL_FIELDS_WRITE);
        tl_trace_out_end(&recorder->out, tl_recorder_put_output(recorder, p, object, iov, len));
    }
}

ssize_t tl_record_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_object *object = tl_trace_objects_find(&recorder->fds, tl_recorder_key(fd));
    ssize_t n = recorder->inner->ops->write(recorder->inner, fd, messages, count);

    if (!is_simple(messages, count, n) || object == NULL || recorder->full_output) {
        record_write(recorder, object, messages, count, n);
        return n;
    }
    const struct iovec iov = *messages->iov;
    uint64_t ordinal = object->ordinal;
    uint8_t *p = tl_trace_out_begin(&recorder->out);
    p = tl_trace_put_row(p, TL_TRACE_WRITE, TL_FIELDS_WRITE);
    p = tl_put_head(p, TL_CBOR_UINT, ordinal);
    p = tl_put_head(p, TL_CBOR_UINT, (size_t)n);
    p = tl_put_head(p, TL_CBOR_UINT, iov.iov_len);
    *p++ = 1; /* count */
    *p++ = 0; /* packed */
    tl_trace_hash_add(&object->written, iov.iov_base, (size_t)n);
    p = tl_put_u64(p, tl_trace_hash_value(&object->written));
    tl_trace_out_end(&recorder->out, p);
    return n;
}

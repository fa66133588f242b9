/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's read and write; see record.c.
 *
 * Nearly every call moves one message of one piece that has no address. Such a call is put down by
 * hand, in place, with every field where it always is; the others take the general way.
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

/* And of one piece. */
static inline bool is_simple(const struct tl_message *message)
{
    return is_plain(message, 1) && message->iov_count == 1;
}

/* The descriptor's object, or NULL. */
static inline struct tl_trace_object *find(struct tl_recorder *recorder, int fd)
{
    return tl_trace_objects_find(&recorder->fds, tl_recorder_key(fd));
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

static void put_packed_read(struct tl_recorder *recorder, struct tl_trace_event *event,
                            const struct tl_message *messages, size_t count)
{
    event->kind = TL_TRACE_READ;
    event->arg[2] = 1;
    tl_trace_pack_begin(&recorder->pack);
    tl_trace_pack_messages(&recorder->pack, messages, count, event->result, true);
    tl_recorder_put_packed(recorder, event);
}

static __attribute__((noinline)) void record_read(struct tl_recorder *recorder, int fd,
                                                  const struct tl_message *messages, size_t count,
                                                  ssize_t result)
{
    struct tl_trace_event event = {
        .object = tl_trace_objects_ordinal(&recorder->fds, tl_recorder_key(fd)),
        .result = result,
        .arg = {(int64_t)messages_size(messages, count), (int64_t)count},
    };
    size_t len = result > 0 ? (size_t)result : 0;

    if (!is_plain(messages, count) || messages->truncated) {
        put_packed_read(recorder, &event, messages, count);
        return;
    }
    uint8_t *p = tl_trace_out_begin_blob(&recorder->out, len);
    if (p != NULL) {
        p = tl_trace_put_fields(p, &event, TL_TRACE_READ, TL_FIELDS_READ);
        p = tl_put_head(p, TL_CBOR_BYTES, len);
        tl_trace_out_end(&recorder->out, gather(p, messages->iov, len));
    }
}

/* What a narrow read has between its result and its blob, in one word whose last byte the blob's
 * head takes: room, 1 message, not packed. Buffers often have more room than 16 bits can say. */
static inline uint8_t *put_narrow_room(uint8_t *p, uint64_t room)
{
    const uint64_t head = TL_CBOR_UINT | TL_CBOR_HEAD_32;

    tl_put_be64(p, head << 56 | room << 24 | 1 << 16 | 0 << 8);
    return p + 7;
}

/* A read of one piece without an address that brought something, in the narrow form. False when it
 * is not like that, or there is no room for it. */
static inline bool put_simple_read(struct tl_recorder *recorder, int fd,
                                   const struct tl_message *message, ssize_t result)
{
    const struct tl_trace_object *object = find(recorder, fd);
    struct tl_trace_out *out = &recorder->out;
    size_t len = (size_t)result;

    if (__builtin_expect(object == NULL, 0) || result <= 0 || !is_simple(message) ||
        message->truncated)
        return false;
    const struct iovec iov = *message->iov;
    if (!tl_trace_is_narrow(object->ordinal, len, iov.iov_len >> 16) ||
        !tl_trace_out_fits(out, len))
        return false;
    uint8_t *p =
        tl_trace_put_narrow_row(out->p, TL_TRACE_READ, TL_FIELDS_READ, object->ordinal, len);
    p = put_narrow_room(p, iov.iov_len);
    p = tl_trace_put_narrow(p, TL_CBOR_BYTES, len);
    memcpy(p, iov.iov_base, len);
    tl_trace_out_end(out, p + len);
    return true;
}

static __attribute__((noinline)) ssize_t read_many(struct tl_recorder *recorder, int fd,
                                                   struct tl_message *messages, size_t count)
{
    if (count > 0)
        messages->truncated = 0;
    ssize_t n = recorder->inner->ops->read(recorder->inner, fd, messages, count);
    record_read(recorder, fd, messages, count, n);
    return n;
}

ssize_t tl_record_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);

    if (count != 1)
        return read_many(recorder, fd, messages, count);
    messages->truncated = 0; /* a kernel need not say this of a stream */
    ssize_t n = recorder->inner->ops->read(recorder->inner, fd, messages, 1);
    if (!put_simple_read(recorder, fd, messages, n))
        record_read(recorder, fd, messages, 1, n);
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

static __attribute__((noinline)) ssize_t record_write(struct tl_recorder *recorder, int fd,
                                                      const struct tl_message *messages,
                                                      size_t count, ssize_t result)
{
    struct tl_trace_object *object = find(recorder, fd);
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
    return result;
}

static __attribute__((noinline)) ssize_t write_many(struct tl_recorder *recorder, int fd,
                                                    struct tl_message *messages, size_t count)
{
    ssize_t n = recorder->inner->ops->write(recorder->inner, fd, messages, count);

    return record_write(recorder, fd, messages, count, n);
}

/* Completes a write whose bytes do not begin and end where blocks of the hash do. */
static __attribute__((noinline)) ssize_t put_uneven_hash(uint8_t *p, struct tl_trace_object *object,
                                                         const struct iovec *iov, ssize_t result)
{
    tl_trace_hash_add(&object->written, iov->iov_base, (size_t)result);
    (void)tl_put_u64(p, tl_trace_hash_value(&object->written));
    return result;
}

/* Whether a write goes down in the narrow form: one piece without an address, of which something
 * was taken, and there is room. */
static inline bool is_narrow_write(const struct tl_recorder *recorder,
                                   const struct tl_trace_object *object,
                                   const struct tl_message *message, ssize_t result)
{
    return object != NULL && result > 0 && is_simple(message) && !recorder->full_output &&
           tl_trace_is_narrow(object->ordinal, message->iov->iov_len, 0) &&
           tl_trace_out_fits(&recorder->out, 0);
}

/* Writes down a write of one message; what comes back is its result. The hash comes last, so that
 * little has to be kept in registers meanwhile. */
static inline ssize_t record_one_write(struct tl_recorder *recorder, int fd,
                                       const struct tl_message *message, ssize_t result)
{
    struct tl_trace_object *object = tl_trace_objects_recent(&recorder->fds, tl_recorder_key(fd));
    struct tl_trace_out *out = &recorder->out;
    size_t len = (size_t)result;

    if (!is_narrow_write(recorder, object, message, result))
        return record_write(recorder, fd, message, 1, result);
    const struct iovec *iov = message->iov;
    uint8_t *p =
        tl_trace_put_narrow_row(out->p, TL_TRACE_WRITE, TL_FIELDS_WRITE, object->ordinal, len);
    p = tl_trace_put_narrow(p, TL_CBOR_UINT, iov->iov_len);
    *p++ = 1; /* count */
    *p++ = 0; /* packed */
    tl_trace_out_end(out, p + TL_CBOR_HEAD_MAX);
    if (!tl_trace_hash_is_even(&object->written, len))
        return put_uneven_hash(p, object, iov, result);
    (void)tl_put_u64(p, tl_trace_hash_add_even(&object->written, iov->iov_base, len));
    return result;
}

ssize_t tl_record_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);

    if (count != 1)
        return write_many(recorder, fd, messages, count);
    ssize_t n = recorder->inner->ops->write(recorder->inner, fd, messages, 1);
    return record_one_write(recorder, fd, messages, n);
}

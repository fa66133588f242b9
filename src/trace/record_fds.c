/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's operations on descriptors and files; see record.c.
 *
 * What makes a descriptor reserves its place in the table first: should memory be out, the
 * operation has not happened. An operation on a number that is no descriptor of this kernel is
 * passed on and recorded with object 0.
 */
#include <errno.h>
#include <string.h>
#include "trace/record.h"

static uint64_t ordinal(struct tl_recorder *recorder, int fd)
{
    return tl_trace_objects_ordinal(&recorder->fds, tl_recorder_key(fd));
}

/* The ordinal of a descriptor that has just been made; 0 when it was not. */
static uint64_t made(struct tl_recorder *recorder, int fd)
{
    if (fd < 0)
        return 0;
    return tl_trace_objects_add(&recorder->fds, tl_recorder_key(fd), ++recorder->fds_made)->ordinal;
}

static void gone(struct tl_recorder *recorder, int fd)
{
    struct tl_trace_object *object = tl_trace_objects_find(&recorder->fds, tl_recorder_key(fd));

    if (object != NULL)
        tl_trace_objects_remove(&recorder->fds, object);
}

/* Writes down an operation of which there is only an object, a result and an argument. */
static int simple(struct tl_recorder *recorder, enum tl_trace_kind kind, uint64_t object,
                  int result, int64_t arg)
{
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = kind,
                                  .object = object,
                                  .result = result,
                                  .arg = {arg},
                              });
    return result;
}

/* --- Sockets and pipes --- */

int tl_record_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = tl_trace_objects_reserve(&recorder->fds, 1);

    if (r == 0)
        r = recorder->inner->ops->socket(recorder->inner, family, type);
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_SOCKET,
                                  .object = made(recorder, r),
                                  .result = r < 0 ? r : 0,
                                  .arg = {family, type},
                              });
    return r;
}

static int with_address(struct tl_recorder *recorder, enum tl_trace_kind kind, int fd, int result,
                        const tl_addr *addr)
{
    struct tl_trace_event event = {.kind = kind, .object = ordinal(recorder, fd), .result = result};

    tl_trace_pack_begin(&recorder->pack);
    tl_trace_pack_addr(&recorder->pack, addr);
    tl_recorder_put_packed(recorder, &event);
    return result;
}

int tl_record_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->bind(recorder->inner, fd, addr);

    return with_address(recorder, TL_TRACE_BIND, fd, r, addr);
}

int tl_record_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->connect(recorder->inner, fd, addr);

    return with_address(recorder, TL_TRACE_CONNECT, fd, r, addr);
}

int tl_record_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->listen(recorder->inner, fd, backlog);

    return simple(recorder, TL_TRACE_LISTEN, ordinal(recorder, fd), r, backlog);
}

int tl_record_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    tl_addr peer = {0};
    int r = tl_trace_objects_reserve(&recorder->fds, 1);

    if (r == 0)
        r = recorder->inner->ops->accept(recorder->inner, fd, &peer);
    struct tl_trace_event event = {
        .kind = TL_TRACE_ACCEPT,
        .object = ordinal(recorder, fd),
        .result = r < 0 ? r : 0,
        .arg = {(int64_t)made(recorder, r)},
    };
    tl_trace_pack_begin(&recorder->pack);
    if (r >= 0)
        tl_trace_pack_addr(&recorder->pack, &peer);
    tl_recorder_put_packed(recorder, &event);
    if (r >= 0 && ret_peer != NULL)
        *ret_peer = peer;
    return r;
}

int tl_record_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->shutdown(recorder->inner, fd, how);

    return simple(recorder, TL_TRACE_SHUTDOWN, ordinal(recorder, fd), r, how);
}

int tl_record_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                     int *ret)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int64_t value = set != NULL ? *set : 0; /* ret may be the same int */
    int r = recorder->inner->ops->option(recorder->inner, fd, option, set, ret);
    int64_t answer = r >= 0 && ret != NULL ? *ret : 0;

    tl_recorder_put(recorder,
                    &(struct tl_trace_event){
                        .kind = TL_TRACE_OPTION,
                        .object = ordinal(recorder, fd),
                        .result = r,
                        .arg = {option, (set != NULL) | (ret != NULL) << 1, value,
                                option == TL_OPTION_ERROR ? tl_trace_result_out(-answer) : answer},
                    });
    return r;
}

int tl_record_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->address(recorder->inner, fd, side, ret);
    struct tl_trace_event event = {
        .kind = TL_TRACE_ADDRESS,
        .object = ordinal(recorder, fd),
        .result = r,
        .arg = {side},
    };

    tl_trace_pack_begin(&recorder->pack);
    if (r >= 0)
        tl_trace_pack_addr(&recorder->pack, ret);
    tl_recorder_put_packed(recorder, &event);
    return r;
}

int tl_record_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int fds[2] = {-1, -1};
    int r = tl_trace_objects_reserve(&recorder->fds, 2);

    if (r == 0)
        r = recorder->inner->ops->pipe(recorder->inner, kind, fds);
    uint64_t first = made(recorder, r < 0 ? r : fds[0]);
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_PIPE,
                                  .object = first,
                                  .result = r,
                                  .arg = {kind, (int64_t)made(recorder, r < 0 ? r : fds[1])},
                              });
    if (r >= 0)
        memcpy(ret_fds, fds, sizeof fds);
    return r;
}

int tl_record_close(struct tl_kernel *kernel, int fd)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    uint64_t object = ordinal(recorder, fd);
    int r = recorder->inner->ops->close(recorder->inner, fd);

    gone(recorder, fd);
    return simple(recorder, TL_TRACE_CLOSE, object, r, 0);
}

/* What a sendfile has sent. */
struct sent {
    struct tl_witness witness;
    struct tl_witness *next; /* of who asked for it; or NULL */
    struct tl_trace_hash hash;
};

static void see_sent(struct tl_witness *witness, const void *data, size_t len)
{
    struct sent *sent = tl_container_of(witness, struct sent, witness);

    tl_trace_hash_add(&sent->hash, data, len);
    if (sent->next != NULL)
        sent->next->see(sent->next, data, len);
}

/* 0 where not all of it was seen. */
static int64_t content_of(const struct sent *sent, int64_t n)
{
    bool all = n > 0 && sent->hash.length == (uint64_t)n;
    return all ? (int64_t)tl_trace_hash_value(&sent->hash) : 0;
}

ssize_t tl_record_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                           size_t count, struct tl_witness *witness)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct sent sent = {.witness.see = see_sent, .hash = TL_TRACE_HASH_INIT, .next = witness};
    struct tl_trace_event event = {
        .kind = TL_TRACE_SENDFILE,
        .object = ordinal(recorder, fd),
        .arg = {(int64_t)ordinal(recorder, file), *offset, (int64_t)count},
    };

    event.result =
        recorder->inner->ops->sendfile(recorder->inner, fd, file, offset, count, &sent.witness);
    event.arg[3] = content_of(&sent, event.result);
    tl_recorder_put(recorder, &event);
    return (ssize_t)event.result;
}

/* --- Descriptors made elsewhere --- */

int tl_record_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_adopted adopted = {0};
    int r = tl_trace_objects_reserve(&recorder->fds, 1);

    if (r == 0)
        r = recorder->inner->ops->adopt(recorder->inner, fd, &adopted);
    struct tl_trace_event event = {
        .kind = TL_TRACE_ADOPT,
        .object = made(recorder, r < 0 ? r : fd),
        .result = r,
        .arg = {adopted.kind, adopted.nonblocking},
    };
    tl_trace_pack_begin(&recorder->pack);
    if (r >= 0) {
        tl_trace_pack_addr(&recorder->pack, &adopted.local);
        tl_trace_pack_addr(&recorder->pack, &adopted.peer);
        *ret = adopted;
    }
    tl_recorder_put_packed(recorder, &event);
    return r;
}

int tl_record_release(struct tl_kernel *kernel, int fd)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    uint64_t object = ordinal(recorder, fd);
    int r = recorder->inner->ops->release(recorder->inner, fd);

    if (r == 0)
        gone(recorder, fd);
    return simple(recorder, TL_TRACE_RELEASE, object, r, 0);
}

/* --- Files --- */

int tl_record_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = tl_trace_objects_reserve(&recorder->fds, 1);

    if (r == 0)
        r = recorder->inner->ops->open(recorder->inner, path, flags, mode);
    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_OPEN,
                                  .object = made(recorder, r),
                                  .result = r < 0 ? r : 0,
                                  .arg = {flags, mode},
                                  .blob = (const uint8_t *)path,
                                  .blob_len = strlen(path),
                              });
    return r;
}

ssize_t tl_record_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    ssize_t n = recorder->inner->ops->pread(recorder->inner, file, buf, len, offset);

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_PREAD,
                                  .object = ordinal(recorder, file),
                                  .result = n,
                                  .arg = {(int64_t)len, offset},
                                  .blob = buf,
                                  .blob_len = n > 0 ? (size_t)n : 0,
                              });
    return n;
}

ssize_t tl_record_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                         int64_t offset)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_trace_object *object = tl_trace_objects_find(&recorder->fds, tl_recorder_key(file));
    ssize_t n = recorder->inner->ops->pwrite(recorder->inner, file, buf, len, offset);
    struct tl_trace_event event = {
        .object = object != NULL ? object->ordinal : 0,
        .result = n,
        .arg = {(int64_t)len, offset},
    };
    struct iovec iov = {(void *)buf, n > 0 ? (size_t)n : 0};

    uint8_t *p = tl_trace_out_begin_blob(&recorder->out, iov.iov_len);
    if (p != NULL) {
        p = tl_trace_put_fields(p, &event, TL_TRACE_PWRITE, TL_FIELDS_PWRITE);
        p = tl_recorder_put_output(recorder, p, object, &iov, iov.iov_len);
        tl_trace_out_end(&recorder->out, p);
    }
    return n;
}

int tl_record_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    struct tl_stat status = {0};
    int r = recorder->inner->ops->stat(recorder->inner, path, &status);

    tl_recorder_put(
        recorder, &(struct tl_trace_event){
                      .kind = TL_TRACE_STAT,
                      .result = r,
                      .arg = {status.size, status.modified, status.kind, (int64_t)status.identity},
                      .blob = (const uint8_t *)path,
                      .blob_len = strlen(path),
                  });
    if (r >= 0)
        *ret = status;
    return r;
}

int tl_record_unlink(struct tl_kernel *kernel, const char *path)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->unlink(recorder->inner, path);

    tl_recorder_put(recorder, &(struct tl_trace_event){
                                  .kind = TL_TRACE_UNLINK,
                                  .result = r,
                                  .blob = (const uint8_t *)path,
                                  .blob_len = strlen(path),
                              });
    return r;
}

int tl_record_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->rename(recorder->inner, source, target);
    struct tl_trace_event event = {.kind = TL_TRACE_RENAME, .result = r};

    tl_trace_pack_begin(&recorder->pack);
    tl_trace_pack_text(&recorder->pack, source);
    tl_trace_pack_bytes(&recorder->pack, target, strlen(target));
    tl_recorder_put_packed(recorder, &event);
    return r;
}

int tl_record_fsync(struct tl_kernel *kernel, int file)
{
    struct tl_recorder *recorder = tl_recorder_of(kernel);
    int r = recorder->inner->ops->fsync(recorder->inner, file);

    return simple(recorder, TL_TRACE_FSYNC, ordinal(recorder, file), r, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace format: its bytes, and its documentation.
 */
#include <cbor.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/trace.h>
#include <zlib.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "support/toy_kernel.h"
#include "support/traces.h"
#include "trace/decode.h"
#include "trace/hash.h"
#include "trace/objects.h"
#include "trace/pack.h"
#include "trace/print.h"
#include "trace/reader.h"
#include "trace/replay.h"

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

/* --- Chunks --- */

static void a_head_is_as_documented(void **state)
{
    static const uint8_t expected[] = {
        0x85, 0x48, 'T',  'W',  'I',  'N',  'L',  'O',  'O',  'P',  0x1a, 0x01, 0x01, 0x00, 0x03,
        0x1b, 0x00, 0x07, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x5a, 0x00, 0x01, 0x00, 0x02,
    };
    const struct tl_chunk chunk = {
        .kind = TL_CHUNK_EVENTS,
        .flags = TL_CHUNK_CRITICAL,
        .major = 1,
        .stream = 7,
        .first = 0x123456789abc,
        .length = 0x10002,
    };
    uint8_t head[TL_CHUNK_HEAD_SIZE], tail[TL_CHUNK_TAIL_SIZE];
    struct tl_chunk back;

    (void)state;
    assert_int_equal(sizeof expected, TL_CHUNK_HEAD_SIZE);
    tl_chunk_put_head(head, &chunk);
    assert_memory_equal(head, expected, sizeof expected);
    assert_true(tl_chunk_get_head(head, &back));
    assert_int_equal(back.kind, chunk.kind);
    assert_int_equal(back.flags, chunk.flags);
    assert_int_equal(back.major, chunk.major);
    assert_int_equal(back.stream, chunk.stream);
    assert_int_equal(back.first, chunk.first);
    assert_int_equal(back.length, chunk.length);

    /* The check value of CRC-32. */
    tl_chunk_put_tail(tail, tl_chunk_checksum(0, (const uint8_t *)"123456789", 9));
    assert_memory_equal(tail, "\x1a\xcb\xf4\x39\x26", 5);
    assert_true(tl_chunk_check_tail(tail, 0xcbf43926));
    assert_false(tl_chunk_check_tail(tail, 0xcbf43927));
    for (int i = 0; i < TL_CHUNK_MARK_SIZE; i++) {
        head[i] ^= 1;
        assert_false(tl_chunk_get_head(head, &back));
        head[i] ^= 1;
    }
}

static void a_checksum_is_zlibs(void **state)
{
    static uint8_t data[5000];
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        random = random * 1664525 + 1013904223;
        data[i] = (uint8_t)(random >> 24);
    }
    for (size_t len = 0; len < 400; len++)
        for (size_t at = 0; at < 3; at++)
            assert_int_equal(tl_chunk_checksum(0, data + at, len), crc32_z(0, data + at, len));
    /* In pieces. */
    for (size_t cut = 0; cut <= sizeof data; cut += 97) {
        uint32_t first = tl_chunk_checksum(0, data, cut);
        assert_int_equal(tl_chunk_checksum(first, data + cut, sizeof data - cut),
                         crc32_z(0, data, sizeof data));
    }
}

/* Takes one CBOR item off the front with libcbor, which knows nothing of traces. */
static cbor_item_t *load(const uint8_t **p, size_t *left)
{
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(*p, *left, &result);

    if (item == NULL)
        fail_msg("no CBOR, %zu bytes before the end", *left);
    *p += result.read;
    *left -= result.read;
    return item;
}

static size_t count_items(const cbor_item_t *payload)
{
    const uint8_t *p = cbor_bytestring_handle(payload);
    size_t left = cbor_bytestring_length(payload), count = 0;

    for (; left > 0; count++) {
        cbor_item_t *item = load(&p, &left);
        assert_true(cbor_isa_array(item) || cbor_isa_tag(item) || cbor_isa_map(item));
        cbor_decref(&item);
    }
    return count;
}

static void a_trace_is_a_cbor_sequence(void **state)
{
    static struct transcript transcript;
    size_t size, chunks = 0, items = 0;

    trace_record_session(path_of(state), NULL, &transcript);
    uint8_t *data = trace_file_read(path_of(state), &size);
    const uint8_t *p = data;
    while (size > 0) {
        cbor_item_t *chunk = load(&p, &size);
        assert_true(cbor_isa_array(chunk));
        assert_int_equal(cbor_array_size(chunk), 5);
        cbor_item_t *payload = cbor_array_get(chunk, 3);
        items += count_items(payload);
        chunks++;
        cbor_decref(&payload);
        cbor_decref(&chunk);
    }
    assert_in_range(chunks, 4, 10); /* header, stream, events, end */
    assert_in_range(items, 80, 200);
    free(data);
}

/* --- Events --- */

static void fill(struct tl_trace_event *event, int kind, int64_t number)
{
    const struct tl_trace_row *row = &tl_trace_rows[kind];

    *event = (struct tl_trace_event){.kind = (uint32_t)kind};
    if (row->fields & TL_FIELD_OBJECT)
        event->object = (uint64_t)(number < 0 ? ~number : number);
    if (row->fields & TL_FIELD_RESULT)
        event->result = number < 0 ? TL_ECLOSED : number;
    for (int i = 0; i < row->fields / TL_FIELD_ARG; i++)
        event->arg[i] = number < 0 ? number + i : number - i;
    if (row->fields & TL_FIELD_BLOB) {
        event->blob = (const uint8_t *)"blob";
        event->blob_len = number % 2 != 0 ? 4 : 0;
    }
}

static void assert_same_event(const struct tl_trace_event *a, const struct tl_trace_event *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->object, b->object);
    assert_int_equal(a->result, b->result);
    for (int i = 0; i < 4; i++)
        assert_int_equal(a->arg[i], b->arg[i]);
    assert_int_equal(a->blob_is, b->blob_is);
    assert_int_equal(a->blob_hash, b->blob_hash);
    assert_int_equal(a->blob_len, b->blob_len);
    if (a->blob_len > 0)
        assert_memory_equal(a->blob, b->blob, a->blob_len);
}

static void every_row_comes_back(void **state)
{
    static const int64_t numbers[] = {
        0,
        1,
        23,
        24,
        255,
        256,
        65535,
        65536,
        100000,
        UINT32_MAX,
        (int64_t)UINT32_MAX + 1,
        INT64_MAX,
        -1,
        -24,
        -25,
        -256,
        -257,
        -65536,
        -65537,
        INT64_MIN,
    };
    uint8_t bytes[TL_TRACE_EVENT_MAX + 4];

    (void)state;
    for (int kind = 3; kind < TL_TRACE_KINDS; kind++) {
        if (tl_trace_rows[kind].name == NULL)
            continue;
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            struct tl_trace_event event, back;
            fill(&event, kind, numbers[i]);
            const uint8_t *end = tl_trace_put_event(bytes, &event);
            assert_in_range(end - bytes, 2, sizeof bytes);
            const uint8_t *p = bytes;
            assert_true(tl_trace_next_event(&p, end, &back));
            assert_ptr_equal(p, end);
            assert_same_event(&event, &back);
            /* And no part of it is one. */
            for (const uint8_t *cut = bytes; cut < end; cut++) {
                p = bytes;
                assert_false(tl_trace_next_event(&p, cut, &back));
                assert_ptr_equal(p, bytes);
            }
        }
    }
}

static void a_hash_stands_for_output_only(void **state)
{
    struct tl_trace_event event, back;
    uint8_t bytes[TL_TRACE_EVENT_MAX];
    int allowed = 0;

    (void)state;
    for (int kind = 3; kind < TL_TRACE_KINDS; kind++) {
        if (tl_trace_rows[kind].name == NULL || !(tl_trace_rows[kind].fields & TL_FIELD_BLOB))
            continue;
        fill(&event, kind, 0);
        event.blob = NULL;
        event.blob_is = TL_BLOB_HASH;
        event.blob_hash = kind % 2 ? UINT64_MAX : 5;
        const uint8_t *end = tl_trace_put_event(bytes, &event), *p = bytes;
        if (tl_trace_next_event(&p, end, &back)) {
            assert_same_event(&event, &back);
            allowed++;
        }
    }
    assert_int_equal(allowed, 2); /* write and pwrite */
}

static void what_is_no_event_is_not_taken_for_one(void **state)
{
    static const struct {
        size_t len;
        const char *bytes;
    } rows[] = {
        {1, "\x80"},                 /* an empty array */
        {3, "\x82\x00\x00"},         /* no such row */
        {4, "\x82\x18\x3f\x00"},     /* nor this, yet */
        {4, "\x82\x18\x46\x00"},     /* nor this */
        {2, "\x81\x25"},             /* a negative one */
        {5, "\x84\x10\x01\x00\x00"}, /* close with a field too many */
        {3, "\x82\x10\x01"},         /* and one too few */
        {4, "\x83\x10\x20\x00"},     /* a negative object */
        {4, "\x83\x10\x40\x00"},     /* bytes for an object */
        {4, "\x83\x10\x01\xf6"},     /* null for a result */
        {5, "\x9f\x10\x01\x00\xff"}, /* an array of indefinite length */
        {2, "\xa1\x10"},             /* a map */
        {12, "\x83\x10\x01\x1b\xff\xff\xff\xff\xff\xff\xff\xff"}, /* beyond int64 */
        {12, "\x83\x10\x01\x3b\xff\xff\xff\xff\xff\xff\xff\xff"}, /* and below */
        {8, "\x84\x14\x01\x00\x00\x00\x61"}, /* a text for a blob; too short besides */
        {11, "\x84\x18\x18\x00\x5b\xff\xff\xff\xff\xff\xff"}, /* a length of nearly everything */
    };
    struct tl_trace_event event;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t *p = (const uint8_t *)rows[i].bytes;
        if (tl_trace_next_event(&p, p + rows[i].len, &event))
            fail_msg("row %zu is no event", i);
    }
}

static void errors_travel_by_index(void **state)
{
    (void)state;
    assert_int_equal(tl_trace_result_out(5), 5);
    assert_int_equal(tl_trace_result_out(-EAGAIN), -(int)tl_err_index(-EAGAIN));
    assert_int_equal(tl_trace_result_in(tl_trace_result_out(-EAGAIN)), -EAGAIN);
    assert_int_equal(tl_trace_result_in(tl_trace_result_out(TL_EDEADLOCK)), TL_EDEADLOCK);
    /* One without a name is at least an error again. */
    assert_int_equal(tl_trace_result_in(tl_trace_result_out(-4000)), -EIO);
    assert_int_equal(tl_trace_result_in(INT64_MIN), -EIO);
}

/* --- The documentation --- */

static void print_names(FILE *out, const struct tl_trace_row *row)
{
    const char *separator = "";

    for (int i = 0; i < row->fields / TL_FIELD_ARG; i++) {
        fprintf(out, "%s`%s`", separator, row->arg[i]);
        separator = ", ";
    }
}

static void the_document_has_every_row(void **state)
{
    size_t size;
    uint8_t *data = trace_file_read("docs/trace-format.md", &size);
    char *table;
    FILE *out = open_memstream(&table, &size);

    (void)state;
    assert_non_null(out);
    fputs("-->\n\n| row | name | object | arguments | blob |\n| --- | --- | --- | --- | --- |\n",
          out);
    for (int kind = 1; kind < TL_TRACE_KINDS; kind++) {
        const struct tl_trace_row *row = &tl_trace_rows[kind];
        if (row->name == NULL)
            continue;
        fprintf(out, "| %d | %s | %s | ", kind, row->name, row->object);
        print_names(out, row);
        fprintf(out, " | %s |\n", row->blob);
    }
    fputs("\n<!-- end of rows -->", out);
    fclose(out);
    const char *begin = strstr((char *)data, "<!-- rows: ");
    assert_non_null(begin);
    begin = strstr(begin, "-->");
    if (strncmp(begin, table, strlen(table)) != 0)
        fail_msg("docs/trace-format.md should have this:\n%s", table);
    free(table);
    free(data);
}

/* --- Hashes, objects, packs --- */

static void a_hash_does_not_depend_on_the_cuts(void **state)
{
    uint8_t data[200];
    struct tl_trace_hash whole = TL_TRACE_HASH_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i);
    /* Computed from the document by other means. */
    assert_true(tl_trace_hash_value(&whole) == UINT64_C(0x6b4b220a05a01e11));
    tl_trace_hash_add(&whole, data, sizeof data);
    assert_true(tl_trace_hash_value(&whole) == UINT64_C(0xf3a5c5b335ab5467));
    for (size_t first = 0; first <= 40; first++)
        for (size_t second = 0; second <= 40; second++) {
            struct tl_trace_hash hash = TL_TRACE_HASH_INIT;
            tl_trace_hash_add(&hash, data, first);
            tl_trace_hash_add(&hash, data + first, second);
            tl_trace_hash_add(&hash, data + first + second, sizeof data - first - second);
            assert_true(tl_trace_hash_value(&hash) == tl_trace_hash_value(&whole));
        }
    /* Every bit and the length count. */
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        struct tl_trace_hash hash = TL_TRACE_HASH_INIT;
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        tl_trace_hash_add(&hash, data, sizeof data);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(tl_trace_hash_value(&hash) != tl_trace_hash_value(&whole));
    }
    struct tl_trace_hash zeros = TL_TRACE_HASH_INIT, more = TL_TRACE_HASH_INIT;
    tl_trace_hash_add(&zeros, "\0\0\0", 3);
    tl_trace_hash_add(&more, "\0\0\0\0", 4);
    assert_true(tl_trace_hash_value(&zeros) != tl_trace_hash_value(&more));
}

static void objects_are_found_by_both_names(void **state)
{
    enum { KEYS = 300 };
    struct tl_trace_objects objects;
    uint64_t model[KEYS] = {0}, made = 0, random = 1;

    (void)state;
    tl_trace_objects_init(&objects, tl_get_allocator(), true);
    for (uint64_t key = 0; key < 3 * TL_OBJECTS_RECENT; key++)
        assert_null(tl_trace_objects_find(&objects, key));
    for (int step = 0; step < 20000; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t key = (random >> 33) % KEYS;
        struct tl_trace_object *object = tl_trace_objects_find(&objects, key << 20);
        assert_int_equal(object != NULL ? object->ordinal : 0, model[key]);
        if (model[key] != 0) {
            assert_ptr_equal(tl_trace_objects_search(&objects, TL_BY_ORDINAL, model[key]), object);
            tl_trace_objects_remove(&objects, object);
            model[key] = 0;
        } else {
            assert_int_equal(tl_trace_objects_reserve(&objects, 1), 0);
            tl_trace_objects_add(&objects, key << 20, ++made)->token = &model[key];
            model[key] = made;
        }
    }
    /* What has a name already gives it up. */
    assert_int_equal(tl_trace_objects_reserve(&objects, 2), 0);
    (void)tl_trace_objects_add(&objects, 1, 1000000);
    (void)tl_trace_objects_add(&objects, 2, 1000000);
    assert_null(tl_trace_objects_find(&objects, 1));
    assert_int_equal(tl_trace_objects_ordinal(&objects, 2), 1000000);
    tl_trace_objects_finish(&objects);
}

static void addresses_come_back(void **state)
{
    tl_addr addrs[5] = {
        {.family = TL_FAMILY_INET, .len = 4, .port = 0x1234, .data = {1, 2, 3, 4}},
        {.family = TL_FAMILY_INET6, .port = 65535, .scope = 0x01020304, .data = {[15] = 1}},
        {.family = TL_FAMILY_UNIX, .len = 0},
        {.family = TL_FAMILY_UNIX, .len = 108},
        {.family = TL_FAMILY_NONE},
    };
    struct tl_trace_pack pack;
    tl_addr back;

    (void)state;
    memset(addrs[3].data, 'x', 108);
    tl_trace_pack_init(&pack, tl_get_allocator());
    tl_trace_pack_begin(&pack);
    for (int i = 0; i < 5; i++)
        tl_trace_pack_addr(&pack, &addrs[i]);
    tl_trace_pack_addr(&pack, NULL);
    const uint8_t *p = pack.data, *end = pack.data + pack.len;
    for (int i = 0; i < 5; i++) {
        assert_true(tl_trace_unpack_addr(&p, end, &back));
        assert_memory_equal(&back, &addrs[i], sizeof back);
    }
    assert_true(tl_trace_unpack_addr(&p, end, &back));
    assert_int_equal(back.family, TL_FAMILY_NONE);
    assert_ptr_equal(p, end);
    assert_false(tl_trace_unpack_addr(&p, end, &back));
    /* Lengths that do not fit. */
    const uint8_t broken[][16] = {{5, 4, 0, 0, 0, 0}, {9, 4, 0}, {11, 4}, {12, 9}, {200}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        p = broken[i];
        assert_false(tl_trace_unpack_addr(&p, p + 16, &back));
    }
    tl_trace_pack_finish(&pack);
}

/* What a query was answered, packed and unpacked again. */
static void answer_comes_back(struct tl_query *query)
{
    struct tl_query back = {.kind = query->kind};
    struct tl_trace_pack pack;

    tl_trace_pack_init(&pack, tl_get_allocator());
    tl_trace_pack_answer(&pack, query);
    for (size_t len = 0; len < pack.len; len++)
        if (tl_trace_unpack_answer(pack.data, len, false, &back) == 0) {
            tl_free(back.infos);
            tl_free(back.names);
        }
    assert_int_equal(tl_trace_unpack_answer(pack.data, pack.len, false, &back), 0);
    assert_int_equal(back.infos_count, query->infos_count);
    for (size_t i = 0; i < query->infos_count; i++) {
        assert_true(tl_addr_equal(&back.infos[i].addr, &query->infos[i].addr));
        assert_int_equal(back.infos[i].type, query->infos[i].type);
        assert_int_equal(back.infos[i].protocol, query->infos[i].protocol);
        assert_string_equal(back.infos[i].canonname, query->infos[i].canonname);
    }
    if (query->names != NULL) {
        assert_string_equal(back.names->host, query->names->host);
        assert_string_equal(back.names->service, query->names->service);
    }
    tl_free(back.infos);
    tl_free(back.names);
    tl_trace_pack_finish(&pack);
}

static void answers_come_back(void **state)
{
    tl_addrinfo infos[2] = {
        {.addr = {.family = TL_FAMILY_INET, .port = 80, .data = {1, 2, 3, 4}},
         .type = TL_STREAM,
         .protocol = 6,
         .canonname = "example.org"},
        {.addr = {.family = TL_FAMILY_INET6, .scope = 2, .data = {[15] = 1}},
         .type = TL_RAW,
         .protocol = 255,
         .canonname = ""},
    };
    tl_nameinfo names = {.host = "example.org", .service = "http"};

    (void)state;
    answer_comes_back(&(struct tl_query){.infos = infos, .infos_count = 2});
    answer_comes_back(&(struct tl_query){.infos = infos + 1, .infos_count = 1});
    answer_comes_back(&(struct tl_query){.infos_count = 0});
    answer_comes_back(&(struct tl_query){.kind = TL_QUERY_NAMES, .names = &names});
    names.service = "";
    answer_comes_back(&(struct tl_query){.kind = TL_QUERY_NAMES, .names = &names});
}

/* A sendfile as traces had it before it had the hash of what was sent, and as it is. */
static void older_sendfiles_are_read(void **state)
{
    static const uint8_t older[] = {0x86, 19, 4, 5, 3, 2, 9}, now[] = {0x87, 19, 4, 5, 3, 2, 9, 7};
    const uint8_t *p = older;
    struct tl_trace_event event;
    char text[80];

    (void)state;
    assert_true(tl_trace_next_event(&p, older + sizeof older, &event));
    assert_string_equal(tl_trace_format_event(&event, TL_SIDE_TRACE, 64, text, sizeof text),
                        "sendfile fd:4 file=fd:3 offset=2 count=9 -> 5");
    assert_int_equal(event.arg[3], 0);
    p = now;
    assert_true(tl_trace_next_event(&p, now + sizeof now, &event));
    assert_string_equal(
        tl_trace_format_event(&event, TL_SIDE_TRACE, 64, text, sizeof text),
        "sendfile fd:4 file=fd:3 offset=2 count=9 -> 5 content=hash:0000000000000007");
}

static void every_kind_of_descriptor_has_a_name(void **state)
{
    char text[80];

    (void)state;
    for (int kind = TL_ADOPTED_STREAM; kind <= TL_ADOPTED_SOCKET; kind++) {
        struct tl_trace_event event = {.kind = TL_TRACE_ADOPT, .object = 1, .arg = {kind}};
        tl_trace_format_event(&event, TL_SIDE_TRACE, 64, text, sizeof text);
        assert_memory_equal(text, "adopt fd:1 -> 0 kind=", 21);
        assert_true(text[21] >= 'a' && text[21] <= 'z');
    }
    struct tl_trace_event event = {.kind = TL_TRACE_STAT, .arg = {0, 0, TL_ADOPTED_SOCKET}};
    assert_non_null(
        strstr(tl_trace_format_event(&event, TL_SIDE_TRACE, 64, text, sizeof text), "kind=socket"));
}

/* A lookup as traces had it before it had more arguments than the family, and its answer. */
static void older_lookups_are_read(void **state)
{
    static const uint8_t asked[] = {0x85, 0x18, 32, 1, 0, 4, 0x43, 'a', 0, 'b'};
    static const tl_addr addr = {.family = TL_FAMILY_INET, .port = 80, .data = {1, 2, 3, 4}};
    const uint8_t *p = asked;
    struct tl_trace_event event;
    struct tl_query query = {.kind = TL_QUERY_ADDRESSES};
    struct tl_trace_pack pack;

    (void)state;
    assert_true(tl_trace_next_event(&p, asked + sizeof asked, &event));
    assert_int_equal(event.kind, TL_TRACE_RESOLVE);
    assert_int_equal(event.arg[0], TL_FAMILY_INET);
    assert_int_equal(event.arg[1] | event.arg[2] | event.arg[3], 0);
    assert_int_equal(event.blob_len, 3);
    tl_trace_pack_init(&pack, tl_get_allocator());
    tl_trace_pack_begin(&pack);
    tl_trace_pack_addr(&pack, &addr);
    assert_int_equal(tl_trace_unpack_answer(pack.data, pack.len, true, &query), 0);
    assert_int_equal(query.infos_count, 1);
    assert_true(tl_addr_equal(&query.infos[0].addr, &addr));
    tl_free(query.infos);
    tl_trace_pack_finish(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_as_documented),
        cmocka_unit_test(a_checksum_is_zlibs),
        TRACE_TEST(a_trace_is_a_cbor_sequence),
        cmocka_unit_test(every_row_comes_back),
        cmocka_unit_test(a_hash_stands_for_output_only),
        cmocka_unit_test(what_is_no_event_is_not_taken_for_one),
        cmocka_unit_test(errors_travel_by_index),
        cmocka_unit_test(the_document_has_every_row),
        cmocka_unit_test(a_hash_does_not_depend_on_the_cuts),
        cmocka_unit_test(objects_are_found_by_both_names),
        cmocka_unit_test(addresses_come_back),
        cmocka_unit_test(answers_come_back),
        cmocka_unit_test(every_kind_of_descriptor_has_a_name),
        cmocka_unit_test(older_sendfiles_are_read),
        cmocka_unit_test(older_lookups_are_read),
    };
    int rc = cmocka_run_group_tests_name("trace format", tests, NULL, NULL);

    return !!rc;
}

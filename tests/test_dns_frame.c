/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in a stream, as the dns example takes them apart: however the bytes are cut, the same
 * messages come out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/dns/frame.h"

static const uint8_t stream[] = "\0\x03"
                                "one"
                                "\0\x01"
                                "2"
                                "\0\x05"
                                "three";

/* Gives a frame the stream in pieces of at most so many bytes; what came out, one after another. */
static void expect_messages(size_t most)
{
    struct dns_frame frame = {.got = 0};
    char got[64] = "";
    for (size_t at = 0; at < sizeof stream - 1;) {
        void *room;
        size_t len;
        dns_frame_room(&frame, &room, &len);
        assert_true(len > 0);
        if (len > most)
            len = most;
        assert_true(at + len < sizeof stream);
        memcpy(room, stream + at, len);
        at += len;
        int r = dns_frame_took(&frame, len);
        assert_in_range(r, 0, 1);
        if (r == 0)
            continue;
        strncat(got, (const char *)frame.message, frame.len);
        strcat(got, ".");
        dns_frame_clear(&frame);
    }
    assert_string_equal(got, "one.2.three.");
    dns_frame_clear(&frame);
}

static void however_the_bytes_are_cut(void **state)
{
    (void)state;
    for (size_t most = 1; most <= sizeof stream; most++)
        expect_messages(most);
}

static void a_message_of_no_bytes_is_refused(void **state)
{
    struct dns_frame frame = {.got = 0};
    (void)state;
    assert_int_equal(dns_frame_took(&frame, 1), 0);
    assert_int_equal(dns_frame_took(&frame, 1), -EBADMSG);
    dns_frame_clear(&frame);
}

static void the_longest_message(void **state)
{
    struct dns_frame frame = {.head = {0xff, 0xff}};
    void *room;
    size_t len;
    (void)state;
    assert_int_equal(dns_frame_took(&frame, 2), 0);
    dns_frame_room(&frame, &room, &len);
    assert_int_equal(len, DNS_STREAM_MAX);
    memset(room, 'x', len);
    assert_int_equal(dns_frame_took(&frame, len - 1), 0);
    assert_int_equal(dns_frame_took(&frame, 1), 1);
    assert_int_equal(frame.len, DNS_STREAM_MAX);
    dns_frame_clear(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_the_bytes_are_cut),
        cmocka_unit_test(a_message_of_no_bytes_is_refused),
        cmocka_unit_test(the_longest_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

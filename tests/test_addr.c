/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as text: what is one, what is none, and that a formatted address says everything.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/net.h>
#include <cmocka.h>
#include "core/net.h"

static void assert_text(const tl_addr *addr, const char *expected)
{
    char text[TL_ADDR_TEXT_MAX];
    assert_string_equal(tl_addr_format(addr, text, sizeof text), expected);
}

static void parses_and_formats(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *text;
    } rows[] = {
        {"127.0.0.1", 80, "127.0.0.1:80"},
        {"0.0.0.0", 0, "0.0.0.0:0"},
        {"255.255.255.255", 65535, "255.255.255.255:65535"},
        {"::", 1, "[::]:1"},
        {"::1", 8080, "[::1]:8080"},
        {"2001:DB8:0:0:0:0:0:1", 443, "[2001:db8::1]:443"},
        {"::ffff:10.0.0.1", 7, "[::ffff:10.0.0.1]:7"},
        {"fe80::1%2", 9, "[fe80::1%2]:9"},
        {"fe80::1%4294967295", 9, "[fe80::1%4294967295]:9"},
        {"fe80::1%0", 9, "[fe80::1]:9"},
        {"1:2:3:4:5:6:7:8", 9, "[1:2:3:4:5:6:7:8]:9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tl_addr addr;
        memset(&addr, 0xee, sizeof addr);
        assert_int_equal(tl_addr_parse(rows[i].host, rows[i].port, &addr), 0);
        assert_text(&addr, rows[i].text);
        assert_int_equal(addr.port, rows[i].port);
    }
}

static void refuses_what_is_no_address(void **state)
{
    static const char *const hosts[] = {
        "",
        " ",
        "localhost",
        "127.0.0.1 ",
        "127.0.0.1.1",
        "127.1",
        "256.0.0.1",
        "01.2.3.4",
        "::1%",
        "::1%eth0",
        "::1%-1",
        "::1%4294967296",
        "1:2:3:4:5",
        "1::2::3",
        "127.0.0.1%1",
        "[::1]",
        "::1/128",
        "12345::",
        "::1%1%1",
        "%1",
        "1.2.3",
        "::1:80:",
        "fe80::1% 1",
        "0x7f.0.0.1",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff",
    };
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        tl_addr addr;
        tl_addr before;
        memset(&addr, 0xee, sizeof addr);
        before = addr;
        assert_int_equal(tl_addr_parse(hosts[i], 1, &addr), -EINVAL);
        assert_memory_equal(&addr, &before, sizeof addr);
    }
    tl_addr addr;
    assert_int_equal(tl_addr_parse(NULL, 1, &addr), -EINVAL);
    assert_int_equal(tl_addr_parse("::1", 1, NULL), -EINVAL);
}

static void formats_unix_names(void **state)
{
    tl_addr addr = {.family = TL_FAMILY_UNIX};
    (void)state;
    assert_text(&addr, "unix:");
    memcpy(addr.data, "/run/x", 6);
    addr.len = 6;
    assert_text(&addr, "unix:/run/x");
    addr.len = 4;
    assert_text(&addr, "unix:/run");
    memcpy(addr.data, "\0ab\0c", 5);
    addr.len = 5;
    assert_text(&addr, "unix:@ab@c");
    memset(addr.data, 'x', sizeof addr.data);
    addr.len = sizeof addr.data;
    char text[TL_ADDR_TEXT_MAX];
    assert_int_equal(strlen(tl_addr_format(&addr, text, sizeof text)), 5 + sizeof addr.data);
    addr = (tl_addr){.family = TL_FAMILY_NONE};
    assert_text(&addr, "");
}

static void cuts_to_fit(void **state)
{
    tl_addr addr;
    char text[10];
    (void)state;
    assert_int_equal(tl_addr_parse("127.0.0.1", 80, &addr), 0);
    assert_string_equal(tl_addr_format(&addr, text, sizeof text), "127.0.0.1");
    assert_string_equal(tl_addr_format(&addr, text, 1), "");
    strcpy(text, "before");
    assert_string_equal(tl_addr_format(&addr, text, 0), "before");
}

static void compares(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "::1", "fe80::1%1", "fe80::1%2"};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++) {
            tl_addr a;
            tl_addr b;
            memset(&a, 0xaa, sizeof a);
            memset(&b, 0x55, sizeof b);
            assert_int_equal(tl_addr_parse(hosts[i], 80, &a), 0);
            assert_int_equal(tl_addr_parse(hosts[j], 80, &b), 0);
            assert_int_equal(tl_addr_equal(&a, &b), i == j);
            b.port = 81;
            assert_false(tl_addr_equal(&a, &b));
        }
    tl_addr some = {.family = TL_FAMILY_NONE};
    assert_false(tl_addr_equal(NULL, &some));
    assert_false(tl_addr_equal(&some, NULL));
    assert_true(tl_addr_equal(NULL, NULL));
}

static void parses_ports(void **state)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "65536", "99999999999999999999999", "0x1", "http", "1.0"};
    uint16_t port = 7;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tl_port_parse(bad[i], &port), -EINVAL);
    assert_int_equal(tl_port_parse(NULL, &port), -EINVAL);
    assert_int_equal(port, 7);
    assert_int_equal(tl_port_parse("0", &port), 0);
    assert_int_equal(port, 0);
    assert_int_equal(tl_port_parse("00080", &port), 0);
    assert_int_equal(port, 80);
    assert_int_equal(tl_port_parse("65535", &port), 0);
    assert_int_equal(port, 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_formats), cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(formats_unix_names), cmocka_unit_test(cuts_to_fit),
        cmocka_unit_test(compares),           cmocka_unit_test(parses_ports),
    };
    return !!cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}

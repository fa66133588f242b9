/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone files as the dns example reads them: what comes out of a good one, and what is said of each
 * kind of bad line, with its number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/dns/message.h"
#include "examples/dns/zone.h"

#define SOA "@ SOA ns hostmaster 1 2 3 4 5\n"
#define BEGIN "$ORIGIN example.org.\n$TTL 300\n" SOA

static void read_it(struct dns_zone *zone, const char *text)
{
    char error[DNS_ERROR_MAX];
    int r = dns_zone_parse(zone, text, strlen(text), error, sizeof error);
    if (r < 0)
        fail_msg("%s", error);
}

/* Each record as "NAME TTL TYPE TARGET;". */
static void expect_records(const struct dns_zone *zone, const char *expected)
{
    char all[1024] = "";
    for (const struct dns_record *record = zone->records; record != NULL; record = record->next) {
        size_t len = strlen(all);
        (void)snprintf(all + len, sizeof all - len, "%s %u %u %s;", record->name,
                       (unsigned)record->ttl, (unsigned)record->type, record->target);
    }
    assert_string_equal(all, expected);
}

static void a_good_one(void **state)
{
    static const char text[] = "; a comment\n"
                               "\n"
                               "$ORIGIN example.org. ; another\n"
                               "$TTL 300\r\n"
                               "@ 60 IN SOA ns host.master 4294967295 2 3 4 5\n"
                               "@\tNS ns\n"
                               "   IN 7 A 192.0.2.1\n"
                               "ns AAAA 2001:db8::1\n"
                               "WWW cname other.example.\n"
                               "$ORIGIN below.example.org.\n"
                               "a.b TXT \"with a ; and a \\\" in it\" plain \"\"";
    struct dns_zone zone;
    (void)state;
    read_it(&zone, text);
    assert_string_equal(zone.soa->name, "example.org");
    assert_int_equal(zone.soa->ttl, 60);
    assert_int_equal(zone.soa->len, 16 + 25 + 20);
    assert_memory_equal(zone.soa->data + 16 + 25, "\xff\xff\xff\xff\0\0\0\2", 8);
    expect_records(&zone, "example.org 300 2 ns.example.org;example.org 7 1 ;"
                          "ns.example.org 300 28 ;WWW.example.org 300 5 other.example;"
                          "a.b.below.example.org 300 16 ;");
    const struct dns_record *last = zone.records;
    while (last->next != NULL)
        last = last->next;
    assert_int_equal(last->len, 1 + 22 + 1 + 5 + 1);
    assert_int_equal(last->data[0], 22);
    assert_memory_equal(last->data + 1, "with a ; and a \" in it", 22);
    assert_memory_equal(last->data + 23, "\x05plain", 7);
    dns_zone_finish(&zone);
    assert_null(zone.records);
}

static void the_built_in_one(void **state)
{
    struct dns_zone zone;
    size_t count = 0;
    (void)state;
    read_it(&zone, dns_zone_text);
    for (const struct dns_record *record = zone.records; record != NULL; record = record->next)
        count++;
    assert_int_equal(count, 51);
    dns_zone_finish(&zone);
}

static void expect_complaint(const char *text, size_t len, const char *complaint)
{
    struct dns_zone zone;
    char error[DNS_ERROR_MAX];
    assert_true(dns_zone_parse(&zone, text, len, error, sizeof error) < 0);
    assert_string_equal(error, complaint);
    assert_null(zone.soa);
    assert_null(zone.records);
}

static void bad_lines_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *complaint;
    } bad[] = {
        {"", "line 0: the text ends without an SOA"},
        {"; nothing\n\n", "line 2: the text ends without an SOA"},
        {SOA, "line 1: '@' needs a dot at its end, or an $ORIGIN before it"},
        {"$ORIGIN example.org\n", "line 1: 'example.org' needs a dot at its end, or an $ORIGIN "
                                  "before it"},
        {"$ORIGIN\n", "line 1: the origin is missing"},
        {"$ORIGIN a..b.\n", "line 1: 'a..b.' is not a name"},
        {"$ORIGIN example.org. example.com.\n", "line 1: 'example.com.' is too much"},
        {"$TTL soon\n", "line 1: the time to live 'soon' is not a number of 32 bits"},
        {"$TTL 4294967296\n", "line 1: the time to live '4294967296' is not a number of 32 bits"},
        {"$INCLUDE other\n", "line 1: '$INCLUDE' is not known here"},
        {"  A 192.0.2.1\n", "line 1: there is no name before that this could belong to"},
        {"$ORIGIN example.org.\n" SOA, "line 2: there is no time to live, and no $TTL before"},
        {"$ORIGIN example.org.\n$TTL 1\nns A 192.0.2.1\n",
         "line 3: the first record is not the zone's SOA"},
        {BEGIN SOA, "line 4: a zone has only one SOA"},
        {BEGIN "ns\n", "line 4: the type is missing"},
        {BEGIN "ns 60 IN\n", "line 4: the type is missing"},
        {BEGIN "ns MX 10 mail\n", "line 4: 'MX' is no type of records that is served"},
        {BEGIN "ns A\n", "line 4: the address is missing"},
        {BEGIN "ns A 192.0.2\n", "line 4: '192.0.2' is not an address of IPv4"},
        {BEGIN "ns A ::1\n", "line 4: '::1' is not an address of IPv4"},
        {BEGIN "ns AAAA 192.0.2.1\n", "line 4: '192.0.2.1' is not an address of IPv6"},
        {BEGIN "ns A 192.0.2.1 192.0.2.2\n", "line 4: '192.0.2.2' is too much"},
        {BEGIN "ns TXT\n", "line 4: the text is missing"},
        {BEGIN "ns TXT \"open\n", "line 4: a quotation mark is missing"},
        {BEGIN "@ CNAME www\n", "line 4: the zone itself cannot be an alias"},
        {BEGIN "www CNAME\n", "line 4: the name is missing"},
        {BEGIN "www CNAME .\n", "line 4: '.' is not a name"},
        {BEGIN "www A 192.0.2.1\nWWW CNAME ns\n",
         "line 5: 'WWW.example.org' is an alias, and has another record"},
        {BEGIN "www CNAME ns\nwww A 192.0.2.1\n",
         "line 5: 'www.example.org' is an alias, and has another record"},
        {BEGIN "www.example.com. A 192.0.2.1\n",
         "line 4: 'www.example.com' is not in the zone 'example.org'"},
        {"$ORIGIN example.org.\n$TTL 1\n@ SOA ns\n", "line 3: the mailbox is missing"},
        {"$ORIGIN example.org.\n$TTL 1\n@ SOA ns me 1 2 3 4\n", "line 3: minimum is missing"},
        {"$ORIGIN example.org.\n$TTL 1\n@ SOA ns me 1 2 3 4 -5\n",
         "line 3: the minimum '-5' is not a number of 32 bits"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_complaint(bad[i].text, strlen(bad[i].text), bad[i].complaint);
    expect_complaint("a\0b", 3, "line 1: a character that is none");
}

/* A word, a label, a name, and the data of a record. */
static void what_is_too_long(void **state)
{
    char *text = malloc(100000);
    (void)state;
    assert_non_null(text);
    (void)snprintf(text, 100000, BEGIN "%0256d A 192.0.2.1\n", 0);
    expect_complaint(text, strlen(text), "line 4: a word of more than 255 characters");
    (void)snprintf(text, 100000, BEGIN "l%063d A 192.0.2.1\n", 0);
    char complaint[128];
    (void)snprintf(complaint, sizeof complaint, "line 4: 'l%063d' is not a name", 0);
    expect_complaint(text, strlen(text), complaint);
    size_t len = strlen(strcpy(text, BEGIN "long TXT"));
    for (int i = 0; i < 100; i++)
        len += (size_t)sprintf(text + len, " %0200d", 0);
    expect_complaint(text, len, "line 4: more than 16384 bytes of data");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one),
        cmocka_unit_test(the_built_in_one),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(what_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

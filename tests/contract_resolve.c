/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam's resolver: what it answers without asking anybody (numbers, the loopback, services),
 * the same on every kernel; its errors; and being called off.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "support/contract.h"

/* Waits for a query's event. */
static void await(struct tl_kernel *kernel, struct tl_query *query)
{
    struct tl_event event = {0};
    int n;

    do
        n = kernel->ops->poll(kernel, 20 * TL_SECOND, &event, 1);
    while (n == 0);
    assert_int_equal(n, 1);
    assert_int_equal(event.kind, TL_EVENT_RESOLVED);
    assert_ptr_equal(event.token, query);
}

/* What a list says, one word an entry. */
static void write_infos(const struct tl_query *query, char *text, size_t size)
{
    char addr[TL_ADDR_TEXT_MAX];
    size_t len = 0;

    *text = '\0';
    for (size_t i = 0; i < query->infos_count; i++) {
        const tl_addrinfo *info = &query->infos[i];
        len +=
            (size_t)snprintf(text + len, size - len, "%s%s/%d/%d%s%s", i > 0 ? " " : "",
                             tl_addr_format(&info->addr, addr, sizeof addr), info->type,
                             info->protocol, *info->canonname != '\0' ? "=" : "", info->canonname);
    }
}

struct question {
    const char *host;
    const char *service;
    tl_addrinfo_hints hints;
    int result;
    const char *answer; /* NULL: that there is one */
};

static void check(struct tl_kernel *kernel, const struct question *question)
{
    struct tl_query query = {
        .host = question->host, .service = question->service, .hints = question->hints};
    char text[1024];

    assert_int_equal(kernel->ops->resolve(kernel, &query), 0);
    await(kernel, &query);
    if (query.result != question->result)
        fail_msg("%s %s: %s, not %s", question->host, question->service, tl_err_name(query.result),
                 tl_err_name(question->result));
    write_infos(&query, text, sizeof text);
    tl_free(query.infos);
    if (question->answer != NULL)
        assert_string_equal(text, question->answer);
}

static void check_all(struct contract *contract, const struct question *questions, size_t count)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    for (size_t i = 0; i < count; i++)
        check(kernel, &questions[i]);
    kernel->ops->destroy(kernel);
}

#define CHECK(contract, questions)                                                                 \
    check_all(contract, questions, sizeof(questions) / sizeof *(questions))

enum { TCP = 6, UDP = 17, INET = TL_FAMILY_INET, INET6 = TL_FAMILY_INET6 };

static void numbers_are_expanded_by_type(struct contract *contract)
{
    static const struct question questions[] = {
        {"127.0.0.1", "80", {0}, 0, "127.0.0.1:80/1/6 127.0.0.1:80/2/17 127.0.0.1:80/3/0"},
        {"127.0.0.1", "80", {.type = TL_STREAM}, 0, "127.0.0.1:80/1/6"},
        {"127.0.0.1", "80", {.type = TL_DATAGRAM}, 0, "127.0.0.1:80/2/17"},
        {"127.0.0.1", "80", {.protocol = TCP}, 0, "127.0.0.1:80/1/6"},
        {"127.0.0.1", "80", {.protocol = UDP}, 0, "127.0.0.1:80/2/17"},
        {"127.0.0.1", NULL, {.type = TL_STREAM}, 0, "127.0.0.1:0/1/6"},
        {"127.0.0.1", "", {.type = TL_STREAM}, 0, "127.0.0.1:0/1/6"},
        {"127.0.0.1", NULL, {.type = TL_RAW, .protocol = 1}, 0, "127.0.0.1:0/3/1"},
        {"127.1", "80", {.type = TL_STREAM}, 0, "127.0.0.1:80/1/6"},
        {"127.0.0.1", "70000", {.type = TL_STREAM}, 0, "127.0.0.1:4464/1/6"},
        {"::1", "80", {.type = TL_STREAM}, 0, "[::1]:80/1/6"},
        {"::1%1", "80", {.type = TL_STREAM}, 0, "[::1%1]:80/1/6"},
        {"fe80::1%lo", "80", {.type = TL_STREAM}, 0, "[fe80::1%1]:80/1/6"},
        {"ff02::1%lo", "80", {.type = TL_STREAM}, 0, "[ff02::1%1]:80/1/6"},
        {"fe80::1%0", "80", {.type = TL_STREAM}, 0, "[fe80::1]:80/1/6"},
        {"fe80::1%99", "80", {.type = TL_STREAM}, 0, "[fe80::1%99]:80/1/6"},
        {"::1%4294967295", "80", {.type = TL_STREAM}, 0, "[::1%4294967295]:80/1/6"},
        {"ff01::1%lo", "80", {.type = TL_STREAM}, 0, "[ff01::1%1]:80/1/6"},
        {"::ffff:127.0.0.1", "80", {.type = TL_STREAM}, 0, "[::ffff:127.0.0.1]:80/1/6"},
        {"::ffff:127.0.0.1%1", "80", {.type = TL_STREAM}, 0, "[::ffff:127.0.0.1%1]:80/1/6"},
        {"::ffff:127.0.0.1%1", "80", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:80/1/6"},
        {"::ffff:127.0.0.1", "80", {INET6, TL_STREAM, 0, 0}, 0, "[::ffff:127.0.0.1]:80/1/6"},
        {"127.0.0.1",
         "80",
         {.type = TL_STREAM, .flags = TL_AI_NUMERICHOST | TL_AI_NUMERICSERV},
         0,
         "127.0.0.1:80/1/6"},
        {"127.0.0.1",
         "80",
         {.type = TL_STREAM, .flags = TL_AI_CANONNAME},
         0,
         "127.0.0.1:80/1/6=127.0.0.1"},
        {"127.0.0.1", "80", {INET6, TL_STREAM, 0, TL_AI_V4MAPPED}, 0, "[::ffff:127.0.0.1]:80/1/6"},
    };

    CHECK(contract, questions);
}

/* What is IPv4 written as IPv6 is of either family. */
static void mapped_numbers_are_of_both_families(struct contract *contract)
{
    static const struct question questions[] = {
        {"::ffff:127.0.0.1", "80", {.type = TL_STREAM}, 0, "[::ffff:127.0.0.1]:80/1/6"},
        {"::ffff:127.0.0.1", "80", {INET6, TL_STREAM, 0, 0}, 0, "[::ffff:127.0.0.1]:80/1/6"},
        {"::ffff:127.0.0.1",
         "80",
         {INET6, TL_STREAM, 0, TL_AI_V4MAPPED | TL_AI_ALL},
         0,
         "[::ffff:127.0.0.1]:80/1/6"},
        {"::ffff:127.0.0.1", "80", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:80/1/6"},
        {"::FFFF:127.0.0.1",
         "80",
         {.type = TL_STREAM, .flags = TL_AI_CANONNAME},
         0,
         "[::ffff:127.0.0.1]:80/1/6=::FFFF:127.0.0.1"},
    };

    CHECK(contract, questions);
}

static void services_have_names(struct contract *contract)
{
    static const struct question questions[] = {
        {"127.0.0.1", "http", {0}, 0, "127.0.0.1:80/1/6"},
        {"127.0.0.1", "domain", {0}, 0, "127.0.0.1:53/1/6 127.0.0.1:53/2/17"},
        {"127.0.0.1", "http", {.type = TL_STREAM}, 0, "127.0.0.1:80/1/6"},
        {"127.0.0.1", "http", {.type = TL_DATAGRAM}, TL_EAI_SERVICE, ""},
        {"127.0.0.1", "http", {.flags = TL_AI_NUMERICSERV}, TL_EAI_NONAME, ""},
        {"127.0.0.1", "no-such-service", {.type = TL_STREAM}, TL_EAI_SERVICE, ""},
        {"127.0.0.1", "-1", {.type = TL_STREAM}, TL_EAI_SERVICE, ""},
        {"127.0.0.1", "-1", {.type = TL_STREAM, .flags = TL_AI_NUMERICSERV}, TL_EAI_SERVICE, ""},
    };

    CHECK(contract, questions);
}

static void nobody_is_the_loopback_or_every_interface(struct contract *contract)
{
    static const struct question questions[] = {
        {NULL, "80", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:80/1/6"},
        {NULL, "80", {INET, TL_STREAM, 0, TL_AI_PASSIVE}, 0, "0.0.0.0:80/1/6"},
        {NULL, "80", {INET6, TL_STREAM, 0, 0}, 0, "[::1]:80/1/6"},
        {NULL, "80", {INET6, TL_STREAM, 0, TL_AI_PASSIVE}, 0, "[::]:80/1/6"},
        {NULL, "80", {0, TL_STREAM, 0, TL_AI_PASSIVE}, 0, "0.0.0.0:80/1/6 [::]:80/1/6"},
        {"*", "80", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:80/1/6"},
        {"127.0.0.1", "*", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:0/1/6"},
        {NULL, "", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:0/1/6"},
        {"localhost", "80", {INET, TL_STREAM, 0, 0}, 0, "127.0.0.1:80/1/6"},
        {"LOCALHOST", "80", {INET, TL_STREAM, 0, TL_AI_CANONNAME}, 0, "127.0.0.1:80/1/6=localhost"},
    };

    CHECK(contract, questions);
}

static void what_cannot_be_looked_up(struct contract *contract)
{
    static const struct question questions[] = {
        {NULL, NULL, {0}, TL_EAI_NONAME, ""},
        {"localhost", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"127.0.0.1 ", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fe80::1%nope", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fe80::1%", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fe80::1%+1", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fe80::1%-1", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fe80::1% 1", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fe80::1%4294967296", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        /* An interface has a name only where it tells addresses apart. */
        {"::1%lo", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"::%lo", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"fd00::1%lo", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"ff05::1%lo", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"127.0.0.1%lo", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {"", "80", {.flags = TL_AI_NUMERICHOST}, TL_EAI_NONAME, ""},
        {NULL, "80", {.flags = TL_AI_CANONNAME}, TL_EAI_BADFLAGS, ""},
        {"*", "80", {.flags = TL_AI_CANONNAME}, TL_EAI_BADFLAGS, ""},
        {"*", NULL, {0}, TL_EAI_NONAME, ""},
        {"*", "*", {0}, TL_EAI_NONAME, ""},
        {"127.0.0.1", "-1", {.flags = TL_AI_NUMERICSERV}, TL_EAI_SERVICE, ""},
        {"127.0.0.1", "x", {TL_FAMILY_UNIX, 0, 0, TL_AI_NUMERICSERV}, TL_EAI_FAMILY, ""},
        {"127.0.0.1", "80", {.flags = 1u << 20}, TL_EAI_BADFLAGS, ""},
        {"127.0.0.1", "80", {.family = TL_FAMILY_UNIX}, TL_EAI_FAMILY, ""},
        {"127.0.0.1", "80", {.family = INET6}, TL_EAI_ADDRFAMILY, ""},
        {"::1", "80", {.family = INET}, TL_EAI_ADDRFAMILY, ""},
        {"127.0.0.1", "80", {.type = 9}, TL_EAI_SOCKTYPE, ""},
        {"127.0.0.1", "80", {.type = TL_STREAM, .protocol = UDP}, TL_EAI_SOCKTYPE, ""},
        {"127.0.0.1", "80", {.type = TL_RAW}, TL_EAI_SERVICE, ""},
        {"127.0.0.1", "80", {.protocol = 99}, TL_EAI_SERVICE, ""},
    };

    CHECK(contract, questions);
}

/* --- Names of addresses --- */

static void addresses_have_names(struct contract *contract)
{
    static const tl_addr loopback = {.family = INET, .port = 80, .data = {127, 0, 0, 1}};
    static const tl_addr local = {
        .family = INET6, .port = 81, .scope = 1, .data = {0xfe, 0x80, [15] = 1}};
    static const tl_addr everyone = {.family = INET6, .scope = 1, .data = {0xff, 2, [15] = 1}};
    static const tl_addr unknown = {.family = INET6, .scope = 9999, .data = {0xfe, 0x80, [15] = 1}};
    static const tl_addr scoped = {.family = INET6, .scope = 1, .data = {[15] = 1}};
    static const tl_addr odd = {.family = TL_FAMILY_UNIX, .len = 1, .data = "x"};
    static const struct {
        const tl_addr *addr;
        unsigned flags;
        int result;
        const char *names;
    } questions[] = {
        {&loopback, 0, 0, "localhost http"},
        {&loopback, TL_NI_NUMERICHOST, 0, "127.0.0.1 http"},
        {&loopback, TL_NI_NUMERICSERV, 0, "localhost 80"},
        {&loopback, TL_NI_DGRAM, 0, "localhost 80"},
        {&loopback, TL_NI_NAMEREQD, 0, "localhost http"},
        {&loopback, TL_NI_NAMEREQD | TL_NI_NUMERICHOST, TL_EAI_NONAME, ""},
        {&local, TL_NI_NUMERICHOST, 0, "fe80::1%lo 81"},
        {&everyone, TL_NI_NUMERICHOST, 0, "ff02::1%lo 0"},
        {&unknown, TL_NI_NUMERICHOST, 0, "fe80::1%9999 0"},
        {&scoped, TL_NI_NUMERICHOST, 0, "::1%1 0"},
        {&loopback, 1u << 20, TL_EAI_BADFLAGS, ""},
        {&odd, 0, TL_EAI_FAMILY, ""},
    };
    struct tl_kernel *kernel = contract_kernel(contract);
    char text[256];

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct tl_query query = {
            .kind = TL_QUERY_NAMES, .addr = *questions[i].addr, .flags = questions[i].flags};
        *text = '\0';
        assert_int_equal(kernel->ops->resolve(kernel, &query), 0);
        await(kernel, &query);
        assert_int_equal(query.result, questions[i].result);
        if (query.names != NULL)
            snprintf(text, sizeof text, "%s %s", query.names->host, query.names->service);
        tl_free(query.names);
        assert_string_equal(text, questions[i].names);
    }
    kernel->ops->destroy(kernel);
}

/* --- Called off --- */

static void a_query_can_be_given_up(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_query queries[40];
    struct tl_query last = {.host = "127.0.0.1"};

    for (int i = 0; i < 40; i++) {
        queries[i] = (struct tl_query){.host = "localhost", .hints = {.type = TL_STREAM}};
        assert_int_equal(kernel->ops->resolve(kernel, &queries[i]), 0);
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(kernel->ops->cancel(kernel, &queries[i].request), 0);
        assert_int_equal(kernel->ops->cancel(kernel, &queries[i].request), -EALREADY);
        memset(&queries[i], 0x55, sizeof queries[i]);
    }
    assert_int_equal(kernel->ops->resolve(kernel, &last), 0);
    await(kernel, &last);
    assert_int_equal(last.result, 0);
    assert_int_equal(kernel->ops->cancel(kernel, &last.request), -EALREADY);
    tl_free(last.infos);
    kernel->ops->destroy(kernel);
}

static void the_end_waits_for_nobody(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_query queries[40];

    for (int i = 0; i < 40; i++) {
        queries[i] = (struct tl_query){.host = "localhost", .hints = {.type = TL_STREAM}};
        assert_int_equal(kernel->ops->resolve(kernel, &queries[i]), 0);
    }
    kernel->ops->destroy(kernel);
}

static const struct contract_case cases[] = {
    CONTRACT(numbers_are_expanded_by_type), CONTRACT(mapped_numbers_are_of_both_families),
    CONTRACT(services_have_names),          CONTRACT(nobody_is_the_loopback_or_every_interface),
    CONTRACT(what_cannot_be_looked_up),     CONTRACT(addresses_have_names),
    CONTRACT(a_query_can_be_given_up),      CONTRACT(the_end_waits_for_nobody),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "resolve", cases, sizeof cases / sizeof *cases);
}

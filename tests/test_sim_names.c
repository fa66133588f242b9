/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated resolver: the world's table of names and its changes in time, what a host makes of
 * it, and the ways in which a lookup goes wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "support/simulated.h"

/* A world with a guest's kernel on host "here", and host "there". */
struct place {
    tl_world *world;
    tl_host *here;
    struct tl_kernel *kernel;
};

static void open_place(struct place *place, struct tl_world_options options)
{
    place->world = tl_world_new(&options);
    place->here = tl_world_add_host(place->world, "here", "10.0.0.1");
    assert_non_null(tl_world_add_host(place->world, "There", "10.0.0.2"));
    assert_int_equal(tl_sim_kernel_join(place->here, &place->kernel), 0);
}

static void close_place(struct place *place)
{
    place->kernel->ops->destroy(place->kernel);
    tl_world_free(place->world);
}

static void add(struct place *place, const char *name, const char *address, tl_time from)
{
    assert_int_equal(tl_world_name_add(place->world, name, address, from), 0);
}

static void answer(struct place *place, struct tl_query *query)
{
    struct tl_event event;
    assert_int_equal(place->kernel->ops->resolve(place->kernel, query), 0);
    assert_int_equal(place->kernel->ops->poll(place->kernel, -1, &event, 1), 1);
    assert_int_equal(event.kind, TL_EVENT_RESOLVED);
    assert_ptr_equal(event.token, query);
}

/* "10.0.0.1 fd00::1", with "=name" behind one that has a canonical name; or the error's name. */
static const char *look(struct place *place, const char *host, tl_addrinfo_hints hints)
{
    static char text[512];
    struct tl_query query = {.host = host, .hints = hints};
    char addr[TL_ADDR_TEXT_MAX];
    size_t len = 0;
    query.hints.type = TL_STREAM;
    answer(place, &query);
    if (query.result < 0)
        return tl_err_name(query.result);
    text[0] = '\0';
    for (size_t i = 0; i < query.infos_count; i++) {
        const tl_addrinfo *info = &query.infos[i];
        tl_addr_format(&info->addr, addr, sizeof addr);
        addr[strlen(addr) - 2] = '\0'; /* the port */
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s%s", i > 0 ? " " : "", addr,
                                *info->canonname != '\0' ? "=" : "", info->canonname);
    }
    tl_free(query.infos);
    return text;
}

static const char *look_back(struct place *place, const char *host, unsigned flags)
{
    static char text[128];
    struct tl_query query = {.kind = TL_QUERY_NAMES, .flags = flags};
    assert_int_equal(tl_addr_parse(host, 80, &query.addr), 0);
    answer(place, &query);
    if (query.result < 0)
        return tl_err_name(query.result);
    snprintf(text, sizeof text, "%s", query.names->host);
    tl_free(query.names);
    return text;
}

#define ANY ((tl_addrinfo_hints){0})
#define FLAGS(set) ((tl_addrinfo_hints){.flags = (set)})
#define FAMILY(wanted) ((tl_addrinfo_hints){.family = (wanted)})

static void wait_until(struct place *place, tl_time when)
{
    struct tl_event event;
    tl_time now = tl_world_time(place->world);
    assert_int_equal(place->kernel->ops->poll(place->kernel, when - now, &event, 1), 0);
}

/* --- The table -------------------------------------------------------------------------------- */

static void hosts_are_known_by_their_names(void **state)
{
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    assert_string_equal(look(&place, "here", ANY), "10.0.0.1");
    assert_string_equal(look(&place, "there", ANY), "10.0.0.2");
    assert_string_equal(look(&place, "THERE", FLAGS(TL_AI_CANONNAME)), "10.0.0.2=There");
    assert_string_equal(look(&place, "localhost", ANY), "[::1] 127.0.0.1");
    assert_string_equal(look(&place, "nowhere", ANY), "TL_EAI_NONAME");
    assert_string_equal(look_back(&place, "10.0.0.2", 0), "There");
    assert_string_equal(look_back(&place, "10.0.0.3", 0), "10.0.0.3");
    assert_string_equal(look_back(&place, "10.0.0.3", TL_NI_NAMEREQD), "TL_EAI_NONAME");
    assert_string_equal(look_back(&place, "127.0.0.5", 0), "localhost");
    /* The table has it otherwise. */
    add(&place, "there", "10.0.0.77", 0);
    add(&place, "localhost", "10.0.0.78", 0);
    assert_string_equal(look(&place, "There", FLAGS(TL_AI_CANONNAME)), "10.0.0.77=there");
    assert_string_equal(look(&place, "localhost", ANY), "10.0.0.78");
    assert_string_equal(look_back(&place, "10.0.0.77", 0), "there");
    close_place(&place);
}

static void names_change_with_time(void **state)
{
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    add(&place, "name", NULL, 20 * TL_SECOND);
    add(&place, "name", "10.1.0.3", 30 * TL_SECOND);
    add(&place, "name", "10.1.0.1", 0);
    add(&place, "name", "10.1.0.2", 10 * TL_SECOND);
    assert_string_equal(look(&place, "name", ANY), "10.1.0.1");
    wait_until(&place, 10 * TL_SECOND);
    assert_string_equal(look(&place, "name", ANY), "10.1.0.1 10.1.0.2");
    assert_string_equal(look_back(&place, "10.1.0.1", 0), "name");
    wait_until(&place, 20 * TL_SECOND);
    assert_string_equal(look(&place, "name", ANY), "TL_EAI_NONAME");
    assert_string_equal(look_back(&place, "10.1.0.1", 0), "10.1.0.1");
    assert_string_equal(look_back(&place, "10.1.0.3", 0), "10.1.0.3");
    wait_until(&place, 30 * TL_SECOND);
    assert_string_equal(look(&place, "name", ANY), "10.1.0.3");
    close_place(&place);
}

static void what_is_no_record(void **state)
{
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    assert_int_equal(tl_world_name_add(NULL, "name", "10.0.0.1", 0), -EINVAL);
    assert_int_equal(tl_world_name_add(place.world, NULL, "10.0.0.1", 0), -EINVAL);
    assert_int_equal(tl_world_name_add(place.world, "", "10.0.0.1", 0), -EINVAL);
    assert_int_equal(tl_world_name_add(place.world, "name", "there", 0), -EINVAL);
    assert_int_equal(tl_host_add_address(place.here, NULL), -EINVAL);
    assert_int_equal(tl_host_add_address(NULL, "fd00::1"), -EINVAL);
    assert_int_equal(tl_host_add_address(place.here, "10.0.0.9"), -EEXIST);
    assert_int_equal(tl_host_add_address(place.here, "10.0.0.2"), -EADDRINUSE);
    assert_int_equal(tl_host_add_address(place.here, "::1"), -EINVAL);
    assert_int_equal(tl_host_add_address(place.here, "fd00::1"), 0);
    assert_int_equal(tl_host_add_address(place.here, "fd00::2"), -EEXIST);
    close_place(&place);
}

static void a_reset_keeps_names_as_it_does_hosts(void **state)
{
    const struct tl_world_options forget = {.quiet = true, .forget_hosts = true};
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    add(&place, "name", "10.1.0.1", 0);
    place.kernel->ops->destroy(place.kernel);
    assert_int_equal(tl_world_reset(place.world, &(struct tl_world_options){.quiet = true}), 0);
    assert_int_equal(tl_sim_kernel_join(place.here, &place.kernel), 0);
    assert_string_equal(look(&place, "name", ANY), "10.1.0.1");
    place.kernel->ops->destroy(place.kernel);
    assert_int_equal(tl_world_reset(place.world, &forget), 0);
    place.here = tl_world_add_host(place.world, "here", NULL);
    assert_int_equal(tl_sim_kernel_join(place.here, &place.kernel), 0);
    assert_string_equal(look(&place, "name", ANY), "TL_EAI_NONAME");
    close_place(&place);
}

/* --- Families --------------------------------------------------------------------------------- */

static void the_best_address_comes_first(void **state)
{
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    add(&place, "both", "10.1.0.1", 0);
    add(&place, "both", "fd01::1", 0);
    add(&place, "both", "10.1.0.2", 0);
    /* There is no way out to IPv6. */
    assert_string_equal(look(&place, "both", ANY), "10.1.0.1 10.1.0.2 [fd01::1]");
    assert_string_equal(look(&place, "both", FLAGS(TL_AI_ADDRCONFIG)), "10.1.0.1 10.1.0.2");
    assert_int_equal(tl_host_add_address(place.here, "fd00::1"), 0);
    assert_string_equal(look(&place, "both", ANY), "[fd01::1] 10.1.0.1 10.1.0.2");
    assert_string_equal(look(&place, "both", FLAGS(TL_AI_ADDRCONFIG)),
                        "[fd01::1] 10.1.0.1 10.1.0.2");
    assert_string_equal(look(&place, "here", ANY), "[fd00::1] 10.0.0.1");
    assert_string_equal(look_back(&place, "fd00::1", 0), "here");
    close_place(&place);
}

static void a_family_can_be_asked_for(void **state)
{
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    add(&place, "both", "10.1.0.1", 0);
    add(&place, "both", "fd01::1", 0);
    add(&place, "four", "10.1.0.4", 0);
    assert_string_equal(look(&place, "both", FAMILY(TL_FAMILY_INET)), "10.1.0.1");
    assert_string_equal(look(&place, "both", FAMILY(TL_FAMILY_INET6)), "[fd01::1]");
    assert_string_equal(look(&place, "four", FAMILY(TL_FAMILY_INET6)), "TL_EAI_NODATA");
    tl_addrinfo_hints mapped = {.family = TL_FAMILY_INET6, .flags = TL_AI_V4MAPPED};
    assert_string_equal(look(&place, "four", mapped), "[::ffff:10.1.0.4]");
    assert_string_equal(look(&place, "both", mapped), "[fd01::1]");
    mapped.flags |= TL_AI_ALL;
    assert_string_equal(look(&place, "both", mapped), "[::ffff:10.1.0.1] [fd01::1]");
    const tl_addrinfo_hints configured = {.family = TL_FAMILY_INET6, .flags = TL_AI_ADDRCONFIG};
    assert_string_equal(look(&place, "both", configured), "TL_EAI_NONAME");
    close_place(&place);
}

/* --- Choices ---------------------------------------------------------------------------------- */

static void lookups_take_their_time(void **state)
{
    struct place place;
    (void)state;
    open_place(&place, (struct tl_world_options){.quiet = true});
    (void)look(&place, "there", ANY);
    assert_int_equal(tl_world_time(place.world), TL_MILLISECOND);
    (void)look(&place, "10.0.0.2", ANY);
    assert_int_equal(tl_world_time(place.world), TL_MILLISECOND + 10 * TL_MICROSECOND);
    (void)look(&place, "localhost", ANY);
    assert_int_equal(tl_world_time(place.world), TL_MILLISECOND + 20 * TL_MICROSECOND);
    close_place(&place);

    open_place(&place, (struct tl_world_options){.seed = 1});
    simulated_only(place.kernel, "resolve.delay", 65536);
    (void)look(&place, "there", ANY);
    assert_true(tl_world_time(place.world) > TL_MILLISECOND);
    tl_time then = tl_world_time(place.world);
    (void)look(&place, "127.0.0.1", ANY);
    assert_int_equal(tl_world_time(place.world), then + 10 * TL_MICROSECOND);
    close_place(&place);
}

static void servers_of_names_fail(void **state)
{
    unsigned again = 0, unknown = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct place place;
        open_place(&place, (struct tl_world_options){.seed = seed});
        simulated_only(place.kernel, "resolve.failed", 65536);
        const char *found = look(&place, "there", ANY);
        bool is_again = strcmp(found, "TL_EAI_AGAIN") == 0;
        again += is_again;
        unknown += strcmp(found, "TL_EAI_NONAME") == 0;
        assert_int_equal(tl_world_time(place.world), is_again ? 10 * TL_SECOND : TL_MILLISECOND);
        /* What needs no server does not. */
        assert_string_equal(look(&place, "10.0.0.2", ANY), "10.0.0.2");
        close_place(&place);
    }
    assert_int_equal(again + unknown, 20);
    assert_true(again > 0 && unknown > 0);
}

static void addresses_are_rotated(void **state)
{
    unsigned second_first = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct place place;
        open_place(&place, (struct tl_world_options){.seed = seed});
        simulated_only(place.kernel, "resolve.order", 65536);
        add(&place, "name", "10.1.0.1", 0);
        add(&place, "name", "10.1.0.2", 0);
        const char *found = look(&place, "name", ANY);
        if (strcmp(found, "10.1.0.2 10.1.0.1") == 0)
            second_first++;
        else
            assert_string_equal(found, "10.1.0.1 10.1.0.2");
        close_place(&place);
    }
    assert_true(second_first > 0 && second_first < 20);
}

static uint64_t hash_of(uint64_t seed, const char *name)
{
    uint64_t schedule, content;
    struct place place;
    open_place(&place, (struct tl_world_options){.seed = seed});
    add(&place, "name", "10.1.0.1", 0);
    (void)look(&place, name, ANY);
    tl_world_hashes(place.world, &schedule, &content);
    close_place(&place);
    return schedule;
}

static void lookups_are_hashed(void **state)
{
    (void)state;
    assert_int_equal(hash_of(1, "name"), hash_of(1, "name"));
    assert_int_not_equal(hash_of(1, "name"), hash_of(1, "nome"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_known_by_their_names),
        cmocka_unit_test(names_change_with_time),
        cmocka_unit_test(what_is_no_record),
        cmocka_unit_test(a_reset_keeps_names_as_it_does_hosts),
        cmocka_unit_test(the_best_address_comes_first),
        cmocka_unit_test(a_family_can_be_asked_for),
        cmocka_unit_test(lookups_take_their_time),
        cmocka_unit_test(servers_of_names_fail),
        cmocka_unit_test(addresses_are_rotated),
        cmocka_unit_test(lookups_are_hashed),
    };
    return !!cmocka_run_group_tests_name("simulated names", tests, NULL, NULL);
}

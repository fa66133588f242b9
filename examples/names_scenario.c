/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Visitors who know a service by its name alone, while what the name stands for changes: a
 * scenario, and the program to explore it with.
 *
 * The service stands on up to three hosts, with IPv4 addresses, IPv6 addresses or both. At first
 * the name stands for some of them, and perhaps for an address that nobody has and for a host where
 * nobody listens; then for nothing, for a while; then for others. Hosts that it stands for no more
 * end their service. The resolver is slow, brings addresses in another order, and fails, as often
 * as the seed says; some networks are slow enough for several attempts at a connection to succeed
 * at once. Visitors try one address after the other or several at once, and some give up early.
 *
 * Whoever gets a connection has to be where the name led at that time, over the address it thinks,
 * and every visitor gets there in the end.
 *
 *     ./names_scenario explore --seeds 1:10000
 *     ./names_scenario run --seed 42 --log -
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <twinloop/explore.h>
#include "common/example.h"
#include "names/names.h"

#define HOSTS 3
#define NOBODY "10.99.0.1" /* addresses that no host has */
#define NOBODY6 "fd00:dead::1"
#define SLOW (400 * TL_MILLISECOND) /* a latency: longer than the next attempt waits for */
#define FAILED_ODDS 4096

enum families {
    IPV4,
    BOTH,
    IPV6, /* in the table of names; the host has IPv4 too */
    FAMILIES,
};

enum { NUMBER_MAX = 24 };

enum visitor_argument {
    PROGRAM,
    BEFORE,
    AFTER,
    MOVED,
    BACK,
    ROUNDS,
    EYEBALLS,
    HURRY,
    PROMPT,
    ARGUMENTS,
};

/* The world while it is built. */
struct service {
    tl_world *world;
    tl_host *hosts[HOSTS];
    tl_process *processes[HOSTS];
    uint32_t families[HOSTS];
    char addresses6[HOSTS][NUMBER_MAX];
    uint32_t nobody; /* bits: an address of IPv4, of IPv6 */
    bool silent;     /* a host without the service is named too */
    bool lost;       /* connects get lost */
    struct names_record record;
};

/* --- Visitors --------------------------------------------------------------------------------- */

static int visitor_program(int argc, char **argv)
{
    uint64_t number[ARGUMENTS];
    if (argc != ARGUMENTS)
        return EXAMPLE_USAGE;
    for (int i = PROGRAM + 1; i < argc; i++)
        number[i] = strtoull(argv[i], NULL, 10);
    return names_visit(&(struct names_visitor_options){
        .record = {.before = (uint32_t)number[BEFORE],
                   .after = (uint32_t)number[AFTER],
                   .moved = (tl_time)number[MOVED],
                   .back = (tl_time)number[BACK]},
        .rounds = (unsigned)number[ROUNDS],
        .eyeballs = number[EYEBALLS] != 0,
        .hurry = number[HURRY] != 0,
        .prompt = number[PROMPT] != 0,
    });
}

static int add_visitor(const struct service *service, unsigned number)
{
    tl_world *world = service->world;
    const struct tl_link_options slow = {.latency = SLOW};
    char name[32], address6[NUMBER_MAX], text[ARGUMENTS][NUMBER_MAX];
    const char *argv[ARGUMENTS + 1] = {"visitor"};
    uint32_t eyeballs = tl_parameter(world, "eyeballs", 0, 1);
    const uint64_t value[ARGUMENTS] = {
        [BEFORE] = service->record.before,
        [AFTER] = service->record.after,
        [MOVED] = (uint64_t)service->record.moved,
        [BACK] = (uint64_t)service->record.back,
        [ROUNDS] = tl_parameter(world, "rounds", 1, 6),
        [EYEBALLS] = eyeballs,
        [HURRY] = eyeballs != 0 ? tl_parameter(world, "hurry", 0, 1) : 0,
        [PROMPT] = eyeballs != 0 && !service->lost,
    };
    for (int i = PROGRAM + 1; i < ARGUMENTS; i++) {
        (void)snprintf(text[i], NUMBER_MAX, "%llu", (unsigned long long)value[i]);
        argv[i] = text[i];
    }
    (void)snprintf(name, sizeof name, "visitor-%u", number);
    tl_host *host = tl_world_add_host(world, name, NULL);
    if (host == NULL)
        return -ENOMEM;
    (void)snprintf(address6, sizeof address6, "fd00:2::%u", number + 1);
    int r = tl_parameter(world, "ipv6", 0, 1) != 0 ? tl_host_add_address(host, address6) : 0;
    uint32_t far = tl_parameter(world, "far", 0, HOSTS);
    if (r == 0 && far > 0)
        r = tl_world_set_link(world, host, service->hosts[far - 1], &slow);
    const struct tl_process_options options = {
        .name = name,
        .argv = argv,
        .program = visitor_program,
        .start = tl_parameter(world, "start", 0, 3000) * TL_MILLISECOND,
    };
    return r < 0 ? r : tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

/* --- The service and its name ----------------------------------------------------------------- */

static int add_host(struct service *service, unsigned number)
{
    char name[32], text[NUMBER_MAX];
    const char *const argv[] = {"service", text, NULL};
    (void)snprintf(name, sizeof name, "host-%u", number);
    (void)snprintf(text, sizeof text, "%u", number);
    const struct tl_process_options options = {
        .name = name, .argv = argv, .program = names_service_program, .daemon = true};
    tl_host *host = tl_world_add_host(service->world, name, NULL);
    /* The first can be reached from everywhere. */
    service->hosts[number] = host;
    service->families[number] =
        number == 0 ? IPV4 : tl_parameter(service->world, "families", 0, FAMILIES - 1);
    (void)snprintf(service->addresses6[number], NUMBER_MAX, "fd00:1::%u", number + 1);
    if (host == NULL)
        return -ENOMEM;
    int r = service->families[number] != IPV4
                ? tl_host_add_address(host, service->addresses6[number])
                : 0;
    service->processes[number] = r == 0 ? tl_host_spawn(host, &options) : NULL;
    return r < 0 ? r : service->processes[number] != NULL ? 0 : -ENOMEM;
}

static int add_name(const struct service *service, const char *address, tl_time from)
{
    return tl_world_name_add(service->world, NAMES_SERVICE, address, from);
}

static int name_hosts(const struct service *service, uint32_t set, tl_time from)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < HOSTS; i++) {
        if ((set >> i & 1) == 0)
            continue;
        if (service->families[i] != IPV6)
            r = add_name(service, tl_host_address(service->hosts[i]), from);
        if (r == 0 && service->families[i] != IPV4)
            r = add_name(service, service->addresses6[i], from);
    }
    return r;
}

/* Addresses that lead nowhere come first: whoever stops at them gets nowhere. */
static int name_nobody(const struct service *service)
{
    int r = 0;
    if ((service->nobody & 1) != 0)
        r = add_name(service, NOBODY, 0);
    if (r == 0 && (service->nobody & 2) != 0)
        r = add_name(service, NOBODY6, 0);
    if (r == 0 && service->silent) {
        const tl_host *host = tl_world_add_host(service->world, "silent", NULL);
        r = host != NULL ? add_name(service, tl_host_address(host), 0) : -ENOMEM;
    }
    return r;
}

static int make_record(struct service *service)
{
    const struct names_record *record = &service->record;
    int r = name_nobody(service);
    if (r == 0)
        r = name_hosts(service, record->before, 0);
    if (r == 0)
        r = add_name(service, NULL, record->moved);
    return r < 0 ? r : name_hosts(service, record->after, record->back);
}

/* --- The world -------------------------------------------------------------------------------- */

static void end_service(tl_world *world, void *process)
{
    (void)world;
    (void)tl_process_kill(process, SIGTERM);
}

static int end_services(const struct service *service)
{
    const struct names_record *record = &service->record;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < HOSTS; i++)
        if (((record->before & ~record->after) >> i & 1) != 0)
            r = tl_world_at(service->world, record->moved, end_service, service->processes[i]);
    return r;
}

/* In 65,536ths: up to a quarter of the lookups fail, and one in 64 connects is lost. */
static int spoil(struct service *service)
{
    uint32_t failed = tl_parameter(service->world, "failed", 0, 4);
    service->lost = tl_parameter(service->world, "lost", 0, 3) == 3;
    int r = tl_world_set_odds(service->world, "resolve.failed", failed * FAILED_ODDS);
    return r < 0 || !service->lost
               ? r
               : tl_world_set_odds(service->world, "connect.timeout", FAILED_ODDS / 4);
}

static int build(tl_world *world)
{
    const uint32_t all = (1u << HOSTS) - 1;
    struct service service = {
        .world = world,
        .nobody = tl_parameter(world, "nobody", 0, 3),
        .silent = tl_parameter(world, "silent", 0, 1) != 0,
        .record = {.before = tl_parameter(world, "before", 1, all),
                   .after = tl_parameter(world, "after", 0, all) | 1,
                   .moved = tl_parameter(world, "moved", 1, 4000) * TL_MILLISECOND},
    };
    service.record.back =
        service.record.moved + tl_parameter(world, "away", 0, 1000) * TL_MILLISECOND;
    int r = spoil(&service);
    for (unsigned i = 0; r == 0 && i < HOSTS; i++)
        r = add_host(&service, i);
    if (r == 0)
        r = make_record(&service);
    if (r == 0)
        r = end_services(&service);
    uint32_t visitors = tl_parameter(world, "visitors", 1, 4);
    for (uint32_t i = 0; r == 0 && i < visitors; i++)
        r = add_visitor(&service, i);
    return r;
}

static const struct tl_scenario scenario = {
    .name = "names",
    .about = "Visitors find a service by a name that moves, and check where it has led them.",
    .build = build,
};

int main(int argc, char **argv)
{
    return tl_explore_main(argc, argv, &scenario);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns: the DNS server and its client as a program, on the real loop or, with --sim, on a simulated
 * one. See dns/dns.h.
 */
#include "common/example.h"
#include "dns/dns.h"

int main(int argc, char **argv)
{
    return example_main(argc, argv, &dns_example);
}

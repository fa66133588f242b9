/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone that is built in, which the client knows by heart. Names and addresses are those that
 * are set aside for examples (RFC 2606, 5737, 3849).
 */
#include "dns.h"
#include "zone.h"

#define LINE " \"A line of sixty-three characters, which is as many as fit in...\""
#define LINES LINE LINE LINE LINE LINE LINE LINE LINE
#define MANY(number) "many A 198.51.100." #number "\n"

const char dns_zone_text[] = "$ORIGIN " DNS_ZONE ".\n"
                             "$TTL 300\n"
                             "@       SOA   ns hostmaster 2025822785 3600 900 604800 300\n"
                             "@       NS    ns\n"
                             "        A     192.0.2.1\n"
                             "        AAAA  2001:db8::1\n"
                             "        TXT   \"a loop and its twin\"\n"
                             "ns      A     192.0.2.53\n"
                             "www     CNAME @\n"
                             "alias   CNAME www\n"
                             "outside CNAME elsewhere.example.\n"
                             "circle  CNAME circle\n"
                             "deep.down A   192.0.2.10\n"
    /* More than 512 bytes, and more than a datagram has. */
    MANY(1) MANY(2) MANY(3) MANY(4) MANY(5) MANY(6) MANY(7) MANY(8) MANY(9) MANY(10) MANY(11)
        MANY(12) MANY(13) MANY(14) MANY(15) MANY(16) MANY(17) MANY(18) MANY(19) MANY(20) MANY(21)
            MANY(22) MANY(23) MANY(24) MANY(25) MANY(26) MANY(27) MANY(28) MANY(29) MANY(30)
                MANY(31) MANY(32) MANY(33) MANY(34) MANY(35) MANY(36) MANY(37) MANY(38) MANY(39)
                    MANY(40) "long TXT" LINES LINES LINES "\n";

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv: a key-value server that Redis's own clients can talk to, and a client that checks one.
 *
 *     kv --port 6379                      serves
 *     kv --client --port 6379             checks whoever serves there, kv or Redis
 *     kv --sim 7                          does both in a simulated world
 *
 * The program is kv/program.c; here it only becomes a process of the operating system's.
 */
#include "kv/program.h"

int main(int argc, char **argv)
{
    return example_main(argc, argv, &kv_example);
}

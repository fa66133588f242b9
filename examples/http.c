/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: serves the files of a folder over HTTP/1.1, and a client that checks a server of its kind.
 *
 *     http --port 8080 --root examples/http/www   serves
 *     http --sim 7                                serves and checks in a simulated world
 *
 * The program is http/program.c; here it only becomes a process of the operating system's.
 */
#include "http/program.h"

int main(int argc, char **argv)
{
    return example_main(argc, argv, &http_example);
}

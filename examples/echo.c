/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo: the echo server and its client as a program, on the real loop or, with --sim, on a
 * simulated one. See echo/echo.h.
 */
#include "common/example.h"
#include "echo/echo.h"

int main(int argc, char **argv)
{
    return example_main(argc, argv, &echo_example);
}

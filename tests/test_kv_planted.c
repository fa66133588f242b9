/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planted bug kv-early-expiry is found: this program is kv's scenario with the bug compiled in,
 * and, called without arguments, a test that calls itself so. (`make BUG=kv-early-expiry` builds
 * the same for people.) Without the bug seeds hold: see kv.sh.
 */
int scenario_main(int argc, char **argv);

#define TL_BUG_KV_EARLY_EXPIRY
#define main scenario_main
#include "examples/kv/commands_expiry.c"
#include "examples/kv_scenario.c"
#undef main

#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* after them: it takes the word fail for itself */

static void early_expiry_is_found(void **state)
{
    (void)state;
    char program[512] = {0}, command[1024], output[4096];
    char directory[] = "/tmp/test_kv_planted.XXXXXX";
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    assert_non_null(mkdtemp(directory));
    (void)snprintf(
        command, sizeof command,
        "cd %s && '%s' explore --seeds 1:2000 --stop-at-first 2>&1; s=$?; rm -r %s; exit $s",
        directory, program, directory);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(output, ": one that is there, got"));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return scenario_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_expiry_is_found),
    };
    int rc = cmocka_run_group_tests_name("kv planted", tests, NULL, NULL);
    return !!rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planted bugs: what must be found is found, what is found is reproduced from its line and from its
 * file, and each way to fail has its exit code.
 *
 * This program is two things. Called with the name of a planted bug it is that scenario's runner
 * (`test_planted order explore --seeds 1:300`); otherwise it is a test that calls itself so and
 * looks at how that ended.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/planted.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_SEEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_SEEN 1
#endif
#endif

/* What the tests share: this program, and a directory for what it writes. */
struct bench {
    char program[512];
    char directory[64];
    char output[65536]; /* of the last call */
};

/* Runs a command line and catches what it prints; returns its exit code. */
static int shell(struct bench *bench, const char *command)
{
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    size_t len = fread(bench->output, 1, sizeof bench->output - 1, pipe);
    bench->output[len] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Runs this program with these words, in the bench's directory. */
__attribute__((format(printf, 2, 3))) static int call(struct bench *bench, const char *format, ...)
{
    char words[512], command[1280];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    snprintf(command, sizeof command, "cd %s && %s %s 2>&1", bench->directory, bench->program,
             words);
    return shell(bench, command);
}

static void expect_said(const struct bench *bench, const char *text)
{
    if (strstr(bench->output, text) == NULL)
        fail_msg("'%s' is not in:\n%s", text, bench->output);
}

static void expect_not_said(const struct bench *bench, const char *text)
{
    if (strstr(bench->output, text) != NULL)
        fail_msg("'%s' is in:\n%s", text, bench->output);
}

/* The rest of the first line that begins so, run as a command. */
static int run_line(struct bench *bench, const char *beginning)
{
    char command[1024];
    const char *line = strstr(bench->output, beginning);
    assert_non_null(line);
    line += strlen(beginning);
    snprintf(command, sizeof command, "cd %s && %.*s 2>&1", bench->directory,
             (int)strcspn(line, "\n"), line);
    return shell(bench, command);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return -1;
    *state = bench;
    snprintf(bench->directory, sizeof bench->directory, "/tmp/test_planted.XXXXXX");
    return mkdtemp(bench->directory) == NULL ||
                   readlink("/proc/self/exe", bench->program, sizeof bench->program - 1) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", bench->directory);
    int r = system(command);
    free(bench);
    return r;
}

/* --- What must be found ----------------------------------------------------------------------- */

static void test_order_is_found(void **state)
{
    struct bench *bench = *state;
    char found[sizeof bench->output];
    assert_int_equal(call(bench, "order explore --seeds 1:300 --stop-at-first"), 1);
    expect_said(bench, "it is used before it is open");
    expect_said(bench, "parameters: between=");
    expect_said(bench, "stopped at the first failure");
    memcpy(found, bench->output, sizeof found);

    assert_int_equal(run_line(bench, "\nreproduce: "), 1);
    expect_said(bench, "it is used before it is open");
    expect_said(bench, "\nreproduce: ");

    memcpy(bench->output, found, sizeof found);
    assert_int_equal(run_line(bench, "\nreplay: "), 1);
    expect_said(bench, "replay: ended the same way, event for event: failed");
    expect_said(bench, "replay: 0 of ");
}

/* With plain answers only, the bug does not show. */
static void test_order_holds_plainly(void **state)
{
    struct bench *bench = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/plain.script", bench->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("twinloop-script 1 library 0.1.0 scenario order seed 1 strategy seed\n"
          "outcome failed\nsummary made by hand\nend 0\n",
          file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(call(bench, "order replay plain.script"), 0);
    expect_said(bench, "ended otherwise: held, where the file has failed: made by hand");

    /* What nothing asks for is counted. */
    file = fopen(path, "w");
    fputs("twinloop-script 1 library 0.1.0 scenario order seed 1 strategy seed\n"
          "outcome failed\nchoice gone.site 1 2 3\nchoice between 0 0 2\nend 2\n",
          file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(call(bench, "order replay plain.script"), 0);
    expect_said(bench, "between=3");
    expect_said(bench, "replay: 1 of 2 choices were not asked for");
    assert_int_equal(call(bench, "stuck replay plain.script"), 2);
    expect_said(bench, "plain.script:1: the file is of the scenario 'order', this program has "
                       "'stuck': give the file to that scenario's program");

    /* Another version chooses otherwise. */
    file = fopen(path, "w");
    fputs("twinloop-script 1 library 0.0.9 scenario order seed 1 strategy seed\nend 0\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(call(bench, "order replay plain.script"), 2);
    expect_said(bench, "plain.script:1: the file is of Twinloop 0.0.9, this program has 0.1.0");
    expect_said(bench, "look for the failure anew with explore");
}

static void test_pointer_is_found_by_twice(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "pointer explore --seeds 1:50"), 0); /* each run is fine */
    assert_int_equal(call(bench, "pointer twice --seeds 1:50 --stop-at-first"), 5);
    expect_said(bench, "NOT DETERMINISTIC seed ");
    expect_said(bench, "\nfirst difference: event ");
    expect_said(bench, "\n  one   ");
    expect_said(bench, "\n  other ");
    assert_int_equal(run_line(bench, "\nreproduce: "), 5);
    expect_said(bench, "NOT DETERMINISTIC seed ");
}

static void test_garbage_is_found_by_twice(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "garbage run"), 0);
    assert_int_equal(call(bench, "garbage twice --seeds 1:10"), 5);
    expect_said(bench, "\nfirst difference: event ");
}

/* --debug reaches the loops in every command, and every line and file that reproduces a run. */
static void test_debug_is_kept(void **state)
{
    struct bench *bench = *state;
    char found[sizeof bench->output];
    assert_int_equal(call(bench, "debug run --seed 3"), 0);
    expect_said(bench, "debug: seed 3, strategy seed\n");
    assert_int_equal(call(bench, "debug run --seed 3 --debug"), 1);
    expect_said(bench, "debug: seed 3, strategy seed, debug\n");
    assert_int_equal(run_line(bench, "\nreproduce: "), 1);
    expect_said(bench, "\nreproduce: ");

    assert_int_equal(call(bench, "debug explore --seeds 3"), 0);
    assert_int_equal(call(bench, "debug explore --seeds 3 --debug"), 1);
    memcpy(found, bench->output, sizeof found);
    assert_int_equal(run_line(bench, "\nreproduce: "), 1);
    memcpy(bench->output, found, sizeof found);
    assert_int_equal(run_line(bench, "\nreplay: "), 1);
    expect_said(bench, "debug: seed 3, strategy script, debug\n");
    expect_said(bench, "replay: ended the same way, event for event: failed");
    assert_int_equal(run_line(bench, "\nreproduce: "), 1);

    assert_int_equal(call(bench, "debug hashes --seeds 3"), 0);
    expect_said(bench, " held\n");
    assert_int_equal(call(bench, "debug hashes --seeds 3 --debug"), 0);
    expect_said(bench, " failed\n");
    assert_int_equal(call(bench, "debug sites --seed 3 --debug"), 0);
    expect_said(bench, "debug: seed 3: failed; ");
    assert_int_equal(call(bench, "pointer twice --debug --seeds 1:50 --stop-at-first"), 5);
    expect_said(bench, " twice --debug --seeds ");
}

static void test_order_is_deterministic(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "order twice --seeds 1:100 --jobs 2"), 0);
    expect_said(bench, "order: 100 seeds twice: 0 differed");
}

/* --- Ways to fail ----------------------------------------------------------------------------- */

static void test_outcomes(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *name;
        int code;
        const char *said;
    } rows[] = {
        {"crash", 3, "crashed: "},          {"exit", 1, "failed: "},
        {"check", 1, "not well enough"},    {"stuck", 4, "stuck: "},
        {"deadline", 6, "not recovered: "}, {"livelock", 7, "limit: "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(call(bench, "%s run --seed 3", rows[i].name), rows[i].code);
        expect_said(bench, rows[i].said);
        expect_said(bench, "\nFAILED seed 3: ");
        assert_int_equal(run_line(bench, "\nreproduce: "), rows[i].code);
        assert_int_equal(call(bench, "%s explore --seeds 3", rows[i].name), rows[i].code);
        expect_said(bench, rows[i].said);
        assert_int_equal(run_line(bench, "\nreplay: "), rows[i].code);
        expect_said(bench, "replay: ended the same way");
    }
}

static void test_crash_does_not_end_the_sweep(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "crash explore --seeds 1:20 --show 2 --failures crashes"), 3);
    expect_said(bench, "FAILED seed 20: crashed: ");
    expect_said(bench, "  | lonely is about to crash\n");
    expect_said(bench, "20 seeds from 1: 0 held, 20 crashed; ");
    char command[128];
    snprintf(command, sizeof command, "ls %s/crashes", bench->directory);
    assert_int_equal(shell(bench, command), 0);
    assert_string_equal(bench->output, "crash-1.script\ncrash-2.script\n");
}

static void test_time_limit(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "slow explore --seeds 1:2 --show 0 --seed-time 300ms"), 7);
    expect_said(bench, "limit: took longer than 0.300 s of real time");
    assert_int_equal(call(bench, "slow run --seed-time 300ms"), 7);
}

static void test_output_is_cut(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "loud explore --seeds 1:1"), 1);
    expect_said(bench, "  | line 901\n");
    expect_said(bench, "  | line 1000\n");
    expect_not_said(bench, "line 900\n");
    assert_int_equal(call(bench, "loud run"), 1);
    expect_said(bench, "\nline 1\n"); /* a single run hides nothing */
}

static void test_leaks_are_seen(void **state)
{
    struct bench *bench = *state;
#ifdef LEAKS_ARE_SEEN
    assert_int_equal(call(bench, "leak run"), 3);
    expect_said(bench, "after the run had ended: held");
#else
    assert_int_equal(call(bench, "leak run"), 0);
#endif
}

static void test_failing_twice_alike_is_deterministic(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "stuck twice --seeds 1:3"), 0);
    expect_said(bench, "0 differed, 3 failed in the same way both times");
    assert_int_equal(call(bench, "crash twice --seeds 1:3"), 0);
    expect_said(bench, "0 differed, 3 failed in the same way both times");
}

/* --- The command line ------------------------------------------------------------------------- */

/* What is printed does not depend on how many run at a time. */
static void test_jobs_do_not_matter(void **state)
{
    struct bench *bench = *state;
    char alone[sizeof bench->output];
    assert_int_equal(call(bench, "order hashes --seeds 1:40 --jobs 1"), 0);
    memcpy(alone, bench->output, sizeof alone);
    assert_int_equal(call(bench, "order hashes --seeds 1:40 --jobs 5"), 0);
    assert_string_equal(bench->output, alone);
    expect_said(bench, "\n40 ");

    assert_int_equal(call(bench, "order explore --seeds 1:60 --show 2 --jobs 1"), 1);
    *strstr(bench->output, "\n60 seeds from 1: ") = '\0';
    memcpy(alone, bench->output, sizeof alone);
    assert_int_equal(call(bench, "order explore --seeds 1:60 --show 2 --jobs 5"), 1);
    *strstr(bench->output, "\n60 seeds from 1: ") = '\0';
    assert_string_equal(bench->output, alone);
}

static void test_sites(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(call(bench, "order sites"), 0);
    for (size_t i = 0; tl_sim_sites[i] != NULL; i++)
        expect_said(bench, tl_sim_sites[i]->name);
    expect_said(bench, "\nbetween ");
}

static void test_log(void **state)
{
    struct bench *bench = *state;
    char command[128];
    assert_int_equal(call(bench, "order run --seed 1 --log run.log"), 0);
    snprintf(command, sizeof command, "cat %s/run.log", bench->directory);
    assert_int_equal(shell(bench, command), 0);
    expect_said(bench, "connect");
    assert_int_equal(call(bench, "order run --seed 1 --log -"), 0);
    expect_said(bench, "connect");
    assert_int_equal(call(bench, "order run --log /nowhere/run.log"), 2);
    assert_int_equal(call(bench, "order run --seed 1 --here"), 0);
    expect_said(bench, "\nhashes: ");
}

static void test_bad_input(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *words, *said;
    } rows[] = {
        {"", "usage: "},
        {"dance", "there is no command 'dance'"},
        {"run --seeds 1:2", "the command 'run' has no option '--seeds'"},
        {"run 5", "unexpected '5'"},
        {"run --seed", "expected S"},
        {"run --seed five", "--seed five: expected a whole number"},
        {"explore --seeds 9:1", "expected A:B with A not above B"},
        {"explore --time 60", "--time 60: expected a number and a unit"},
        {"explore --jobs 0", "expected a whole number above 0"},
        {"explore --strategy luck", "expected seed"},
        {"explore --stop-at-first=yes", "expected nothing after it"},
        {"replay", "expected a FILE"},
        {"replay nowhere", "nowhere: "},
        {"replay a b", "unexpected 'b'"},
        {"worker --fd 77", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(call(bench, "order %s", rows[i].words), 2);
        expect_said(bench, rows[i].said);
    }
    assert_int_equal(call(bench, "order --help"), 0);
    expect_said(bench, "usage: ");
    expect_said(bench, "--stop-at-first");
    expect_not_said(bench, "worker");
}

/* Ctrl-C in the middle of a sweep without end: a summary, and no process left. */
static void test_interrupt(void **state)
{
    struct bench *bench = *state;
    char line[256];
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execl(bench->program, bench->program, "exit", "explore", "--time=10m", "--show=0", NULL);
        _exit(99);
    }
    close(fds[1]);
    FILE *output = fdopen(fds[0], "r");
    for (int i = 0; i < 20; i++) /* it is in full swing */
        assert_non_null(fgets(line, sizeof line, output));
    assert_int_equal(kill(pid, SIGINT), 0);
    char last[256] = "";
    while (fgets(line, sizeof line, output) != NULL)
        memcpy(last, line, sizeof last);
    (void)fclose(output);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1); /* seeds had failed */
    assert_non_null(strstr(last, "; interrupted"));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_found),
        cmocka_unit_test(test_order_holds_plainly),
        cmocka_unit_test(test_pointer_is_found_by_twice),
        cmocka_unit_test(test_garbage_is_found_by_twice),
        cmocka_unit_test(test_debug_is_kept),
        cmocka_unit_test(test_order_is_deterministic),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_crash_does_not_end_the_sweep),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_output_is_cut),
        cmocka_unit_test(test_leaks_are_seen),
        cmocka_unit_test(test_failing_twice_alike_is_deterministic),
        cmocka_unit_test(test_jobs_do_not_matter),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_interrupt),
    };
    const struct tl_scenario *scenario = argc > 1 ? planted_scenario(argv[1]) : NULL;
    if (scenario != NULL)
        return tl_explore_main(argc - 1, argv + 1, scenario);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return !!cmocka_run_group_tests_name("planted", tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's parts: reading its command line, catching what a process prints and tells, verdicts,
 * reproducer files, comparing two streams, the progress line. Processes are tested in test_jobs.c,
 * whole programs in test_planted.c, explore.sh and twice.sh.
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
#include <twinloop/explore.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "explore/bytes.h"
#include "explore/configuration.h"
#include "explore/outcome.h"
#include "explore/parse.h"
#include "explore/progress.h"
#include "explore/quote.h"
#include "explore/script.h"
#include "explore/sites.h"
#include "explore/tell.h"
#include "explore/verdict.h"
#include "explore/words.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- Words on the command line ---------------------------------------------------------------- */

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
        uint64_t number;
    } rows[] = {
        {"0", 0, 0},
        {"17", 0, 17},
        {"18446744073709551615", 0, UINT64_MAX},
        {"0xff", 0, 255},
        {"0XFFFFFFFFFFFFFFFF", 0, UINT64_MAX},
        {"18446744073709551616", -EINVAL, 0},
        {"0x10000000000000000", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"0x", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1a", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t number = 0;
        assert_int_equal(tl_parse_number(rows[i].text, &number), rows[i].r);
        assert_int_equal(number, rows[i].number);
    }
}

static void test_seeds(void **state)
{
    (void)state;
    struct tl_seeds seeds = {7, 7};
    assert_int_equal(tl_parse_seeds("1:1000", &seeds), 0);
    assert_int_equal(seeds.first, 1);
    assert_int_equal(seeds.last, 1000);
    assert_int_equal(tl_seeds_count(&seeds), 1000); /* both ends count */
    assert_int_equal(tl_parse_seeds("42", &seeds), 0);
    assert_int_equal(seeds.first, 42);
    assert_int_equal(tl_seeds_count(&seeds), 1);
    assert_int_equal(tl_parse_seeds("0:18446744073709551615", &seeds), 0);
    assert_int_equal(tl_seeds_count(&seeds), UINT64_MAX);

    static const char *const bad[] = {"", ":", "1:", ":1", "2:1", "1:2:3", "1-2", "a:b", "1: 2"};
    seeds = (struct tl_seeds){7, 7};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(tl_parse_seeds(bad[i], &seeds), -EINVAL);
        assert_int_equal(seeds.first, 7);
        assert_int_equal(seeds.last, 7);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t duration;
    } rows[] = {
        {"500ms", 500 * TL_MILLISECOND},
        {"60s", 60 * TL_SECOND},
        {"5m", 300 * TL_SECOND},
        {"2h", 7200 * TL_SECOND},
    };
    static const char *const bad[] = {"",    "s",  "5",    "0s",         "5 s",
                                      "-5s", "5d", "5sec", "9999999999h"};
    int64_t duration = 1;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(tl_parse_duration(bad[i], &duration), -EINVAL);
    assert_int_equal(duration, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(tl_parse_duration(rows[i].text, &duration), 0);
        assert_int_equal(duration, rows[i].duration);
    }
}

static void test_quoting(void **state)
{
    (void)state;
    char *const words[] = {"./a-b/c_d.e", "", "two words", "it's", "$x", "--k=v"};
    struct tl_bytes line = {0};
    assert_int_equal(tl_quote_words(&line, words, COUNT(words)), 0);
    assert_string_equal((char *)line.data, "./a-b/c_d.e '' 'two words' 'it'\\''s' '$x' --k=v");
    tl_bytes_finish(&line);
}

/* --- Text that arrives in pieces -------------------------------------------------------------- */

static void add_lines(struct tl_tail *tail, unsigned first, unsigned last)
{
    char line[32];
    for (unsigned i = first; i <= last; i++) {
        int len = snprintf(line, sizeof line, "line %u\n", i);
        assert_int_equal(tl_tail_append(tail, line, (size_t)len), 0);
    }
}

static void expect_tail(const struct tl_tail *tail, unsigned lines, const char *expected)
{
    size_t len = 0;
    char *text = tl_tail_lines(tail, lines, &len);
    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    tl_free(text);
}

static void test_tail(void **state)
{
    (void)state;
    struct tl_tail tail = {0};
    expect_tail(&tail, 3, "");
    add_lines(&tail, 1, 3);
    expect_tail(&tail, 3, "line 1\nline 2\nline 3\n");
    expect_tail(&tail, 2, "(7 bytes before this are left out)\nline 2\nline 3\n");
    assert_int_equal(tl_tail_append(&tail, "unfinished", 10), 0);
    expect_tail(&tail, 2, "(14 bytes before this are left out)\nline 3\nunfinished");
    add_lines(&tail, 4, 50000);
    expect_tail(&tail, 1, "(538893 bytes before this are left out)\nline 50000\n");
    size_t len;
    char *text = tl_tail_lines(&tail, 1000000, &len);
    assert_in_range(len, TL_TAIL_SIZE - 32, TL_TAIL_SIZE + 64);
    assert_ptr_equal(strstr(text, "\nline "), strchr(text, '\n')); /* begins with a whole line */
    tl_free(text);
    tl_tail_finish(&tail);
}

static void test_tail_of_one_line(void **state)
{
    (void)state;
    static char text[3 * TL_TAIL_SIZE];
    struct tl_tail tail = {0};
    memset(text, 'x', sizeof text);
    assert_int_equal(tl_tail_append(&tail, text, sizeof text), 0);
    size_t len;
    char *lines = tl_tail_lines(&tail, 5, &len);
    assert_true(len >= TL_TAIL_SIZE);
    tl_free(lines);
    tl_tail_finish(&tail);
}

/* --- What a process tells --------------------------------------------------------------------- */

/* Everything that is in a pipe. */
static size_t drain(int fd, uint8_t *bytes, size_t size)
{
    ssize_t n = read(fd, bytes, size);
    assert_true(n >= 0);
    return (size_t)n;
}

static struct tl_run_result some_result(void)
{
    struct tl_run_result result = {
        .outcome = TL_OUTCOME_STUCK,
        .complete = true,
        .time = -5,
        .events = 1234,
        .schedule = UINT64_MAX,
        .content = 7,
        .unused = 3,
        .report = "summary\nand more\n",
    };
    return result;
}

static void test_tell_and_hear(void **state)
{
    (void)state;
    static const tl_site site = {"my.site", TL_SITE_USER, 0, ""};
    static uint8_t bytes[65536];
    static struct tl_run_result told, result;
    struct tl_script_entry choice = {.site = 1, .entity = UINT64_MAX, .draw = 3, .answer = 4};
    struct tl_heard heard = {.result = &result};
    int fds[2];
    told = some_result();
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tl_tell_seed(fds[1], 99), 0);
    assert_int_equal(tl_tell_site(fds[1], 17, &site), 0);
    assert_int_equal(tl_tell_parameter(fds[1], "clients", 5), 0);
    assert_int_equal(tl_tell_choice(fds[1], &choice), 0);
    assert_int_equal(tl_tell_counts(fds[1], 17, 10, 2), 0);
    assert_int_equal(tl_tell_result(fds[1], &told), 0);
    size_t len = drain(fds[0], bytes, sizeof bytes), at = 0;
    close(fds[0]);
    close(fds[1]);

    at += tl_hear(bytes + at, len - at, &heard);
    assert_int_equal(heard.what, TL_TOLD_SEED);
    assert_int_equal(heard.seed, 99);
    at += tl_hear(bytes + at, len - at, &heard);
    assert_int_equal(heard.what, TL_TOLD_SITE);
    assert_int_equal(heard.site, 17);
    assert_int_equal(heard.kind, TL_SITE_USER);
    assert_string_equal(heard.name, "my.site");
    at += tl_hear(bytes + at, len - at, &heard);
    assert_int_equal(heard.what, TL_TOLD_PARAMETER);
    assert_int_equal(heard.value, 5);
    at += tl_hear(bytes + at, len - at, &heard);
    assert_int_equal(heard.what, TL_TOLD_CHOICE);
    assert_memory_equal(&heard.choice, &choice, sizeof choice);
    at += tl_hear(bytes + at, len - at, &heard);
    assert_int_equal(heard.what, TL_TOLD_COUNTS);
    assert_int_equal(heard.asked, 10);
    assert_int_equal(heard.others, 2);

    /* A message that is not whole is none. */
    for (size_t part = 0; part < len - at; part++)
        assert_int_equal(tl_hear(bytes + at, part, &heard), 0);
    at += tl_hear(bytes + at, len - at, &heard);
    assert_int_equal(heard.what, TL_TOLD_RESULT);
    assert_int_equal(at, len);
    assert_int_equal(result.time, -5);
    assert_int_equal(result.schedule, UINT64_MAX);
    assert_int_equal(result.unused, 3);
    assert_true(result.complete);
    assert_string_equal(result.report, "summary\nand more\n");
}

static void test_results(void **state)
{
    (void)state;
    static struct tl_run_result one, other;
    const char *what = NULL;
    char text[TL_LINE_MAX];
    one = other = some_result();
    assert_string_equal(tl_result_summary(&one, text, sizeof text), "summary");
    assert_string_equal(tl_result_details(&one), "and more\n");
    assert_string_equal(tl_result_headline(&one, text, sizeof text), "stuck: summary");
    snprintf(one.report, sizeof one.report, "stuck: summary\nand more\n");
    assert_string_equal(tl_result_headline(&one, text, sizeof text), "stuck: summary");
    one.outcome = TL_OUTCOME_NOT_RECOVERED;
    assert_string_equal(tl_result_headline(&one, text, sizeof text),
                        "not-recovered: stuck: summary");
    snprintf(one.report, sizeof one.report, "not recovered: at all");
    assert_string_equal(tl_result_headline(&one, text, sizeof text), "not recovered: at all");
    one = other;
    assert_true(tl_result_same(&one, &other, &what));
    other.events++;
    assert_false(tl_result_same(&one, &other, &what));
    assert_string_equal(what, "number of events");
    other.content++;
    assert_false(tl_result_same(&one, &other, &what));
    assert_string_equal(what, "content hash");
    other.schedule--;
    assert_false(tl_result_same(&one, &other, &what));
    assert_string_equal(what, "schedule hash");
    other.outcome = TL_OUTCOME_HELD;
    assert_false(tl_result_same(&one, &other, &what));
    assert_string_equal(what, "outcome");

    for (int i = 0; i < TL_OUTCOMES_COUNT; i++) {
        enum tl_outcome outcome;
        if (i == 2)
            continue; /* the exit code of usage is no outcome */
        assert_int_equal(tl_outcome_parse(tl_outcome_name((enum tl_outcome)i), &outcome), 0);
        assert_int_equal(outcome, i);
    }
}

static void test_configuration(void **state)
{
    (void)state;
    static struct tl_configuration configuration;
    tl_configuration_add(&configuration, "clients", 3);
    tl_configuration_add(&configuration, "size", 1);
    tl_configuration_add(&configuration, "size", 4096);
    tl_configuration_add(&configuration, "clients", 4);
    assert_string_equal(configuration.text, "clients=3 size=1,4096 clients=4");
    for (uint32_t i = 0; i < 10000; i++)
        tl_configuration_add(&configuration, i % 2 == 0 ? "one" : "two", i);
    size_t len = strlen(configuration.text);
    assert_in_range(len, sizeof configuration.text - 32, sizeof configuration.text - 1);
    assert_string_equal(configuration.text + len - 4, " ...");
}

/* --- Verdicts --------------------------------------------------------------------------------- */

static void reach(struct tl_verdict *verdict, const uint8_t *data, size_t len, int status)
{
    struct tl_job_result ended = {.status = status, .data = data, .data_len = len, .output = ""};
    assert_int_equal(tl_verdict_reach(verdict, &ended, TL_SECOND), 0);
}

static void test_verdicts(void **state)
{
    (void)state;
    static struct tl_verdict verdict;
    static struct tl_run_result told;
    static uint8_t bytes[65536];
    struct tl_script_entry choice = {.site = 1, .entity = 2, .draw = 3, .answer = 4};
    int fds[2];
    told = some_result();
    told.outcome = TL_OUTCOME_HELD;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tl_tell_parameter(fds[1], "clients", 5), 0);
    assert_int_equal(tl_tell_choice(fds[1], &choice), 0);
    size_t before_result = drain(fds[0], bytes, sizeof bytes);
    assert_int_equal(tl_tell_result(fds[1], &told), 0);
    size_t len = before_result + drain(fds[0], bytes + before_result, sizeof bytes);
    close(fds[0]);
    close(fds[1]);

    reach(&verdict, bytes, len, 0);
    assert_int_equal(verdict.result.outcome, TL_OUTCOME_HELD);
    assert_string_equal(verdict.configuration.text, "clients=5");
    assert_int_equal(verdict.choices_count, 1);
    /* What was told before a crash is known. */
    reach(&verdict, bytes, before_result, SIGSEGV);
    assert_int_equal(verdict.result.outcome, TL_OUTCOME_CRASHED);
    assert_false(verdict.result.complete);
    assert_non_null(strstr(verdict.result.report, "signal 11"));
    assert_int_equal(verdict.choices_count, 1);
    /* An exit in the middle, and a bad end after a good run, such as a leak, are crashes. */
    reach(&verdict, bytes, before_result, 0);
    assert_int_equal(verdict.result.outcome, TL_OUTCOME_CRASHED);
    assert_non_null(strstr(verdict.result.report, "exit code 0 in the middle"));
    reach(&verdict, bytes, len, 23 << 8);
    assert_int_equal(verdict.result.outcome, TL_OUTCOME_CRASHED);
    assert_non_null(strstr(verdict.result.report, "after the run had ended: held"));
    tl_verdict_finish(&verdict);
}

/* --- Reproducer files ------------------------------------------------------------------------- */

static FILE *file_of(const char *text)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    rewind(file);
    return file;
}

static const struct tl_script_entry some_entries[] = {
    {.site = 0x1234, .entity = 0, .draw = 0, .answer = 1},
    {.site = UINT64_MAX, .entity = UINT64_MAX, .draw = UINT32_MAX, .answer = UINT32_MAX},
    {.site = 1, .entity = 2, .draw = 3, .answer = 4},
};

static struct tl_script some_script(struct tl_script_entry *entries)
{
    struct tl_script script = {
        .library = "0.1.0",
        .scenario = "echo",
        .summary = "nothing can wake  client/a",
        .seed = 123,
        .debug = true,
        .outcome = TL_OUTCOME_STUCK,
        .complete = true,
        .events = 99,
        .schedule = 7,
        .content = UINT64_MAX,
        .entries = entries,
        .count = COUNT(some_entries),
    };
    memcpy(entries, some_entries, sizeof some_entries);
    entries[0].site = tl_entity(0, "my.site", 0);
    return script;
}

static void test_script_round_trip(void **state)
{
    (void)state;
    static struct tl_sites sites;
    struct tl_script_entry entries[COUNT(some_entries)];
    struct tl_script script = some_script(entries), again;
    struct tl_script_problem problem;
    struct tl_seen_site *seen = tl_sites_find(&sites, entries[0].site, NULL);
    char text[4096];

    snprintf(seen->name, sizeof seen->name, "my.site");
    FILE *file = tmpfile();
    assert_int_equal(tl_script_write(file, &script, &sites), 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_non_null(strstr(text, "choice my.site 0x0000000000000000 0 1\n"));
    rewind(file);
    assert_int_equal(tl_script_read(file, &again, &problem), 0);
    assert_int_equal(fclose(file), 0);

    assert_string_equal(again.library, script.library);
    assert_string_equal(again.scenario, script.scenario);
    assert_string_equal(again.summary, script.summary);
    assert_int_equal(again.seed, script.seed);
    assert_true(again.debug);
    assert_int_equal(again.outcome, script.outcome);
    assert_true(again.complete);
    assert_int_equal(again.events, script.events);
    assert_int_equal(again.content, script.content);
    assert_int_equal(again.count, script.count);
    assert_memory_equal(again.entries, entries, sizeof entries);
    tl_script_finish(&again);
}

#define HEAD "twinloop-script 1 library 0.1.0 scenario echo seed 5 strategy seed\n"

static void test_script_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *message; /* a part of it */
    } rows[] = {
        {"", 0, "empty"},
        {"hello\n", 1, "no reproducer file"},
        {"twinloop-script\n", 1, "format's version"},
        {"twinloop-script 2 and more\n", 1, "version 2, this program reads version 1"},
        {"twinloop-script 1 library 0.1.0\n", 1, "scenario NAME"},
        {"twinloop-script 1 library 1 scenario e seed x strategy seed\n", 1, "seed NUMBER"},
        {"twinloop-script 1 library 1 scenario e seed 1 strategy pct\n", 1, "'pct'"},
        {HEAD "outcome sad\n", 2, "expected 'outcome' and one of"},
        {HEAD "run events 5\n", 2, "expected 'run events"},
        {HEAD "\n# a comment\nchoice a 1 2\n", 4, "expected 'choice SITE ENTITY DRAW ANSWER'"},
        {HEAD "choice a x 2 3\n", 2, "expected an entity's number, not 'x'"},
        {HEAD "choice 0xg 1 2 3\n", 2, "name or hash, not '0xg'"},
        {HEAD "choice a 1 4294967296 3\n", 2, "not '4294967296'"},
        {HEAD "choice a 1 2 0\n", 2, "expected an answer above 0"},
        {HEAD "choice a 1 2 3\nend 2\n", 3, "should have 2 choices and has 1"},
        {HEAD "choice a 1 2 3\n", 3, "ends before its 'end' line"},
        {HEAD "end 0\nchoice a 1 2 3\n", 3, "nothing after 'end'"},
        {HEAD "noise\n", 2, "not 'noise'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tl_script script;
        struct tl_script_problem problem = {0};
        FILE *file = file_of(rows[i].text);
        assert_int_equal(tl_script_read(file, &script, &problem), -EINVAL);
        assert_int_equal(problem.line, rows[i].line);
        if (strstr(problem.message, rows[i].message) == NULL)
            fail_msg("'%s' does not say '%s'", problem.message, rows[i].message);
        assert_int_equal(fclose(file), 0);
    }
}

static void test_script_saved_whole(void **state)
{
    (void)state;
    static struct tl_sites sites;
    struct tl_script_entry entries[COUNT(some_entries)];
    struct tl_script script = some_script(entries);
    char base[] = "/tmp/test_explore.XXXXXX", directory[64], path[256];
    assert_non_null(mkdtemp(base));
    snprintf(directory, sizeof directory, "%s/a/b", base);
    snprintf(script.scenario, sizeof script.scenario, "odd/name");
    assert_int_equal(tl_script_save(directory, &script, &sites, path, sizeof path), 0);
    assert_string_equal(path + strlen(directory), "/odd-name-123.script");
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(tl_script_save(directory, &script, &sites, path, sizeof path), 0);

    /* Only the file is left, and where it cannot be written nothing is. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    FILE *file = fopen(directory, "w");
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tl_script_save(directory, &script, &sites, path, sizeof path), -ENOTDIR);
    assert_int_equal(unlink(directory), 0);
    *strrchr(directory, '/') = '\0';
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(rmdir(base), 0);
}

/* --- Two streams, and the progress line ------------------------------------------------------- */

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other, *expected; /* NULL: the same */
    } rows[] = {
        {"", "", NULL},
        {"a\nb\n", "a\nb\n", NULL},
        {"a\n", "b\n", "first difference: event 1\n  one   a\n  other b\n"},
        {"a\nb\n", "a\n",
         "first difference: event 2\n        a\n  one   b\n  other (the run has ended)\n"},
        {"1\n2\n3\n4\n5\n6\n7\nx\n", "1\n2\n3\n4\n5\n6\n7\ny\n",
         "first difference: event 8\n        3\n        4\n        5\n        6\n        7\n"
         "  one   x\n  other y\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512];
        FILE *one = file_of(rows[i].one), *other = file_of(rows[i].other), *out = tmpfile();
        assert_int_equal(tl_words_compare(one, other, out), rows[i].expected != NULL);
        rewind(out);
        text[fread(text, 1, sizeof text - 1, out)] = '\0';
        assert_string_equal(text, rows[i].expected != NULL ? rows[i].expected : "");
        (void)fclose(one);
        (void)fclose(other);
        (void)fclose(out);
    }
}

static void test_progress(void **state)
{
    (void)state;
    char text[160];
    struct tl_progress progress = {.total = 1000, .done = 250, .failures = 2};
    tl_progress_format(&progress, 5 * TL_SECOND, text, sizeof text);
    assert_string_equal(text, "250 of 1000 seeds, 50/s, 2 failed, 15.0 s left");
    progress.time_max = 12 * TL_SECOND;
    tl_progress_format(&progress, 5 * TL_SECOND, text, sizeof text);
    assert_string_equal(text, "250 of 1000 seeds, 50/s, 2 failed, 7.0 s left");
    progress = (struct tl_progress){.total = UINT64_MAX, .done = 7};
    tl_progress_format(&progress, 0, text, sizeof text);
    assert_string_equal(text, "7 seeds, 7000/s, 0 failed");
    tl_format_duration(3599 * TL_SECOND, text, sizeof text);
    assert_string_equal(text, "59 min 59 s");
    tl_format_duration(7320 * TL_SECOND, text, sizeof text);
    assert_string_equal(text, "2 h 2 min");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_tail_of_one_line),
        cmocka_unit_test(test_tell_and_hear),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_script_round_trip),
        cmocka_unit_test(test_script_refused),
        cmocka_unit_test(test_script_saved_whole),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_progress),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return !!cmocka_run_group_tests_name("explore", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fidelity test: random programs of kernel operations, on Linux and on the simulated kernel,
 * must answer the same.
 *
 *     fidelity                        2,000 programs, as `make test` does
 *     fidelity --programs 20000 --seed 7 --jobs 2
 *     fidelity --program FILE         one program, with all its answers
 *
 *     fidelity --stats                what the programs reached
 *
 * Every program is run plainly, with every choice 0, and then with the choices of a few seeds
 * (--seeds, 3 unless given, 0 for none). compare.c says what it means to agree. A disagreement is
 * printed as the shortest program found that still disagrees, with both answers under each
 * operation; the text can be given back with --program.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <twinloop/value.h>
#include <unistd.h>

#include "tests/fidelity/run.h"
#include "tests/fidelity/stats.h"

enum { JOBS_MAX = 64, DISAGREEMENTS_MAX = 5 };

/* Counted by all jobs together. */
struct tally {
    unsigned long programs;
    unsigned long operations;
    unsigned long disagreements;
    unsigned long unsteady;
    struct stats stats;
};

struct settings {
    unsigned long programs;
    unsigned long seed;
    unsigned long jobs;
    unsigned long seeds;
    bool stats;
    const char *file;
};

static struct transcript real, sim;

static void count(unsigned long *counter, unsigned long by)
{
    __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

/* In one piece, so that jobs do not talk at once. */
static void report(struct program *program, const struct trial *trial, unsigned long number)
{
    char *text = NULL;
    size_t size = 0;
    unsigned unsteady = 0;
    shrink_program(program, trial);
    int at = try_program(program, trial, &real, &sim, &unsteady);
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        abort();
    fprintf(file, "# program %lu disagrees%s\n", number,
            trial->seeds > 0 ? " with a seed's choices" : "");
    print_comparison(file, program, &real, &sim, at);
    fclose(file);
    fwrite(text, 1, size, stdout);
    fflush(stdout);
    free(text);
}

/* Tries a program both ways; false when one of them disagrees. */
static bool judge(const struct settings *settings, unsigned long number, struct tally *tally)
{
    struct trial trials[2] = {{.seeds = 0},
                              {.seeds = (unsigned)settings->seeds, .seed = number * 1000}};
    struct program program;
    program_generate(settings->seed, number, &program);
    count(&tally->programs, 1);
    count(&tally->operations, program.count);
    for (int i = 0; i < (settings->seeds > 0 ? 2 : 1); i++) {
        unsigned unsteady = 0;
        int at = try_program(&program, &trials[i], &real, &sim, &unsteady);
        count(&tally->unsteady, unsteady);
        if (i == 0)
            stats_count(&tally->stats, &program, &real);
        if (at < 0)
            continue;
        count(&tally->disagreements, 1);
        report(&program, &trials[i], number);
        return false;
    }
    return true;
}

static void run_job(const struct settings *settings, unsigned long job, struct tally *tally)
{
    for (unsigned long i = job; i < settings->programs; i += settings->jobs) {
        (void)judge(settings, i, tally);
        if (tally->disagreements >= DISAGREEMENTS_MAX)
            break;
    }
    run_finish();
}

static int run_jobs(const struct settings *settings)
{
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t jobs[JOBS_MAX];
    bool crashed = false;
    if (tally == MAP_FAILED)
        return 2;
    for (unsigned long i = 0; i < settings->jobs; i++) {
        jobs[i] = fork();
        if (jobs[i] < 0)
            return 2;
        if (jobs[i] == 0) {
            run_job(settings, i, tally);
            exit(0);
        }
    }
    for (unsigned long i = 0; i < settings->jobs; i++) {
        int status;
        if (waitpid(jobs[i], &status, 0) < 0 || status != 0)
            crashed = true;
    }
    printf("%lu programs, %lu operations: %lu disagreements, %lu passing ones%s\n", tally->programs,
           tally->operations, tally->disagreements, tally->unsteady,
           crashed ? ", and a job crashed" : "");
    if (settings->stats)
        stats_print(stdout, &tally->stats);
    return crashed || tally->disagreements > 0 ? 1 : 0;
}

/* One program that was given: all its answers, both ways. */
static int run_file(const struct settings *settings)
{
    struct program program;
    unsigned line = 0;
    FILE *file = fopen(settings->file, "r");
    if (file == NULL) {
        fprintf(stderr, "fidelity: %s: %s\n", settings->file, strerror(errno));
        return 2;
    }
    int r = program_parse(file, &program, &line);
    fclose(file);
    if (r < 0) {
        fprintf(stderr, "fidelity: %s:%u makes no sense\n", settings->file, line);
        return 2;
    }
    struct trial trials[2] = {{.seeds = 0}, {.seeds = (unsigned)settings->seeds, .seed = 1}};
    int disagreements = 0;
    for (int i = 0; i < (settings->seeds > 0 ? 2 : 1); i++) {
        unsigned unsteady = 0;
        int at = try_program(&program, &trials[i], &real, &sim, &unsteady);
        printf("# %s: they %s\n", i == 0 ? "plainly" : "with a seed's choices",
               at < 0 ? "agree" : "disagree");
        print_comparison(stdout, &program, &real, &sim, at);
        disagreements += at >= 0;
    }
    run_finish();
    return disagreements > 0 ? 1 : 0;
}

static bool parse_count(const char *text, unsigned long most, unsigned long *ret)
{
    char *end;
    *ret = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *ret <= most;
}

static bool parse_settings(int argc, char **argv, struct settings *ret)
{
    static const struct option options[] = {
        {"programs", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"jobs", required_argument, NULL, 'j'},
        {"seeds", required_argument, NULL, 'k'},
        {"program", required_argument, NULL, 'f'},
        {"stats", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool good = true;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            good = good && parse_count(optarg, 1000000000, &ret->programs);
        else if (option == 's')
            good = good && parse_count(optarg, UINT32_MAX, &ret->seed);
        else if (option == 'j')
            good = good && parse_count(optarg, JOBS_MAX, &ret->jobs) && ret->jobs > 0;
        else if (option == 'k')
            good = good && parse_count(optarg, 1000, &ret->seeds);
        else if (option == 'f')
            ret->file = optarg;
        else if (option == 't')
            ret->stats = true;
        else
            good = false;
    }
    return good && optind == argc;
}

int main(int argc, char **argv)
{
    struct settings settings = {.programs = 2000, .seed = 1, .jobs = 1, .seeds = 3};
    if (!parse_settings(argc, argv, &settings)) {
        fprintf(stderr, "usage: fidelity [--programs N] [--seed S] [--jobs J] [--seeds K] "
                        "[--stats] "
                        "[--program FILE]\n");
        return 2;
    }
    return settings.file != NULL ? run_file(&settings) : run_jobs(&settings);
}

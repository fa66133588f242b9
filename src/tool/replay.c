/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `twinloop replay`: runs a program so that its loops answer from a trace, and says how that went.
 *
 * The program is a child that finds the trace's name in its environment; it writes the outcome to a
 * file made here, which is read when the child has ended.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tool/tool.h"
#include "trace/environment.h"
#include "trace/reader.h"

/* Makes the file for the outcome. 0 or a negative errno. */
static int make_result(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");

    if (folder == NULL || *folder != '/')
        folder = "/tmp";
    if ((size_t)snprintf(path, size, "%s/twinloop-replay-XXXXXX", folder) >= size)
        return -ENAMETOOLONG;
    int fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* Reads the outcome into text, NUL-terminated: empty when there is none. */
static void read_result(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;

    if (file != NULL) {
        len = fread(text, 1, size - 1, file);
        fclose(file);
    }
    text[len] = '\0';
}

/* Runs the program to its end. Its status, as wait has it, or a negative errno. */
static int run(char **argv)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int status = 0;
    pid_t pid;

    /* What the terminal's user sends is the program's to handle. */
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    sigemptyset(&defaults);
    if (interrupt.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int r = -posix_spawnp(&pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    while (r == 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            r = -errno;
    return r < 0 ? r : status;
}

/* What the child left, told and as an exit code. */
static int tell(const char *program, int status, char *text)
{
    char *report = strchr(text, '\n');

    if (report == NULL) {
        if (WIFSIGNALED(status)) {
            fprintf(stderr, "twinloop: %s was killed by signal %d\n", program, WTERMSIG(status));
            return EXIT_CRASHED;
        }
        fprintf(stderr,
                "twinloop: %s replayed nothing: it made no loop, or is not linked with "
                "libtwinloop-sim\n",
                program);
        return EXIT_USAGE;
    }
    *report++ = '\0';
    fprintf(stderr, "twinloop: replay %s: %s", text, report);
    if (WIFSIGNALED(status))
        fprintf(stderr, "twinloop: %s was killed by signal %d\n", program, WTERMSIG(status));
    if (strcmp(text, TL_REPLAY_WORD_REFUSED) == 0)
        return EXIT_USAGE;
    bool fits =
        strcmp(text, TL_REPLAY_WORD_COMPLETE) == 0 || strcmp(text, TL_REPLAY_WORD_SHORT) == 0;
    return fits ? EXIT_HELD : EXIT_DIVERGED;
}

static int replay(const char *trace, const char *mode, char **argv)
{
    char text[TL_REPORT_MAX + 64], result[PATH_MAX];

    int r = make_result(result, sizeof result);
    if (r < 0) {
        fprintf(stderr, "twinloop: a temporary file: %s\n", strerror(-r));
        return EXIT_USAGE;
    }
    /* The program may change its directory before it makes its first loop. */
    char *absolute = realpath(trace, NULL);
    r = setenv("TWINLOOP_REPLAY", absolute != NULL ? absolute : trace, 1) |
        setenv("TWINLOOP_REPLAY_MODE", mode, 1) | setenv("TWINLOOP_REPLAY_RESULT", result, 1);
    free(absolute);
    if (r == 0)
        r = run(argv);
    read_result(result, text, sizeof text);
    unlink(result);
    if (r < 0) {
        fprintf(stderr, "twinloop: %s: %s\n", argv[0], strerror(-r));
        return EXIT_USAGE;
    }
    return tell(argv[0], r, text);
}

int tool_replay(int argc, char **argv)
{
    struct tl_trace_problem problem;
    const char *mode = TL_REPLAY_MODE_STRICT;

    if (argc > 1 && strcmp(argv[1], "--stream") == 0) {
        mode = TL_REPLAY_MODE_STREAM;
        argc--;
        argv++;
    }
    if (argc < 4 || argv[1][0] == '-' || strcmp(argv[2], "--") != 0)
        return TOOL_USAGE;
    tl_trace_reader *reader = tool_open(argv[1]);
    if (reader == NULL)
        return EXIT_USAGE;
    if (tl_trace_reader_torn(reader, &problem))
        (void)tool_complain(argv[1], &problem);
    tl_trace_reader_close(reader);
    return replay(argv[1], mode, argv + 3);
}

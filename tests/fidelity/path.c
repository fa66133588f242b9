/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory in which a run's paths are: made before it and removed after it, in either world.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <twinloop/sim.h>
#include <twinloop/world.h>
#include <unistd.h>

#include "tests/fidelity/place.h"

enum { OPEN_AT_ONCE = 8, MODE = 0700 };

struct path path_of(const struct run *run, uint8_t door)
{
    struct path path;
    (void)snprintf(path.text, sizeof path.text, "%s%s", run->directory, program_paths[door - PATH]);
    return path;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static bool remove_tree(const char *path)
{
    return nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}

bool paths_make(struct run *run, tl_host *host)
{
    char path[sizeof run->directory + 8];
    (void)snprintf(run->directory, sizeof run->directory, "/tmp/fidelity-%d", (int)getpid());
    if (host == NULL) {
        (void)snprintf(path, sizeof path, "%s/sub", run->directory);
        return remove_tree(run->directory) && mkdir(run->directory, MODE) == 0 &&
               mkdir(path, MODE) == 0;
    }
    (void)snprintf(path, sizeof path, "%s/sub/x", run->directory);
    return tl_host_write_file(host, path, "", 0) == 0 &&
           run->kernel->ops->unlink(run->kernel, path) == 0;
}

bool paths_remove(struct run *run)
{
    return remove_tree(run->directory);
}

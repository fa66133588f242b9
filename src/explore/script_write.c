/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing reproducer files (script.h has the format). A file appears under its name only when it is
 * whole; whatever goes wrong, nothing else is left behind.
 */
#include "explore/script.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name that would not be read back as one word is not used. */
static const char *site_word(const struct tl_sites *sites, uint64_t site, char *text, size_t size)
{
    const char *name = tl_sites_name(sites, site, text, size);
    if (name == text || (name[strcspn(name, " \t\r\n")] == '\0' && strncmp(name, "0x", 2) != 0))
        return name;
    snprintf(text, size, "0x%016llx", (unsigned long long)site);
    return text;
}

int tl_script_write(FILE *file, const struct tl_script *script, const struct tl_sites *sites)
{
    char name[32];
    fprintf(file, "twinloop-script %d library %s scenario %s seed %llu strategy seed\n",
            TL_SCRIPT_VERSION, script->library, script->scenario, (unsigned long long)script->seed);
    fprintf(file, "outcome %s\n", tl_outcome_name(script->outcome));
    fprintf(file, "summary %s\n", script->summary);
    if (script->debug)
        fprintf(file, "debug\n");
    if (script->complete)
        fprintf(file, "run events %llu schedule 0x%016llx content 0x%016llx\n",
                (unsigned long long)script->events, (unsigned long long)script->schedule,
                (unsigned long long)script->content);
    for (size_t i = 0; i < script->count; i++) {
        const struct tl_script_entry *entry = &script->entries[i];
        fprintf(file, "choice %s 0x%016llx %u %u\n",
                site_word(sites, entry->site, name, sizeof name), (unsigned long long)entry->entity,
                entry->draw, entry->answer);
    }
    fprintf(file, "end %zu\n", script->count);
    return ferror(file) ? -EIO : 0;
}

/* Each directory on the way; those that are there already are fine. */
static int make_directories(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* A scenario's name as part of a file's: what is no letter, digit, dot or dash becomes a dash. */
static void file_name(const char *directory, const struct tl_script *script, char *path,
                      size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char name[TL_LINE_MAX];
    snprintf(name, sizeof name, "%s", script->scenario);
    for (char *c = name; *c != '\0'; c++)
        if (strchr(plain, *c) == NULL)
            *c = '-';
    snprintf(path, size, "%s/%s-%llu.script", directory, name, (unsigned long long)script->seed);
}

static int write_and_close(FILE *file, const struct tl_script *script, const struct tl_sites *sites)
{
    int r = tl_script_write(file, script, sites);
    if (fflush(file) != 0 && r == 0)
        r = -errno;
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    return r;
}

int tl_script_save(const char *directory, const struct tl_script *script,
                   const struct tl_sites *sites, char *ret_path, size_t size)
{
    char path[PATH_MAX], temporary[PATH_MAX + 16];
    int r = make_directories(directory);
    if (r < 0)
        return r;
    file_name(directory, script, path, sizeof path);
    snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *file = fopen(temporary, "wxe");
    if (file == NULL)
        return -errno;
    r = write_and_close(file, script, sites);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return r;
    }
    snprintf(ret_path, size, "%s", path);
    return 0;
}

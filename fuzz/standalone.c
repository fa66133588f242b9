/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for fuzz targets where there is no fuzzer: runs the files that it is given, and those of
 * folders in the order of their names.
 *
 *     build/asan/fuzz/kv_fuzzer fuzz/corpus/kv crash-1234
 *
 * A check that fails ends it, with the name of the file as the last line before. Each input lies in
 * memory of its exact size, and is looked at for leaks alone where the sanitizer for that is there.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static unsigned done;

static int complain(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
}

static int run_bytes(const char *path, FILE *file, size_t size)
{
    uint8_t *data = malloc(size + (size == 0));
    if (data == NULL || fread(data, 1, size, file) != size) {
        free(data);
        return complain(path);
    }
    fprintf(stderr, "%s: %zu bytes\n", path, size);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    done++;
    return __lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0;
}

static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return complain(path);
    int failed = run_bytes(path, file, size);
    fclose(file);
    return failed;
}

static int run(const char *path);

static int run_folder(const char *path)
{
    struct dirent **entries;
    int failed = 0;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        return complain(path);
    for (int i = 0; i < count; i++) {
        char name[4096];
        int len = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && len > 0 && (size_t)len < sizeof name)
            failed |= run(name);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int run(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return complain(path);
    return S_ISDIR(status.st_mode) ? run_folder(path) : run_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= run(argv[i]);
    fprintf(stderr, "%u inputs run\n", done);
    return failed != 0 || done == 0;
}

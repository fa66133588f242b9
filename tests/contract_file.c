/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: files, by path and by descriptor, with the errno that Linux gives. Every path is
 * in /tmp, which every simulated host has too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

enum { NEW = TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE, MODE = 0600 };

/* A path of this process's own; the same for every run of a case. */
struct path {
    char text[96];
};

static struct path path_of(const char *name)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "/tmp/twinloop-%d-%s", (int)getpid(), name);
    return path;
}

/* A new file with these bytes in it, opened for both. */
static int make(struct tl_kernel *kernel, const struct path *path, const char *text)
{
    int fd = kernel->ops->open(kernel, path->text, NEW, MODE);

    assert_true(fd >= 0);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, text, strlen(text), 0), strlen(text));
    return fd;
}

static void expect(struct tl_kernel *kernel, int fd, int64_t offset, const char *text)
{
    char data[64];

    memset(data, 'x', sizeof data);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, sizeof data, offset), strlen(text));
    assert_memory_equal(data, text, strlen(text));
}

static void discard(struct tl_kernel *kernel, int fd, const struct path *path)
{
    assert_int_equal(kernel->ops->close(kernel, fd), 0);
    assert_int_equal(kernel->ops->unlink(kernel, path->text), 0);
}

/* --- Reading and writing --- */

static void what_is_written_is_read(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("bytes");
    int fd = make(kernel, &path, "hello world");
    char data[4];

    expect(kernel, fd, 0, "hello world");
    expect(kernel, fd, 6, "world");
    expect(kernel, fd, 11, "");
    expect(kernel, fd, 1000, "");
    assert_int_equal(kernel->ops->pread(kernel, fd, data, 4, 2), 4);
    assert_memory_equal(data, "llo ", 4);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "W", 1, 6), 1);
    expect(kernel, fd, 0, "hello World");
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "", 0, 500), 0);
    expect(kernel, fd, 6, "World");
    assert_int_equal(kernel->ops->fsync(kernel, fd), 0);
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void a_hole_reads_as_zeros(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("hole");
    int fd = make(kernel, &path, "ab");
    char data[8];

    assert_int_equal(kernel->ops->pwrite(kernel, fd, "z", 1, 6), 1);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, sizeof data, 0), 7);
    assert_memory_equal(data, "ab\0\0\0\0z", 7);
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void read_and_write_have_a_position_of_their_own(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("position");
    int fd = make(kernel, &path, "0123456789");
    char data[8];

    assert_int_equal(seam_read(kernel, fd, data, 3), 3);
    assert_memory_equal(data, "012", 3);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, 1, 9), 1);
    assert_int_equal(seam_write(kernel, fd, "ab", 2), 2);
    assert_int_equal(seam_read(kernel, fd, data, 8), 5);
    assert_memory_equal(data, "56789", 5);
    assert_int_equal(seam_read(kernel, fd, data, 8), 0);
    expect(kernel, fd, 0, "012ab56789");
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void the_way_of_opening_says_what_is_allowed(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("access");
    int both = make(kernel, &path, "text");
    int reader = kernel->ops->open(kernel, path.text, TL_OPEN_READ, 0);
    int writer = kernel->ops->open(kernel, path.text, TL_OPEN_WRITE, 0);
    char data[8];

    assert_true(reader >= 0 && writer >= 0);
    assert_int_equal(kernel->ops->pwrite(kernel, reader, "x", 1, 0), -EBADF);
    assert_int_equal(kernel->ops->pwrite(kernel, reader, "", 0, 0), -EBADF);
    assert_int_equal(kernel->ops->pread(kernel, writer, data, 8, 0), -EBADF);
    assert_int_equal(seam_read(kernel, writer, data, 8), -EBADF);
    assert_int_equal(seam_write(kernel, reader, "x", 1), -EBADF);
    assert_int_equal(kernel->ops->pwrite(kernel, writer, "T", 1, 0), 1);
    expect(kernel, reader, 0, "Text");
    assert_int_equal(kernel->ops->fsync(kernel, reader), 0);
    seam_close(kernel, reader);
    seam_close(kernel, writer);
    discard(kernel, both, &path);
    kernel->ops->destroy(kernel);
}

static void offsets_are_checked_first(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("offsets");
    int fd = make(kernel, &path, "text");
    char data[8];

    assert_int_equal(kernel->ops->pread(kernel, fd, data, 8, -1), -EINVAL);
    assert_int_equal(kernel->ops->pread(kernel, 9999, data, 8, -1), -EINVAL);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, data, 8, -1), -EINVAL);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, 8, INT64_MAX), -EINVAL);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "abcdefgh", 8, INT64_MAX), -EINVAL);
    assert_int_equal(kernel->ops->pread(kernel, 9999, data, 8, 0), -EBADF);
    assert_int_equal(kernel->ops->pwrite(kernel, 9999, "abcdefgh", 8, 0), -EBADF);
    assert_int_equal(kernel->ops->fsync(kernel, 9999), -EBADF);
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void files_cannot_be_waited_for(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("watch");
    int fd = make(kernel, &path, "text");
    tl_addr addr;

    assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE, &fd), -EPERM);
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &addr), -ENOTSOCK);
    assert_int_equal(kernel->ops->listen(kernel, fd, 1), -ENOTSOCK);
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void what_is_no_file_has_no_offsets(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int ends[2], pipe[2];
    char data[4];

    seam_connection(kernel, ends);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, pipe), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kernel->ops->pread(kernel, ends[i], data, 1, 0), -ESPIPE);
        assert_int_equal(kernel->ops->pwrite(kernel, ends[i], "x", 1, 0), -ESPIPE);
        assert_int_equal(kernel->ops->fsync(kernel, ends[i]), -EINVAL);
        assert_int_equal(kernel->ops->pread(kernel, pipe[i], data, 1, 0), -ESPIPE);
        assert_int_equal(kernel->ops->pwrite(kernel, pipe[i], "x", 1, 0), -ESPIPE);
        assert_int_equal(kernel->ops->fsync(kernel, pipe[i]), -EINVAL);
    }
    kernel->ops->destroy(kernel);
}

/* --- Opening --- */

static void opening_says_why_not(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("open"), below = path_of("open/below"), slash = path_of("open/");
    const unsigned create = TL_OPEN_WRITE | TL_OPEN_CREATE;

    assert_int_equal(kernel->ops->open(kernel, path.text, TL_OPEN_READ, 0), -ENOENT);
    assert_int_equal(kernel->ops->open(kernel, below.text, create, MODE), -ENOENT);
    assert_int_equal(kernel->ops->open(kernel, slash.text, create, MODE), -EISDIR);
    int fd = make(kernel, &path, "text");
    assert_int_equal(kernel->ops->open(kernel, below.text, TL_OPEN_READ, 0), -ENOTDIR);
    assert_int_equal(kernel->ops->open(kernel, slash.text, TL_OPEN_READ, 0), -ENOTDIR);
    assert_int_equal(kernel->ops->open(kernel, slash.text, create, MODE), -EISDIR);
    assert_int_equal(kernel->ops->open(kernel, path.text, create | TL_OPEN_EXCLUSIVE, MODE),
                     -EEXIST);
    assert_int_equal(kernel->ops->open(kernel, "", TL_OPEN_READ, 0), -ENOENT);
    assert_int_equal(kernel->ops->open(kernel, "", create, MODE), -ENOENT);
    assert_int_equal(kernel->ops->open(kernel, path.text, TL_OPEN_CREATE, MODE), -EINVAL);
    assert_int_equal(kernel->ops->open(kernel, path.text, TL_OPEN_READ | 1u << 20, 0), -EINVAL);
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void truncating_empties(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("truncate");
    int fd = make(kernel, &path, "a long text");
    int again = kernel->ops->open(kernel, path.text, NEW, MODE);

    assert_true(again >= 0);
    expect(kernel, fd, 0, "");
    assert_int_equal(kernel->ops->pwrite(kernel, again, "b", 1, 2), 1);
    char data[4];
    assert_int_equal(kernel->ops->pread(kernel, fd, data, 4, 0), 3);
    assert_memory_equal(data, "\0\0b", 3);
    seam_close(kernel, again);
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

static void directories_can_be_opened_and_not_read(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    const unsigned create = TL_OPEN_READ | TL_OPEN_CREATE;
    char data[4];

    assert_int_equal(kernel->ops->open(kernel, "/tmp", TL_OPEN_WRITE, 0), -EISDIR);
    assert_int_equal(kernel->ops->open(kernel, "/tmp", create, MODE), -EISDIR);
    assert_int_equal(kernel->ops->open(kernel, "/tmp/", create, MODE), -EISDIR);
    assert_int_equal(kernel->ops->open(kernel, "/tmp/.", create, MODE), -EISDIR);
    assert_int_equal(kernel->ops->open(kernel, "/tmp", create | TL_OPEN_EXCLUSIVE, MODE), -EEXIST);
    int fd = kernel->ops->open(kernel, "/tmp/.", TL_OPEN_READ, 0);
    assert_true(fd >= 0);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, 4, 0), -EISDIR);
    assert_int_equal(seam_read(kernel, fd, data, 4), -EISDIR);
    assert_int_equal(seam_read(kernel, fd, data, 0), 0);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "x", 1, 0), -EBADF);
    assert_int_equal(kernel->ops->unlink(kernel, "/tmp"), -EISDIR);
    assert_int_equal(kernel->ops->unlink(kernel, "/tmp/"), -EISDIR);
    assert_int_equal(kernel->ops->unlink(kernel, "/tmp/."), -EISDIR);
    assert_int_equal(kernel->ops->unlink(kernel, "/"), -EISDIR);
    kernel->ops->destroy(kernel);
}

/* --- Names --- */

static void stat_tells_of_files(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("stat"), below = path_of("stat/below"), slash = path_of("stat/");
    struct path dots = path_of("stat/..");
    struct tl_stat before = {0}, after = {0};
    int64_t now = kernel->ops->wall(kernel);
    int fd = make(kernel, &path, "12345");

    assert_int_equal(kernel->ops->stat(kernel, path.text, &before), 0);
    assert_int_equal(before.size, 5);
    assert_int_equal(before.kind, TL_ADOPTED_FILE);
    /* A file system's clock may be some ticks behind. */
    assert_true(before.modified > now - TL_SECOND && before.modified < now + 60 * TL_SECOND);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "x", 1, 9), 1);
    assert_int_equal(kernel->ops->stat(kernel, path.text, &after), 0);
    assert_int_equal(after.size, 10);
    assert_true(after.identity == before.identity);
    assert_int_equal(kernel->ops->stat(kernel, below.text, &after), -ENOTDIR);
    assert_int_equal(kernel->ops->stat(kernel, slash.text, &after), -ENOTDIR);
    assert_int_equal(kernel->ops->stat(kernel, dots.text, &after), -ENOTDIR);
    assert_int_equal(kernel->ops->stat(kernel, "", &after), -ENOENT);
    assert_int_equal(kernel->ops->stat(kernel, "/tmp/", &after), 0);
    assert_int_equal(after.kind, TL_ADOPTED_OTHER);
    assert_true(after.identity != before.identity);
    discard(kernel, fd, &path);
    assert_int_equal(kernel->ops->stat(kernel, path.text, &after), -ENOENT);
    kernel->ops->destroy(kernel);
}

static void paths_can_be_too_long(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_stat status;
    char name[400] = "/tmp/", path[5000];

    memset(name + 5, 'a', 256);
    assert_int_equal(kernel->ops->stat(kernel, name, &status), -ENAMETOOLONG);
    name[5 + 255] = '\0';
    assert_int_equal(kernel->ops->stat(kernel, name, &status), -ENOENT);
    for (size_t i = 0; i < 4094; i += 2)
        memcpy(path + i, "/.", 2);
    path[4094] = '\0';
    assert_int_equal(kernel->ops->stat(kernel, path, &status), 0);
    memcpy(path + 4094, "/.", 3);
    assert_int_equal(kernel->ops->stat(kernel, path, &status), -ENAMETOOLONG);
    assert_int_equal(kernel->ops->open(kernel, path, TL_OPEN_READ, 0), -ENAMETOOLONG);
    assert_int_equal(kernel->ops->unlink(kernel, path), -ENAMETOOLONG);
    assert_int_equal(kernel->ops->rename(kernel, path, "/tmp/x"), -ENAMETOOLONG);
    kernel->ops->destroy(kernel);
}

static void an_unlinked_file_lives_while_it_is_open(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("unlink"), below = path_of("unlink/x"), slash = path_of("unlink/");
    int fd = make(kernel, &path, "old");

    assert_int_equal(kernel->ops->unlink(kernel, below.text), -ENOTDIR);
    assert_int_equal(kernel->ops->unlink(kernel, slash.text), -ENOTDIR);
    assert_int_equal(kernel->ops->unlink(kernel, ""), -ENOENT);
    assert_int_equal(kernel->ops->unlink(kernel, path.text), 0);
    assert_int_equal(kernel->ops->unlink(kernel, path.text), -ENOENT);
    assert_int_equal(kernel->ops->unlink(kernel, slash.text), -ENOENT);
    int other = make(kernel, &path, "new one");
    expect(kernel, fd, 0, "old");
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "er", 2, 3), 2);
    expect(kernel, fd, 0, "older");
    expect(kernel, other, 0, "new one");
    seam_close(kernel, fd);
    discard(kernel, other, &path);
    kernel->ops->destroy(kernel);
}

static void renaming_replaces(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path source = path_of("source"), target = path_of("target");
    struct tl_stat before, after;
    int one = make(kernel, &source, "one");
    int two = make(kernel, &target, "two");

    assert_int_equal(kernel->ops->stat(kernel, source.text, &before), 0);
    assert_int_equal(kernel->ops->rename(kernel, source.text, source.text), 0);
    assert_int_equal(kernel->ops->rename(kernel, source.text, target.text), 0);
    assert_int_equal(kernel->ops->stat(kernel, source.text, &after), -ENOENT);
    assert_int_equal(kernel->ops->stat(kernel, target.text, &after), 0);
    assert_true(before.identity == after.identity);
    expect(kernel, one, 0, "one");
    expect(kernel, two, 0, "two");
    seam_close(kernel, two);
    discard(kernel, one, &target);
    kernel->ops->destroy(kernel);
}

static void renaming_says_why_not(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("rename"), below = path_of("rename/x"), slash = path_of("rename/");
    struct path nobody = path_of("nobody"), nowhere = path_of("nobody/x");
    struct path nobody_slash = path_of("nobody/");
    int fd = make(kernel, &path, "text");

#define RENAME(from, to) kernel->ops->rename(kernel, from, to)
    assert_int_equal(RENAME(nobody.text, path.text), -ENOENT);
    assert_int_equal(RENAME(path.text, nowhere.text), -ENOENT);
    assert_int_equal(RENAME(nowhere.text, path.text), -ENOENT);
    assert_int_equal(RENAME(path.text, below.text), -ENOTDIR);
    assert_int_equal(RENAME(nobody.text, below.text), -ENOTDIR);
    assert_int_equal(RENAME(slash.text, nobody.text), -ENOTDIR);
    assert_int_equal(RENAME(path.text, nobody_slash.text), -ENOTDIR);
    assert_int_equal(RENAME("", nobody.text), -ENOENT);
    assert_int_equal(RENAME(path.text, ""), -ENOENT);
    assert_int_equal(RENAME("/tmp/.", nobody.text), -EBUSY);
    assert_int_equal(RENAME(path.text, "/tmp/."), -EBUSY);
    assert_int_equal(RENAME(nobody.text, "/tmp/.."), -EBUSY);
    assert_int_equal(RENAME("/tmp", path.text), -EINVAL);
#undef RENAME
    expect(kernel, fd, 0, "text");
    discard(kernel, fd, &path);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(what_is_written_is_read),
        CONTRACT(a_hole_reads_as_zeros),
        CONTRACT(read_and_write_have_a_position_of_their_own),
        CONTRACT(the_way_of_opening_says_what_is_allowed),
        CONTRACT(offsets_are_checked_first),
        CONTRACT(files_cannot_be_waited_for),
        CONTRACT(what_is_no_file_has_no_offsets),
        CONTRACT(opening_says_why_not),
        CONTRACT(truncating_empties),
        CONTRACT(directories_can_be_opened_and_not_read),
        CONTRACT(stat_tells_of_files),
        CONTRACT(paths_can_be_too_long),
        CONTRACT(an_unlinked_file_lives_while_it_is_open),
        CONTRACT(renaming_replaces),
        CONTRACT(renaming_says_why_not),
    };

    return contract_main(argc, argv, "file", cases, sizeof cases / sizeof *cases);
}

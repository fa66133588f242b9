/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls behind trace files; see file.h.
 *
 * Writing must not disturb the program that is recorded. Where it could raise a signal (a pipe that
 * nobody reads, a limit on the size of files) the signal is kept from this thread for the time of
 * the call, and taken away when the call has raised it. That takes three system calls more, so a
 * regular file is asked for its limit first, and nearly never has one.
 */
#include "trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int tl_trace_file_create(const char *path)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);

    if (fd < 0)
        return -errno;
    /* One that was there before keeps its mode otherwise. */
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && fchmod(fd, 0600) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

bool tl_trace_file_is_regular(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static bool has_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
}

static int write_quietly(int fd, const void *data, size_t len)
{
    static const struct timespec at_once = {0, 0};
    sigset_t raised, before, pending;

    sigemptyset(&raised);
    sigaddset(&raised, SIGPIPE);
    sigaddset(&raised, SIGXFSZ);
    sigemptyset(&pending);
    (void)sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &raised, &before);

    int r = write_all(fd, data, len);
    if (r == -EPIPE && !sigismember(&pending, SIGPIPE)) {
        sigdelset(&raised, SIGXFSZ);
        (void)sigtimedwait(&raised, NULL, &at_once);
    } else if (r == -EFBIG && !sigismember(&pending, SIGXFSZ)) {
        sigdelset(&raised, SIGPIPE);
        (void)sigtimedwait(&raised, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int tl_trace_file_write(int fd, bool regular, const void *data, size_t len)
{
    if (regular && !has_limit())
        return write_all(fd, data, len);
    return write_quietly(fd, data, len);
}

void tl_trace_file_cut(int fd, uint64_t size)
{
    if (ftruncate(fd, (off_t)size) == 0)
        (void)lseek(fd, (off_t)size, SEEK_SET);
}

int tl_trace_file_open(const char *path, uint64_t *ret_size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    int r = fstat(fd, &status) < 0 ? -errno : S_ISREG(status.st_mode) ? 0 : -EINVAL;
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_size = (uint64_t)status.st_size;
    return fd;
}

int64_t tl_trace_file_read(int fd, void *data, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (uint8_t *)data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
    }
    return (int64_t)done;
}

int tl_trace_file_close(int fd)
{
    return close(fd) < 0 ? -errno : 0;
}

int64_t tl_trace_file_process(void)
{
    /* The system's own answer: a simulated process has another number for the program. */
    return syscall(SYS_getpid);
}

void tl_trace_process_begin(struct tl_trace_process *process)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *process = (struct tl_trace_process){.number = tl_trace_file_process()};
    if (page == MAP_FAILED)
        return;
    if (madvise(page, size, MADV_WIPEONFORK) < 0) {
        (void)munmap(page, size);
        return;
    }
    process->mark = page;
    *process->mark = 1;
}

bool tl_trace_process_is_same(const struct tl_trace_process *process)
{
    if (process->mark != NULL)
        return *process->mark != 0;
    return process->number == tl_trace_file_process();
}

void tl_trace_process_end(struct tl_trace_process *process)
{
    if (process->mark != NULL)
        (void)munmap((void *)process->mark, (size_t)sysconf(_SC_PAGESIZE));
    process->mark = NULL;
}

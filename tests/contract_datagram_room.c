/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: when the receive buffer of a UDP socket has room again for what it dropped
 * before. Linux takes over all that has arrived at the first read, and gives the room of what it
 * took over back in one piece: once a quarter of the buffer has been read, or all of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"
#include "support/seam_datagram.h"

/* A datagram of this length counts 2,304 bytes, and the buffer has 40,000. */
enum { LEN = 1000, ROOM = 20000, FITTING = 17, QUARTER = 5, MANY = 30 };

struct pair {
    struct tl_kernel *kernel;
    int writer;
    int reader;
    int mark;
    tl_addr here;   /* the reader's */
    tl_addr marked; /* the mark's */
};

static struct pair new_pair(struct contract *contract)
{
    struct pair pair = {.kernel = contract_kernel(contract)};

    pair.writer = seam_datagrams(pair.kernel, TL_FAMILY_INET);
    pair.reader = seam_bound(pair.kernel, "127.0.0.1", &pair.here);
    pair.mark = seam_bound(pair.kernel, "127.0.0.1", &pair.marked);
    seam_set(pair.kernel, pair.reader, TL_OPTION_RCVBUF, ROOM);
    return pair;
}

/* Sends so many. Within a host the order of what one socket sends stays, so all have arrived with
 * the one to the mark. */
static void flood(const struct pair *pair, unsigned count)
{
    static const char data[LEN];

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(seam_send(pair->kernel, pair->writer, data, LEN, &pair->here), LEN);
    assert_int_equal(seam_send(pair->kernel, pair->writer, "now", 3, &pair->marked), 3);
    seam_expect(pair->kernel, pair->mark, "now", NULL);
}

/* Reads at most so many: how many there were. */
static unsigned drain(const struct pair *pair, unsigned most)
{
    char data[LEN];
    unsigned count = 0;

    while (count < most && seam_receive(pair->kernel, pair->reader, data, LEN, NULL, NULL) == LEN)
        count++;
    return count;
}

static void a_quarter_comes_back_at_once(struct contract *contract)
{
    struct pair pair = new_pair(contract);

    flood(&pair, MANY);
    assert_int_equal(drain(&pair, QUARTER - 1), QUARTER - 1);
    flood(&pair, MANY); /* no room */
    assert_int_equal(drain(&pair, 1), 1);
    flood(&pair, MANY); /* room for as many as were read */
    assert_int_equal(drain(&pair, MANY), FITTING);
    pair.kernel->ops->destroy(pair.kernel);
}

static void so_does_the_rest_of_a_batch(struct contract *contract)
{
    struct pair pair = new_pair(contract);

    flood(&pair, 3);
    assert_int_equal(drain(&pair, 1), 1); /* which counts until the other two are read */
    flood(&pair, MANY);
    assert_int_equal(drain(&pair, 2), 2);
    flood(&pair, MANY);
    assert_int_equal(drain(&pair, MANY), FITTING);
    flood(&pair, 3);
    assert_int_equal(drain(&pair, 1), 1);
    flood(&pair, MANY);
    assert_int_equal(drain(&pair, MANY), FITTING - 1);
    pair.kernel->ops->destroy(pair.kernel);
}

/* Giving room back for a quarter that was read begins a new batch, of all that is there. */
static void what_came_meanwhile_is_of_the_next_batch(struct contract *contract)
{
    struct pair pair = new_pair(contract);

    flood(&pair, QUARTER + 1);
    assert_int_equal(drain(&pair, 1), 1);
    flood(&pair, 2);
    assert_int_equal(drain(&pair, QUARTER), QUARTER); /* a quarter, and one of the three left */
    flood(&pair, MANY);
    assert_int_equal(drain(&pair, MANY), FITTING - 1);
    pair.kernel->ops->destroy(pair.kernel);
}

static void a_small_one_may_fit_where_a_large_one_does_not(struct contract *contract)
{
    struct pair pair = new_pair(contract);
    char data[LEN];

    flood(&pair, MANY); /* 832 bytes are left, and a small one counts that much */
    assert_int_equal(seam_send(pair.kernel, pair.writer, "one", 3, &pair.here), 3);
    assert_int_equal(seam_send(pair.kernel, pair.writer, "two", 3, &pair.here), 3);
    flood(&pair, 1);
    assert_int_equal(drain(&pair, FITTING), FITTING);
    assert_int_equal(seam_receive(pair.kernel, pair.reader, data, LEN, NULL, NULL), 3);
    assert_memory_equal(data, "one", 3);
    assert_int_equal(seam_receive(pair.kernel, pair.reader, data, LEN, NULL, NULL), -EAGAIN);
    pair.kernel->ops->destroy(pair.kernel);
}

/* Linux before 6.5 copied what it sent of a file, or counted it in other pieces. */
static bool counts_pages(const struct contract *contract)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    if (strstr(contract->world, "real") == NULL)
        return true;
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
    return major > 6 || (major == 6 && minor >= 5);
}

/* A file that is sent counts its bytes and 832 more: 1,832, of which 21 fit. */
static void a_files_pages_count_by_the_byte(struct contract *contract)
{
    struct pair pair = new_pair(contract);
    struct tl_kernel *kernel = pair.kernel;
    static const char data[LEN];
    char path[96];

    if (!counts_pages(contract)) {
        kernel->ops->destroy(kernel);
        return;
    }
    snprintf(path, sizeof path, "/tmp/twinloop-%d-room", (int)getpid());
    int file = kernel->ops->open(kernel, path, TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_true(file >= 0);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    assert_int_equal(kernel->ops->pwrite(kernel, file, data, LEN, 0), LEN);
    assert_int_equal(kernel->ops->connect(kernel, pair.writer, &pair.here), 0);
    for (unsigned i = 0; i < MANY; i++) {
        int64_t offset = 0;
        assert_int_equal(kernel->ops->sendfile(kernel, pair.writer, file, &offset, LEN, NULL), LEN);
    }
    flood(&pair, 0);
    assert_int_equal(drain(&pair, MANY), 21);
    kernel->ops->destroy(kernel);
}

/* The bound is a quarter of what the buffer is by now. */
static void a_smaller_buffer_gives_back_sooner(struct contract *contract)
{
    struct pair pair = new_pair(contract);

    flood(&pair, 10);
    seam_set(pair.kernel, pair.reader, TL_OPTION_RCVBUF, ROOM / 4); /* room for 4 */
    assert_int_equal(drain(&pair, 8), 8);                           /* 2 are left */
    flood(&pair, MANY);
    assert_int_equal(drain(&pair, MANY), 4);
    pair.kernel->ops->destroy(pair.kernel);
}

static void reading_several_is_reading_each(struct contract *contract)
{
    struct pair pair = new_pair(contract);
    static char data[QUARTER][LEN];
    struct iovec iov[QUARTER];
    struct tl_message messages[QUARTER];

    for (int i = 0; i < QUARTER; i++) {
        iov[i] = (struct iovec){data[i], LEN};
        messages[i] = (struct tl_message){.iov = &iov[i], .iov_count = 1};
    }
    flood(&pair, MANY);
    assert_int_equal(pair.kernel->ops->read(pair.kernel, pair.reader, messages, QUARTER - 1),
                     QUARTER - 1);
    flood(&pair, MANY);
    assert_int_equal(pair.kernel->ops->read(pair.kernel, pair.reader, messages, QUARTER), QUARTER);
    flood(&pair, MANY); /* which is when the first five of these nine have come back */
    assert_int_equal(drain(&pair, MANY), FITTING - (QUARTER - 1));
    pair.kernel->ops->destroy(pair.kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_quarter_comes_back_at_once),
        CONTRACT(so_does_the_rest_of_a_batch),
        CONTRACT(what_came_meanwhile_is_of_the_next_batch),
        CONTRACT(a_small_one_may_fit_where_a_large_one_does_not),
        CONTRACT(a_files_pages_count_by_the_byte),
        CONTRACT(a_smaller_buffer_gives_back_sooner),
        CONTRACT(reading_several_is_reading_each),
    };

    return contract_main(argc, argv, "datagram_room", cases, sizeof cases / sizeof *cases);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When two worlds agree on a program: the abstraction.
 *
 * Answers are compared one by one, and must be equal in everything but this:
 *
 *   - descriptors and ports are places; an ephemeral port is new, or is a place's;
 *   - what a buffer holds that nobody has set is not asked, and sizes are set that every machine
 *     allows;
 *   - a write into a flow with more under way than its send buffer surely holds may take all, some
 *     or nothing (EAGAIN), and a writer is not asked whether it is writable once a third of that is
 *     under way;
 *   - a read from a flow with more under way than surely has arrived gives some bytes in both
 *     worlds, not as many; the same once a flow held different amounts, until it is empty. Whether
 *     there is more to read is not asked then;
 *   - when there are two reasons for which a socket of Unix-domain datagrams without a peer cannot
 *     write, either is given: which of them comes first has changed after Linux 6.12;
 *   - a UDP socket that is connected does not send several datagrams in a call, of which the real
 *     loopback would refuse some before the rest have left;
 *   - a file is not sent as datagrams when it takes more than one call to the socket, for the rest
 *     would be lost without a word;
 *   - a program is compared up to where the end of such a flow depends on it: its reader shuts down
 *     or closes, or somebody writes to who reads no more (a file, also when it takes more than one
 *     call), or one world says what comes after the bytes while the other still has some.
 *
 * In each world by itself must hold: bytes come in the order in which they were written, none comes
 * that was not, and when everything has been read out none is missing.
 *
 * With every choice 0, each operation is one call. With a seed's choices (delays and cuts; faults
 * are off) reads and writes are repeated until they have all they asked for or something else than
 * bytes comes, on both kernels. Everything that is on its way arrives after each operation, so that
 * delays and cuts must make no difference at all: for every seed the simulator must answer what
 * Linux answers, by the same rules as above. That Linux's outcome is among those of the simulator,
 * and none of these is one that Linux cannot have, are then the same.
 *
 * Each seed is also run in a hurry: the next operation comes while bytes are on their way. What
 * Linux would answer in between depends on when it is asked; checked is what must hold in each
 * world by itself, with a long wait before what is left is read out.
 */
#include <errno.h>
#include <string.h>
#include <twinloop/error.h>

#include "tests/fidelity/run.h"

/* Whether a read found nothing in one world where all had been read, and something in the other. */
static bool one_was_empty(const struct answer *one, const struct answer *two)
{
    return one->result <= 0 && one->before == 0 && two->result > 0;
}

/* The same, and what it said instead is not to be had again in the one world and still comes in the
 * other; or the reader closed, over bytes in one world alone. */
static bool parted(const struct op *op, const struct answer *real, const struct answer *sim)
{
    if (op == NULL || !(real->amount_loose || sim->amount_loose))
        return false;
    if (op->kind == OP_CLOSE)
        return (real->before == 0) != (sim->before == 0);
    return (one_was_empty(real, sim) && real->result != -EAGAIN) ||
           (one_was_empty(sim, real) && sim->result != -EAGAIN);
}

static bool results_agree(const struct op *op, const struct answer *real, const struct answer *sim)
{
    if (real->result == sim->result)
        return true;
    if (real->either && sim->either)
        return true;
    bool some = real->result > 0 && sim->result > 0;
    if (op->kind == OP_READ) {
        bool loose = real->amount_loose || sim->amount_loose || real->before != sim->before;
        if (loose && op->value == 0) /* says whether there is anything, at most */
            return real->result == 0 || sim->result == 0;
        return loose && (some || one_was_empty(real, sim) || one_was_empty(sim, real));
    }
    bool writes = op->kind == OP_WRITE || op->kind == OP_SENDFILE;
    if (!writes || !(real->room_loose || sim->room_loose))
        return false;
    return some || (real->result == -EAGAIN && sim->result > 0) ||
           (sim->result == -EAGAIN && real->result > 0);
}

static bool ready_agrees(const struct answer *real, const struct answer *sim)
{
    for (int i = 0; i < PLACES; i++) {
        uint8_t loose = real->ready_loose[i] | sim->ready_loose[i];
        if ((real->ready[i] | loose) != (sim->ready[i] | loose))
            return false;
    }
    return true;
}

static bool answers_agree(const struct op *op, const struct answer *real, const struct answer *sim)
{
    if (real->broken != NULL || sim->broken != NULL || real->skipped != sim->skipped)
        return false;
    if (real->skipped)
        return true;
    bool alike = real->amount_loose || sim->amount_loose || real->before != sim->before;
    if (strcmp(real->note, sim->note) != 0 && !alike)
        return false;
    return (op == NULL || results_agree(op, real, sim)) && ready_agrees(real, sim);
}

int find_broken(const struct transcript *transcript)
{
    for (size_t i = 0; i < transcript->count; i++)
        if (transcript->answers[i].broken != NULL)
            return (int)i;
    return -1;
}

int compare_transcripts(const struct program *program, const struct transcript *real,
                        const struct transcript *sim)
{
    for (size_t i = 0; i < real->count; i++) {
        const struct op *op = i < program->count ? &program->ops[i] : NULL;
        const struct answer *one = &real->answers[i];
        const struct answer *two = &sim->answers[i];
        if (one->beyond || two->beyond || parted(op, one, two))
            return -1;
        if (!answers_agree(op, one, two))
            return (int)i;
    }
    return -1;
}

/* --- Printing --------------------------------------------------------------------------------- */

static void print_answer(FILE *file, const char *who, const struct answer *answer)
{
    char result[32];
    if (answer->result < 0)
        snprintf(result, sizeof result, "%s", tl_err_name((int)answer->result));
    else
        snprintf(result, sizeof result, "%lld", (long long)answer->result);
    fprintf(file, "#   %-9s %s%s", who, answer->skipped ? "skipped" : result, answer->note);
    fprintf(file, "  |");
    for (int i = 0; i < PLACES; i++)
        if (!answer->skipped && answer->ready[i] != READY_NONE)
            fprintf(file, " %d:%s%s%s%s%s", i, answer->ready[i] & TL_READABLE ? "r" : "",
                    answer->ready[i] & TL_WRITABLE ? "w" : "",
                    answer->ready[i] & TL_HANGUP ? "h" : "", answer->ready[i] & TL_FAULT ? "f" : "",
                    answer->ready_loose[i] ? "?" : "");
    fprintf(file, "%s%s\n", answer->broken != NULL ? "  BROKEN: " : "",
            answer->broken != NULL ? answer->broken : "");
}

void print_comparison(FILE *file, const struct program *program, const struct transcript *real,
                      const struct transcript *sim, int until)
{
    char text[64];
    for (size_t i = 0; i < real->count; i++) {
        if (i < program->count)
            fprintf(file, "%s\n", op_format(&program->ops[i], text, sizeof text));
        else
            fprintf(file, "# read out\n");
        if (until >= 0 && i > (size_t)until)
            continue;
        if (until >= 0 && i == (size_t)until)
            fprintf(file, "#   they disagree:\n");
        print_answer(file, "real", &real->answers[i]);
        print_answer(file, "simulated", &sim->answers[i]);
    }
}

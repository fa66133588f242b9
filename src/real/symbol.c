/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for addresses in code, and the way that led here: what debug mode's reports are made of.
 *
 * The dynamic linker knows only what a program exports, and most callbacks are static. So the
 * symbol table is read from the file of the program or library that the address lies in. That takes
 * a few milliseconds and happens only when something is reported. Nothing is kept.
 */
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/self.h"

/* The frames of this file and of who asks it are of no interest. */
enum { OWN_FRAMES = 2, FRAMES_MAX = 32 };

#define PROGRAM "/proc/self/exe"

/* What an address lies in: a module, and what it is there. */
struct place {
    uintptr_t address;
    uintptr_t offset; /* in the module's own numbering, as in its symbol table */
    char path[512];   /* "": in none */
};

/* A module's file in memory. */
struct image {
    const unsigned char *bytes;
    size_t size;
};

/* The function found. */
struct found {
    const char *name; /* in the image; NULL: none */
    uintptr_t start;
};

/* --- Which module --- */

static int look_into_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct place *place = arg;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || place->address < start ||
            place->address - start >= segment->p_memsz)
            continue;
        place->offset = place->address - info->dlpi_addr;
        /* The program itself has no name here. */
        const char *path = *info->dlpi_name != '\0' ? info->dlpi_name : PROGRAM;
        snprintf(place->path, sizeof place->path, "%s", path);
        return 1;
    }
    return 0;
}

static struct image map_file(const char *path)
{
    struct image image = {NULL, 0};
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return image;
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED)
            image = (struct image){bytes, (size_t)about.st_size};
    }
    close(fd);
    return image;
}

/* --- Which function --- */

/* The part of the file that a section takes up, or NULL if the file is shorter. */
static const void *section_bytes(struct image image, const ElfW(Shdr) * section)
{
    if (section->sh_offset > image.size || section->sh_size > image.size - section->sh_offset)
        return NULL;
    return image.bytes + section->sh_offset;
}

static void search_table(struct image image, const ElfW(Shdr) * table, const ElfW(Shdr) * names,
                         uintptr_t offset, struct found *found)
{
    const ElfW(Sym) *symbols = section_bytes(image, table);
    const char *text = section_bytes(image, names);

    if (symbols == NULL || text == NULL || names->sh_size == 0 || text[names->sh_size - 1] != '\0')
        return;
    for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        if ((symbol->st_info & 0xf) != STT_FUNC || symbol->st_name >= names->sh_size)
            continue;
        if (offset < symbol->st_value || offset - symbol->st_value >= symbol->st_size)
            continue;
        found->name = text + symbol->st_name;
        found->start = symbol->st_value;
        return;
    }
}

/* Looks through the tables of one kind. */
static void search(struct image image, unsigned kind, uintptr_t offset, struct found *found)
{
    const ElfW(Ehdr) *header = (const void *)image.bytes;
    const ElfW(Shdr) * sections;

    if (image.size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_shentsize != sizeof *sections || header->e_shoff > image.size ||
        header->e_shnum > (image.size - header->e_shoff) / sizeof *sections)
        return;
    sections = (const void *)(image.bytes + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum && found->name == NULL; i++)
        if (sections[i].sh_type == kind && sections[i].sh_link < header->e_shnum)
            search_table(image, &sections[i], &sections[sections[i].sh_link], offset, found);
}

/* --- What the core asks for --- */

/* What stands for a module that has no symbols. */
static const char *module_name(const struct place *place)
{
    const char *slash = strrchr(place->path, '/');

    if (*place->path == '\0')
        return "unknown";
    return strcmp(place->path, PROGRAM) == 0 || slash == NULL ? "program" : slash + 1;
}

static void describe(const struct place *place, const struct found *found, char *text, size_t size)
{
    const char *name = found->name != NULL ? found->name : module_name(place);
    uintptr_t offset = place->offset - found->start;

    if (offset == 0)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "%s+0x%jx", name, (uintmax_t)offset);
}

void tl_native_symbol(struct tl_context *context, const void *address, char *text, size_t size)
{
    struct place place = {.address = (uintptr_t)address};
    struct found found = {NULL, 0};

    (void)context;
    dl_iterate_phdr(look_into_module, &place);
    struct image image = map_file(place.path);
    if (image.bytes != NULL) {
        search(image, SHT_SYMTAB, place.offset, &found);
        if (found.name == NULL)
            search(image, SHT_DYNSYM, place.offset, &found);
    }
    describe(&place, &found, text, size);
    if (image.bytes != NULL)
        munmap((void *)image.bytes, image.size);
}

__attribute__((noinline)) unsigned tl_native_backtrace(struct tl_context *context, void **addresses,
                                                       unsigned count)
{
    void *frames[FRAMES_MAX];
    unsigned most = count < FRAMES_MAX - OWN_FRAMES ? count + OWN_FRAMES : FRAMES_MAX;
    int taken = backtrace(frames, (int)most);
    unsigned used = taken > OWN_FRAMES ? (unsigned)taken - OWN_FRAMES : 0;

    (void)context;
    memcpy(addresses, frames + OWN_FRAMES, used * sizeof *addresses);
    return used;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of a host's files, made when it is first looked at, and the bytes of regular ones.
 *
 * A directory's children are in a list that is searched from its start: hosts of a simulation have
 * a handful of files. Order never shows, since there is no operation that lists a directory.
 */
#include "sim/file.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/host.h"
#include "sim/world.h"

/* --- Nodes ------------------------------------------------------------------------------------ */

static const tl_allocator *allocator_of(const tl_host *host)
{
    return &host->world->allocator;
}

static void touch(struct tl_file *file)
{
    file->modified = TL_WALL_BASE + file->host->world->now;
}

static char *copy_name(const tl_host *host, const char *name, size_t len)
{
    char *copy = tl_allocator_calloc(allocator_of(host), len + 1);
    if (copy != NULL)
        memcpy(copy, name, len);
    return copy;
}

static struct tl_file *file_new(tl_host *host, enum tl_file_kind kind, const char *name, size_t len)
{
    struct tl_file *file = tl_allocator_calloc(allocator_of(host), sizeof *file);
    if (file == NULL)
        return NULL;
    file->name = copy_name(host, name, len);
    if (file->name == NULL) {
        tl_allocator_free(allocator_of(host), file);
        return NULL;
    }
    file->host = host;
    file->kind = (uint8_t)kind;
    file->refs = 1;
    file->identity = ++host->files_count;
    tl_list_init(&file->children);
    touch(file);
    return file;
}

struct tl_file *tl_file_ref(struct tl_file *file)
{
    file->refs++;
    return file;
}

void tl_file_unref(struct tl_file *file)
{
    const tl_allocator *allocator = allocator_of(file->host);
    if (--file->refs > 0)
        return;
    tl_allocator_free(allocator, file->data);
    tl_allocator_free(allocator, file->name);
    tl_allocator_free(allocator, file);
}

static void attach(struct tl_file *file, struct tl_file *directory)
{
    file->parent = directory;
    tl_list_push(&directory->children, &file->place);
    touch(directory);
}

/* Takes a file's name away, and with it a reference. */
static void forget_name(struct tl_file *file)
{
    touch(file->parent);
    tl_list_remove(&file->place);
    file->parent = NULL;
    tl_file_unref(file);
}

static struct tl_file *child_of(const struct tl_file *directory, const char *name, size_t len)
{
    for (struct tl_list *at = directory->children.next; at != &directory->children; at = at->next) {
        struct tl_file *file = tl_listed(at, struct tl_file, place);
        if (strncmp(file->name, name, len) == 0 && file->name[len] == '\0')
            return file;
    }
    return NULL;
}

/* The root, with its /tmp; NULL when memory is out. */
static struct tl_file *root_of(tl_host *host)
{
    if (host->root != NULL)
        return host->root;
    struct tl_file *root = file_new(host, TL_FILE_DIRECTORY, "", 0);
    struct tl_file *tmp = file_new(host, TL_FILE_DIRECTORY, "tmp", 3);
    if (root == NULL || tmp == NULL) {
        if (root != NULL)
            tl_file_unref(root);
        if (tmp != NULL)
            tl_file_unref(tmp);
        return NULL;
    }
    root->parent = root;
    attach(tmp, root);
    host->root = root;
    return root;
}

/* The first file below a directory that has none below it. */
static struct tl_file *first_leaf(struct tl_file *file)
{
    while (!tl_list_empty(&file->children))
        file = tl_listed(file->children.next, struct tl_file, place);
    return file;
}

void tl_files_drop(tl_host *host)
{
    struct tl_file *root = host->root;
    if (root == NULL)
        return;
    while (!tl_list_empty(&root->children)) {
        struct tl_file *leaf = first_leaf(root);
        assert(leaf->refs == 1 && "nobody holds a file of a world that is over");
        forget_name(leaf);
    }
    tl_file_unref(root);
    host->root = NULL;
    host->files_count = 0;
}

/* --- Paths ------------------------------------------------------------------------------------ */

static bool is_dots(const char *name, size_t len)
{
    return (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');
}

/* One step from a directory: NULL when nothing there has the name. */
static struct tl_file *step(struct tl_file *directory, const char *name, size_t len)
{
    if (is_dots(name, len))
        return len == 1 ? directory : directory->parent;
    return child_of(directory, name, len);
}

/* Every name but the last, one after the other, from the root or the working directory, which is
 * the same; then the last one, if there is any. */
int tl_file_walk(tl_host *host, const char *path, struct tl_file_place *ret)
{
    struct tl_file *at = root_of(host);
    if (path[0] == '\0')
        return -ENOENT;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (at == NULL)
        return -ENOMEM;
    *ret = (struct tl_file_place){.directory = at, .name = "", .dots = true, .file = at};
    path += strspn(path, "/");
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (at == NULL)
            return -ENOENT;
        if (at->kind != TL_FILE_DIRECTORY)
            return -ENOTDIR;
        if (len > NAME_MAX)
            return -ENAMETOOLONG;
        struct tl_file *next = step(at, path, len);
        *ret = (struct tl_file_place){.directory = at,
                                      .name = path,
                                      .len = len,
                                      .dots = is_dots(path, len),
                                      .slash = path[len] == '/',
                                      .file = next};
        at = next;
        path += len + strspn(path + len, "/");
    }
    return 0;
}

int tl_file_find(tl_host *host, const char *path, struct tl_file **ret)
{
    struct tl_file_place place;
    int r = tl_file_walk(host, path, &place);
    if (r < 0)
        return r;
    if (place.file == NULL)
        return -ENOENT;
    if (place.slash && place.file->kind != TL_FILE_DIRECTORY)
        return -ENOTDIR;
    *ret = place.file;
    return 0;
}

int tl_file_create(const struct tl_file_place *place, enum tl_file_kind kind, struct tl_file **ret)
{
    assert(place->file == NULL && !place->dots);
    struct tl_file *file = file_new(place->directory->host, kind, place->name, place->len);
    if (file == NULL)
        return -ENOMEM;
    attach(file, place->directory);
    *ret = file;
    return 0;
}

int tl_file_unlink(tl_host *host, const char *path)
{
    struct tl_file_place place;
    int r = tl_file_walk(host, path, &place);
    if (r < 0)
        return r;
    if (place.file == NULL)
        return -ENOENT;
    if (place.file->kind == TL_FILE_DIRECTORY)
        return -EISDIR;
    if (place.slash)
        return -ENOTDIR;
    forget_name(place.file);
    return 0;
}

/* --- Renaming --------------------------------------------------------------------------------- */

/* Whether a directory is file or below it. */
static bool is_within(const struct tl_file *directory, const struct tl_file *file)
{
    while (directory != file && directory->parent != directory)
        directory = directory->parent;
    return directory == file;
}

/* Why source may not take target's place; 0 when it may. In the order in which Linux asks. */
static int refusal(const struct tl_file_place *source, const struct tl_file_place *target)
{
    if (source->dots || target->dots)
        return -EBUSY;
    if (source->file == NULL)
        return -ENOENT;
    bool directory = source->file->kind == TL_FILE_DIRECTORY;
    if (!directory && (source->slash || target->slash))
        return -ENOTDIR;
    if (is_within(target->directory, source->file))
        return -EINVAL;
    if (target->file == NULL || target->file == source->file)
        return 0;
    if (is_within(source->directory, target->file))
        return -ENOTEMPTY;
    if (directory != (target->file->kind == TL_FILE_DIRECTORY))
        return directory ? -ENOTDIR : -EISDIR;
    return tl_list_empty(&target->file->children) ? 0 : -ENOTEMPTY;
}

int tl_file_rename(tl_host *host, const char *source, const char *target)
{
    struct tl_file_place from, to;
    int r = tl_file_walk(host, source, &from);
    if (r != 0)
        return r;
    r = tl_file_walk(host, target, &to);
    if (r != 0)
        return r;
    r = refusal(&from, &to);
    if (r != 0 || from.file == to.file)
        return r;
    char *name = copy_name(host, to.name, to.len);
    if (name == NULL)
        return -ENOMEM;
    if (to.file != NULL)
        forget_name(to.file);
    touch(from.directory);
    tl_list_remove(&from.file->place);
    tl_allocator_free(allocator_of(host), from.file->name);
    from.file->name = name;
    attach(from.file, to.directory);
    return 0;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

size_t tl_file_look(const struct tl_file *file, int64_t offset, size_t len,
                    const unsigned char **ret)
{
    *ret = NULL;
    if (offset < 0 || (uint64_t)offset >= file->size)
        return 0;
    size_t there = file->size - (size_t)offset;
    *ret = file->data + offset;
    return len < there ? len : there;
}

static int make_room(struct tl_file *file, size_t needed)
{
    size_t capacity = file->capacity > 0 ? file->capacity : 256;
    if (needed <= file->capacity)
        return 0;
    while (capacity < needed)
        capacity *= 2;
    unsigned char *data = tl_allocator_realloc(allocator_of(file->host), file->data, capacity);
    if (data == NULL)
        return -ENOSPC;
    file->data = data;
    file->capacity = capacity;
    return 0;
}

ssize_t tl_file_put(struct tl_file *file, const void *data, size_t len, int64_t offset)
{
    if (len == 0)
        return 0;
    if (offset >= TL_FILE_SIZE_MAX || len > (size_t)(TL_FILE_SIZE_MAX - offset))
        return -EFBIG;
    size_t start = (size_t)offset;
    const unsigned char *source = data;
    bool own = file->size > 0 && source >= file->data && source < file->data + file->size;
    size_t place = own ? (size_t)(source - file->data) : 0;
    int r = make_room(file, start + len);
    if (r < 0)
        return r;
    if (own)
        source = file->data + place;
    if (start > file->size)
        memset(file->data + file->size, 0, start - file->size);
    memmove(file->data + start, source, len);
    if (start + len > file->size)
        file->size = start + len;
    touch(file);
    return (ssize_t)len;
}

void tl_file_truncate(struct tl_file *file)
{
    file->size = 0;
    touch(file);
}

static enum tl_adopted_kind kind_of(const struct tl_file *file)
{
    switch ((enum tl_file_kind)file->kind) {
    case TL_FILE_REGULAR:
        return TL_ADOPTED_FILE;
    case TL_FILE_SOCKET:
        return TL_ADOPTED_SOCKET;
    case TL_FILE_DIRECTORY:
        break;
    }
    return TL_ADOPTED_OTHER;
}

void tl_file_stat(const struct tl_file *file, struct tl_stat *ret)
{
    *ret = (struct tl_stat){
        .size = (int64_t)file->size,
        .modified = file->modified,
        .kind = kind_of(file),
        .identity = file->identity,
    };
}

/* --- For scenarios ---------------------------------------------------------------------------- */

/* Makes the directories that a path needs and that are missing. */
static int make_directories(tl_host *host, const char *path)
{
    char part[PATH_MAX];
    struct tl_file_place place;
    struct tl_file *made;
    for (const char *end = strchr(path + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
        memcpy(part, path, (size_t)(end - path));
        part[end - path] = '\0';
        int r = tl_file_walk(host, part, &place);
        if (r == 0 && place.file == NULL)
            r = tl_file_create(&place, TL_FILE_DIRECTORY, &made);
        if (r < 0)
            return r;
    }
    return 0;
}

int tl_host_write_file(tl_host *host, const char *path, const void *data, size_t len)
{
    struct tl_file_place place;
    if (host == NULL || path == NULL || path[0] == '\0' || (data == NULL && len > 0))
        return -EINVAL;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    int r = make_directories(host, path);
    if (r != 0)
        return r;
    r = tl_file_walk(host, path, &place);
    if (r != 0)
        return r;
    struct tl_file *file = place.file;
    if (place.dots || place.slash || (file != NULL && file->kind == TL_FILE_DIRECTORY))
        return -EISDIR;
    if (file == NULL)
        r = tl_file_create(&place, TL_FILE_REGULAR, &file);
    else if (file->kind != TL_FILE_REGULAR)
        r = -ENXIO;
    if (r < 0)
        return r;
    tl_file_truncate(file);
    ssize_t n = tl_file_put(file, data, len, 0);
    return n < 0 ? (int)n : 0;
}

ssize_t tl_host_read_file(tl_host *host, const char *path, void *buf, size_t size)
{
    struct tl_file *file;
    const unsigned char *bytes;
    if (host == NULL || path == NULL || (buf == NULL && size > 0))
        return -EINVAL;
    int r = tl_file_find(host, path, &file);
    if (r < 0)
        return r;
    if (file->kind != TL_FILE_REGULAR)
        return file->kind == TL_FILE_DIRECTORY ? -EISDIR : -ENXIO;
    size_t len = tl_file_look(file, 0, size, &bytes);
    if (len > 0)
        memcpy(buf, bytes, len);
    return (ssize_t)file->size;
}

/* Preloaded into a server under test: notes everything that reaches the files of one folder, and refuses to write or
 * to sync on demand. What is noted is enough to make the files as a power cut would have left them at any moment.
 *
 *   DISK_FOLDER   the folder whose files are watched
 *   DISK_LOG      where operations are noted; without it nothing is
 *   DISK_FULL     while a file of this name exists, writes fail with ENOSPC
 *   DISK_FAILING  while a file of this name exists, syncs fail with EIO; with a number in it, the sync of that number
 *
 * A note: operation (1 byte), CLOCK_MONOTONIC in ns (8), offset (8), path length (4), data length (4), path, data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 4096

static char *paths[MAX_FILES];
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;
static int notes = -1;
static const char *folder, *full, *failing;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("DISK_LOG");
    folder = getenv("DISK_FOLDER");
    full = getenv("DISK_FULL");
    failing = getenv("DISK_FAILING");
    if (folder && log)
        notes = (int)REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int there(const char *path) { return path && access(path, F_OK) == 0; }

static const char *watched(int file) { return file >= 0 && file < MAX_FILES ? paths[file] : NULL; }

static void note(char operation, const char *path, uint64_t offset, const void *data, uint32_t size) {
    struct timespec now;
    uint32_t length;
    char head[25];
    struct iovec parts[3];
    if (notes < 0 || !path)
        return;
    length = (uint32_t)strlen(path);
    pthread_mutex_lock(&noting);
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t nanos = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    head[0] = operation;
    memcpy(head + 1, &nanos, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, &length, 4);
    memcpy(head + 21, &size, 4);
    parts[0] = (struct iovec){head, sizeof head};
    parts[1] = (struct iovec){(void *)path, length};
    parts[2] = (struct iovec){(void *)data, size};
    if (writev(notes, parts, 3) < 0)
        abort();
    pthread_mutex_unlock(&noting);
}

static int remember(int file, const char *path, int flags) {
    char whole[PATH_MAX];
    if (file < 0 || file >= MAX_FILES || !folder)
        return file;
    free(paths[file]);
    paths[file] = NULL;
    if (realpath(path, whole) && strncmp(whole, folder, strlen(folder)) == 0) {
        paths[file] = strdup(whole);
        if (flags & O_TRUNC)
            note('t', whole, 0, NULL, 0);
    }
    return file;
}

#define OPENS(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                      \
        va_end(more);                                                                                                  \
        return remember(REAL(name)(path, flags, mode), path, flags);                                                   \
    }
OPENS(open)
OPENS(open64)

int close(int file) {
    if (watched(file)) {
        free(paths[file]);
        paths[file] = NULL;
    }
    return REAL(close)(file);
}

#define WRITES(name, offset_type)                                                                                      \
    ssize_t name(int file, const void *data, size_t size, offset_type offset) {                                        \
        if (watched(file) && there(full)) {                                                                            \
            errno = ENOSPC;                                                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
        ssize_t written = REAL(name)(file, data, size, offset);                                                        \
        if (written > 0)                                                                                               \
            note('w', watched(file), (uint64_t)offset, data, (uint32_t)written);                                       \
        return written;                                                                                                \
    }
WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)

#define TRUNCATES(name, offset_type)                                                                                   \
    int name(int file, offset_type size) {                                                                             \
        int result = REAL(name)(file, size);                                                                           \
        if (result == 0)                                                                                               \
            note('t', watched(file), (uint64_t)size, NULL, 0);                                                         \
        return result;                                                                                                 \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

/* An empty file fails every sync; a number in it fails the sync of that number from now on, and none after it. */
static int fails(void) {
    static int countdown = 0;
    char number[16];
    int file, found = 0;
    if (!there(failing))
        return 0;
    pthread_mutex_lock(&noting);
    if (countdown == 0) {
        memset(number, 0, sizeof number);
        file = (int)REAL(open)(failing, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, number, sizeof number - 1) < 0)
                number[0] = 0;
            close(file);
        }
        countdown = atoi(number);
        found = countdown == 0;
    }
    if (countdown > 0 && --countdown == 0) {
        REAL(unlink)(failing);
        found = 1;
    }
    pthread_mutex_unlock(&noting);
    return found;
}

#define SYNCS(name)                                                                                                    \
    int name(int file) {                                                                                               \
        if (watched(file) && fails()) {                                                                                \
            errno = EIO;                                                                                               \
            return -1;                                                                                                 \
        }                                                                                                              \
        int result = REAL(name)(file);                                                                                 \
        if (result == 0)                                                                                               \
            note('s', watched(file), 0, NULL, 0);                                                                      \
        return result;                                                                                                 \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int unlink(const char *path) {
    char whole[PATH_MAX];
    const char *found = folder && realpath(path, whole) && strncmp(whole, folder, strlen(folder)) == 0 ? whole : NULL;
    int result = REAL(unlink)(path);
    if (result == 0)
        note('u', found, 0, NULL, 0);
    return result;
}

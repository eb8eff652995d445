/* A disk and a clock that fail on demand, preloaded into the process under test.
 *
 * Files under one folder are watched. Every change to them is done for real, so that the process sees its own
 * writes, and noted in a journal: what was written, where, and which syncs came to an end. From the files as they
 * were at the start and this journal the harness makes what a power cut would have left. A sync here touches no real
 * disk; it takes as long as it is told to. Shared memory files (-shm) are not noted: a power cut takes them away.
 *
 * The harness steers by a file that is mapped here: it shifts the wall clock, and makes writes or syncs fail.
 * What was written before a failed sync is noted as lost for good: kernels drop such pages, and a later sync that
 * succeeds does not bring them back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The harness writes and reads this as little-endian numbers of eight bytes, in this order. */
struct control {
    int64_t clock_shift_ns;
    /* Which calls may fail: 1 writes, 2 syncs, 3 both; 0 none. */
    int64_t failing;
    /* How many of them pass first, and how many fail then. */
    int64_t passing;
    int64_t failures;
    int64_t error;
    /* How many have failed. */
    int64_t failed;
    /* 1: syncs are told as done and are not. */
    int64_t lying;
    int64_t sync_us;
    /* After so many changes and syncs the process dies; 0 never. */
    int64_t dying;
};

enum operation { WRITE = 1, TRUNCATE, SYNC, SYNC_FAILED, CREATE, UNLINK, RENAME, LINK };

struct record {
    uint64_t operation;
    /* Of a write: where. Of a truncation: the length. Of a sync: how long the journal was when it began. */
    uint64_t at;
    uint64_t path_bytes;
    uint64_t data_bytes;
};

#define FILES 4096

static struct control *control;
static int journal = -1;
static char root[PATH_MAX];
static size_t root_bytes;
/* The paths of open watched files, by handle. */
static char *paths[FILES];
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("TAKMIL_FAULTS_FOLDER");
    const char *notes = getenv("TAKMIL_FAULTS_JOURNAL");
    const char *steering = getenv("TAKMIL_FAULTS_CONTROL");
    if (!folder || !notes || !steering || strlen(folder) >= sizeof root)
        return;
    int file = syscall(SYS_openat, AT_FDCWD, steering, O_RDWR | O_CLOEXEC, 0);
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (mapped == MAP_FAILED)
        return;
    control = mapped;
    strcpy(root, folder);
    root_bytes = strlen(root);
    journal = syscall(SYS_openat, AT_FDCWD, notes, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
}

static int is_watched(const char *path)
{
    size_t bytes = strlen(path);
    if (journal < 0 || strncmp(path, root, root_bytes) != 0)
        return 0;
    if (path[root_bytes] != '/' && path[root_bytes] != 0)
        return 0;
    return bytes < 4 || strcmp(path + bytes - 4, "-shm") != 0;
}

static void note(enum operation operation, const char *path, uint64_t at, const void *data, size_t bytes)
{
    struct record record = {operation, at, strlen(path), bytes};
    struct iovec parts[] = {
        {&record, sizeof record}, {(void *)path, record.path_bytes}, {(void *)data, bytes}};
    int kept = errno;
    if (control->dying > 0 && __atomic_sub_fetch(&control->dying, 1, __ATOMIC_SEQ_CST) == 0)
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    /* One call, so that notes of several processes never mix. */
    syscall(SYS_writev, journal, parts, 3);
    errno = kept;
}

static const char *path_of(int file)
{
    return file >= 0 && file < FILES ? paths[file] : NULL;
}

/* An absolute path, made of one that may stand relative to a folder. */
static int absolute(int folder, const char *path, char *whole)
{
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX)
            return -1;
        strcpy(whole, path);
        return 0;
    }
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, whole, PATH_MAX) < 0)
            return -1;
    } else {
        char link[64] = "/proc/self/fd/", digits[16];
        int at = 15, left = folder;
        digits[at] = 0;
        do
            digits[--at] = '0' + left % 10;
        while ((left /= 10) > 0);
        strcat(link, digits + at);
        long bytes = syscall(SYS_readlinkat, AT_FDCWD, link, whole, PATH_MAX - 1);
        if (bytes < 0)
            return -1;
        whole[bytes] = 0;
    }
    if (path[0] == '.' && path[1] == '/')
        path += 2;
    if (path[0] == 0 || strcmp(path, ".") == 0)
        return 0;
    size_t bytes = strlen(whole);
    if (bytes + 1 + strlen(path) >= PATH_MAX)
        return -1;
    whole[bytes] = '/';
    strcpy(whole + bytes + 1, path);
    return 0;
}

/* Whether this call is one of those that fail now. */
static int fails(int64_t kind)
{
    if (!(__atomic_load_n(&control->failing, __ATOMIC_SEQ_CST) & kind))
        return 0;
    if (__atomic_fetch_sub(&control->passing, 1, __ATOMIC_SEQ_CST) > 0)
        return 0;
    if (__atomic_fetch_sub(&control->failures, 1, __ATOMIC_SEQ_CST) <= 0)
        return 0;
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = (int)control->error;
    return 1;
}

static int opened(int folder, const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX];
    if (journal < 0 || absolute(folder, path, whole) < 0 || !is_watched(whole))
        return syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&order);
    int is_new = (flags & O_CREAT) && syscall(SYS_faccessat, folder, path, F_OK) < 0;
    int file = syscall(SYS_openat, folder, path, flags, mode);
    if (file >= 0 && file < FILES) {
        paths[file] = strdup(whole);
        if (is_new)
            note(CREATE, whole, 0, NULL, 0);
        else if (flags & O_TRUNC)
            note(TRUNCATE, whole, 0, NULL, 0);
    }
    pthread_mutex_unlock(&order);
    return file;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }

int close(int file)
{
    if (path_of(file)) {
        pthread_mutex_lock(&order);
        free(paths[file]);
        paths[file] = NULL;
        int result = syscall(SYS_close, file);
        pthread_mutex_unlock(&order);
        return result;
    }
    return syscall(SYS_close, file);
}

ssize_t pwrite64(int file, const void *data, size_t bytes, off64_t at)
{
    if (!path_of(file))
        return syscall(SYS_pwrite64, file, data, bytes, at);
    if (fails(1))
        return -1;
    pthread_mutex_lock(&order);
    ssize_t written = syscall(SYS_pwrite64, file, data, bytes, at);
    if (written > 0)
        note(WRITE, paths[file], at, data, written);
    pthread_mutex_unlock(&order);
    return written;
}

ssize_t pwrite(int file, const void *data, size_t bytes, off_t at) { return pwrite64(file, data, bytes, at); }

ssize_t write(int file, const void *data, size_t bytes)
{
    if (!path_of(file))
        return syscall(SYS_write, file, data, bytes);
    if (fails(1))
        return -1;
    pthread_mutex_lock(&order);
    ssize_t written = syscall(SYS_write, file, data, bytes);
    if (written > 0)
        note(WRITE, paths[file], syscall(SYS_lseek, file, 0, SEEK_CUR) - written, data, written);
    pthread_mutex_unlock(&order);
    return written;
}

static ssize_t written_parts(int file, const struct iovec *parts, int count, off64_t at)
{
    ssize_t all = 0;
    for (int part = 0; part < count; part++) {
        ssize_t written = at < 0 ? write(file, parts[part].iov_base, parts[part].iov_len)
                                 : pwrite64(file, parts[part].iov_base, parts[part].iov_len, at + all);
        if (written < 0)
            return all > 0 ? all : written;
        all += written;
        if ((size_t)written < parts[part].iov_len)
            break;
    }
    return all;
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return path_of(file) ? written_parts(file, parts, count, -1) : syscall(SYS_writev, file, parts, count);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at)
{
    return path_of(file) ? written_parts(file, parts, count, at)
                         : syscall(SYS_pwritev, file, parts, count, at, 0);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at)
{
    return pwritev64(file, parts, count, at);
}

int ftruncate64(int file, off64_t length)
{
    if (!path_of(file))
        return syscall(SYS_ftruncate, file, length);
    pthread_mutex_lock(&order);
    int result = syscall(SYS_ftruncate, file, length);
    if (result == 0)
        note(TRUNCATE, paths[file], length, NULL, 0);
    pthread_mutex_unlock(&order);
    return result;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int truncate64(const char *path, off64_t length)
{
    char whole[PATH_MAX];
    int result = syscall(SYS_truncate, path, length);
    if (result == 0 && absolute(AT_FDCWD, path, whole) == 0 && is_watched(whole))
        note(TRUNCATE, whole, length, NULL, 0);
    return result;
}

int truncate(const char *path, off_t length) { return truncate64(path, length); }

int posix_fallocate64(int file, off64_t at, off64_t bytes)
{
    struct stat status;
    if (fstat(file, &status) == 0 && status.st_size < at + bytes && ftruncate64(file, at + bytes) < 0)
        return errno;
    return 0;
}

int posix_fallocate(int file, off_t at, off_t bytes) { return posix_fallocate64(file, at, bytes); }

static int synced(int file, long call)
{
    if (!path_of(file))
        return syscall(call, file);
    off_t began = syscall(SYS_lseek, journal, 0, SEEK_END);
    if (control->sync_us > 0) {
        struct timespec span = {0, control->sync_us * 1000};
        syscall(SYS_nanosleep, &span, NULL);
    }
    if (fails(2)) {
        int error = errno;
        note(SYNC_FAILED, paths[file], began, NULL, 0);
        errno = error;
        return -1;
    }
    if (!control->lying)
        note(SYNC, paths[file], began, NULL, 0);
    return 0;
}

int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }

static int unlinked(int folder, const char *path, int flags)
{
    char whole[PATH_MAX];
    if (journal < 0 || absolute(folder, path, whole) < 0 || !is_watched(whole))
        return syscall(SYS_unlinkat, folder, path, flags);
    pthread_mutex_lock(&order);
    int result = syscall(SYS_unlinkat, folder, path, flags);
    if (result == 0)
        note(UNLINK, whole, 0, NULL, 0);
    pthread_mutex_unlock(&order);
    return result;
}

int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return unlinked(folder, path, flags); }

int rename(const char *from, const char *to)
{
    char old[PATH_MAX], new[PATH_MAX];
    if (journal < 0 || absolute(AT_FDCWD, from, old) < 0 || absolute(AT_FDCWD, to, new) < 0 || !is_watched(new))
        return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    pthread_mutex_lock(&order);
    int result = syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    if (result == 0) {
        note(RENAME, old, 0, new, strlen(new));
        for (int file = 0; file < FILES; file++)
            if (paths[file] && strcmp(paths[file], old) == 0) {
                free(paths[file]);
                paths[file] = strdup(new);
            }
    }
    pthread_mutex_unlock(&order);
    return result;
}

int linkat(int of, const char *from, int in, const char *to, int flags)
{
    char old[PATH_MAX], new[PATH_MAX];
    if (journal < 0 || absolute(of, from, old) < 0 || absolute(in, to, new) < 0 || !is_watched(new))
        return syscall(SYS_linkat, of, from, in, to, flags);
    pthread_mutex_lock(&order);
    int result = syscall(SYS_linkat, of, from, in, to, flags);
    if (result == 0)
        note(LINK, old, 0, new, strlen(new));
    pthread_mutex_unlock(&order);
    return result;
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

static void shift(struct timespec *now)
{
    int64_t shifted = now->tv_sec * 1000000000LL + now->tv_nsec + control->clock_shift_ns;
    now->tv_sec = shifted / 1000000000LL;
    now->tv_nsec = shifted % 1000000000LL;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(now);
    return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

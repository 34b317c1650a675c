/*
 * answers DIR: what calls answer to arguments of every kind: personality, clocks that are set, steered and slept on, file handles, birth
 * times and mounts (statx), priorities of input and output, entries of directories in the old layout, locked memory, advice, copies
 * between files, administration.
 * gcc -O1 -static -o answers answers.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "results.h"

/* A call, as it is written, and its answer. */
#define TELL(call) printf("%s: %s\n", #call, result((long)(call)))
/* The same where the number differs from run to run. */
#define DONE(call) printf("%s: %s\n", #call, done((long)(call)))

#define IOPRIO(class, level) ((class) << 13 | (level))

static char text[8192];

static void people(void)
{
    struct utsname name;
    TELL(personality(0xffffffff));
    TELL(personality(ADDR_NO_RANDOMIZE));
    fflush(stdout);
    if (fork() == 0)
        _exit(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
    printf("inherited: %d\n", wait_for(-1));
    TELL(personality(PER_LINUX32));
    uname(&name);
    puts(name.machine);
    TELL(personality(PER_BSD));
    TELL(personality(PER_LINUX));
    TELL(getrandom(text, 10, GRND_NONBLOCK | GRND_RANDOM));
    TELL(getrandom(text, 10, GRND_RANDOM | GRND_INSECURE));
    TELL(getrandom(text, 10, GRND_INSECURE));
    TELL(getrandom(text, 10, 8));
    TELL(prctl(PR_GET_TIMING));
    TELL(prctl(PR_SET_TIMING, 1));
    int *address = NULL;
    TELL(prctl(PR_GET_TID_ADDRESS, &address));
    TELL(syscall(SYS_set_tid_address, text) == getpid());
    prctl(PR_GET_TID_ADDRESS, &address);
    printf("told: %d\n", (char *)address == text);
}

static void clocks(void)
{
    struct timex times = { 0 };
    TELL(adjtimex(&times) >= 0);
    printf("a tick: %ld, near: %d\n", times.tick, labs(times.time.tv_sec - time(NULL)) <= 1);
    TELL(syscall(SYS_adjtimex, 1));
    times.modes = 0;
    TELL(clock_adjtime(CLOCK_REALTIME, &times) >= 0);
    TELL(clock_adjtime(CLOCK_MONOTONIC, &times));
    TELL(clock_adjtime(99, &times));
    struct timespec moment = { 0, 0 };
    TELL(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &moment, 0));
    TELL(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, &moment, 0));
    TELL(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &moment, 0));
    TELL(syscall(SYS_clock_nanosleep, CLOCK_TAI, 0, &moment, 0));
    TELL(syscall(SYS_clock_nanosleep, 99, 0, &moment, 0));
    int timer;
    TELL(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, 0, &timer));
    TELL(syscall(SYS_timer_create, CLOCK_REALTIME_COARSE, 0, &timer));
    TELL(syscall(SYS_timer_create, 99, 0, &timer));
    TELL(syscall(SYS_timer_create, CLOCK_MONOTONIC, 0, &timer));
    TELL(syscall(SYS_timer_settime, timer, 0, 0, 0));
    TELL(syscall(SYS_timer_settime, timer, 0, 1, 0));
    TELL(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &moment));
    TELL(syscall(SYS_clock_settime, 99, &moment));
    TELL(syscall(SYS_clock_settime, CLOCK_REALTIME, 1));
    moment.tv_nsec = -1;
    TELL(syscall(SYS_clock_settime, CLOCK_REALTIME, &moment));
    struct timeval past = { 0, 2000000 };
    TELL(syscall(SYS_settimeofday, 1, 0));
    TELL(syscall(SYS_settimeofday, &past, 0));
}

static void handles(void)
{
    struct { struct file_handle head; char bytes[128]; } handle = { { 0 } };
    struct stat there, here;
    int mount = 0, again = 0, root = open(".", O_RDONLY);
    TELL(name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount, 0));
    printf("%u bytes\n", handle.head.handle_bytes);
    handle.head.handle_bytes = 128;
    TELL(name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount, 0));
    printf("%u bytes, type %d\n", handle.head.handle_bytes, handle.head.handle_type);
    int file = open_by_handle_at(root, &handle.head, O_RDWR);
    DONE(file);
    fstat(file, &there);
    stat("file", &here);
    printf("the same: %d, read %s\n", there.st_ino == here.st_ino, result(read(file, text, 4)));
    close(file);
    rename("file", "elsewhere");
    file = open_by_handle_at(root, &handle.head, O_RDONLY);
    DONE(file);
    close(file);
    rename("elsewhere", "file");
    handle.head.handle_bytes = 128;
    TELL(name_to_handle_at(root, "", &handle.head, &again, AT_EMPTY_PATH));
    printf("one mount: %d\n", mount == again);
    file = open_by_handle_at(root, &handle.head, O_RDONLY | O_DIRECTORY);
    TELL(faccessat(file, "file", F_OK, 0));
    TELL(open_by_handle_at(root, &handle.head, O_RDWR));
    close(file);
    handle.head.handle_bytes = 999;
    TELL(name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount, 0));
    handle.head.handle_bytes = 128;
    TELL(name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount, 0x8000));
    TELL(name_to_handle_at(AT_FDCWD, "nothing", &handle.head, &mount, 0));
    TELL(name_to_handle_at(AT_FDCWD, "", &handle.head, &mount, 0));
    TELL(open_by_handle_at(-1, &handle.head, O_RDONLY));
    handle.head.handle_bytes = 0;
    TELL(open_by_handle_at(root, &handle.head, O_RDONLY));

    /* The handle of what is gone names nobody, also not who has its number. */
    int gone = open("gone", O_CREAT | O_RDWR, 0644);
    handle.head.handle_bytes = 128;
    name_to_handle_at(gone, "", &handle.head, &mount, AT_EMPTY_PATH);
    unlink("gone");
    close(gone);
    close(open("gone", O_CREAT | O_RDWR, 0644));
    TELL(open_by_handle_at(root, &handle.head, O_RDONLY));
    unlink("gone");
    close(root);
}

static void make_other(void)
{
    close(open("third name", O_CREAT | O_WRONLY, 0644));
}

static void attributes(void)
{
    struct statx told;
    time_t now = time(NULL);
    TELL(statx(AT_FDCWD, "file", 0, STATX_ALL | STATX_MNT_ID, &told));
    printf("mask %x, born lately: %d, a mount: %d\n", told.stx_mask & 0x1fff, labs(told.stx_btime.tv_sec - now) < 600,
        told.stx_mnt_id != 0);
    int64_t born = told.stx_btime.tv_sec;
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    utimensat(AT_FDCWD, "file", old, 0);
    statx(AT_FDCWD, "file", 0, STATX_BTIME, &told);
    printf("still: %d\n", born == told.stx_btime.tv_sec);
    TELL(statx(AT_FDCWD, "/", 0, STATX_ALL, &told));
    printf("a mount's root: %d\n", (told.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    TELL(statx(AT_FDCWD, "file", 0, 0x80000000, &told));
    TELL(syscall(SYS_statx, AT_FDCWD, NULL, 0, STATX_ALL, &told));
    TELL(syscall(SYS_utimensat, AT_FDCWD, NULL, old, 0));

    /* That a file was read is told under the name that it has left. */
    struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
    struct stat read_lately;
    for (int round = 0; round < 2; round++) {
        int file = open("one name", O_RDWR | O_CREAT, 0644);
        if (write(file, "text", 4) != 4 || link("one name", "another name") < 0)
            return;
        close(file);
        utimensat(AT_FDCWD, "one name", times, 0);
        file = open("one name", O_RDONLY);
        printf("read %s", result(read(file, text, 4)));
        close(file);
        make_other();
        printf(", a name less: %s", result(round == 0 ? unlink("one name") : rename("third name", "one name")));
        stat("another name", &read_lately);
        printf(", told: %d\n", read_lately.st_atime != 1000);
        unlink("another name");
    }
    TELL(utimensat(99, NULL, old, 0));
}

static void priorities(void)
{
    /* Whoever started this may have set one. */
    TELL(syscall(SYS_ioprio_set, 1, 0, 0));
    TELL(syscall(SYS_ioprio_get, 1, 0));
    TELL(syscall(SYS_ioprio_set, 1, 0, IOPRIO(2, 4)));
    TELL(syscall(SYS_ioprio_get, 1, getpid()));
    fflush(stdout);
    if (fork() == 0)
        _exit(syscall(SYS_ioprio_get, 1, 0) == IOPRIO(2, 4));
    printf("inherited: %d\n", wait_for(-1));
    setpgid(0, 0);
    TELL(syscall(SYS_ioprio_set, 2, 0, IOPRIO(1, 3)));
    TELL(syscall(SYS_ioprio_get, 2, getpid()));
    TELL(syscall(SYS_ioprio_set, 1, 0, IOPRIO(3, 7)));
    TELL(syscall(SYS_ioprio_get, 1, 0));
    TELL(syscall(SYS_ioprio_get, 9, 0));
    TELL(syscall(SYS_ioprio_get, 1, 99999));
    TELL(syscall(SYS_ioprio_get, 3, 99999));
    TELL(syscall(SYS_ioprio_set, 1, 0, IOPRIO(4, 0)));
    TELL(syscall(SYS_ioprio_set, 1, 0, 4));
    TELL(syscall(SYS_ioprio_set, 9, 0, 0));
    TELL(syscall(SYS_ioprio_set, 1, 99999, 0));
    TELL(syscall(SYS_ioprio_set, 1, 0, 0));
}

struct old_entry { unsigned long inode; unsigned long next; unsigned short length; char name[]; };

static void entries(void)
{
    char name[32];
    int sum = 0, count = 0, calls = 0, wrong = 0;
    mkdir("many", 0755);
    for (int file = 0; file < 300; file++) {
        snprintf(name, sizeof name, "many/%d", file);
        close(open(name, O_CREAT | O_WRONLY, 0644));
    }
    int folder = open("many", O_RDONLY);
    long got;
    while ((got = syscall(SYS_getdents, folder, text, 1000)) > 0) {
        calls++;
        for (long at = 0; at < got; at += ((struct old_entry *)(text + at))->length) {
            struct old_entry *entry = (struct old_entry *)(text + at);
            struct stat status;
            sum += atoi(entry->name);
            count++;
            wrong += fstatat(folder, entry->name, &status, 0) < 0;
            wrong += ((char *)entry)[entry->length - 1] != (entry->name[0] == '.' ? DT_DIR : DT_REG);
        }
    }
    printf("%d entries of sum %d, wrong %d, in several calls: %d\n", count, sum, wrong, calls > 3);
    TELL(syscall(SYS_getdents, folder, text, 1000));
    lseek(folder, 0, SEEK_SET);
    TELL(syscall(SYS_getdents, folder, text, 1));
    TELL(syscall(SYS_getdents, folder, 1, 1000));
    TELL(syscall(SYS_getdents, 99, text, 1000));
    TELL(syscall(SYS_getdents, open("file", O_RDONLY), text, 1000));
}

static void memory(void)
{
    static const int kinds[] = { MADV_COLD, MADV_PAGEOUT, 24 };
    char *page = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        page[0] = 7;
        printf("advice %d: %s", kinds[kind], result(madvise(page, 4096, kinds[kind])));
        printf(", %d\n", page[0]);
    }
    unsigned char there[16];
    TELL(madvise(page + 4096, 2 * 4096, MADV_POPULATE_WRITE));
    TELL(mincore(page, 16 * 4096, there));
    printf("brought in: %d %d\n", there[1] & 1, there[2] & 1);
    mprotect(page + 8192, 4096, PROT_READ);
    TELL(madvise(page + 4096, 2 * 4096, MADV_POPULATE_WRITE));
    TELL(madvise(page + 4096, 2 * 4096, MADV_POPULATE_READ));
    mprotect(page + 8192, 4096, PROT_NONE);
    TELL(madvise(page + 4096, 2 * 4096, MADV_POPULATE_READ));
    mprotect(page + 8192, 4096, PROT_READ | PROT_WRITE);
    char *folio = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, open("file", O_RDONLY), 0);
    TELL(madvise(folio, 4096, MADV_POPULATE_READ));
    TELL(madvise(folio, 8192, MADV_POPULATE_READ));
    munmap(folio + 4096, 4096);
    TELL(madvise(folio, 8192, MADV_POPULATE_READ));
    TELL(mlock(page, 4096));
    TELL(mlock2(page, 4096, 1));
    TELL(mlock2(page, 4096, 2));
    TELL(mlock((void *)0x10000, 4096));
    TELL(munlock(page, 4096));
    TELL(mlockall(MCL_CURRENT));
    TELL(munlockall());
    fflush(stdout);
    if (fork() == 0) {
        struct rlimit little = { 8192, 8192 }, none = { 0, 0 };
        setrlimit(RLIMIT_MEMLOCK, &little);
        if (setgid(1000) < 0 || setuid(1000) < 0)
            _exit(1);
        TELL(mlock(page, 4096));
        TELL(mlock(page, 16 * 4096));
        setrlimit(RLIMIT_MEMLOCK, &none);
        TELL(mlock(page + 4096, 4096));
        TELL(mlockall(MCL_FUTURE));
        fflush(stdout);
        _exit(0);
    }
    wait_for(-1);
}

static void copies(void)
{
    loff_t from = -1, to = 0;
    int file = open("file", O_RDWR), other = open("other", O_RDWR | O_CREAT, 0644), memory = memfd_create("memory", 0);
    TELL(copy_file_range(file, &from, other, NULL, 1, 0));
    from = 0;
    to = LLONG_MAX - 1;
    TELL(copy_file_range(file, &from, other, &to, 10, 0));
    from = to = 0;
    TELL(copy_file_range(file, &from, file, &to, SIZE_MAX, 0));
    TELL(copy_file_range(file, &from, memory, NULL, 4, 0));
    TELL(copy_file_range(file, &from, other, NULL, 4, 0));
    TELL(posix_fadvise(file, 0, 0, 6));
    TELL(posix_fadvise(file, 0, -1, POSIX_FADV_NORMAL));
    TELL(posix_fadvise(open("file", O_PATH), 0, 0, POSIX_FADV_NORMAL));
    TELL(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
    TELL(readahead(open("file", O_WRONLY), 0, 10));
    TELL(readahead(file, 0, 10));
    TELL(ftruncate(memory, 8192));
    TELL(fallocate(memory, FALLOC_FL_ZERO_RANGE, 0, 4096));
    TELL(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

/* A link that a descriptor names; an attribute that is set to what it is. */
static void links(void)
{
    struct stat before, after;
    TELL(symlink("file", "link"));
    int link = open("link", O_PATH | O_NOFOLLOW), file = open("file", O_RDWR), in_proc = open("/proc/self/exe", O_PATH | O_NOFOLLOW);
    TELL(syscall(SYS_readlinkat, link, "", text, 100));
    printf("%.4s\n", text);
    TELL(syscall(SYS_readlinkat, in_proc, "", text, 100) > 0);
    TELL(syscall(SYS_readlinkat, file, "", text, 100));
    TELL(syscall(SYS_readlinkat, AT_FDCWD, "", text, 100));
    TELL(syscall(SYS_readlinkat, 99, "", text, 100));
    TELL(fsetxattr(file, "user.name", "value", 5, 0));
    fstat(file, &before);
    usleep(30000);
    TELL(fsetxattr(file, "user.name", "value", 5, 0));
    fstat(file, &after);
    printf("the same: %d\n", before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
    TELL(fsetxattr(file, "user.name", "value", 5, XATTR_CREATE));
    TELL(fsetxattr(file, "user.name", "other", 5, XATTR_REPLACE));
    fstat(file, &after);
    printf("another: %d\n", before.st_ctim.tv_sec != after.st_ctim.tv_sec || before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
}

static void administration(void)
{
    fflush(stdout);
    if (fork() != 0) {
        wait_for(-1);
        return;
    }
    if (setgid(1000) < 0 || setuid(1000) < 0)
        _exit(1);
    TELL(chroot("nothing"));
    TELL(chroot("file"));
    TELL(chroot("."));
    TELL(mount("nothing", "nowhere", "ext4", 0, 0));
    TELL(mount("nothing", ".", "ext4", 0, 0));
    TELL(umount2("nowhere", 0));
    TELL(umount2(".", 0));
    TELL(umount2(".", 0x100));
    TELL(syscall(SYS_pivot_root, ".", "nowhere"));
    TELL(syscall(SYS_acct, "nowhere"));
    TELL(syscall(SYS_swapon, "nowhere", 0));
    TELL(syscall(SYS_swapoff, "nowhere"));
    TELL(syscall(SYS_reboot, 0, 0, 0, 0));
    fflush(stdout);
    _exit(0);
}

int main(int count, char **words)
{
    if (count > 1 && chdir(words[1]) < 0)
        return 1;
    if (mkdir("answers.d", 0755) < 0 || chdir("answers.d") < 0)
        return 1;
    int file = open("file", O_RDWR | O_CREAT, 0644);
    if (write(file, "some text", 9) != 9)
        return 1;
    close(file);
    people();
    clocks();
    handles();
    attributes();
    priorities();
    entries();
    memory();
    copies();
    links();
    administration();
    return 0;
}

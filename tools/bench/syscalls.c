// What system calls cost, seen from a program: one row a run, so that the same rows can be measured in turn on a rack and in a Linux guest.
// Run by `./lego bench syscalls`.
//
// usage: syscalls                   lists the rows: name, tab, what is measured
//        syscalls ROW DIRECTORY     prints "BENCH ROW_ns N", the mean of a batch long enough for the clock, or "BENCH ROW - REASON"
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PageBytes = 4096, FilePages = 256, RegionPages = 1024, PipeBytes = 65536, Names = 1000 };

static const double BatchNs = 20e6;
static const char *row;
static char buffer[PipeBytes];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

// This side cannot run the row: says why, and is done.
static void cannot(const char *what, int error)
{
    printf("BENCH %s - %s: %s\n", row, what, strerror(error));
    exit(0);
}

static long check(const char *what, long result)
{
    if (result < 0)
        cannot(what, errno);
    return result;
}

// What a row does: n operations; the nanoseconds that they took.
#define TIMED(n, code)                    \
    do {                                  \
        double start_ = now();            \
        for (long i = 0; i < (n); i++) {  \
            code;                         \
        }                                 \
        return now() - start_;            \
    } while (0)

static int file(void)
{
    static int fd = -1;
    if (fd < 0) {
        fd = check("open", open("data", O_RDWR | O_CREAT | O_TRUNC, 0644));
        for (int i = 0; i < FilePages; i++)
            check("write", write(fd, buffer, PageBytes));
    }
    return fd;
}

static int device(const char *path, int flags)
{
    static int fd = -1;
    return fd >= 0 ? fd : (fd = check(path, open(path, flags)));
}

static double null_call(long n) { TIMED(n, syscall(SYS_getppid)); }

static double clock_call(long n)
{
    struct timespec t;
    TIMED(n, clock_gettime(CLOCK_REALTIME, &t));
}

static double read_byte(long n) { TIMED(n, check("read", read(device("/dev/zero", O_RDONLY), buffer, 1))); }

static double write_byte(long n) { TIMED(n, check("write", write(device("/dev/null", O_WRONLY), buffer, 1))); }

// Cached where the program runs: each page has been read before.
static double read_page(long n)
{
    static int warm;
    int fd = file();
    for (; warm < FilePages; warm++)
        check("pread", pread(fd, buffer, PageBytes, warm * PageBytes));
    TIMED(n, check("pread", pread(fd, buffer, PageBytes, i % FilePages * PageBytes)));
}

static double write_page(long n)
{
    int fd = file();
    TIMED(n, check("pwrite", pwrite(fd, buffer, PageBytes, i % FilePages * PageBytes)));
}

static double open_close(long n)
{
    file();
    TIMED(n, close(check("open", open("data", O_RDONLY))));
}

static double stat_name(long n)
{
    struct stat s;
    file();
    TIMED(n, check("stat", stat("data", &s)));
}

static double stat_descriptor(long n)
{
    struct stat s;
    int fd = file();
    TIMED(n, check("fstat", fstat(fd, &s)));
}

static double missing_name(long n)
{
    struct stat s;
    TIMED(n, stat("no such name", &s));
}

static double create_unlink(long n)
{
    TIMED(n, {
        close(check("open", open("new", O_CREAT | O_WRONLY | O_EXCL, 0644)));
        check("unlink", unlink("new"));
    });
}

static double mkdir_rmdir(long n)
{
    TIMED(n, {
        check("mkdir", mkdir("directory", 0755));
        check("rmdir", rmdir("directory"));
    });
}

static double rename_file(long n)
{
    static int moved;
    if (!moved)
        close(check("open", open("one", O_CREAT | O_WRONLY, 0644)));
    TIMED(n, {
        check("rename", moved ? rename("two", "one") : rename("one", "two"));
        moved = !moved;
    });
}

static double sync_file(long n)
{
    int fd = file();
    TIMED(n, {
        check("pwrite", pwrite(fd, buffer, 100, 0));
        check("fsync", fsync(fd));
    });
}

static double read_directory(long n)
{
    static int made;
    char name[32];
    if (!made && mkdir("names", 0755) == 0) {
        for (int i = 0; i < Names; i++) {
            snprintf(name, sizeof name, "names/%d", i);
            close(check("open", open(name, O_CREAT | O_WRONLY, 0644)));
        }
    }
    made = 1;
    TIMED(n, {
        DIR *directory = opendir("names");
        int found = 0;
        if (!directory)
            cannot("opendir", errno);
        while (readdir(directory))
            found++;
        closedir(directory);
        if (found < Names)
            cannot("readdir", EIO);
    });
}

static volatile sig_atomic_t signals;

static void count_signal(int number) { signals += number != 0; }

static double signal_self(long n)
{
    signal(SIGUSR1, count_signal);
    TIMED(n, check("kill", kill(getpid(), SIGUSR1)));
}

static char *map(long pages)
{
    char *region = mmap(NULL, pages * PageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED)
        cannot("mmap", errno);
    return region;
}

static void touch(char *region, long pages)
{
    for (long page = 0; page < pages; page++)
        region[page * PageBytes]++;
}

static double map_touch_unmap(long n)
{
    TIMED(n, {
        char *region = map(16);
        touch(region, 16);
        munmap(region, 16 * PageBytes);
    });
}

static double first_touch(long n)
{
    double total = 0;
    for (long done = 0; done < n; done += RegionPages) {
        long pages = n - done < RegionPages ? n - done : RegionPages;
        char *region = map(RegionPages);
        double start = now();
        touch(region, pages);
        total += now() - start;
        munmap(region, RegionPages * PageBytes);
    }
    return total;
}

// The child holds the pages until it is killed.
static double copy_on_write(long n)
{
    double total = 0;
    char *region = map(RegionPages);
    for (long done = 0; done < n; done += RegionPages) {
        long pages = n - done < RegionPages ? n - done : RegionPages;
        touch(region, RegionPages);
        pid_t child = check("fork", fork());
        if (child == 0)
            for (;;)
                pause();
        double start = now();
        touch(region, pages);
        total += now() - start;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    munmap(region, RegionPages * PageBytes);
    return total;
}

static void make_pipe(int ends[2]) { check("pipe", pipe(ends)); }

static double pipe_ping_pong(long n)
{
    int there[2], back[2];
    make_pipe(there);
    make_pipe(back);
    pid_t child = check("fork", fork());
    if (child == 0) {
        close(there[1]);
        while (read(there[0], buffer, 1) == 1)
            if (write(back[1], buffer, 1) != 1)
                break;
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    double start = now();
    for (long i = 0; i < n; i++) {
        check("write", write(there[1], buffer, 1));
        check("read", read(back[0], buffer, 1));
    }
    double elapsed = now() - start;
    close(there[1]);
    close(back[0]);
    waitpid(child, NULL, 0);
    return elapsed;
}

static double pipe_64k(long n)
{
    int ends[2];
    make_pipe(ends);
    pid_t child = check("fork", fork());
    if (child == 0) {
        close(ends[0]);
        for (long i = 0; i < n; i++)
            for (long done = 0; done < PipeBytes;)
                done += check("write", write(ends[1], buffer, PipeBytes - done));
        _exit(0);
    }
    close(ends[1]);
    double start = now();
    for (long left = n * PipeBytes, got; left > 0; left -= got)
        if ((got = check("read", read(ends[0], buffer, PipeBytes))) == 0)
            cannot("read", EPIPE);
    double elapsed = now() - start;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return elapsed;
}

static double fork_exit(long n)
{
    TIMED(n, {
        pid_t child = check("fork", fork());
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    });
}

static void execute_self(void)
{
    execl("/proc/self/exe", "syscalls", "nothing", (char *)NULL);
    _exit(1);
}

static double fork_exec(long n)
{
    int status;
    TIMED(n, {
        pid_t child = check("fork", fork());
        if (child == 0)
            execute_self();
        waitpid(child, &status, 0);
        if (status != 0)
            cannot("execve", ENOEXEC);
    });
}

static double vfork_exec(long n)
{
    int status;
    TIMED(n, {
        pid_t child = check("vfork", vfork());
        if (child == 0)
            execute_self();
        waitpid(child, &status, 0);
        if (status != 0)
            cannot("execve", ENOEXEC);
    });
}

static void *do_nothing(void *argument) { return argument; }

static void start_thread(pthread_t *thread, void *(*body)(void *))
{
    int error = pthread_create(thread, NULL, body, NULL);
    if (error != 0)
        cannot("pthread_create", error);
}

static double thread_create_join(long n)
{
    pthread_t thread;
    TIMED(n, {
        start_thread(&thread, do_nothing);
        pthread_join(thread, NULL);
    });
}

static uint32_t turn;
static long turns;

static void take_turns(uint32_t mine)
{
    for (long i = 0; i < turns; i++) {
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine)
            syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, NULL);
        __atomic_store_n(&turn, !mine, __ATOMIC_RELEASE);
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
    }
}

static void *other_turn(void *argument)
{
    take_turns(1);
    return argument;
}

static double futex_ping_pong(long n)
{
    pthread_t thread;
    turn = 0;
    turns = n;
    start_thread(&thread, other_turn);
    double start = now();
    take_turns(0);
    pthread_join(thread, NULL);
    return now() - start;
}

// Two processes on one CPU yield to each other, n times each.
static double context_switch(long n)
{
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    check("sched_setaffinity", sched_setaffinity(0, sizeof first, &first));
    pid_t child = check("fork", fork());
    if (child == 0) {
        for (;;)
            sched_yield();
    }
    double start = now();
    for (long i = 0; i < n; i++)
        sched_yield();
    double elapsed = now() - start;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return elapsed;
}

static double tour(long n)
{
    int status;
    TIMED(n, {
        pid_t child = check("fork", fork());
        if (child == 0) {
            int out = open("/dev/null", O_WRONLY);
            dup2(out, 1);
            dup2(out, 2);
            execl("/bin/busybox", "sh", "/bench/tour.sh", "/tmp", (char *)NULL);
            _exit(1);
        }
        waitpid(child, &status, 0);
        if (status != 0)
            cannot("tour.sh", EIO);
    });
}

static const struct {
    const char *name, *title;
    double (*run)(long n);
    int once;
} rows[] = {
    { "null", "null call (getppid)", null_call },
    { "clock", "clock_gettime", clock_call },
    { "read1", "read 1 byte of /dev/zero", read_byte },
    { "write1", "write 1 byte to /dev/null", write_byte },
    { "pread4k", "pread 4 KB of a cached file", read_page },
    { "pwrite4k", "pwrite 4 KB to a cached file", write_page },
    { "open", "open + close", open_close },
    { "stat", "stat", stat_name },
    { "fstat", "fstat", stat_descriptor },
    { "missing", "stat of a missing name", missing_name },
    { "create", "create + unlink", create_unlink },
    { "mkdir", "mkdir + rmdir", mkdir_rmdir },
    { "rename", "rename", rename_file },
    { "fsync", "fsync after 100 bytes", sync_file },
    { "readdir", "read a directory of 1,000 names", read_directory },
    { "signal", "signal to itself", signal_self },
    { "mmap", "mmap, touch 16 pages, munmap", map_touch_unmap },
    { "touch", "first touch of a page", first_touch },
    { "cow", "write to a copy-on-write page", copy_on_write },
    { "pipe", "pipe ping-pong", pipe_ping_pong },
    { "pipe64k", "64 KB through a pipe", pipe_64k },
    { "fork", "fork + exit + wait", fork_exit },
    { "exec", "fork + exec + exit + wait", fork_exec },
    { "vfork", "vfork + exec + exit + wait", vfork_exec },
    { "thread", "thread create + join", thread_create_join },
    { "futex", "futex ping-pong of two threads", futex_ping_pong },
    { "yield", "sched_yield beside another", context_switch },
    { "tour", "sh tour.sh", tour, 1 },
};

int main(int count, char **words)
{
    if (count == 2)
        return 0; // the program of the exec rows
    if (count != 3) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            printf("%s\t%s\n", rows[i].name, rows[i].title);
        return 0;
    }
    row = words[1];
    if (chdir(words[2]) != 0) {
        perror(words[2]);
        return 1;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, row) != 0)
            continue;
        // The first operation of all does what no later one has to: an fsync has the host write the whole copy of the volume.
        if (!rows[i].once)
            rows[i].run(1);
        long n = 1;
        double elapsed = rows[i].run(n);
        while (!rows[i].once && elapsed < BatchNs) {
            // Once more as far as it lasts, and somewhat further, but never a leap: the first operations are the slow ones.
            double factor = elapsed > 0 ? 1.2 * BatchNs / elapsed : 8;
            n = n * (factor > 8 ? 8 : factor) + 1;
            elapsed = rows[i].run(n);
        }
        printf("BENCH %s_ns %.1f\n", row, elapsed / n);
        return 0;
    }
    fprintf(stderr, "there is no row %s\n", row);
    return 2;
}

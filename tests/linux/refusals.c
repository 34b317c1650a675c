/*
 * refusals DIR: what calls answer when one argument is wrong: for each call arguments that are right, and each of them in turn replaced
 * by what its kind may get wrong (descriptors that are closed or of another kind, names that are missing, too long or lead nowhere,
 * pointers to nothing, flags that do not exist, sizes and offsets at the borders, numbers whose upper half does not count).
 * Nothing outside DIR is named: root would change it.
 * gcc -O1 -static -o refusals refusals.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "results.h"

enum { FILE_BOTH = 10, FILE_READ, FILE_WRITE, DIRECTORY, PATH_ONLY, PIPE_READ, PIPE_WRITE, SOCKET, EVENT, EPOLL, TIMER, INOTIFY,
    MEMFD, PATH_DIR, ODD_SOCKET, LAST_FILE, NULL_DEVICE };
static const char *file_names[] = { "both", "read", "write", "directory", "path", "pipe-read", "pipe-write", "socket", "event", "epoll",
    "timer", "inotify", "memfd", "path-directory", "udp" };

static char *page;          /* two pages, of which the second is not there */
static char *border;        /* the last byte of the first */
static char *constant;      /* a page that is only read */
static char *barred;        /* a page that may not be touched */
static char too_long[300], path_too_long[5000], path_longest[PATH_MAX];
static char buffer[65536];
static struct iovec vector = { buffer, 8 };

struct value { const char *name; long value; };

struct entry { const char *name; long number; const char *kinds; long a[6]; };

static void put(int number, int made)
{
    if (made != number) {
        dup2(made, number);
        close(made);
    }
}

static void names(void)
{
    chmod(".", 0755);
    close(open("file", O_CREAT | O_WRONLY, 0644));
    close(open("script", O_CREAT | O_WRONLY, 0755));
    close(open("secret", O_CREAT | O_WRONLY, 0600));
    mkdir("dir", 0755);
    mkdir("full", 0755);
    close(open("full/one", O_CREAT | O_WRONLY, 0644));
    mkdir("locked", 0700);
    close(open("locked/inside", O_CREAT | O_WRONLY, 0644));
    if (symlink("loop", "loop") || symlink("file", "link") || symlink("nothing", "dangling") || symlink("dir", "dirlink"))
        ;
    mknod("fifo", S_IFIFO | 0644, 0);
}

static void fixture(void)
{
    names();
    truncate("file", 0);
    int pipes[2], sockets[2];
    int file = open("file", O_RDWR);
    if (write(file, buffer, 10000) < 0)
        ;
    put(FILE_BOTH, file);
    put(FILE_READ, open("file", O_RDONLY));
    put(FILE_WRITE, open("file", O_WRONLY));
    put(DIRECTORY, open("dir", O_RDONLY | O_DIRECTORY));
    put(PATH_ONLY, open("file", O_PATH));
    put(PATH_DIR, open("dir", O_PATH));
    if (pipe2(pipes, O_NONBLOCK))
        ;
    put(30, pipes[0]);
    put(31, pipes[1]);
    put(PIPE_READ, dup(30));
    put(PIPE_WRITE, dup(31));
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets);
    put(32, sockets[0]);
    put(33, sockets[1]);
    put(SOCKET, dup(32));
    put(EVENT, eventfd(0, EFD_NONBLOCK));
    put(EPOLL, epoll_create1(0));
    put(TIMER, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    put(INOTIFY, inotify_init1(IN_NONBLOCK));
    put(NULL_DEVICE, open("/dev/null", O_RDWR));
    put(MEMFD, memfd_create("m", MFD_ALLOW_SEALING));
    put(ODD_SOCKET, socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
}

static void tell(const struct entry *entry, int argument, const char *what, const long *a)
{
    errno = 0;
    long value = syscall(entry->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    const char *text = value >= 0 ? "yes" : strerrorname_np(errno);
    printf("%s %d %s: %s\n", entry->name, argument, what, text ? text : "?");
    fflush(stdout);
    /* What has failed has changed nothing. */
    if (value >= 0) {
        close_range(50, ~0U, 0);
        unlink("new");
        unlink("dir/new");
        rmdir("new");
        names();
    }
}

static void with(const struct entry *entry, int argument, const char *what, long value)
{
    long a[6];
    memcpy(a, entry->a, sizeof a);
    a[argument] = value;
    tell(entry, argument, what, a);
}

#define EACH(values) \
    for (const struct value *v = values; v < values + sizeof values / sizeof *values; v++) \
        with(entry, i, v->name, v->value)

static void vary(const struct entry *entry, int i)
{
    struct value paths[] = {
        { "NULL", 0 }, { "wild", 1 }, { "kernel", (long)0xffff800000000000 }, { "empty", (long)"" }, { "border", (long)border },
        { "barred", (long)barred }, { "too long", (long)too_long }, { "path too long", (long)path_too_long },
        { "longest", (long)path_longest }, { "loop", (long)"loop" }, { "loop/x", (long)"loop/x" }, { "file/x", (long)"file/x" },
        { "file/", (long)"file/" }, { "missing", (long)"missing" }, { "missing/", (long)"missing/" },
        { "missing/x", (long)"missing/x" }, { "dir", (long)"dir" }, { "dir/", (long)"dir/" }, { "full", (long)"full" },
        { "dir/.", (long)"dir/." }, { "dir/..", (long)"dir/.." }, { "full/..", (long)"full/.." },
        { ".", (long)"." }, { "link", (long)"link" }, { "link/", (long)"link/" },
        { "dirlink", (long)"dirlink" }, { "dirlink/", (long)"dirlink/" }, { "dangling", (long)"dangling" },
        { "dangling/", (long)"dangling/" }, { "dangling/x", (long)"dangling/x" }, { "fifo/x", (long)"fifo/x" },
        { "locked/inside", (long)"locked/inside" }, { "locked", (long)"locked" }, { "locked/none", (long)"locked/none" },
        { "secret", (long)"secret" }, { "file", (long)"file" }, { "new", (long)"new" }, { "new/", (long)"new/" },
        { "dir/new", (long)"dir/new" },
        { "file/x/y", (long)"file/x/y" },
    };
    struct value pointers[] = {
        { "NULL", 0 }, { "wild", 1 }, { "kernel", (long)0xffff800000000000 }, { "border", (long)border }, { "constant", (long)constant },
        { "barred", (long)barred }, { "misaligned", (long)page + 1 },
    };
    struct value sizes[] = {
        { "0", 0 }, { "1", 1 }, { "-1", -1 }, { "INT_MAX", INT_MAX }, { "2^31", 1L << 31 }, { "2^32", 1L << 32 }, { "2^63", LONG_MIN },
        { "LONG_MAX", LONG_MAX }, { "4095", 4095 }, { "4096", 4096 },
    };
    struct value numbers[] = {
        { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 }, { "5", 5 }, { "6", 6 }, { "7", 7 }, { "8", 8 }, { "9", 9 },
        { "10", 10 },
        { "11", 11 }, { "16", 16 }, { "17", 17 }, { "32", 32 }, { "64", 64 }, { "65", 65 }, { "99", 99 }, { "1000", 1000 }, { "-1", -1 },
        { "-2", -2 }, { "INT_MAX", INT_MAX }, { "INT_MIN", INT_MIN }, { "2^32", 1L << 32 },
    };
    struct value pids[] = {
        { "0", 0 }, { "own", getpid() }, { "-1", -1 }, { "none", 99999999 }, { "INT_MIN", INT_MIN }, { "INT_MAX", INT_MAX },
    };
    char what[64];
    switch (entry->kinds[i]) {
    case 'p':
        EACH(paths);
        break;
    case 'f':
    case 'd':
        with(entry, i, "-1", -1);
        with(entry, i, "45", 45);
        with(entry, i, "-100", -100);
        with(entry, i, "INT_MAX", INT_MAX);
        with(entry, i, "2^32+", (1L << 32) + FILE_BOTH);
        for (int file = FILE_BOTH; file < LAST_FILE; file++)
            with(entry, i, file_names[file - FILE_BOTH], file);
        break;
    case 'o':
        EACH(pointers);
        break;
    case 'q':
        EACH(pids);
        break;
    case 's':
        EACH(sizes);
        break;
    case 'x':
        EACH(numbers);
        break;
    case 'F':
        for (int bit = 0; bit < 33; bit++) {
            /* MSG_OOB of AF_UNIX sockets: newer Linux has it. */
            if (bit == 0 && (entry->number == SYS_sendmsg || entry->number == SYS_recvmsg))
                continue;
            snprintf(what, sizeof what, "bit %d", bit);
            with(entry, i, what, entry->a[i] | 1L << bit);
        }
        with(entry, i, "-1", -1);
        break;
    }
}


#define P(x) (long)(x)
/* Stands for the page, whose address is known later. */
#define AT_PAGE -4242

/* Calls, the kinds of their arguments (a dot: it stays as it is), and arguments that are right. */
#define E(name, kinds, ...) { #name, SYS_##name, kinds, { __VA_ARGS__ } }
static struct epoll_event event = { EPOLLIN };
static struct itimerval off;
static struct msghdr message;
static struct { unsigned long flags, mode, resolve; } how = { O_RDWR };
static long zeros[128];

static const struct entry entries[] = {
    E(read, "fos", FILE_BOTH, P(buffer), 8),
    E(write, "fo", FILE_BOTH, P(buffer), 8),
    E(pread64, "foss", FILE_BOTH, P(buffer), 8, 5),
    E(pwrite64, "fo.x", FILE_BOTH, P(buffer), 8, 5),
    E(readv, "fox", FILE_BOTH, P(&vector), 1),
    E(writev, "fox", FILE_BOTH, P(&vector), 1),
    E(preadv2, "foxx", FILE_BOTH, P(&vector), 1),
    E(pwritev2, "foxx", FILE_BOTH, P(&vector), 1),
    { "open to read", SYS_open, "pF", { P("file"), O_RDONLY | O_NONBLOCK, 0644 } },
    { "open to create", SYS_open, "pF", { P("new"), O_RDWR | O_CREAT | O_NONBLOCK, 0644 } },
    { "open a path", SYS_open, "pF", { P("file"), O_PATH } },
    { "open without a name", SYS_open, "pF", { P("dir"), O_TMPFILE | O_RDWR, 0600 } },
    E(openat2, "dpos", DIRECTORY, P("../file"), P(&how), 24),
    E(newfstatat, "dpoF", DIRECTORY, P("../file"), P(buffer)),
    E(statx, "dpFFo", DIRECTORY, P("../file"), 0, 0x7ff, P(buffer)),
    { "mmap shared", SYS_mmap, "..x.f", { 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, FILE_BOTH } },
    E(msync, "osF", AT_PAGE, 4096),
    E(mincore, "oso", AT_PAGE, 4096, P(buffer)),
    E(madvise, "os", AT_PAGE, 4096),
    E(mlock, "os", AT_PAGE, 4096),
    E(mlock2, "osF", AT_PAGE, 4096),
    E(munlock, "os", AT_PAGE, 4096),
    E(sigaltstack, "oo", 0, P(buffer)),
    E(faccessat2, "dpxF", DIRECTORY, P("../file"), R_OK),
    E(getitimer, "xo", 0, P(buffer)),
    E(setitimer, "xoo", 0, P(&off), P(buffer)),
    E(sendfile, ".fo", NULL_DEVICE, FILE_READ, 0, 8),
    E(sendmsg, "foF", SOCKET, P(&message), MSG_DONTWAIT | MSG_NOSIGNAL),
    E(recvmsg, "foF", SOCKET, P(&message), MSG_DONTWAIT),
    E(waitid, "xxoFo", P_PID, 99999, P(buffer), WNOHANG | WEXITED),
    E(semctl, "..x", 9999, 0, 12, P(buffer)),
    { "fcntl to duplicate", SYS_fcntl, "f.x", { FILE_BOTH, F_DUPFD, 50 } },
    E(syncfs, "f", FILE_BOTH),
    E(truncate, "ps", P("file"), 100),
    E(rename, "pp", P("file"), P("new")),
    E(link, "pp", P("file"), P("new")),
    E(symlink, "pp", P("file"), P("new")),
    E(unlinkat, "dpF", DIRECTORY, P("../link")),
    E(readlink, "pos", P("link"), P(buffer), 100),
    E(chmod, "px", P("file"), 0644),
    E(fchownat, "dp..F", DIRECTORY, P("../file"), -1, -1),
    E(utimensat, "dpoF", DIRECTORY, P("../file")),
    E(futimesat, "dpo", DIRECTORY, P("../file")),
    E(setxattr, "pposF", P("file"), P("user.a"), P(buffer), 4),
    E(getrlimit, "xo", 7, P(buffer)),
    E(prlimit64, "qx.o", 0, 7, 0, P(buffer)),
    E(setpgid, "qq", 0, 0),
    E(sched_setscheduler, "qxo", 0, 0, P(zeros)),
    E(epoll_ctl, "fxfo", EPOLL, 1, PIPE_READ, P(&event)),
    E(epoll_wait, "fox", EPOLL, P(buffer), 4),
    E(inotify_add_watch, "fpF", INOTIFY, P("file"), 2),
    E(inotify_rm_watch, "fx", INOTIFY, 99),
    E(signalfd4, "fosF", -1, P(buffer), 8),
    E(copy_file_range, "fofo.F", FILE_READ, 0, FILE_BOTH, P(zeros + 100), 5),
    E(getrandom, "o.F", P(buffer), 10),
    E(fallocate, "f.ss", FILE_BOTH, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 100),
    E(splice, "fo.osF", FILE_READ, 0, PIPE_WRITE, 0, 5, SPLICE_F_NONBLOCK),
    { "splice out of a pipe", SYS_splice, "fof..F", { PIPE_READ, 0, FILE_BOTH, 0, 5, SPLICE_F_NONBLOCK } },
    E(fchmod, "f", FILE_BOTH, 0644),
    E(fchown, "f", FILE_BOTH, -1, -1),
    { "fsetxattr of a pipe", SYS_fsetxattr, ".p", { PIPE_READ, P("user.a"), P(buffer), 4 } },
    { "fgetxattr of a socket", SYS_fgetxattr, ".p", { SOCKET, P("user.a"), P(buffer), 4 } },
    E(flock, "f", FILE_BOTH, 6),
    E(sched_getaffinity, "qs", 0, 128, P(buffer)),
    E(pidfd_send_signal, "fxoF", FILE_BOTH),
    E(rt_sigprocmask, "xoos", 0, P(zeros), P(buffer), 8),
    E(timer_create, "xoo", 0, 0, P(buffer)),
    { "fcntl F_SETSIG", SYS_fcntl, "..x", { FILE_BOTH, 10, 0 } },
    { "ioctl FIONREAD", SYS_ioctl, "f.o", { FILE_BOTH, 0x541B, P(buffer) } },
    { "ioctl FIONBIO", SYS_ioctl, "f", { FILE_BOTH, 0x5421, P(zeros) } },
    { "ioctl FIOASYNC", SYS_ioctl, "f", { FILE_BOTH, 0x5452, P(zeros) } },
    { "ioctl FIOCLEX", SYS_ioctl, "f", { FILE_BOTH, 0x5451, 0 } },
    { "ioctl FIGETBSZ", SYS_ioctl, "f.o", { FILE_BOTH, 2, P(buffer) } },
    { "mmap private", SYS_mmap, ".sxFfs", { 0x2000000000, 4096, PROT_READ, MAP_PRIVATE, FILE_BOTH, 0 } },
    { "mmap anonymous", SYS_mmap, ".sxF.s", { 0x2000000000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
    E(process_vm_readv, "qoxoxF", 0, P(&vector), 1, P(&vector), 1),
};

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    umask(022);
    if (count < 2 || chdir(arguments[1]) < 0 || mkdir("refused", 0755) < 0 || chdir("refused") < 0)
        return 1;
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    memset(page, 0, 4096);
    border = page + 4095;
    *border = 'x';
    constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    barred = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(too_long, 'n', 256);
    memset(path_too_long, 'n', 4096);
    for (int i = 0; i < PATH_MAX - 1; i++)
        path_longest[i] = "./"[i % 2];
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    for (unsigned i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct entry entry = entries[i];
        entry.a[0] = entry.a[0] == AT_PAGE ? (long)page : entry.a[0];
        fflush(stdout);
        if (fork() == 0) {
            fixture();
            alarm(60);
            tell(&entry, -1, "right", entry.a);
            for (int argument = 0; entry.kinds[argument]; argument++)
                vary(&entry, argument);
            fflush(stdout);
            _exit(0);
        }
        printf("ended with %d\n", wait_for(-1));
    }
    return 0;
}

/*
 * structs DIR: what calls answer when what an argument points at is wrong, or several arguments do not go together. One line per call, the
 * same on every Linux. Works in DIR/structures, which it makes.
 * gcc -O1 -static -w -o structs structs.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>
#include "results.h"

#define T(what, call) do { errno = 0; long r_ = (long)(call); printf("%s: %s\n", what, r_ < 0 ? strerrorname_np(errno) : "yes"); fflush(stdout); } while (0)
#define V(what, call) do { errno = 0; long r_ = (long)(call); printf("%s: %s", what, r_ < 0 ? strerrorname_np(errno) : ""); if (r_ >= 0) printf("%ld", r_); puts(""); fflush(stdout); } while (0)
#define S syscall

static char buffer[8192];

static void times_(void)
{
    struct timespec bad[] = { { 0, 1000000000 }, { 0, -1 }, { -1, 0 }, { -1, 999999999 }, { LONG_MAX, 0 } };
    char what[99];
    int fd = open("file", O_RDWR), tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    timer_t id;
    sigset_t none;
    sigemptyset(&none);
    struct sigevent quiet = { .sigev_notify = SIGEV_NONE };
    timer_create(CLOCK_MONOTONIC, &quiet, &id);
    for (int i = 0; i < 4; i++) {
        struct itimerspec value = { { 0, 0 }, bad[i] }, interval = { bad[i], { 0, 0 } };
        struct timespec two[] = { bad[i], { 0, 0 } }, second[] = { { 0, 0 }, bad[i] };
        struct timeval tv = { bad[i].tv_sec, bad[i].tv_nsec == 1000000000 ? 1000000 : bad[i].tv_nsec };
        struct timeval tvs[] = { tv, { 0, 0 } };
        struct itimerval iv = { { 0, 0 }, tv }, ii = { tv, { 0, 0 } };
        unsigned word = 0;
#define W(name) (snprintf(what, sizeof what, "%s with time %d", name, i), what)
        T(W("nanosleep"), S(SYS_nanosleep, &bad[i], 0));
        T(W("clock_nanosleep"), S(SYS_clock_nanosleep, 1, 0, &bad[i], 0));
        T(W("clock_nanosleep absolute"), S(SYS_clock_nanosleep, 1, 1, &bad[i], 0));
        T(W("timerfd_settime value"), timerfd_settime(tfd, 0, &value, 0));
        T(W("timerfd_settime interval"), timerfd_settime(tfd, 0, &interval, 0));
        T(W("timer_settime value"), timer_settime(id, 0, &value, 0));
        T(W("timer_settime interval"), timer_settime(id, 0, &interval, 0));
        T(W("utimensat access"), utimensat(AT_FDCWD, "file", two, 0));
        T(W("utimensat modify"), utimensat(AT_FDCWD, "file", second, 0));
        T(W("utimes"), S(SYS_utimes, "file", tvs));
        T(W("futimesat"), S(SYS_futimesat, AT_FDCWD, "file", tvs));
        T(W("setitimer value"), setitimer(ITIMER_VIRTUAL, &iv, 0));
        T(W("setitimer interval"), setitimer(ITIMER_VIRTUAL, &ii, 0));
        T(W("ppoll"), S(SYS_ppoll, 0, 0, &bad[i], 0, 0));
        T(W("pselect"), S(SYS_pselect6, 0, 0, 0, 0, &bad[i], 0));
        if (i == 1 || i == 2)
            T(W("select"), S(SYS_select, 0, 0, 0, 0, &tv));
        T(W("futex wait"), S(SYS_futex, &word, FUTEX_WAIT, 0, &bad[i]));
        T(W("futex wait of another value"), S(SYS_futex, &word, FUTEX_WAIT, 1, &bad[i]));
        T(W("futex lock"), S(SYS_futex, &word, FUTEX_LOCK_PI, 0, &bad[i]));
        T(W("sigtimedwait"), S(SYS_rt_sigtimedwait, &none, 0, &bad[i], 8));
        T(W("epoll_pwait2"), S(SYS_epoll_pwait2, epoll_create1(0), buffer, 1, &bad[i], 0, 8));
        T(W("recvmmsg"), S(SYS_recvmmsg, fd, 0, 0, 0, &bad[i]));
        T(W("clock_settime"), S(SYS_clock_settime, 1, &bad[i]));
    }
    close_range(3, ~0U, 0);
    timer_delete(id);
    T("timer_delete again", timer_delete(id));
    T("timer_gettime of a deleted", timer_gettime(id, (void *)buffer));
    struct sigevent events[] = { { .sigev_notify = 77 }, { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0 }, { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 },
        { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL }, { .sigev_notify = SIGEV_NONE, .sigev_signo = 99 }, { .sigev_notify = SIGEV_THREAD, .sigev_signo = 10 }, { .sigev_notify = 4, .sigev_signo = 10 } };
    for (int i = 0; i < 7; i++) {
        int t;
        snprintf(what, sizeof what, "timer_create event %d", i);
        T(what, S(SYS_timer_create, 1, &events[i], &t));
    }
}

static void vectors(void)
{
    struct iovec null = { 0, 5 }, negative = { buffer, -1 }, two[] = { { buffer, SSIZE_MAX }, { buffer, SSIZE_MAX } }, half[] = { { buffer, 4 }, { (void *)8, 4 } }, empty = { (void *)8, 0 };
    int fd = open("file", O_RDWR | O_TRUNC | O_CREAT, 0600), dir = open(".", O_RDONLY), null_ = open("/dev/null", O_RDWR), pipes[2];
    pipe2(pipes, O_NONBLOCK);
    write(fd, "0123456789", 10);
    V("readv of null", preadv(fd, &null, 1, 0));
    V("readv of negative", preadv(fd, &negative, 1, 0));
    V("readv of too much", preadv(fd, two, 2, 0));
    V("readv of half", preadv(fd, half, 2, 0));
    V("writev of half", pwritev(fd, half, 2, 0));
    V("writev of a bad nothing", pwritev(fd, &empty, 1, 0));
    V("writev of 1024", S(SYS_writev, fd, buffer, 1025));
    V("writev of no vectors", writev(fd, 0, 0));
    V("writev of null to null", writev(null_, &null, 1));
    V("read of 0 from a bad address", S(SYS_read, fd, 8, 0));
    V("read of a directory", read(dir, buffer, 1));
    V("read of 0 of a directory", read(dir, buffer, 0));
    V("write of 0 to a directory", write(dir, buffer, 0));
    V("pread at -1", S(SYS_pread64, fd, buffer, 1, -1L));
    V("pread of a pipe at -1", S(SYS_pread64, pipes[0], buffer, 1, -1L));
    V("pwrite at the end of all", S(SYS_pwrite64, fd, buffer, 1, LONG_MAX));
    V("pwrite far", S(SYS_pwrite64, fd, buffer, 1, 1L << 44));
    V("lseek to -1", lseek(fd, -1, SEEK_SET));
    V("lseek far", lseek(fd, 1L << 44, SEEK_SET));
    V("lseek beyond", lseek(fd, LONG_MAX, SEEK_SET));
    V("lseek over", lseek(fd, LONG_MAX, SEEK_END));
    V("lseek to data beyond", lseek(fd, 100, SEEK_DATA));
    V("lseek to a hole beyond", lseek(fd, 10, SEEK_HOLE));
    V("lseek of data negative", lseek(fd, -1, SEEK_DATA));
    V("lseek of a pipe with a bad whence", lseek(pipes[0], 0, 99));
    V("ftruncate negative", ftruncate(fd, -1));
    V("ftruncate too far", ftruncate(fd, LONG_MAX));
    V("ftruncate of a pipe", ftruncate(pipes[1], 0));
    V("ftruncate of a directory", ftruncate(dir, 0));
    V("truncate negative of none", truncate("none", -1));
    V("truncate a fifo", (mkfifo("fifo", 0600), truncate("fifo", 0)));
    V("sendfile to an appending", sendfile(open("file", O_WRONLY | O_APPEND), fd, 0, 1));
    V("sendfile from a pipe", sendfile(null_, pipes[0], 0, 1));
    V("sendfile from a directory", sendfile(null_, dir, 0, 1));
    off_t minus = -1;
    V("sendfile at -1", sendfile(null_, fd, &minus, 1));
    loff_t zero = 0, other = 2;
    V("copy_file_range onto itself", copy_file_range(fd, &zero, fd, &other, 5, 0));
    zero = 0, other = -5;
    V("copy_file_range to -5", copy_file_range(fd, &zero, fd, &other, 5, 0));
    V("copy_file_range of a directory", copy_file_range(dir, 0, fd, 0, 5, 0));
    V("copy_file_range to a pipe", copy_file_range(fd, 0, pipes[1], 0, 5, 0));
    V("splice from a pipe to itself", splice(pipes[0], 0, pipes[1], 0, 5, SPLICE_F_NONBLOCK));
    V("splice between files", splice(fd, 0, null_, 0, 5, 0));
    V("tee to itself", tee(pipes[0], pipes[1], 5, SPLICE_F_NONBLOCK));
    V("F_SETPIPE_SZ too large", fcntl(pipes[0], F_SETPIPE_SZ, 1 << 31));
    V("F_SETPIPE_SZ 0", fcntl(pipes[0], F_SETPIPE_SZ, 0));
    V("F_SETPIPE_SZ 5000", fcntl(pipes[0], F_SETPIPE_SZ, 5000));
    V("O_DIRECT by F_SETFL", fcntl(pipes[0], F_SETFL, O_DIRECT | O_NONBLOCK) < 0 ? -1 : 0);
    V("readahead of a pipe", readahead(pipes[0], 0, 5));
    V("fadvise of a pipe", posix_fadvise(pipes[0], 0, 5, 0));
    V("fadvise negative", posix_fadvise(fd, 0, -1, 0));
    V("sync_file_range of a pipe", sync_file_range(pipes[0], 0, 5, 1));
    V("fsync of a pipe", fsync(pipes[0]));
    V("fallocate of a fifo", fallocate(open("fifo", O_RDWR), 0, 0, 5));
    V("fallocate of a directory", fallocate(dir, 0, 0, 5));
    V("fallocate of null", fallocate(null_, 0, 0, 5));
    close_range(3, ~0U, 0);
}

static void maps(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), ro = open("file", O_RDONLY), wo = open("file", O_WRONLY), dir = open(".", O_RDONLY);
    ftruncate(fd, 8192);
#define M(a...) ((long)mmap(a) == -1 ? -1 : 0)
    T("mmap neither", M(0, 4096, 3, 0, fd, 0));
    T("mmap both", M(0, 4096, 3, MAP_SHARED | MAP_PRIVATE, fd, 0));
    T("mmap type 5", M(0, 4096, 3, 5, fd, 0));
    T("mmap validated", M(0, 4096, 3, MAP_SHARED_VALIDATE, fd, 0));
    T("mmap validated unknown", M(0, 4096, 3, MAP_SHARED_VALIDATE | 1 << 27, fd, 0));
    T("mmap anonymous validated", M(0, 4096, 3, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    T("mmap shared to write of a reader", M(0, 4096, 3, MAP_SHARED, ro, 0));
    T("mmap private to write of a reader", M(0, 4096, 3, MAP_PRIVATE, ro, 0));
    T("mmap of a writer", M(0, 4096, 1, MAP_SHARED, wo, 0));
    T("mmap nothing of a writer", M(0, 4096, 0, MAP_PRIVATE, wo, 0));
    T("mmap of a directory", M(0, 4096, 1, MAP_PRIVATE, dir, 0));
    T("mmap of nothing", M(0, 0, 1, MAP_PRIVATE, fd, 0));
    T("mmap of nothing of a bad descriptor", M(0, 0, 1, MAP_PRIVATE, -1, 0));
    T("mmap fixed misaligned", M((void *)0x2000000001, 4096, 1, MAP_PRIVATE | MAP_FIXED, fd, 0));
    T("mmap fixed too high", M((void *)0x7ffffffff000, 4096, 1, MAP_PRIVATE | MAP_FIXED, fd, 0));
    T("mmap fixed kernel", M((void *)0xffff800000000000, 4096, 1, MAP_PRIVATE | MAP_FIXED, fd, 0));
    T("mmap growing", M(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, -1, 0));
    T("mmap growing of a file", M(0, 4096, 3, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0));
    T("mmap growing and shared", M(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    T("mmap executable", M(0, 4096, 5, MAP_PRIVATE, fd, 0));
    char *at = mmap(0, 3 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *shared = mmap(0, 8192, 1, MAP_SHARED, ro, 0);
    munmap(at + 4096, 4096);
    T("mprotect over a hole", mprotect(at, 3 * 4096, 1));
    T("mprotect to write a reader's", mprotect(shared, 4096, 3));
    T("mprotect of nothing", mprotect(at, 0, 3));
    T("mprotect of nothing misaligned", mprotect(at + 1, 0, 3));
    T("mprotect of nothing nowhere", mprotect(0, 0, 3));
    T("mprotect unknown", mprotect(at, 4096, 0x80));
    T("mprotect down and up", mprotect(at, 4096, PROT_GROWSDOWN | PROT_GROWSUP | 1));
    T("mprotect down", mprotect(at, 4096, PROT_GROWSDOWN | 1));
    T("munmap of nothing", munmap(at, 0));
    T("munmap over a hole", munmap(at, 3 * 4096));
    T("munmap of nowhere", munmap((void *)0x3000000000, 4096));
    T("madvise free of a file", madvise(shared, 4096, MADV_FREE));
    T("madvise fork of shared", madvise(shared, 4096, MADV_WIPEONFORK));
    T("madvise of nothing unknown", madvise(shared, 0, 99));
    T("madvise of nothing", madvise(shared, 0, MADV_DONTNEED));
    T("msync both", msync(shared, 4096, MS_SYNC | MS_ASYNC));
    T("msync none", msync(shared, 4096, 0));
    T("msync of nowhere", msync((void *)0x3000000000, 4096, MS_SYNC));
    T("msync of nothing nowhere", msync((void *)0x3000000000, 0, MS_SYNC));
    T("mincore of nowhere", mincore((void *)0x3000000000, 4096, buffer));
    T("mincore of nothing", mincore(shared, 0, 0));
    T("mlock of nowhere", mlock((void *)0x3000000000, 4096));
    T("mlock of nothing nowhere", mlock((void *)0x3000000000, 0));
    T("munlock of nowhere", munlock((void *)0x3000000000, 4096));
    T("mlockall of nothing", mlockall(0));
    T("mlockall on fault alone", mlockall(4));
    T("mremap to nothing", S(SYS_mremap, shared, 4096, 0, 1, 0));
    T("mremap of nothing of a private", S(SYS_mremap, mmap(0, 4096, 3, 0x22, -1, 0), 0, 4096, 1, 0));
    T("mremap of nothing of a shared", S(SYS_mremap, shared, 0, 4096, 1, 0) < 0 ? -1 : 0);
    T("mremap fixed alone", S(SYS_mremap, shared, 4096, 4096, 2, 0x2000000000));
    T("mremap onto itself", S(SYS_mremap, shared, 8192, 8192, 3, shared + 4096));
    T("mremap over the end", S(SYS_mremap, shared, 1 << 20, 1 << 21, 1, 0));
    T("mremap misaligned", S(SYS_mremap, shared + 1, 4096, 4096, 1, 0));
    T("mremap fixed misaligned", S(SYS_mremap, shared, 4096, 4096, 3, 0x2000000001));
    T("mremap of nowhere", S(SYS_mremap, 0x3000000000, 4096, 4096, 1, 0));
    T("mremap huge", S(SYS_mremap, shared, 4096, 1L << 47, 1, 0));
    T("mremap without place", S(SYS_mremap, shared, 4096, 1L << 40, 0, 0));
    T("brk down to 0", S(SYS_brk, 0) < 0 ? -1 : 0);
    close_range(3, ~0U, 0);
}

static void signals_(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    stack_t stack = { buffer, 0, 100 }, flags = { buffer, 7, 8192 }, off = { 0, SS_DISABLE, 0 };
    sigset_t set;
    siginfo_t info = { 0 };
    sigemptyset(&set);
    T("sigaction SIGKILL", S(SYS_rt_sigaction, SIGKILL, &action, 0, 8));
    T("sigaction SIGKILL asked", S(SYS_rt_sigaction, SIGKILL, 0, buffer, 8));
    T("sigaction SIGSTOP", S(SYS_rt_sigaction, SIGSTOP, &action, 0, 8));
    T("sigaction 0", S(SYS_rt_sigaction, 0, 0, 0, 8));
    T("sigaction 65", S(SYS_rt_sigaction, 65, 0, 0, 8));
    T("sigaltstack small", sigaltstack(&stack, 0));
    T("sigaltstack flags", sigaltstack(&flags, 0));
    T("sigaltstack off", sigaltstack(&off, 0));
    T("sigsuspend size", S(SYS_rt_sigsuspend, &set, 4));
    T("sigpending size", S(SYS_rt_sigpending, &set, 16));
    T("sigpending smaller", S(SYS_rt_sigpending, &set, 4));
    info.si_code = SI_USER;
    info.si_signo = SIGUSR1;
    signal(SIGUSR1, SIG_IGN);
    T("sigqueueinfo as user to another", S(SYS_rt_sigqueueinfo, getppid(), 0, &info));
    T("sigqueueinfo as user to oneself", S(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    info.si_code = SI_QUEUE;
    T("sigqueueinfo queued", S(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    T("sigqueueinfo 65", S(SYS_rt_sigqueueinfo, getpid(), 65, &info));
    T("tgsigqueueinfo of 0", S(SYS_rt_tgsigqueueinfo, 0, getpid(), SIGUSR1, &info));
    T("kill 65", kill(getpid(), 65));
    T("kill -1 nobody", kill(-99999, 0));
    T("tgkill of 0", S(SYS_tgkill, 0, getpid(), 0));
    T("tgkill of another", S(SYS_tgkill, getppid(), getpid(), 0));
    T("tkill of 0", S(SYS_tkill, 0, 0));
    T("signalfd of 4 bytes", S(SYS_signalfd4, -1, &set, 4, 0));
    T("signalfd of another file", S(SYS_signalfd4, open("/dev/null", O_RDONLY), &set, 8, 0));
    T("wait4 of INT_MIN", S(SYS_wait4, INT_MIN, 0, 0, 0));
    T("wait4 unknown", S(SYS_wait4, -1, 0, 0x100, 0));
    T("waitid nothing", S(SYS_waitid, P_ALL, 0, 0, 0, 0));
    T("waitid type", S(SYS_waitid, 9, 0, 0, WEXITED, 0));
    T("waitid pid 0", S(SYS_waitid, P_PID, 0, 0, WEXITED, 0));
    T("waitid group -1", S(SYS_waitid, P_PGID, -1, 0, WEXITED, 0));
    T("prctl name", prctl(PR_SET_NAME, 8));
    T("prctl death 65", prctl(PR_SET_PDEATHSIG, 65));
    T("prctl death -1", prctl(PR_SET_PDEATHSIG, -1));
    T("prctl dumpable 2", prctl(PR_SET_DUMPABLE, 2));
    T("prctl keepcaps 2", prctl(PR_SET_KEEPCAPS, 2));
    T("prctl no new privileges 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T("prctl no new privileges more", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    T("prctl got no new privileges more", prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T("prctl reaper", prctl(PR_SET_CHILD_SUBREAPER, 0));
    T("prctl timing 1", prctl(PR_SET_TIMING, 1));
    T("prctl capability 99", prctl(PR_CAPBSET_READ, 99));
    T("prctl capability dropped 99", prctl(PR_CAPBSET_DROP, 99));
    T("prctl ambient 9", prctl(PR_CAP_AMBIENT, 9, 0, 0, 0));
    T("prctl seccomp 9", prctl(PR_SET_SECCOMP, 9, 0));
    T("prctl securebits", prctl(PR_GET_SECUREBITS) < 0 ? -1 : 0);
    T("prctl unknown", prctl(9999));
    T("prctl THP", prctl(PR_GET_THP_DISABLE, 1));
    T("prctl tsc", prctl(PR_GET_TSC, buffer));
    T("prctl endian", prctl(PR_GET_ENDIAN, buffer));
    T("prctl mce", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
}

static void others(void)
{
    struct epoll_event event = { 0 };
    int ep = epoll_create1(0), ev = eventfd(0, EFD_NONBLOCK), pipes[2], in = inotify_init1(IN_NONBLOCK), fd = open("file", O_RDWR);
    uint64_t most = ~0UL, one = 1;
    pipe(pipes);
    T("epoll in itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event));
    T("epoll of a file", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
    T("epoll of a directory", epoll_ctl(ep, EPOLL_CTL_ADD, open(".", O_RDONLY), &event));
    T("epoll added", epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event));
    T("epoll added again", epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event));
    T("epoll changed what is not there", epoll_ctl(ep, EPOLL_CTL_MOD, pipes[0], &event));
    T("epoll taken what is not there", epoll_ctl(ep, EPOLL_CTL_DEL, pipes[0], 0));
    event.events = EPOLLEXCLUSIVE | EPOLLONESHOT;
    T("epoll exclusive and once", epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &event));
    event.events = EPOLLEXCLUSIVE | EPOLLIN;
    T("epoll exclusive changed", epoll_ctl(ep, EPOLL_CTL_MOD, ev, &event));
    T("epoll exclusive of an epoll", epoll_ctl(ep, EPOLL_CTL_ADD, epoll_create1(0), &event));
    T("epoll_wait of 0", epoll_wait(ep, (void *)buffer, 0, 0));
    T("epoll_wait of too many", epoll_wait(ep, (void *)buffer, INT_MAX / 12 + 1, 0));
    T("epoll_wait at a bad address of nothing", epoll_wait(ep, (void *)8, 1, 0));
    T("epoll_pwait size", S(SYS_epoll_pwait, ep, buffer, 1, 0, buffer, 4));
    V("eventfd of most", write(ev, &most, 8));
    V("eventfd of 4", write(ev, &one, 4));
    V("eventfd read 4", read(ev, &one, 4));
    V("eventfd read nothing", read(ev, &one, 8));
    V("eventfd seek", lseek(ev, 0, SEEK_SET));
    V("eventfd pread", pread(ev, &one, 8, 0));
    V("inotify write", write(in, buffer, 8));
    T("inotify of nothing", inotify_add_watch(in, "file", 0));
    T("inotify only a directory", inotify_add_watch(in, "file", IN_ONLYDIR | IN_OPEN));
    T("inotify add and create", inotify_add_watch(in, "file", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN));
    T("flock of nothing", flock(fd, 0));
    T("flock of two", flock(fd, LOCK_SH | LOCK_EX));
    T("flock of waiting", flock(fd, LOCK_NB));
    struct flock locks[] = { { 5, SEEK_SET, 0, 0 }, { F_WRLCK, 5, 0, 0 }, { F_WRLCK, SEEK_SET, -1, 0 }, { F_WRLCK, SEEK_SET, 5, -6 }, { F_WRLCK, SEEK_SET, 5, -5 }, { F_WRLCK, SEEK_SET, LONG_MAX, 2 }, { F_WRLCK, SEEK_END, LONG_MAX, 1 }, { F_RDLCK, SEEK_SET, 0, 1, 9 } };
    for (int i = 0; i < 8; i++) {
        printf("lock %d: set %s", i, done(fcntl(fd, F_SETLK, &locks[i])));
        printf(", ask %s", done(fcntl(fd, F_GETLK, &(struct flock){ locks[i].l_type, locks[i].l_whence, locks[i].l_start, locks[i].l_len, locks[i].l_pid })));
        printf(", own %s", done(fcntl(fd, F_OFD_SETLK, &locks[i])));
        printf(", reader's %s\n", done(fcntl(open("file", O_RDONLY), F_SETLK, &locks[i])));
    }
    struct f_owner_ex owners[] = { { 9, 0 }, { F_OWNER_TID, 99999999 }, { F_OWNER_PGRP, 99999999 }, { F_OWNER_PID, -5 }, { F_OWNER_PID, 0 } };
    for (int i = 0; i < 5; i++)
        printf("owner %d: %s\n", i, done(fcntl(fd, F_SETOWN_EX, &owners[i])));
    T("owner of INT_MIN", fcntl(fd, F_SETOWN, INT_MIN));
    T("owner of nobody", fcntl(fd, F_SETOWN, 99999999));
    T("dup at the limit", fcntl(fd, F_DUPFD, 1 << 30));
    T("dup2 to -1", dup2(fd, -1));
    T("dup2 of nothing to itself", dup2(99, 99));
    T("dup3 to itself", dup3(fd, fd, 0));
    T("close_range upside down", close_range(9, 8, 0));
    T("pipe2 unknown", pipe2(pipes, O_APPEND));
    T("memfd long", S(SYS_memfd_create, memset(buffer, 'n', 300), 0));
    buffer[249] = 0;
    T("memfd as long as it may", S(SYS_memfd_create, buffer, 0));
    buffer[248] = 0;
    T("getrandom both", S(SYS_getrandom, buffer, 1, 6));
    T("getrandom 8", S(SYS_getrandom, buffer, 1, 8));
    T("getpriority 3", getpriority(3, 0) < 0 && errno ? -1 : 0);
    T("setpriority of nobody", setpriority(PRIO_PROCESS, 99999999, 0));
    struct sched_param zero = { 0 }, ten = { 10 };
    T("scheduler fifo 0", sched_setscheduler(0, SCHED_FIFO, &zero));
    T("scheduler other 10", sched_setscheduler(0, SCHED_OTHER, &ten));
    T("scheduler 99", sched_setscheduler(0, 99, &zero));
    T("scheduler -1 of nobody", S(SYS_sched_setscheduler, 99999999, -1, &zero));
    T("scheduler of nobody", sched_setscheduler(99999999, SCHED_OTHER, &zero));
    T("parameter 10", sched_setparam(0, &ten));
    unsigned long none = 0, far = 1UL << 60;
    T("affinity of none", S(SYS_sched_setaffinity, 0, 8, &none));
    T("affinity far", S(SYS_sched_setaffinity, 0, 8, &far));
    T("affinity of no bytes", S(SYS_sched_setaffinity, 0, 0, &none));
    struct rlimit upside = { 9, 8 };
    T("limit upside down", S(SYS_prlimit64, 0, RLIMIT_CORE, &upside, 0));
    T("limit of too many files", S(SYS_prlimit64, 0, RLIMIT_NOFILE, &(struct rlimit){ 1 << 30, 1L << 31 }, 0));
    T("limit 99", S(SYS_prlimit64, 0, 99, 0, 0));
    T("limit of nobody", S(SYS_prlimit64, 99999999, 0, 0, 0));
    T("usage 9", getrusage(9, (void *)buffer));
    unsigned header[] = { 0x1234, 0 }, good[] = { 0x20080522, 99999999 }, negative[] = { 0x20080522, -1 };
    T("capget of no version", S(SYS_capget, header, buffer));
    printf("version %x\n", header[0]);
    header[0] = 0;
    T("capget to learn the version", S(SYS_capget, header, 0));
    T("capget of nobody", S(SYS_capget, good, buffer));
    T("capget of -1", S(SYS_capget, negative, buffer));
    T("capset of another", S(SYS_capset, good, buffer));
    T("setgroups of -1", S(SYS_setgroups, -1, 0));
    T("setgroups at a bad address", S(SYS_setgroups, 1, 8));
    T("setpgid of init", setpgid(1, 0));
    T("setpgid to -1", setpgid(0, -1));
    T("setpgid to nobody's", setpgid(0, 99999999));
    T("setsid of a leader", (setpgid(0, 0), setsid()));
    T("getsid of nobody", getsid(99999999));
    T("membarrier -1", S(SYS_membarrier, -1, 0));
    T("membarrier flags", S(SYS_membarrier, 0, 1));
    T("membarrier private unregistered", S(SYS_membarrier, 8, 0));
    T("rseq of another size", S(SYS_rseq, buffer, 16, 0, 0));
    T("rseq unknown", S(SYS_rseq, buffer, 32, 2, 0));
    T("futex misaligned", S(SYS_futex, buffer + 1, FUTEX_WAKE, 1));
    T("futex unknown", S(SYS_futex, buffer, 99, 1));
    T("futex bits of none", S(SYS_futex, buffer, FUTEX_WAIT_BITSET, 0, 0, 0, 0));
    T("futex wake bits of none", S(SYS_futex, buffer, FUTEX_WAKE_BITSET, 1, 0, 0, 0));
    T("futex requeue negative", S(SYS_futex, buffer, FUTEX_REQUEUE, -1, 0, buffer + 8));
    T("futex requeue onto itself", S(SYS_futex, buffer, FUTEX_REQUEUE, 1, 1L, buffer));
    T("futex compared", S(SYS_futex, buffer, FUTEX_CMP_REQUEUE, 1, 1L, buffer + 8, 12345));
    T("futex unlock of another's", S(SYS_futex, memset(buffer + 64, 0, 8), FUTEX_UNLOCK_PI));
    T("futex realtime wake", S(SYS_futex, buffer, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1));
    T("personality", S(SYS_personality, 0xffffffff));
    T("statx both synchronizations", S(SYS_statx, AT_FDCWD, "file", 0x6000, 0, buffer));
    T("statx reserved", S(SYS_statx, AT_FDCWD, "file", 0, 0x80000000, buffer));
    T("statx of no name", S(SYS_statx, AT_FDCWD, "", 0, 0, buffer));
    T("fstatat of no name", S(SYS_newfstatat, fd, "", buffer, 0));
    T("faccessat2 8", S(SYS_faccessat2, AT_FDCWD, "file", 8, 0));
    T("access 8 of none", access("none", 8));
    T("getcwd of 1", S(SYS_getcwd, buffer, 1));
    T("getcwd of 0", S(SYS_getcwd, 0, 0));
    T("getdents of little", S(SYS_getdents64, open(".", O_RDONLY), buffer, 10));
    T("getdents of a file", S(SYS_getdents64, fd, buffer, 1000));
    T("readlink of a file", readlink("file", buffer, 10));
    T("readlink of 0", readlink("none", buffer, 0));
    T("rename to beneath itself", (mkdir("d", 0755), rename("d", "d/e")));
    T("rename a file over a directory", rename("file", "d"));
    T("rename a directory over a file", rename("d", "file"));
    T("rename .", rename(".", "x"));
    T("rename to ..", rename("d", ".."));
    T("rename exclusive", S(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "file", 1));
    T("rename exchanged with nothing", S(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "none", 2));
    T("rename exchanged exclusively", S(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "file", 3));
    T("link a directory", link("d", "l"));
    T("link over", link("file", "file"));
    T("unlink a directory", unlink("d"));
    T("unlink .", unlink("."));
    T("rmdir .", rmdir("."));
    T("rmdir d/.", rmdir("d/."));
    T("rmdir ..", rmdir(".."));
    T("rmdir d/..", rmdir("d/.."));
    T("rmdir /", rmdir("/"));
    T("unlink /", unlink("/"));
    T("mkdir /", mkdir("/", 0755));
    T("mkdir .", mkdir(".", 0755));
    T("mkdir d/", mkdir("d/", 0755));
    T("symlink of nothing", symlink("", "s"));
    T("symlink over", symlink("x", "file"));
    T("open . to create", open(".", O_CREAT | O_RDONLY, 0600));
    T("open d to create exclusively", open("d", O_CREAT | O_EXCL, 0600));
    T("open new/ to create", open("new/", O_CREAT | O_RDWR, 0600));
    T("open d/ to create", open("d/", O_CREAT | O_RDWR, 0600));
    T("open with 3", open("file", 3));
    T("open temporary to read", open(".", O_TMPFILE | O_RDONLY, 0600));
    T("open temporary file", open("file", O_TMPFILE | O_RDWR, 0600));
    T("open directory to create", open("d", O_DIRECTORY | O_CREAT, 0600));
    T("open a file as a directory", open("file", O_DIRECTORY));
    T("open a fifo to write at once", open("fifo", O_WRONLY | O_NONBLOCK));
    T("mknod of a directory", mknod("n", S_IFDIR | 0600, 0));
    T("mknod of a link", mknod("n", S_IFLNK | 0600, 0));
    T("mknod over", mknod("file", S_IFREG | 0600, 0));
    T("chdir to a file", chdir("file"));
    T("fchdir to a file", fchdir(fd));
    T("chroot to a file", chroot("file"));
    T("setxattr of nothing", setxattr("file", "user.", "v", 1, 0));
    T("setxattr of no kind", setxattr("file", "name", "v", 1, 0));
    T("setxattr of another kind", setxattr("file", "other.name", "v", 1, 0));
    T("setxattr to replace nothing", setxattr("file", "user.none", "v", 1, 2));
    T("setxattr both", setxattr("file", "user.x", "v", 1, 3));
    T("setxattr large", setxattr("file", "user.x", buffer, 65537, 0));
    T("getxattr of none", getxattr("file", "user.none", buffer, 10));
    T("removexattr of none", removexattr("file", "user.none"));
    T("setxattr of a link", (symlink("file", "ln"), lsetxattr("ln", "user.x", "v", 1, 0)));
    T("setxattr of a fifo", setxattr("fifo", "user.x", "v", 1, 0));
    T("getxattr of a fifo", getxattr("fifo", "user.x", buffer, 1));
    T("getxattr of null", getxattr("/dev/null", "user.x", buffer, 1));
    T("uname of a bad address", S(SYS_uname, 8));
    T("sysinfo of a bad address", S(SYS_sysinfo, 8));
    T("ptrace of nobody", S(SYS_kcmp, getpid(), getpid(), 99, 0, 0));
    T("execve of a directory", execve("d", 0, 0));
    T("execve of no program", (chmod("file", 0755), ftruncate(fd, 0), execve("file", 0, 0)));
    T("execve of one that is not to be", (chmod("file", 0644), execve("file", 0, 0)));
    T("execve of a fifo", execve("fifo", 0, 0));
    T("execveat of no name", S(SYS_execveat, fd, "", 0, 0, 0));
    T("execveat of nothing to be", S(SYS_execveat, fd, "", 0, 0, AT_EMPTY_PATH));
    T("pidfd_open of a thread", S(SYS_pidfd_open, getpid(), 0x1000));
    long child = S(SYS_clone, 99, 0, 0, 0, 0);
    if (child == 0)
        _exit(3);
    T("clone with signal 99", child);
    T("its end is no child's", waitpid(child, 0, 0));
    T("but a clone's", waitpid(child, 0, __WALL));
    T("clone handlers alone", S(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    T("clone thread alone", S(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
    T("clone3 of little", S(SYS_clone3, buffer, 8));
    T("clone3 of much", S(SYS_clone3, buffer, 5000));
    T("times at a bad address", S(SYS_times, 8));
    T("socket of 99", socket(99, SOCK_STREAM, 0));
    T("socket of type 99", socket(AF_UNIX, 99, 0));
    T("socket of protocol 99", socket(AF_UNIX, SOCK_STREAM, 99));
    T("internet socket of protocol 99", socket(AF_INET, SOCK_STREAM, 99));
    T("socketpair of the internet", socketpair(AF_INET, SOCK_STREAM, 0, pipes));
}

int main(int count, char **arguments)
{
    void (*parts[])(void) = { times_, vectors, maps, signals_, others };
    if (count < 2 || chdir(arguments[1]) < 0 || mkdir("structures", 0755) < 0 || chdir("structures") < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    close(open("file", O_RDWR | O_CREAT, 0600));
    for (int i = 0; i < 5; i++) {
        fflush(stdout);
        if (fork() == 0) {
            alarm(30);
            parts[i]();
            fflush(stdout);
            _exit(0);
        }
        int status;
        wait(&status);
        printf("part %d ended with %x\n", i, status);
    }
    return 0;
}

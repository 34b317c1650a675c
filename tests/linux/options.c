/* What children get of memory that was advised on, advice on other processes' memory, and signals that tell of open files.
 * gcc -O1 -static -pthread -o options options.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "results.h"
#include "users.h"

enum { PAGE = 4096, PAGES = 8 };

/* What a child sees of pages: a letter, 0 for zeros, - for nothing. */
static void in_child(char *at, int pages)
{
    fflush(stdout);
    if (fork() == 0) {
        int ends[2];
        pipe(ends);
        for (int i = 0; i < pages; i++) {
            char letter;
            if (write(ends[1], at + i * PAGE, 1) < 0)
                putchar('-');
            else if (read(ends[0], &letter, 1) == 1)
                putchar(letter ? letter : '0');
        }
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    putchar(' ');
}

static char *mapped(int pages)
{
    char *at = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < pages; i++)
        at[i * PAGE] = 'a' + i;
    return at;
}

static void forks(void)
{
    char *at = mapped(PAGES);
    printf("not %s, wipe %s:", done(madvise(at + PAGE, 2 * PAGE, MADV_DONTFORK)), done(madvise(at + 4 * PAGE, 3 * PAGE,
           MADV_WIPEONFORK)));
    in_child(at, PAGES);
    printf("again %s, keep %s:", done(madvise(at + 2 * PAGE, PAGE, MADV_DOFORK)), done(madvise(at + 5 * PAGE, PAGE, MADV_KEEPONFORK)));
    in_child(at, PAGES);
    printf("both %s:", done(madvise(at, 5 * PAGE, MADV_WIPEONFORK)));
    in_child(at, PAGES);
    mmap(at + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    at[PAGE] = 'B';
    munmap(at + 3 * PAGE, PAGE);
    printf("mapped anew:");
    in_child(at, PAGES);
    char *elsewhere = mapped(PAGES) + PAGE;
    mremap(at + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere);
    printf("moved:");
    in_child(elsewhere - PAGE, PAGES);
    printf("and a child's child:");
    fflush(stdout);
    if (fork() == 0) {
        memset(elsewhere, 'x', 4 * PAGE);
        in_child(elsewhere - PAGE, 6);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    char *grown = mapped(2);
    madvise(grown, 2 * PAGE, MADV_WIPEONFORK);
    grown = mremap(grown, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    grown[2 * PAGE] = 'z';
    printf("\nlonger:");
    in_child(grown, 3);
    grown = mremap(grown, 3 * PAGE, PAGE, 0);
    mmap(grown + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    grown[PAGE] = 'n';
    printf("shorter:");
    in_child(grown, 2);
    char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int file = open("/proc/self/exe", O_RDONLY);
    char *text = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    char *torn = mapped(3);
    munmap(torn + PAGE, PAGE);
    printf("\nwith a hole %s:", done(madvise(torn, 3 * PAGE, MADV_WIPEONFORK)));
    in_child(torn, 3);
    printf("wipe shared %s, of a file %s", done(madvise(shared, PAGE, MADV_WIPEONFORK)), done(madvise(text, PAGE, MADV_WIPEONFORK)));
    printf(", not fork shared %s, of a file %s, odd %s\n", done(madvise(shared, PAGE, MADV_DONTFORK)),
           done(madvise(text, PAGE, MADV_DONTFORK)), done(madvise(at + 1, PAGE, MADV_DONTFORK)));
}

static void others(void)
{
    char *at = mapped(PAGES);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int file = syscall(SYS_pidfd_open, child, 0), own = syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec parts[3] = {{at, PAGE}, {at + 2 * PAGE, 2 * PAGE}, {at + PAGES * PAGE * 1000L, PAGE}}, bad = {(void *)1, PAGE};
    printf("other: cold %s", result(syscall(SYS_process_madvise, file, parts, 2, MADV_COLD, 0)));
    printf(", need %s", result(syscall(SYS_process_madvise, file, parts, 1, MADV_WILLNEED, 0)));
    printf(", not %s", result(syscall(SYS_process_madvise, file, parts, 2, MADV_DONTNEED, 0)));
    printf(", unknown %s", result(syscall(SYS_process_madvise, file, parts, 2, 99, 0)));
    printf(", hole %s", result(syscall(SYS_process_madvise, file, parts + 2, 1, MADV_COLD, 0)));
    printf(", odd %s", result(syscall(SYS_process_madvise, file, &bad, 1, MADV_COLD, 0)));
    printf(", flags %s, nowhere %s, many %s, none %s", result(syscall(SYS_process_madvise, file, parts, 1, MADV_COLD, 1)),
           result(syscall(SYS_process_madvise, file, 1, 1, MADV_COLD, 0)), result(syscall(SYS_process_madvise, file, parts, 1025,
           MADV_COLD, 0)),
           result(syscall(SYS_process_madvise, file, parts, 0, MADV_COLD, 0)));
    printf(", no process %s %s\n", result(syscall(SYS_process_madvise, 0, parts, 1, MADV_COLD, 0)),
           result(syscall(SYS_process_madvise, -1, parts, 1, MADV_COLD, 0)));
    printf("own: not needed %s", result(syscall(SYS_process_madvise, own, parts, 2, MADV_DONTNEED, 0)));
    printf(" %d %c %d %d %c\n", at[0], at[PAGE], at[2 * PAGE], at[3 * PAGE], at[4 * PAGE]);
    AS(1000, 1000, printf("user: %s\n", result(syscall(SYS_process_madvise, file, parts, 1, MADV_COLD, 0))));
    kill(child, SIGKILL);
    wait(0);
    printf("gone: %s", result(syscall(SYS_process_madvise, file, parts, 1, MADV_COLD, 0)));
    int ends[2];
    pipe(ends);
    printf(", namespaces of nothing %s, a pipe %s, a process for none %s\n", done(setns(-1, 0)), done(setns(ends[0], 0)),
           done(setns(own, 0)));
}

static char heard[400];
static int first;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    sprintf(heard + strlen(heard), " [%d code %d band %lx fd %d]", number - (number >= SIGRTMIN ? SIGRTMIN - 100 : 0), info->si_code,
            info->si_band, info->si_fd == first);
}

static void said(const char *what)
{
    printf("%s%s", what, heard);
    heard[0] = 0;
}

static void *thread_of(void *argument)
{
    *(pid_t *)argument = gettid();
    pause();
    return 0;
}

static void signals(void)
{
    int ends[2], pair[2];
    pipe(ends);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN + 3, &action, 0);
    sigaction(SIGUSR1, &action, 0);
    sigaction(SIGCHLD, &action, 0);
    sigaction(SIGIO, &action, 0);
    first = ends[0];
    printf("none %d", fcntl(ends[0], F_GETSIG));
    printf(", beyond %s, set %s", done(fcntl(ends[0], F_SETSIG, 65)),
           done(fcntl(ends[0], F_SETSIG, SIGRTMIN + 3)));
    printf(" %d", fcntl(ends[0], F_GETSIG) - SIGRTMIN);
    fcntl(ends[0], F_SETOWN, getpid());
    fcntl(ends[0], F_SETFL, O_ASYNC);
    write(ends[1], "x", 1);
    said(", pipe");
    fcntl(ends[0], F_SETSIG, SIGUSR1);
    write(ends[1], "x", 1);
    said(", standard");
    fcntl(ends[0], F_SETSIG, SIGIO);
    write(ends[1], "x", 1);
    said(", its own");
    fcntl(ends[0], F_SETSIG, SIGCHLD);
    write(ends[1], "x", 1);
    said(", with codes");
    close(ends[1]);
    said(", end");
    puts("");
    first = pair[0];
    fcntl(pair[0], F_SETSIG, SIGRTMIN + 3);
    fcntl(pair[0], F_SETOWN, getpid());
    fcntl(pair[0], F_SETFL, O_ASYNC);
    write(pair[1], "x", 1);
    said("socket");
    close(pair[1]);
    said(", closed");
    puts("");

    struct f_owner_ex owner = {F_OWNER_TID, gettid()}, told = {9, 9};
    printf("thread %s", done(fcntl(ends[0], F_SETOWN_EX, &owner)));
    fcntl(ends[0], F_GETOWN_EX, &told);
    printf(" %d %d %d", told.type, told.pid == getpid(), fcntl(ends[0], F_GETOWN) == getpid());
    pid_t id = 0;
    pthread_t thread;
    pthread_create(&thread, 0, thread_of, &id);
    while (!*(volatile pid_t *)&id)
        usleep(1000);
    owner.pid = id;
    printf(", another %s", done(fcntl(ends[0], F_SETOWN_EX, &owner)));
    printf(" %d", fcntl(ends[0], F_GETOWN) == id);
    owner.pid = 0x3fffffff;
    printf(", none %s", done(fcntl(ends[0], F_SETOWN_EX, &owner)));
    owner.type = 3;
    printf(", kind %s", done(fcntl(ends[0], F_SETOWN_EX, &owner)));
    owner = (struct f_owner_ex){F_OWNER_TID, 0};
    printf(", nobody %s", done(fcntl(ends[0], F_SETOWN_EX, &owner)));
    printf(" %d", fcntl(ends[0], F_GETOWN));
    owner = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
    printf(", group %s", done(fcntl(ends[0], F_SETOWN_EX, &owner)));
    fcntl(ends[0], F_GETOWN_EX, &told);
    printf(" %d %d %d\n", told.type, told.pid == getpgrp(), fcntl(ends[0], F_GETOWN) == -getpgrp());

    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &mask, 0);
    int file = signalfd(-1, &mask, 0), more[2];
    pipe(more);
    fcntl(more[0], F_SETSIG, SIGRTMIN + 3);
    owner = (struct f_owner_ex){F_OWNER_TID, gettid()};
    fcntl(more[0], F_SETOWN_EX, &owner);
    int on = 1;
    ioctl(more[0], FIOASYNC, &on);
    write(more[1], "x", 1);
    struct signalfd_siginfo record;
    read(file, &record, sizeof record);
    printf("read: %d code %d band %x descriptor %d pid %d\n", record.ssi_signo - SIGRTMIN, record.ssi_code, record.ssi_band,
           record.ssi_fd == more[0], record.ssi_pid);
}

int main(void)
{
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    forks();
    others();
    signals();
    return 0;
}

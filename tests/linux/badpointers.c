/*
 * badpointers: every system call number, with arguments that point nowhere, must leave the caller alive or at most hurt the caller.
 *
 * First, calls whose answer is certain: each must give exactly EFAULT. Then, for each number from 0 to 520 and a few far away, a child makes
 * the call with each of several bad pointers in several positions, and must live to exit by itself. What the calls return is not judged
 * (it depends on how much of Linux there is), only that no call kills or blocks its process; an answer outside -4095..-1 is taken as success.
 *
 * Left out, because with any arguments they end, stop, multiply or detach the process, leave objects behind, or concern the whole machine:
 *   15 rt_sigreturn, 34 pause, 56 clone, 57 fork, 58 vfork, 60 exit, 62 kill, 64 semget, 29 shmget, 68 msgget, 129 rt_sigqueueinfo,
 *   130 rt_sigsuspend, 153 vhangup, 162 sync, 169 reboot, 200 tkill, 231 exit_group, 234 tgkill, 297 rt_tgsigqueueinfo, 435 clone3,
 *   335 uretprobe, 336 uprobe (made by the kernel's own trampolines; SIGILL for anybody else)
 *
 * Prints "ok" and exits with 0, or prints what went wrong and exits with 1.
 * gcc -O2 -static -o badpointers badpointers.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST_NUMBER = 520, LENGTH = 64, TIME_LIMIT_SECONDS = 20 };

static const short left_out[] = { 15, 29, 34, 56, 57, 58, 60, 62, 64, 68, 129, 130, 153, 162, 169, 200, 231, 234, 297, 335, 336, 435 };

static int failures;

static int is_left_out(long number)
{
    for (size_t index = 0; index < sizeof left_out / sizeof *left_out; index++)
        if (left_out[index] == number)
            return 1;
    return 0;
}

/* A system call without libc's wrapper: nothing of ours touches the bad pointers. */
static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

static void must_fault(const char *name, long result)
{
    if (result != -EFAULT) {
        printf("%s: %ld, not EFAULT\n", name, result);
        failures++;
    }
}

/* Calls that dereference the pointer before anything else can be wrong with them. */
static void certain(const char *what, long bad, int file, int empty_pipe, int full_pipe)
{
    long here = AT_FDCWD;
    int before = failures;
    must_fault("read", call(SYS_read, file, bad, LENGTH, 0, 0, 0));
    must_fault("read from a pipe", call(SYS_read, full_pipe, bad, 1, 0, 0, 0));
    must_fault("write", call(SYS_write, file, bad, LENGTH, 0, 0, 0));
    must_fault("write to a pipe", call(SYS_write, empty_pipe, bad, 1, 0, 0, 0));
    must_fault("pread64", call(SYS_pread64, file, bad, LENGTH, 0, 0, 0));
    must_fault("pwrite64", call(SYS_pwrite64, file, bad, LENGTH, 0, 0, 0));
    must_fault("readv", call(SYS_readv, file, bad, 2, 0, 0, 0));
    must_fault("writev", call(SYS_writev, file, bad, 2, 0, 0, 0));
    must_fault("open", call(SYS_open, bad, O_RDONLY, 0, 0, 0, 0));
    must_fault("openat", call(SYS_openat, here, bad, O_RDONLY, 0, 0, 0));
    must_fault("stat", call(SYS_stat, bad, bad, 0, 0, 0, 0));
    must_fault("stat's result", call(SYS_stat, (long)"/", bad, 0, 0, 0, 0));
    must_fault("lstat's result", call(SYS_lstat, (long)"/", bad, 0, 0, 0, 0));
    must_fault("fstat", call(SYS_fstat, file, bad, 0, 0, 0, 0));
    must_fault("newfstatat", call(SYS_newfstatat, here, bad, bad, 0, 0, 0));
    must_fault("access", call(SYS_access, bad, 0, 0, 0, 0, 0));
    must_fault("chdir", call(SYS_chdir, bad, 0, 0, 0, 0, 0));
    must_fault("mkdir", call(SYS_mkdir, bad, 0700, 0, 0, 0, 0));
    must_fault("rmdir", call(SYS_rmdir, bad, 0, 0, 0, 0, 0));
    must_fault("unlink", call(SYS_unlink, bad, 0, 0, 0, 0, 0));
    must_fault("rename", call(SYS_rename, bad, bad, 0, 0, 0, 0));
    must_fault("link", call(SYS_link, bad, bad, 0, 0, 0, 0));
    must_fault("symlink", call(SYS_symlink, bad, bad, 0, 0, 0, 0));
    must_fault("readlink", call(SYS_readlink, bad, bad, LENGTH, 0, 0, 0));
    must_fault("chmod", call(SYS_chmod, bad, 0600, 0, 0, 0, 0));
    must_fault("execve", call(SYS_execve, bad, 0, 0, 0, 0, 0));
    must_fault("execve's arguments", call(SYS_execve, (long)"/proc/self/exe", bad, 0, 0, 0, 0));
    must_fault("getcwd", call(SYS_getcwd, bad, 4096, 0, 0, 0, 0));
    must_fault("pipe", call(SYS_pipe, bad, 0, 0, 0, 0, 0));
    must_fault("pipe2", call(SYS_pipe2, bad, 0, 0, 0, 0, 0));
    must_fault("uname", call(SYS_uname, bad, 0, 0, 0, 0, 0));
    must_fault("sysinfo", call(SYS_sysinfo, bad, 0, 0, 0, 0, 0));
    must_fault("gettimeofday", call(SYS_gettimeofday, bad, 0, 0, 0, 0, 0));
    must_fault("clock_gettime", call(SYS_clock_gettime, 1, bad, 0, 0, 0, 0));
    must_fault("nanosleep", call(SYS_nanosleep, bad, 0, 0, 0, 0, 0));
    must_fault("times", call(SYS_times, bad, 0, 0, 0, 0, 0));
    must_fault("getrusage", call(SYS_getrusage, 0, bad, 0, 0, 0, 0));
    must_fault("getrlimit", call(SYS_getrlimit, 3, bad, 0, 0, 0, 0));
    must_fault("getrandom", call(SYS_getrandom, bad, LENGTH, 0, 0, 0, 0));
    must_fault("poll", call(SYS_poll, bad, 1, 0, 0, 0, 0));
    must_fault("select", call(SYS_select, 1, bad, 0, 0, 0, 0));
    must_fault("rt_sigaction", call(SYS_rt_sigaction, 10, bad, 0, 8, 0, 0));
    must_fault("rt_sigaction's result", call(SYS_rt_sigaction, 10, 0, bad, 8, 0, 0));
    must_fault("rt_sigprocmask", call(SYS_rt_sigprocmask, 0, bad, 0, 8, 0, 0));
    must_fault("rt_sigprocmask's result", call(SYS_rt_sigprocmask, 0, 0, bad, 8, 0, 0));
    must_fault("sigaltstack", call(SYS_sigaltstack, bad, 0, 0, 0, 0, 0));
    if (failures != before)
        printf("(the bad pointer was %s, %#lx)\n", what, (unsigned long)bad);
}

/* A child makes the call; its end says what the call did to it. */
static void survive(long number, const long *pointers, int count, int file)
{
    pid_t child = fork();
    if (child < 0) {
        perror("badpointers: fork");
        exit(1);
    }
    if (child == 0) {
        for (int index = 0; index < count; index++) {
            long bad = pointers[index];
            alarm(TIME_LIMIT_SECONDS);
            call(number, bad, bad, bad, bad, bad, bad);
            call(number, file, bad, LENGTH, bad, LENGTH, 0);
            call(number, bad, 3, bad, LENGTH, bad, bad);
            call(number, AT_FDCWD, bad, bad, bad, LENGTH, bad);
        }
        call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0) {
        printf("system call %ld: the caller's status is %#x%s\n", number, (unsigned)status, status == 14 ? " (it blocked)" : "");
        failures++;
    }
}

int main(void)
{
    /* Two pages, the second taken away again: a buffer at the end of the first runs into nothing. */
    char *pair = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pair + 4096, 4096);
    const long unmapped = (long)(pair + 4096), straddling = unmapped - 1;
    const long pointers[] = { (long)0xffff800012345000, (long)0xffffffff81000000, unmapped, (long)hole, 0x7ffffffff000, 0x10000 };
    const int count = sizeof pointers / sizeof *pointers;

    int empty[2], full[2];
    int file = open("badpointers.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, pointers, sizeof pointers) < 0 || pipe(empty) != 0 || pipe(full) != 0 || write(full[1], "x", 1) != 1) {
        perror("badpointers: set-up");
        return 1;
    }
    lseek(file, 0, SEEK_SET);
    /* A call that reads descriptor 0 finds its end. */
    int ended[2];
    if (pipe(ended) != 0 || close(ended[1]) != 0 || dup2(ended[0], 0) != 0) {
        perror("badpointers: pipe");
        return 1;
    }

    static const char *const names[] = { "in the kernel's half", "in the kernel's code", "unmapped", "forbidden", "past the end", "low" };
    for (int index = 0; index < count; index++)
        certain(names[index], pointers[index], file, empty[1], full[0]);
    /* Structures that begin in memory and end outside. */
    must_fault("fstat across the end", call(SYS_fstat, file, straddling, 0, 0, 0, 0));
    must_fault("uname across the end", call(SYS_uname, straddling, 0, 0, 0, 0, 0));
    must_fault("pipe across the end", call(SYS_pipe, straddling, 0, 0, 0, 0, 0));
    must_fault("clock_gettime across the end", call(SYS_clock_gettime, 1, straddling, 0, 0, 0, 0));
    pair[4095] = '/';
    must_fault("open across the end", call(SYS_open, straddling, 0, 0, 0, 0, 0));
    fflush(stdout);

    for (long number = 0; number <= LAST_NUMBER; number++)
        if (!is_left_out(number))
            survive(number, pointers, count, file);
    static const long far[] = { 1000, 65535, 0x7fffffff, 0x40000000, -1, (long)0x8000000000000000 };
    for (size_t index = 0; index < sizeof far / sizeof *far; index++)
        survive(far[index], pointers, count, file);

    unlink("badpointers.tmp");
    if (failures == 0)
        printf("ok\n");
    return failures != 0;
}

/*
 * between: bytes that move between processes: process_vm_readv and process_vm_writev, whole and in pieces, refused and cut short; and pipes
 * that are made larger and smaller (F_SETPIPE_SZ) with what is in them.
 * gcc -O1 -static -o between between.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "results.h"

static char far[20000] = "far away", near[20000];

static const char *copy(pid_t process, int writes, struct iovec *own, int owns, struct iovec *other, int others)
{
    return result(writes ? process_vm_writev(process, own, owns, other, others, 0)
                         : process_vm_readv(process, own, owns, other, others, 0));
}

static void memory(void)
{
    int told[2], wanted[2];
    char *only_read = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(only_read, "to be read");
    mprotect(only_read, 4096, PROT_READ);
    munmap(only_read + 4096, 4096);
    if (pipe(told) < 0 || pipe(wanted) < 0)
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        for (int at = 0; at < (int)sizeof far; at++)
            far[at] = 'a' + at % 26;
        write(told[1], "r", 1);
        read(wanted[0], &byte, 1);
        int changed = 0;
        for (int at = 0; at < (int)sizeof far; at++)
            changed += far[at] != 'a' + at % 26;
        printf("the other one: %d bytes are new, [%.5s]\n", changed, far + 8190);
        fflush(stdout);
        write(told[1], "s", 1);
        read(wanted[0], &byte, 1);
        _exit(7);
    }
    char byte;
    read(told[0], &byte, 1);
    struct iovec own[3] = { { near, 5 }, { near + 100, 0 }, { near + 4090, 10000 } };
    struct iovec other[2] = { { far + 1, 4096 }, { far + 9000, 3000 } };
    printf("pieces: %s", copy(child, 0, own, 3, other, 2));
    printf(" [%.5s] [%.5s] [%.5s]\n", near, near + 4090, near + 4090 + 4091);
    strcpy(near, "WRITE");
    struct iovec five = { near, 5 }, across = { far + 8190, 5 };
    printf("over a page: %s\n", copy(child, 1, &five, 1, &across, 1));
    struct iovec text = { only_read, 10 };
    printf("read-only: %s", copy(child, 0, &five, 1, &text, 1));
    printf(", to be written: %s\n", copy(child, 1, &five, 1, &text, 1));
    struct iovec end = { only_read + 4090, 100 }, much = { near, 100 };
    printf("over an end: %s", copy(child, 0, &much, 1, &end, 1));
    struct iovec wild = { (void *)0x10000, 5 }, kernel = { (void *)0xffff800000000000, 5 };
    printf(", nowhere: %s", copy(child, 0, &five, 1, &wild, 1));
    printf(", the kernel's: %s", copy(child, 1, &five, 1, &kernel, 1));
    printf(", from nowhere: %s", copy(child, 1, &wild, 1, &across, 1));
    printf(", nothing: %s %s", copy(child, 0, &five, 0, &across, 1), copy(child, 0, &five, 1, &across, 0));
    printf(", too many: %s", copy(child, 0, &five, 1, &across, 2000));
    printf(", flags: %s\n", result(process_vm_readv(child, &five, 1, &across, 1, 1)));
    printf("oneself: %s", copy(getpid(), 0, &five, 1, &text, 1));
    printf(" [%.5s], nobody: %s\n", near, copy(99999, 0, &five, 1, &across, 1));
    fflush(stdout);
    write(wanted[1], "c", 1);
    read(told[0], &byte, 1);
    pid_t user = fork();
    if (user == 0) {
        if (setgid(1000) < 0 || setuid(1000) < 0)
            _exit(1);
        printf("another's: %s\n", copy(child, 0, &five, 1, &across, 1));
        fflush(stdout);
        _exit(0);
    }
    wait_for(user);
    write(wanted[1], "e", 1);
    printf("ended with %d, then: ", wait_for(child));
    printf("%s\n", copy(child, 0, &five, 1, &across, 1));
}

/* Fills a pipe as far as it goes with numbered bytes, and says how many. */
static int fill(int end, int *next)
{
    char bytes[1000];
    int total = 0;
    for (;;) {
        for (int at = 0; at < (int)sizeof bytes; at++)
            bytes[at] = (*next + at) * 7 + (*next + at) / 256;
        ssize_t put = write(end, bytes, sizeof bytes);
        if (put <= 0)
            return total;
        *next += put;
        total += put;
    }
}

static int check(int end, int count, int *next)
{
    char bytes[777];
    int wrong = 0;
    while (count > 0) {
        ssize_t got = read(end, bytes, count < (int)sizeof bytes ? count : (int)sizeof bytes);
        if (got <= 0)
            return -1;
        for (int at = 0; at < got; at++, ++*next)
            wrong += bytes[at] != (char)(*next * 7 + *next / 256);
        count -= got;
    }
    return wrong;
}

static void pipes(void)
{
    int ends[2], written = 0, seen = 0, count = -1;
    if (pipe2(ends, O_NONBLOCK) < 0)
        return;
    printf("at first: %s\n", result(fcntl(ends[0], F_GETPIPE_SZ)));
    static const long sizes[] = { 100000, 1, 0, 4097, 8192, 65536, 131072, 1 << 20, -1 };
    for (unsigned size = 0; size < sizeof sizes / sizeof sizes[0]; size++) {
        printf("%ld: %s, ", sizes[size], result(fcntl(ends[size % 2], F_SETPIPE_SZ, sizes[size])));
        printf("%s\n", result(fcntl(ends[0], F_GETPIPE_SZ)));
    }
    fcntl(ends[0], F_SETPIPE_SZ, 65536);
    write(ends[1], near, 100);
    read(ends[0], near, 100);
    printf("full: %d", fill(ends[1], &written) > 60000);
    printf(", smaller: %s", result(fcntl(ends[0], F_SETPIPE_SZ, 8192)));
    printf(", larger: %s", result(fcntl(ends[0], F_SETPIPE_SZ, 262144)));
    printf(", wrong: %d", check(ends[0], 30000, &seen));
    fill(ends[1], &written);
    ioctl(ends[0], FIONREAD, &count);
    printf(", full again: %d", count > 240000);
    printf(", wrong: %d", check(ends[0], count - 5000, &seen));
    printf(", small: %s", result(fcntl(ends[0], F_SETPIPE_SZ, 8192)));
    printf(", wrong: %d", check(ends[0], 5000, &seen));
    printf(", left: %s\n", result(read(ends[0], near, 1)));
    printf("a file: %s", result(fcntl(open("/dev/null", O_RDWR), F_SETPIPE_SZ, 4096)));
    close(ends[1]);
    printf(", half closed: %s\n", result(fcntl(ends[0], F_SETPIPE_SZ, 16384)));
}

int main(void)
{
    memory();
    pipes();
    return 0;
}

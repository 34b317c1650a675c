/* What mmap and its relatives do when they fail, and what they leave behind: the same lines on Linux and on a rack.
 * gcc -O1 -static -o memory memory.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static int global = 42;

static void show(const char *what, long result)
{
    printf("%s = %ld%s%s\n", what, result, result == -1 ? " " : "", result == -1 ? strerrorname_np(errno) : "");
}

static char *anonymous(size_t bytes)
{
    return mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long map_result(void *address) { return address == MAP_FAILED ? -1 : 0; }

/* A break that is refused changes nothing, neither the heap nor what lies below it. */
static void breaks(void)
{
    long heap = syscall(SYS_brk, 0);
    show("grown", syscall(SYS_brk, heap + (1 << 20)) - heap);
    *(char *)(heap + 5000) = 9;
    *(char *)(heap + (1 << 19)) = 9;
    syscall(SYS_brk, heap + 4096);
    syscall(SYS_brk, heap + (1 << 20));
    printf("regrown %d %d\n", *(char *)(heap + 5000), *(char *)(heap + (1 << 19)));
    *(char *)(heap + 5000) = 7;
    show("break 1", syscall(SYS_brk, 1L) - heap);
    show("break 4096", syscall(SYS_brk, 4096L) - heap);
    show("break of 64 TB", syscall(SYS_brk, heap + (1L << 46)) - heap);
    show("break of all ones", syscall(SYS_brk, -1L) - heap);
    printf("kept %d %d\n", global, *(char *)(heap + 5000));
}

/* A call that is refused leaves all contents. */
static void refusals(void)
{
    char *p = anonymous(8 * PAGE);
    memset(p, 1, 8 * PAGE);
    show("fixed, closed descriptor", map_result(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, 77, 0)));
    show("fixed, no type", map_result(mmap(p, PAGE, PROT_READ, MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
    show("fixed, shared-validate anonymous", map_result(mmap(p, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
    char *hole = anonymous(PAGE);
    munmap(hole, PAGE);
    show("mremap of nothing to a fixed place", map_result(mremap(hole, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE)));
    show("munmap beyond the end", munmap(p, 1UL << 63));
    show("mremap to itself", map_result(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE)));
    printf("kept %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
    munmap(p + 4 * PAGE, PAGE);
    show("mprotect over a hole", mprotect(p, 8 * PAGE, PROT_READ));
    int status = 0;
    if (fork() == 0) {
        p[5 * PAGE] = 2;
        p[0] = 2;
        _exit(0);
    }
    wait(&status);
    printf("the part before the hole is read-only: signal %d\n", status & 127);
    munmap(p, 8 * PAGE);
}

/* Moves downwards, where a block of pages gives and takes. */
static void moves(void)
{
    char *area = anonymous(8 << 20);
    char *x = (char *)(((unsigned long)area + 0x3ffff) & ~0x3ffffUL);
    munmap(area, 8 << 20);
    char *p = mmap(x + 96 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int page = 0; page < 64; page++)
        p[page * PAGE] = page + 1;
    char *q = mremap(p, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, x + 32 * PAGE);
    int same = 0;
    for (int page = 0; page < 64; page++)
        same += q[page * PAGE] == page + 1;
    printf("moved down: %d of 64 pages\n", same);
    char *a = malloc(1 << 20), *b = malloc(1 << 20);
    memset(b, 1, 1 << 20);
    b = realloc(b, (1 << 20) + 65536);
    printf("realloc %d %d\n", b[0], b[(1 << 20) - 1]);
    free(a);
    free(b);
}

static void bits(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    int file = open("/proc/self/exe", O_RDONLY);
    show("protection 0x80", map_result(mmap(0, PAGE, 0x80, flags, -1, 0)));
    show("protection 0x41", map_result(mmap(0, PAGE, 0x41, MAP_PRIVATE, file, 0)));
    show("offset that overflows", map_result(mmap(0, 2 * PAGE, 1, MAP_PRIVATE, file, 0x7ffffffffffff000)));
    show("negative offset", map_result(mmap(0, PAGE, 1, MAP_PRIVATE, file, -4096)));
    show("crooked offset", syscall(SYS_mmap, 0, PAGE, 1, flags, -1, 8) < 0 ? -1 : 0);
    show("unknown flags", map_result(mmap(0, PAGE, 1, flags | 0x200000, -1, 0)));
    show("no type", map_result(mmap(0, PAGE, 1, MAP_ANONYMOUS, -1, 0)));
    show("no length", map_result(mmap(0, 0, 1, flags, -1, 0)));
    show("no length, closed descriptor", map_result(mmap(0, 0, 1, MAP_PRIVATE, 77, 0)));
    char *a = anonymous(PAGE);
    show("mprotect 0x80", mprotect(a, PAGE, 0x80));
    show("mprotect 0x10", mprotect(a, PAGE, 0x10));
    close(file);
}

static void advice(void)
{
    char *p = anonymous(4 * PAGE);
    memset(p, 5, 4 * PAGE);
    show("unknown advice", madvise(p, PAGE, 1212));
    show("dontneed", madvise(p + PAGE, PAGE, MADV_DONTNEED));
    printf("%d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
    show("free", madvise(p, PAGE, MADV_FREE));
    char *stack = (char *)((unsigned long)__builtin_frame_address(0) & ~(PAGE - 1)) - 16 * PAGE;
    memset(stack, 6, PAGE);
    show("dontneed of the stack", madvise(stack, PAGE, MADV_DONTNEED));
    printf("%d\n", *(volatile char *)stack);
    munmap(p + PAGE, PAGE);
    show("normal over a hole", madvise(p, 3 * PAGE, MADV_NORMAL));
    show("willneed over a hole", madvise(p, 3 * PAGE, MADV_WILLNEED));
    p[2 * PAGE] = 5;
    show("dontneed over a hole", madvise(p, 3 * PAGE, MADV_DONTNEED));
    printf("%d\n", p[2 * PAGE]);
    int file = open("/proc/self/exe", O_RDONLY);
    char *f = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    char before = f[1];
    f[1] = 99;
    show("free of a file", madvise(f, PAGE, MADV_FREE));
    show("dontneed of a file", madvise(f, PAGE, MADV_DONTNEED));
    printf("%d\n", f[1] == before);
    close(file);
    unsigned char in[2];
    char *q = anonymous(3 * PAGE);
    munmap(q + 2 * PAGE, PAGE);
    q[0] = 1;
    show("mincore", mincore(q, 2 * PAGE, in));
    printf("%d %d\n", in[0] & 1, in[1] & 1);
    show("mincore of a hole", mincore(q + 2 * PAGE, PAGE, in));
    show("msync", msync(q, 2 * PAGE, MS_SYNC));
    show("msync, both ways", msync(q, PAGE, MS_SYNC | MS_ASYNC));
    show("msync of a hole", msync(q + 2 * PAGE, PAGE, MS_SYNC));
}

int main(void)
{
    setlinebuf(stdout);
    breaks();
    refusals();
    moves();
    bits();
    advice();
    return 0;
}

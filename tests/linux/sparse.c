/*
 * sparse: every call that takes a range of memory, on 60 TB of address space of which three pages are ever touched. What a kernel does for
 * such a call must follow what is there, not the length: 60 TB are 16 thousand million pages.
 *
 * Prints what the pages hold after each step.
 * gcc -O2 -static -o sparse sparse.c
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t size = 60UL << 40, more = 1UL << 40;

static char *check(void *address, const char *what)
{
    if (address == MAP_FAILED) {
        perror(what);
        exit(1);
    }
    return address;
}

static void show(const char *step, volatile char *memory)
{
    printf("%s: %d %d %d\n", step, memory[0], memory[size / 2], memory[size - 1]);
    fflush(stdout);
}

int main(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *memory = check(mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0), "mmap");
    memory[0] = 1, memory[size / 2] = 2, memory[size - 1] = 3;
    show("mapped", memory);
    // Something behind it, so that it has to move to grow.
    mmap(memory + size, 4096, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0);
    memory = check(mremap(memory, size, size + more, MREMAP_MAYMOVE), "mremap");
    show("moved", memory);
    if (mprotect(memory, size, PROT_READ) || mprotect(memory, size, PROT_READ | PROT_WRITE))
        perror("mprotect");
    show("protected", memory);
    pid_t child = fork();
    if (child == 0) {
        memory[0] = 4;
        show("child", memory);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    show("parent", memory);
    if (madvise(memory, size / 4 * 3, MADV_DONTNEED))
        perror("madvise");
    show("forgotten", memory);
    if (munmap(memory, size + more))
        perror("munmap");
    // All of the user half: the program's own code, too, so the kernel ends it.
    puts("the end");
    fflush(stdout);
    munmap((void *)4096, 0x7ffffffff000 - 4096);
    return 0;
}

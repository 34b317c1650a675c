/*
 * taker pages | tables: takes memory until there is none left. With pages every page is written; with tables one in each two megabytes, so
 * that each page needs a page table of its own. A rack ends it, and nobody else.
 * gcc -O2 -static -o taker taker.c
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

int main(int count, char **arguments)
{
    const size_t step = count > 1 && !strcmp(arguments[1], "tables") ? 2UL << 20 : 4096, piece = 1UL << 30;
    for (;;) {
        char *memory = mmap(0, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return 1;
        for (size_t at = 0; at < piece; at += step)
            memory[at] = 1;
    }
}

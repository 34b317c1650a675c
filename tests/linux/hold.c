/*
 * hold: keeps recognisable pages in memory while somebody looks at the machines' RAM from outside.
 *
 *   hold PAGES SEED
 *
 * Maps PAGES pages and stamps each with 64 words, one every 64 bytes: word w of page p is SEED + p * 64 + w, multiplied by an odd constant, so that
 * no other data looks like it. Prints "ready", waits for the end of standard input, checks every stamp, prints "ok" (exit status 0) or "bad" (1).
 *
 * gcc -O2 -static -o hold hold.c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STAMPS = 64, STRIDE = 4096 / 8 / STAMPS };

static uint64_t stamp(uint64_t seed, uint64_t page, uint64_t word)
{
    return (seed + page * STAMPS + word) * 0x9e3779b97f4a7c15u;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: hold PAGES SEED\n");
        return 2;
    }
    uint64_t pages = strtoull(argv[1], NULL, 0), seed = strtoull(argv[2], NULL, 0);
    uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("hold: mmap");
        return 1;
    }
    for (uint64_t page = 0; page < pages; page++)
        for (uint64_t word = 0; word < STAMPS; word++)
            memory[page * 512 + word * STRIDE] = stamp(seed, page, word);
    printf("ready\n");
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    for (uint64_t page = 0; page < pages; page++)
        for (uint64_t word = 0; word < STAMPS; word++)
            if (memory[page * 512 + word * STRIDE] != stamp(seed, page, word)) {
                printf("bad\n");
                return 1;
            }
    printf("ok\n");
    return 0;
}

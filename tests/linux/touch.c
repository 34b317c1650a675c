/*
 * touch: the page accesses whose messages the rack tests count. Each page is touched once per round, one 8-byte word, in ascending order.
 *
 *   fresh PAGES           writes PAGES pages of fresh anonymous memory once          (p-local first touch: no miss while they fit)
 *   loop  PAGES ROUNDS    first touch, then reads them all ROUNDS times              (resident: no message; else one miss per read)
 *   write PAGES ROUNDS    first touch, then writes them all ROUNDS times             (every victim dirty: one message per miss if piggybacked)
 *   zero  PAGES           reads PAGES pages that were never written; all must be zero
 *
 * Every word read is checked. Prints "ok DIGEST"; exit status 1 when a word is wrong.
 * gcc -O2 -static -o touch touch.c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WORDS = 4096 / 8 };

static uint64_t value(uint64_t page, uint64_t round)
{
    return (page + 1) * 0x9e3779b97f4a7c15u + round;
}

static void expect(uint64_t page, uint64_t found, uint64_t wanted)
{
    if (found != wanted) {
        printf("page %llu holds %016llx, not %016llx\n", (unsigned long long)page, (unsigned long long)found, (unsigned long long)wanted);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int fresh = !strcmp(what, "fresh"), loop = !strcmp(what, "loop"), write = !strcmp(what, "write"), zero = !strcmp(what, "zero");
    if (!(fresh || loop || write || zero) || argc != (loop || write ? 4 : 3)) {
        fprintf(stderr, "usage: touch fresh|zero PAGES, touch loop|write PAGES ROUNDS\n");
        return 2;
    }
    uint64_t pages = strtoull(argv[2], NULL, 0), rounds = argc > 3 ? strtoull(argv[3], NULL, 0) : 0, digest = 0;
    volatile uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("touch: mmap");
        return 1;
    }
    for (uint64_t page = 0; page < pages; page++) {
        if (zero)
            expect(page, memory[page * WORDS + page % WORDS], 0);
        else
            memory[page * WORDS + page % WORDS] = value(page, 0);
    }
    for (uint64_t round = 1; round <= rounds; round++) {
        for (uint64_t page = 0; page < pages; page++) {
            volatile uint64_t *word = memory + page * WORDS + page % WORDS;
            if (write) {
                *word = value(page, round);
            } else {
                expect(page, *word, value(page, 0));
                digest = digest * 31 + *word;
            }
        }
    }
    printf("ok %016llx\n", (unsigned long long)digest);
    return 0;
}

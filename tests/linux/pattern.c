/*
 * pattern: a working set far beyond the ExCache keeps its contents, across fork and under concurrent rewriting.
 *
 * Maps N megabytes, writes a seeded pattern page by page in random order, forks. The child reads everything back in another random order while
 * the parent rewrites half of the pages (every page whose number is odd). Both must see exactly their own memory: fork is copy-on-write.
 * Prints one digest of what the child saw and one of what the parent sees in the end; the output depends on the arguments alone, so it is
 * compared byte for byte with a run on the host's own Linux. Exit status 1 when a word is not what was written.
 *
 * gcc -O2 -static -o pattern pattern.c        usage: pattern MEGABYTES SEED
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8 };

static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* A permutation of 0..count-1 without a table: a four-round Feistel network over the next even number of bits, walked until it lands inside. */
static uint64_t permuted(uint64_t index, uint64_t count, uint64_t seed)
{
    unsigned half = 1;
    while ((1ull << 2 * half) < count)
        half++;
    uint64_t mask = (1ull << half) - 1;
    do {
        uint64_t left = index >> half, right = index & mask;
        for (unsigned round = 0; round < 4; round++) {
            uint64_t next = left ^ (mix(seed + round * 0x1000193u + right) & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >= count);
    return index;
}

static void write_page(uint64_t *page, uint64_t number, uint64_t seed)
{
    uint64_t state = mix(seed ^ number << 20);
    for (unsigned word = 0; word < WORDS; word++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        page[word] = state;
    }
}

/* Checks a page against its pattern and returns its digest. */
static uint64_t check_page(const uint64_t *page, uint64_t number, uint64_t seed, const char *who)
{
    uint64_t state = mix(seed ^ number << 20), digest = number;
    for (unsigned word = 0; word < WORDS; word++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if (page[word] != state) {
            printf("%s: page %llu word %u holds %016llx, not %016llx\n", who, (unsigned long long)number, word,
                   (unsigned long long)page[word], (unsigned long long)state);
            fflush(stdout);
            _exit(1);
        }
        digest = (digest ^ page[word]) * 0x100000001b3u;
    }
    return mix(digest);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: pattern MEGABYTES SEED\n");
        return 2;
    }
    uint64_t pages = strtoull(argv[1], NULL, 0) * (1 << 20) / PAGE, seed = strtoull(argv[2], NULL, 0), other = ~seed;
    uint64_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == 0 || memory == MAP_FAILED) {
        perror("pattern: mmap");
        return 1;
    }
    for (uint64_t step = 0; step < pages; step++) {
        uint64_t page = permuted(step, pages, seed);
        write_page(memory + page * WORDS, page, seed);
    }

    pid_t child = fork();
    if (child < 0) {
        perror("pattern: fork");
        return 1;
    }
    uint64_t digest = 0;
    if (child == 0) {
        for (uint64_t step = 0; step < pages; step++) {
            uint64_t page = permuted(step, pages, seed + 1);
            digest += check_page(memory + page * WORDS, page, seed, "child");
        }
        printf("child  %016llx\n", (unsigned long long)digest);
        fflush(stdout);
        _exit(0);
    }
    for (uint64_t step = 0; step < pages; step++) {
        uint64_t page = permuted(step, pages, seed + 2);
        if (page & 1)
            write_page(memory + page * WORDS, page, other);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0) {
        printf("the child ended with status %d\n", status);
        return 1;
    }
    for (uint64_t step = 0; step < pages; step++) {
        uint64_t page = permuted(step, pages, seed + 3);
        digest += check_page(memory + page * WORDS, page, page & 1 ? other : seed, "parent");
    }
    printf("parent %016llx\n", (unsigned long long)digest);
    return 0;
}

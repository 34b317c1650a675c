/*
 * spans: memory that is larger than one memory component's share of it. What it prints depends on the arguments alone, so it is compared
 * byte for byte with a run on the host's own Linux. Exit status 1 when something is not as it was left.
 *
 * sort  fills an array, sorts it in place, and prints a digest of the sorted words; grows it with mremap, which moves it, and shows it to a
 *       child that changes its copy; gives the middle of it up and finds zeros there after mapping it anew; the same with the heap.
 * turns says "ready" and changes the array, all of it in each turn, forks a child that looks at it, and changes it back, and maps, fills and
 *       unmaps another one, until its input ends; at least once; then it prints the digest.
 * map   maps an array and touches nothing.
 *
 * gcc -O2 -static -o spans spans.c        usage: spans sort|turns|map MEGABYTES [SEED]
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE_WORDS = 512, FEW = 16 };

static uint64_t digest(const uint64_t *words, size_t count)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++)
        sum = (sum ^ words[i]) * 0x100000001b3u;
    return sum;
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t held = *a;
    *a = *b;
    *b = held;
}

/* Quicksort with the median of three; short pieces by insertion. */
static void sort(uint64_t *words, size_t count)
{
    while (count > FEW) {
        uint64_t *middle = words + count / 2, *last = words + count - 1;
        if (*middle < *words) swap(middle, words);
        if (*last < *words) swap(last, words);
        if (*last < *middle) swap(last, middle);
        uint64_t pivot = *middle;
        size_t low = 0, high = count - 1;
        while (1) {
            while (words[low] < pivot) low++;
            while (words[high] > pivot) high--;
            if (low >= high) break;
            swap(words + low++, words + high--);
        }
        sort(words, high + 1);
        words += high + 1;
        count -= high + 1;
    }
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && words[j] < words[j - 1]; j--)
            swap(words + j, words + j - 1);
}

static void fail(const char *what)
{
    printf("failed: %s\n", what);
    exit(1);
}

static uint64_t *anonymous(size_t bytes)
{
    uint64_t *words = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED)
        fail("mmap");
    return words;
}

static void fork_and_change(uint64_t *words, size_t count)
{
    uint64_t before = digest(words, count);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (digest(words, count) != before)
            _exit(1);
        for (size_t i = 0; i < count; i += PAGE_WORDS)
            words[i] ^= i;
        printf("child %016llx\n", (unsigned long long)digest(words, count));
        fflush(stdout);
        _exit(0);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0)
        fail("child");
    printf("parent %016llx %d\n", (unsigned long long)digest(words, count), digest(words, count) == before);
}

static void give_up_middle(uint64_t *words, size_t count)
{
    size_t quarter = count / 4 / PAGE_WORDS * PAGE_WORDS;
    if (munmap(words + quarter, 2 * quarter * 8) != 0)
        fail("munmap");
    void *again = mmap(words + quarter, 2 * quarter * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (again != words + quarter)
        fail("mmap of the middle");
    printf("middle %016llx\n", (unsigned long long)digest(words, count));
    if (madvise(words, quarter * 8, MADV_DONTNEED) != 0)
        fail("madvise");
    printf("rest %016llx\n", (unsigned long long)digest(words, count));
}

static void heap(size_t bytes, uint64_t seed)
{
    char *start = sbrk(0);
    uint64_t *words = (uint64_t *)(((uintptr_t)start + 4095) & ~4095ul);
    if (sbrk((intptr_t)bytes + 4096) == (void *)-1)
        fail("sbrk");
    for (size_t i = 0; i < bytes / 8; i += PAGE_WORDS)
        words[i] = seed + i;
    printf("heap %016llx\n", (unsigned long long)digest(words, bytes / 8));
    if (sbrk(-(intptr_t)(bytes / 2)) == (void *)-1 || sbrk((intptr_t)(bytes / 2)) == (void *)-1)
        fail("sbrk down and up");
    printf("heap %016llx\n", (unsigned long long)digest(words, bytes / 8));
}

static void turns(uint64_t *words, size_t count)
{
    uint64_t before = digest(words, count);
    printf("ready\n");
    fflush(stdout);
    struct pollfd input = { .fd = 0, .events = POLLIN };
    for (uint64_t turn = 1; turn == 1 || poll(&input, 1, 0) != 1; turn++) {
        for (size_t i = 0; i < count; i++)
            words[i] ^= turn;
        pid_t child = fork();
        if (child == 0) {
            for (size_t i = 0; i < count; i++)
                words[i] ^= turn;
            _exit(digest(words, count) != before);
        }
        size_t other_words = count / 4;
        uint64_t *other = anonymous(other_words * 8);
        for (size_t i = 0; i < other_words; i++)
            other[i] = i ^ turn;
        for (size_t i = 0; i < count; i++)
            words[i] ^= turn;
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0)
            fail("what a child sees");
        for (size_t i = 0; i < other_words; i++)
            if (other[i] != (i ^ turn))
                fail("what was mapped meanwhile");
        if (munmap(other, other_words * 8) != 0 || digest(words, count) != before)
            fail("what was changed and changed back");
    }
    printf("%016llx\n", (unsigned long long)before);
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    size_t bytes = (size_t)atoi(arguments[2]) << 20, words = bytes / 8;
    uint64_t *array = anonymous(bytes);
    if (strcmp(arguments[1], "map") == 0)
        return 0;
    uint64_t seed = count > 3 ? strtoull(arguments[3], 0, 10) : 1, state = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < words; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        array[i] = state;
    }
    if (strcmp(arguments[1], "turns") == 0) {
        turns(array, words);
        return 0;
    }
    sort(array, words);
    for (size_t i = 1; i < words; i++)
        if (array[i] < array[i - 1])
            fail("order");
    printf("sorted %016llx\n", (unsigned long long)digest(array, words));
    /* Something right behind it, so that growing moves it. */
    mmap((char *)array + bytes, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    array = mremap(array, bytes, bytes + (1 << 20), MREMAP_MAYMOVE);
    if (array == MAP_FAILED)
        fail("mremap");
    printf("moved %016llx\n", (unsigned long long)digest(array, words + (1 << 17)));
    fork_and_change(array, words);
    give_up_middle(array, words);
    heap(bytes / 2, seed);
    return 0;
}

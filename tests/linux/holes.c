/*
 * holes DIR: where files have data and where they have holes (SEEK_DATA, SEEK_HOLE), holes that are punched (fallocate), and that what
 * surrounds them stays: in small files, in files of many extents, and in one that is written, cut and punched at random and compared with
 * an array.
 * gcc -O1 -static -o holes holes.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "results.h"

#define BLOCK 4096
#define MODEL (1 << 20)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static char model[MODEL], bytes[MODEL];

static int blocks(int file)
{
    struct stat status;
    fsync(file);
    fstat(file, &status);
    return status.st_blocks;
}

/* All runs of data from the beginning on. */
static void runs(const char *what, int file)
{
    printf("%s:", what);
    for (off_t at = 0; (at = lseek(file, at, SEEK_DATA)) >= 0;) {
        off_t end = lseek(file, at, SEEK_HOLE);
        printf(" %ld-%ld", (long)at, (long)end);
        at = end;
    }
    printf(" %s, %ld bytes\n", strerrorname_np(errno), (long)lseek(file, 0, SEEK_END));
}

static void positions(void)
{
    int file = open("positions", O_RDWR | O_CREAT | O_TRUNC, 0644);
    runs("empty", file);
    ftruncate(file, 1 << 20);
    runs("a hole", file);
    pwrite(file, "x", 1, 262144);
    runs("a byte in it", file);
    fsync(file);
    runs("and on the device", file);
    pwrite(file, "y", 1, 10);
    pwrite(file, "z", 1, (1 << 20) - 1);
    runs("at both ends", file);
    printf("in data: %s %s", result(lseek(file, 262145, SEEK_DATA)), result(lseek(file, 262145, SEEK_HOLE)));
    printf(", in a hole: %s %s", result(lseek(file, 270000, SEEK_DATA)), result(lseek(file, 270000, SEEK_HOLE)));
    printf(", behind the end: %s", result(lseek(file, 1 << 20, SEEK_DATA)));
    printf(" %s", result(lseek(file, 1 << 20, SEEK_HOLE)));
    printf(", before the beginning: %s\n", result(lseek(file, -1, SEEK_DATA)));
    ftruncate(file, 300000);
    runs("cut", file);
    int pipes[2];
    pipe(pipes);
    printf("a pipe: %s\n", result(lseek(pipes[0], 0, SEEK_HOLE)));
}

static void punches(void)
{
    int file = open("punched", O_RDWR | O_CREAT | O_TRUNC, 0644);
    for (int block = 0; block < 64; block++) {
        memset(bytes, 'a' + block % 26, BLOCK);
        write(file, bytes, BLOCK);
    }
    printf("full: %d\n", blocks(file));
    printf("punch: %s", result(fallocate(file, PUNCH, 5000, 20000)));
    printf(", %d blocks\n", blocks(file));
    runs("runs", file);
    pread(file, bytes, 64 * BLOCK, 0);
    printf("edges: %d %d %d %d\n", bytes[4999], bytes[5000], bytes[24999], bytes[25000]);
    printf("nothing to do: %s", result(fallocate(file, PUNCH, 2 * BLOCK, BLOCK)));
    printf(", inside a block: %s", result(fallocate(file, PUNCH, 100, 100)));
    printf(", over the end: %s", result(fallocate(file, PUNCH, 63 * BLOCK, 1 << 20)));
    printf(", behind it: %s\n", result(fallocate(file, PUNCH, 1 << 20, 1 << 20)));
    runs("runs", file);
    printf("blocks: %d\n", blocks(file));
    for (int block = 0; block < 64; block += 2)
        fallocate(file, PUNCH, block * BLOCK, BLOCK);
    printf("every other one: %d\n", blocks(file));
    runs("runs", file);
    pwrite(file, "back", 4, 30 * BLOCK + 7);
    runs("one filled again", file);
    printf("all: %s", result(fallocate(file, PUNCH, 0, 64 * BLOCK)));
    printf(", %d blocks\n", blocks(file));
    runs("runs", file);
    memset(bytes, 'z', 20000);
    pwrite(file, bytes, 20000, 3 * BLOCK + 5);
    printf("zeros: %s", result(fallocate(file, FALLOC_FL_ZERO_RANGE, 4 * BLOCK - 10, 60 * BLOCK + 1010)));
    printf(", %ld bytes, with space: %d\n", (long)lseek(file, 0, SEEK_END), blocks(file) >= 496);
    runs("runs", file);
    pread(file, bytes, 64 * BLOCK, 0);
    int left = 0;
    for (int byte = 0; byte < 64 * BLOCK; byte++)
        left += bytes[byte] != 0;
    printf("left: %d, without a larger file: %s", left, result(fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20)));
    printf(", %ld bytes, more than one block: %d\n", (long)lseek(file, 0, SEEK_END), blocks(file) > 2000);
    int large = open("large", O_RDWR | O_CREAT | O_TRUNC, 0644);
    memset(bytes, 'l', MODEL);
    for (int part = 0; part < 4; part++)
        write(large, bytes, MODEL);
    printf("over several megabytes, between blocks: %s", result(fallocate(large, PUNCH, 100, 4 * MODEL - 200)));
    printf(", %d blocks\n", blocks(large));
    printf("without keeping the size: %s", result(fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, BLOCK)));
    printf(", nothing: %s", result(fallocate(file, PUNCH, 0, 0)));
    printf(", read-only: %s\n", result(fallocate(open("punched", O_RDONLY), PUNCH, 0, BLOCK)));
}

/* Space without data: it reads as zeros, is counted, and is no data until it is written; behind the end it goes with the next cut. */
static void allocations(void)
{
    int file = open("allocated", O_RDWR | O_CREAT | O_TRUNC, 0644);
    printf("allocate: %s", result(fallocate(file, 0, 0, 100000)));
    printf(", %d blocks\n", blocks(file));
    runs("no data", file);
    pwrite(file, "text", 4, 50000);
    printf("written: %d blocks\n", blocks(file));
    runs("data", file);
    printf("again: %s", result(fallocate(file, 0, 40000, 20000)));
    printf(", behind the end: %s", result(fallocate(file, FALLOC_FL_KEEP_SIZE, 200000, 100000)));
    printf(", inside: %s", result(fallocate(file, 0, 0, 1000)));
    /* What a tree of extents takes beside them is each file system's own affair. */
    int most = blocks(file);
    printf(", enough: %d, %ld bytes", most >= 400, (long)lseek(file, 0, SEEK_END));
    printf(", a hole in it: %s", result(fallocate(file, PUNCH, 8192, 8192)));
    printf(", less: %d\n", blocks(file) < most);
    pread(file, bytes, 100000, 0);
    int wrong = 0;
    for (int byte = 0; byte < 100000; byte++)
        wrong += bytes[byte] != (byte >= 50000 && byte < 50004 ? "text"[byte - 50000] : 0);
    printf("wrong: %d, cut: %s", wrong, result(ftruncate(file, 100000)));
    printf(", without what was behind the end: %d", blocks(file) <= 200);
    printf(", to nothing: %s", result(ftruncate(file, 0)));
    printf(", %d blocks\n", blocks(file));
    printf("not written: %s", result(fallocate(file, 0, 0, 3 << 20)));
    pwrite(file, "text", 4, 2 << 20);
    printf(", and punched: %s", result(fallocate(file, PUNCH, 0, (2 << 20) - 100)));
    int rest = blocks(file);
    printf(", half is left: %d", rest >= 2048 && rest < 4096);
    printf(", punched: %s", result(fallocate(file, PUNCH, 0, 3 << 20)));
    printf(", %d blocks, %ld bytes\n", blocks(file), (long)lseek(file, 0, SEEK_END));
    ftruncate(file, 0);
    printf("beyond all files: %s\n", error_of(fallocate(file, 0, 1L << 50, 4096)));
}

/* A tree of many extents: every second block is there. Then holes of all sizes, which empty its nodes. */
static void deep(void)
{
    enum { PIECES = 600 };
    int file = open("deep", O_RDWR | O_CREAT | O_TRUNC, 0644);
    for (int piece = 0; piece < PIECES; piece++)
        pwrite(file, "extent", 6, (off_t)piece * 2 * BLOCK);
    fsync(file);
    off_t at = 0, data = 0;
    int count = 0;
    while ((data = lseek(file, at, SEEK_DATA)) >= 0 && count < 2 * PIECES) {
        at = lseek(file, data, SEEK_HOLE);
        count++;
    }
    printf("%d runs", count);
    static const int cuts[][2] = {
        { 0, 2 }, { 200, 100 }, { 599, 1 }, { 100, 1 }, { 299, 140 }, { 0, 200 }, { 460, 120 }, { 0, 599 },
    };
    for (unsigned cut = 0; cut < sizeof cuts / sizeof cuts[0]; cut++) {
        fallocate(file, PUNCH, (off_t)cuts[cut][0] * 2 * BLOCK, (off_t)cuts[cut][1] * 2 * BLOCK);
        fsync(file);
        int left = 0;
        for (int piece = 0; piece < PIECES; piece++) {
            char text[6];
            pread(file, text, 6, (off_t)piece * 2 * BLOCK);
            left += memcmp(text, "extent", 6) == 0;
        }
        at = 0;
        count = 0;
        while ((data = lseek(file, at, SEEK_DATA)) >= 0) {
            at = lseek(file, data, SEEK_HOLE);
            count++;
        }
        printf(", %d %d", left, count);
    }
    printf("\n");
}

static uint64_t seed = 88172645463325252;

static unsigned random_below(unsigned limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % limit;
}

/* What is read is what an array has, whatever was punched; where the array has a block of something, there is data. */
static void compare(void)
{
    int file = open("random", O_RDWR | O_CREAT | O_TRUNC, 0644);
    int size = 0, wrong = 0;
    char *map = mmap(NULL, MODEL, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (int step = 0; step < 300; step++) {
        int at = random_below(MODEL - 70000), length = 1 + random_below(70000);
        int kind = random_below(11);
        if (kind < 4) {
            memset(bytes, 'A' + step % 26, length);
            pwrite(file, bytes, length, at);
            memset(model + at, 'A' + step % 26, length);
            size = at + length > size ? at + length : size;
        } else if (kind < 8) {
            fallocate(file, PUNCH, at, length);
            memset(model + at, 0, length);
        } else if (kind == 8) {
            ftruncate(file, at);
            memset(model + at, 0, MODEL - at);
            size = at;
        } else if (kind == 10) {
            fallocate(file, FALLOC_FL_KEEP_SIZE, at, length);
        } else if (at < size) {
            map[at] = 'M';
            model[at] = 'M';
        }
        if (step % 20 == 19) {
            memset(bytes, 1, MODEL);
            int got = pread(file, bytes, MODEL, 0);
            wrong += got != size || memcmp(bytes, model, size) != 0 || memcmp(map, model, size) != 0;
            for (int block = 0; block < size / BLOCK; block++) {
                int has = 0;
                for (int byte = 0; byte < BLOCK; byte++)
                    has |= model[block * BLOCK + byte];
                wrong += has && lseek(file, block * BLOCK, SEEK_DATA) != block * BLOCK;
            }
        }
    }
    printf("random: %d wrong\n", wrong);
}

int main(int count, char **words)
{
    if (count > 1 && chdir(words[1]) < 0)
        return 1;
    if (mkdir("holes.d", 0755) < 0 || chdir("holes.d") < 0)
        return 1;
    positions();
    punches();
    allocations();
    deep();
    compare();
    return 0;
}

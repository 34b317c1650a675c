/* Shared mappings: what one process stores, all others see, and so does read(2); what write(2) and truncate(2) do, shows in mappings. Prints the same
 * lines on every Linux. Usage: shared-mappings [SEED]; runs in its working directory.
 * gcc -O1 -static -o shared-mappings shared-mappings.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results.h"

enum { PAGE = 4096, WORKERS = 8, ROUNDS = 2000 };

static sigjmp_buf fault;

static void on_fault(int number)
{
    siglongjmp(fault, number);
}

static int signal_of_load(volatile char *address)
{
    int number = sigsetjmp(fault, 1);
    if (number == 0)
        (void)*address;
    return number;
}

static void count(const char *what, long *counter)
{
    pid_t workers[WORKERS];
    for (int worker = 0; worker < WORKERS; worker++)
    {
        workers[worker] = fork();
        if (workers[worker] == 0)
        {
            for (int round = 0; round < ROUNDS; round++)
            {
                __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
                __atomic_add_fetch(counter + PAGE / sizeof(long), 2, __ATOMIC_SEQ_CST);
            }
            _exit(0);
        }
    }
    for (int worker = 0; worker < WORKERS; worker++)
        wait_for(workers[worker]);
    printf("%s: %ld %ld\n", what, counter[0], counter[PAGE / sizeof(long)]);
}

static void counters(void)
{
    long *anonymous = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    count("anonymous", anonymous);
    munmap(anonymous, 2 * PAGE);

    int file = open("counters", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(file, 2 * PAGE);
    long *mapped = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    count("file", mapped);
    long value = 0;
    pread(file, &value, sizeof value, PAGE);
    printf("read: %ld\n", value);
    munmap(mapped, 2 * PAGE);
    pread(file, &value, sizeof value, 0);
    printf("read after munmap: %ld\n", value);
    close(file);
}

static void children(void)
{
    int file = open("child", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(file, 3 * PAGE);
    if (fork() == 0)
    {
        // Ends without munmap; the other one is killed.
        char *map = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        memset(map, 'e', PAGE);
        _exit(0);
    }
    wait(0);
    pid_t killed = fork();
    if (killed == 0)
    {
        char *map = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        memset(map + PAGE, 'k', PAGE);
        kill(getpid(), SIGKILL);
    }
    printf("killed: %d\n", wait_for(killed));
    char bytes[2];
    pread(file, bytes, 1, 17);
    pread(file, bytes + 1, 1, PAGE + 17);
    printf("from children: %.2s\n", bytes);

    char *one = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 2 * PAGE);
    char *two = mmap(0, 3 * PAGE, PROT_READ, MAP_SHARED, file, 0);
    strcpy(one, "two mappings of one page");
    puts(two + 2 * PAGE);
    char *grown = mremap(one, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)two + PAGE);
    printf("moved: %d %s\n", grown == two + PAGE, grown);
    strcpy(grown, "after the move");
    puts(two + 2 * PAGE);
    char *third = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file, 2 * PAGE);
    puts(third);
    printf("msync: %d %d\n", msync(two, 3 * PAGE, MS_SYNC), msync(two, PAGE, MS_ASYNC));
    madvise(grown, PAGE, MADV_DONTNEED);
    puts(grown);
    close(file);
}

/* More than a message holds: what many pages have got is in the file when they are unmapped, when their process ends, and after msync. */
static void many(void)
{
    enum { MANY = 100 };
    int file = open("many", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(file, MANY * PAGE);
    for (int way = 0; way < 3; way++)
    {
        pid_t child = fork();
        if (child == 0)
        {
            char *map = mmap(0, MANY * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            char *other = mmap(0, MANY * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            for (int page = 0; page < MANY; page++)
                if (page % 7 != way)
                    (page % 3 == 0 ? other : map)[page * PAGE + way] = (char)(page + way + 1);
            if (way == 1)
                printf("msync of many: %d\n", msync(map, MANY * PAGE, MS_SYNC));
            if (way == 2)
            {
                munmap(map, MANY * PAGE);
                munmap(other + PAGE, (MANY - 2) * PAGE);
            }
            fflush(0);
            _exit(0);
        }
        wait_for(child);
        long sum = 0;
        for (int page = 0; page < MANY; page++)
        {
            signed char bytes[4];
            pread(file, bytes, 4, page * PAGE);
            sum = sum * 31 + bytes[0] + 3 * bytes[1] + 5 * bytes[2] + 7 * bytes[3];
            sum %= 1000003;
        }
        printf("many, %d: %ld\n", way, sum);
    }
    close(file);
}

static void rights(void)
{
    int file = open("rights", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(file, PAGE);
    int reader = open("rights", O_RDONLY);
    void *map = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0);
    printf("writable map of a reader: %s\n", map == MAP_FAILED ? strerror(errno) : "ok");
    map = mmap(0, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    printf("mprotect: %s\n", mprotect(map, PAGE, PROT_READ | PROT_WRITE) ? strerror(errno) : "ok");
    map = mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0);
    printf("mprotect: %s\n", mprotect(map, PAGE, PROT_READ | PROT_WRITE) ? strerror(errno) : "ok");
    strcpy(map, "written");
    char bytes[8];
    pread(reader, bytes, 8, 0);
    puts(bytes);
    printf("validate, anonymous: %s\n", mmap(0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? strerror(errno) : "ok");
    int zero = open("/dev/zero", O_RDWR);
    char *zeros = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
    pid_t child = fork();
    if (child == 0)
    {
        zeros[7] = 7;
        _exit(zeros[8]);
    }
    int status = wait_for(child);
    printf("of /dev/zero: %d %d\n", status, zeros[7]);
}

static uint64_t state;

static uint32_t next(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % limit;
}

static uint64_t hash(uint64_t digest, const void *bytes, size_t length)
{
    for (size_t index = 0; index < length; index++)
        digest = (digest ^ ((const unsigned char *)bytes)[index]) * 1099511628211u;
    return digest;
}

// Random operations on one file by two processes in turn; all that they see goes into a digest.
static void at_random(int seed)
{
    enum { PAGES = 12, MAPS = 4, STEPS = 600 };
    static char buffer[3 * PAGE];
    struct shared { uint64_t digest; } *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    state = seed;
    shared->digest = 14695981039346656037u;
    int file = open("random", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char *maps[MAPS] = { 0 };
    for (int step = 0; step < STEPS; step++)
    {
        int action = next(12), slot = next(MAPS), other = next(4) == 0;
        uint32_t offset = next(PAGES * PAGE), length = next(sizeof buffer), fill = next(256);
        off_t size = lseek(file, 0, SEEK_END);
        pid_t child = other ? fork() : 0;
        if (child == 0)
        {
            if (action < 2)
            {
                memset(buffer, fill, length);
                pwrite(file, buffer, length, offset);
            }
            else if (action < 5)
            {
                ssize_t got = pread(file, buffer, length, offset);
                shared->digest = hash(hash(shared->digest, &got, sizeof got), buffer, got);
            }
            else if (action == 5)
            {
                ftruncate(file, offset);
            }
            else if (action == 6 && !other)
            {
                if (maps[slot])
                    munmap(maps[slot], PAGES * PAGE);
                maps[slot] = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            }
            else if (maps[slot] && offset < size)
            {
                if (length > size - offset)
                    length = size - offset;
                if (action < 10)
                    memset(maps[slot] + offset, fill, length);
                else
                    shared->digest = hash(shared->digest, maps[slot] + offset, length);
            }
            else if (maps[slot])
            {
                int number = signal_of_load(maps[slot] + ((offset + PAGE - 1) & -PAGE));
                shared->digest = hash(shared->digest, &number, sizeof number);
            }
            if (other)
                _exit(0);
        }
        if (other)
            wait_for(child);
        if (step % 100 == 99)
            fsync(file);
    }
    off_t size = lseek(file, 0, SEEK_END);
    for (off_t at = 0; at < size; at += sizeof buffer)
        shared->digest = hash(shared->digest, buffer, pread(file, buffer, sizeof buffer, at));
    printf("random %d: %016lx, %ld bytes\n", seed, shared->digest, (long)size);
    close(file);
}

static int has_moved(const struct stat *before, const struct stat *after)
{
    return before->st_mtim.tv_sec != after->st_mtim.tv_sec || before->st_mtim.tv_nsec != after->st_mtim.tv_nsec;
}

// Who asks for a file's times after a store was made good hears of it, also when they were asked for before.
static void times(void)
{
    struct stat before, after;
    char byte;
    int file = open("times", O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (write(file, "times", 5) != 5 || fsync(file) != 0)
        printf("no file\n");
    char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    usleep(20000);
    fstat(file, &before);
    usleep(20000);
    shared[0] = 'T';
    msync(shared, PAGE, MS_SYNC);
    stat("times", &after);
    printf("times after msync: %s\n", has_moved(&before, &after) ? "new" : "old");
    usleep(20000);
    shared[1] = 'I';
    pread(file, &byte, 1, 1);
    stat("times", &before);
    printf("times after a read of what was stored: %s\n", byte == 'I' && has_moved(&before, &after) ? "new" : "old");
    munmap(shared, PAGE);
    close(file);
    unlink("times");
}

int main(int count, char **arguments)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    signal(SIGBUS, on_fault);
    signal(SIGSEGV, on_fault);
    int seed = count > 1 ? atoi(arguments[1]) : 1;
    counters();
    children();
    many();
    rights();
    times();
    for (int run = 0; run < 4; run++)
        at_random(seed + run);
    return 0;
}

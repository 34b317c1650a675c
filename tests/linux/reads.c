/* Reads of a file that is written, appended to, cut, replaced and mapped meanwhile: read(2), readv(2) and mappings agree with what was last done to it,
 * wherever its pages are cached. Prints the same lines on every Linux.
 *
 * gcc -O1 -static -o reads reads.c
 * usage: reads SEED STEPS          random operations on one file, which is mapped shared (SEED % 3 = 1), privately (2) or not at all; their digest
 *        reads again ROUNDS        reads the same pages of a small file again and again
 *        reads rewrites ROUNDS     writes the same pages and parts of pages again and again
 *        reads syncs ROUNDS        writes a part of a page and has it on the device, again and again
 *        reads renames ROUNDS      gives a file another name again and again
 *        reads through BYTES SIZE  reads so many bytes of a new file from its beginning to its end, SIZE at a time, twice
 * Works in /tmp, or in the directory that LEGO_READS names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 20, MOST = 3 * PAGE };

static const char *names[] = { "reads.one", "reads.two" };
static char buffer[64 * 1024];
static uint64_t digest = 14695981039346656037u;
static uint32_t state;

static uint32_t next(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

static void see(const void *bytes, size_t length)
{
    for (size_t index = 0; index < length; index++)
        digest = (digest ^ ((const unsigned char *)bytes)[index]) * 1099511628211u;
}

static void saw(ssize_t got)
{
    see(&got, sizeof got);
    if (got > 0)
        see(buffer, got);
}

static int make(const char *name)
{
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file < 0)
        perror(name), exit(1);
    return file;
}

static char *map(int file, int kind)
{
    return !kind ? NULL : mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, kind, file, 0);
}

static void at_random(int kind, long steps)
{
    int file = make(names[0]), adds = open(names[0], O_WRONLY | O_APPEND);
    char *mapped = map(file, kind);
    for (long step = 0; step < steps; step++)
    {
        uint32_t action = next(100), offset = next(PAGES * PAGE - MOST), length = next(8) ? next(MOST) : next(64), fill = next(256);
        off_t size = lseek(file, 0, SEEK_END);
        if (action < 50)
        {
            /* The same places are read more often than once. */
            offset = next(2) ? offset : offset / PAGE * PAGE;
            saw(pread(file, buffer, next(3) ? length : PAGE, offset));
        }
        else if (action < 60)
        {
            struct iovec parts[2] = { { buffer, length / 3 }, { buffer + length / 3, length - length / 3 } };
            lseek(file, offset, SEEK_SET);
            saw(readv(file, parts, 2));
            saw(read(file, buffer, 100));
        }
        else if (action < 72)
        {
            memset(buffer, fill, length);
            saw(pwrite(file, buffer, length, offset));
        }
        else if (action < 75 && size < (PAGES - 1) * PAGE)
        {
            memset(buffer, fill, 100);
            saw(write(adds, buffer, length % 100));
        }
        else if (action < 78)
        {
            saw(ftruncate(file, offset));
        }
        else if (action < 88 && offset < size && mapped)
        {
            see(mapped + offset, 1);
        }
        else if (action < 92 && offset < size && kind == MAP_SHARED)
        {
            memset(mapped + offset, fill, length < size - offset ? length : size - offset);
        }
        else if (action == 92)
        {
            saw(fsync(file));
        }
        else if (action == 93)
        {
            /* Another file gets the name, and its inode perhaps the number. */
            if (mapped)
                munmap(mapped, PAGES * PAGE);
            close(adds);
            close(make(names[1]));
            close(file);
            if (next(2))
                rename(names[1], names[0]);
            else
                unlink(names[0]);
            file = open(names[0], O_RDWR | O_CREAT, 0644);
            adds = open(names[0], O_WRONLY | O_APPEND);
            mapped = map(file, kind);
            memset(buffer, fill, length);
            saw(write(file, buffer, length));
        }
    }
    printf("%ld steps: %016lx\n", steps, digest);
    close(adds);
    close(file);
    unlink(names[0]);
}

static void again(long rounds)
{
    int file = make(names[0]);
    for (int page = 0; page < PAGES; page++)
    {
        memset(buffer, page + 1, PAGE);
        saw(pwrite(file, buffer, PAGE, page * PAGE));
    }
    for (long round = 0; round < rounds; round++)
        for (int page = 0; page <= PAGES; page++)
        {
            ssize_t got = pread(file, buffer, PAGE, page * PAGE);
            if (got != (page < PAGES ? PAGE : 0) || (got && (buffer[0] != page + 1 || buffer[PAGE - 1] != page + 1)))
                printf("page %d: %zd bytes\n", page, got);
        }
    close(file);
    unlink(names[0]);
}

static void rewrites(long rounds)
{
    int file = make(names[0]);
    for (long round = 0; round <= rounds; round++)
        for (int page = 0; page < PAGES; page++)
        {
            memset(buffer, round + page, PAGE);
            if (pwrite(file, buffer, PAGE, page * PAGE) != PAGE || pwrite(file, "part", 4, page * PAGE + 100) != 4)
                perror("pwrite");
        }
    close(file);
    file = open(names[0], O_RDONLY);
    for (int page = 0; page < PAGES; page++)
        if (pread(file, buffer, PAGE, page * PAGE) != PAGE || buffer[99] != (char)(rounds + page) || memcmp(buffer + 100, "part", 4) != 0)
            printf("page %d is another\n", page);
    close(file);
    unlink(names[0]);
}

static void syncs(long rounds)
{
    int file = make(names[0]);
    for (int page = 0; page < PAGES; page++)
        if (write(file, buffer, PAGE) != PAGE)
            perror("write");
    for (long round = 0; round < rounds; round++)
        if (pwrite(file, &round, sizeof round, 0) != sizeof round || fsync(file) != 0)
            perror("fsync");
    close(file);
    unlink(names[0]);
}

static void renames(long rounds)
{
    close(make(names[0]));
    for (long round = 0; round < rounds; round++)
        if (rename(names[round % 2], names[(round + 1) % 2]) != 0)
            perror("rename");
    unlink(names[rounds % 2]);
}

static void through(long bytes, size_t size)
{
    int file = make(names[0]);
    for (long done = 0; done < bytes; done += sizeof buffer)
    {
        memset(buffer, done >> 16, sizeof buffer);
        if (write(file, buffer, sizeof buffer) != sizeof buffer)
            perror("write");
    }
    for (int round = 0; round < 2; round++)
    {
        long total = 0;
        lseek(file, 0, SEEK_SET);
        for (ssize_t got; (got = read(file, buffer, size)) > 0; total += got)
            see(buffer, 1);
        printf("%ld bytes: %016lx\n", total, digest);
    }
    close(file);
    unlink(names[0]);
}

int main(int count, char **words)
{
    const char *folder = getenv("LEGO_READS");
    if (count < 3 || chdir(folder ? folder : "/tmp") != 0)
        return 2;
    if (strcmp(words[1], "again") == 0)
        again(atol(words[2]));
    else if (strcmp(words[1], "rewrites") == 0)
        rewrites(atol(words[2]));
    else if (strcmp(words[1], "syncs") == 0)
        syncs(atol(words[2]));
    else if (strcmp(words[1], "renames") == 0)
        renames(atol(words[2]));
    else if (strcmp(words[1], "through") == 0 && count > 3)
        through(atol(words[2]), atol(words[3]) < (long)sizeof buffer ? atol(words[3]) : sizeof buffer);
    else
    {
        state = atoi(words[1]);
        at_random(state % 3 == 0 ? 0 : state % 3 == 1 ? MAP_SHARED : MAP_PRIVATE, atol(words[2]));
    }
    return 0;
}

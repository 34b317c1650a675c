/* Pipes of packets (pipe2 with O_DIRECT). Prints the same lines on every Linux.
 * gcc -O1 -static -o packets packets.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "results.h"

static char room[70000];

/* One read: how much, and the first letter. */
static void take(int file, size_t most)
{
    room[0] = '-';
    printf(" %s", result(read(file, room, most)));
    putchar(room[0]);
}

static int waiting(int file)
{
    int count = -1;
    ioctl(file, FIONREAD, &count);
    return count;
}

static void events(int reader, int writer)
{
    struct pollfd both[2] = {{reader, POLLIN, 0}, {writer, POLLOUT, 0}};
    poll(both, 2, 0);
    printf(", events %x %x", both[0].revents, both[1].revents);
}

static void lengths(void)
{
    int ends[2];
    printf("made %s", done(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC)));
    printf(", flags %x %x\n", fcntl(ends[0], F_GETFL), fcntl(ends[1], F_GETFL));
    printf("written %s", result(write(ends[1], "first", 5)));
    printf(" %s", result(write(ends[1], "second one", 10)));
    printf(" %s", result(write(ends[1], "", 0)));
    struct iovec parts[2] = {{"th", 2}, {"ird", 3}};
    printf(" %s", result(writev(ends[1], parts, 2)));
    printf(", waiting %d, read", waiting(ends[0]));
    take(ends[0], 100);
    take(ends[0], 0);
    take(ends[0], 3);
    take(ends[0], 100);
    take(ends[0], 100);
    memset(room, 'l', 10000);
    printf("\nlong %s", result(write(ends[1], room, 10000)));
    printf(", waiting %d, read", waiting(ends[0]));
    take(ends[0], sizeof room);
    take(ends[0], sizeof room);
    take(ends[0], sizeof room);
    take(ends[0], sizeof room);
    int count = 0;
    while (write(ends[1], "x", 1) == 1)
        count++;
    printf("\nsmall ones %d, then %s", count, done(-1));
    events(ends[0], ends[1]);
    take(ends[0], 10);
    events(ends[0], ends[1]);
    while (read(ends[0], room, 1) > 0)
        ;
    memset(room, 'f', 4096);
    for (count = 0; write(ends[1], room, 4096) == 4096; count++)
        ;
    printf(", full ones %d %d", count, waiting(ends[0]));
    printf(", smaller %s", done(fcntl(ends[1], F_SETPIPE_SZ, 4096)));
    take(ends[0], 4096);
    printf(", partly %s\n", result(write(ends[1], room, 8192)));
    while (read(ends[0], room, 1) > 0)
        ;
    printf("smaller %s", result(fcntl(ends[1], F_SETPIPE_SZ, 4096)));
    printf(" %s", result(write(ends[1], "one", 3)));
    printf(" %s", result(write(ends[1], "two", 3)));
    printf(", from nowhere %s", done(write(ends[1], (void *)1, 3)));
    printf(", to nowhere %s", done(read(ends[0], (void *)1, 3)));
    take(ends[0], 10);
    printf(", from nowhere %s", done(write(ends[1], (void *)1, 3)));
    take(ends[0], 10);
    events(ends[0], ends[1]);
    write(ends[1], "last", 4);
    close(ends[1]);
    take(ends[0], 10);
    take(ends[0], 10);
    puts("");
}

static void waits(void)
{
    int ends[2];
    pipe2(ends, O_DIRECT);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        memset(room, 'w', sizeof room);
        _exit(write(ends[1], room, sizeof room) == sizeof room && write(ends[1], "end", 3) == 3 ? 3 : 1);
    }
    close(ends[1]);
    usleep(20000);
    long total = 0, length, reads = 0;
    while ((length = read(ends[0], room, sizeof room)) > 0) {
        total += length;
        reads++;
    }
    printf("a long write: %ld bytes in %ld reads, writer %d\n", total, reads, wait_for(child));
    pipe2(ends, O_DIRECT);
    child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], room, 100));
    }
    usleep(20000);
    write(ends[1], "wakes", 5);
    printf("a reader that waits: %d\n", wait_for(child));
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    printf("no reader: %s\n", done(write(ends[1], "x", 1)));
}

int main(void)
{
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    lengths();
    waits();
    return 0;
}

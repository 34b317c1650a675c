/* Memory that moves and leaves its place mapped, files whose pages are mapped in another order, and what becomes of a process that acts as
 * another user. Prints the same lines on every Linux.
 * gcc -O1 -static -o remaps remaps.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "results.h"
#include "users.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { PAGE = 4096 };

/* The library's function leaves the new address out where it need not be one. */
static void *change(void *from, size_t old, size_t new, long flags, void *to)
{
    return (void *)syscall(SYS_mremap, from, old, new, flags, to);
}

static const char *moved(void *to)
{
    return to == MAP_FAILED ? strerrorname_np(errno) : "yes";
}

static char *mapped(int pages)
{
    char *at = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < pages; i++)
        at[i * PAGE] = 'a' + i;
    return at;
}

static void kept(void)
{
    char *at = mapped(4);
    char *to = change(at + PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf("moved %s elsewhere %d: %c%c, left %c%d%d%c", moved(to), to != at + PAGE, to[0], to[PAGE], at[0], at[PAGE], at[2 * PAGE],
           at[3 * PAGE]);
    at[PAGE] = 'n';
    printf(", written %c %c\n", at[PAGE], to[0]);
    char *there = mapped(4);
    to = change(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, there + PAGE);
    printf("to a place %s %d: %c%c%c, left %d", moved(to), to == there + PAGE, there[0], there[PAGE], there[2 * PAGE], at[0]);
    mprotect(at + 3 * PAGE, PAGE, PROT_READ);
    to = change(at + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf(", read only %c %d %s\n", to[0], at[3 * PAGE], done(read(open("/dev/zero", O_RDONLY), at + 3 * PAGE, 1)));
    printf("not to move %s, another length %s", moved(change(there, PAGE, PAGE, MREMAP_DONTUNMAP, NULL)),
           moved(change(there, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL)));
    printf(", none %s, odd %s", moved(change(there, 0, 0, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL)),
           moved(change(there + 1, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL)));
    printf(", unknown flag %s", moved(change(there, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | 8, NULL)));
    printf(", onto itself %s", moved(change(there, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, there + PAGE)));
    munmap(there, 4 * PAGE);
    printf(", nothing there %s\n", moved(change(there, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL)));
}

/* Pages of files stay where they are as well, private ones as the file has them. */
static void kept_files(void)
{
    int file = memfd_create("kept", 0);
    ftruncate(file, 2 * PAGE);
    pwrite(file, "f", 1, 0);
    char *shared = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *own = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    own[0] = 'o';
    shared[PAGE] = 's';
    char *to = change(shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    char *other = change(own, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf("shared moved %s %c%c, left %c%c", moved(to), to[0], to[PAGE], shared[0], shared[PAGE]);
    to[0] = 'n';
    printf(", written %c, private moved %s %c%c, left %c%c", shared[0], moved(other), other[0], other[PAGE], own[0], own[PAGE]);
    char *again = change(shared, 0, 2 * PAGE, MREMAP_MAYMOVE, NULL);
    printf(", shared once more %s", moved(again));
    again[1] = 'm';
    printf(" %c%c %c%c, private %s\n", again[0], again[PAGE], shared[1], to[1], moved(change(own, 0, PAGE, MREMAP_MAYMOVE, NULL)));
    printf("once more without a move %s, of nothing %s", moved(change(shared, 0, PAGE, 0, NULL)), moved(change((void *)0x3000000000, 0, PAGE, MREMAP_MAYMOVE, NULL)));
    char *hint = mmap(0, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hint, 4 * PAGE);
    char *at = mapped(1);
    to = change(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, hint + PAGE);
    printf(", to a free place that was asked for %d %c\n", to == hint + PAGE, to[0]);
}

static volatile int moving;
static volatile int faults;
static char *volatile place;

static void fault(int signal)
{
    faults++;
    moving = 0;
}

static void *touches(void *unused)
{
    signal(SIGSEGV, fault);
    while (moving)
        for (int i = 0; i < 8; i++)
            place[i * PAGE] = 't';
    return NULL;
}

/* No thread finds the place unmapped that pages leave. */
static void watched(void)
{
    pthread_t thread;
    place = mapped(8);
    moving = 1;
    pthread_create(&thread, NULL, touches, NULL);
    for (int i = 0; i < 200; i++) {
        char *to = change(place, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
        if (to == MAP_FAILED)
            printf("not moved: %s\n", strerrorname_np(errno));
        else
            munmap(to, 8 * PAGE);
    }
    moving = 0;
    if (faults)
        puts("a thread has found nothing there"), fflush(stdout), _exit(1);
    pthread_join(thread, NULL);
    puts("watched: no fault");
}

static long rearrange(void *start, size_t size, int protection, size_t page)
{
    return syscall(SYS_remap_file_pages, start, size, protection, page, 0);
}

static void show(const char *what, const char *at, int pages)
{
    printf("%s", what);
    for (int i = 0; i < pages; i++)
        putchar(at[i * PAGE]);
}

static void files(void)
{
    int file = memfd_create("remaps", 0);
    ftruncate(file, 8 * PAGE);
    for (int i = 0; i < 8; i++)
        pwrite(file, (char[]){'a' + i}, 1, i * PAGE);
    char *at = mmap(0, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    show("as mapped ", at, 6);
    printf(", rearranged %s %s", done(rearrange(at, PAGE, 0, 5)), done(rearrange(at + 2 * PAGE, 2 * PAGE, 0, 6)));
    show(" ", at, 6);
    at[0] = 'F';
    show(", written ", at, 6);
    printf(", over several %s", done(rearrange(at + PAGE, 4 * PAGE, 0, 0)));
    show(" ", at, 6);
    char *own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), *shared = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE,
         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    printf("\nprivate %s, nothing %s, protection %s, length %s, too far %s", done(rearrange(own, PAGE, 0, 0)),
           done(rearrange((void *)PAGE, PAGE, 0, 0)), done(rearrange(at, PAGE, PROT_READ, 0)), done(rearrange(at, 100, 0, 0)),
           done(rearrange(at, PAGE, 0, -1)));
    shared[0] = 'x';
    shared[PAGE] = 'y';
    printf(", shared memory %s", done(rearrange(shared, PAGE, 0, 1)));
    show(" ", shared, 2);
    puts("");
}

static void users(void)
{
    prctl(PR_SET_DUMPABLE, 1);
    printf("dumpable %d", prctl(PR_GET_DUMPABLE));
    fflush(stdout);
    for (int way = 0; way < 6; way++) {
        if (fork() == 0) {
            int signal = 0;
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            if (way == 0)
                setresuid(0, 0, 0);
            if (way == 1)
                setresuid(1000, -1, -1);
            if (way == 2)
                setreuid(-1, 1000);
            if (way == 3)
                setegid(1000);
            if (way == 4)
                setfsuid(1000);
            if (way == 5)
                setfsgid(1000);
            prctl(PR_GET_PDEATHSIG, &signal);
            printf(", %d: %d signal %d", way, prctl(PR_GET_DUMPABLE), signal);
            if (way == 2)
                printf(" again %d %d", prctl(PR_SET_DUMPABLE, 1), prctl(PR_GET_DUMPABLE));
            fflush(stdout);
            _exit(0);
        }
        wait(0);
    }
    puts("");
}

int main(void)
{
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    kept();
    kept_files();
    watched();
    files();
    users();
    return 0;
}

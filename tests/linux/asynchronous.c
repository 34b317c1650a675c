/* asynchronous DIR: Linux's asynchronous input and output (io_setup, io_submit and their neighbours), and the flags of single transfers.
 * gcc -O1 -static -o asynchronous asynchronous.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

static aio_context_t context;
static char path[4096];

static long submit(long count, struct iocb **requests)
{
    return syscall(SYS_io_submit, context, count, requests);
}

static long one(struct iocb *request)
{
    return syscall(SYS_io_submit, context, 1, &request);
}

static long events(long least, long most, struct io_event *to, struct timespec *time)
{
    return syscall(SYS_io_getevents, context, least, most, to, time);
}

/* All events that there are, in one line. */
static void told(void)
{
    struct io_event list[8];
    struct timespec none = {0, 0};
    long count = events(0, 8, list, &none);
    printf(" told %ld:", count);
    for (int i = 0; i < count; i++)
        printf(" %llx=%s/%lld", list[i].data, list[i].res < 0 ? strerrorname_np(-list[i].res) : "", list[i].res < 0 ? 0 : list[i].res);
    puts("");
}

static struct iocb request(int command, int file, void *bytes, size_t length, long offset)
{
    static int number = 0x100;
    struct iocb made = {.aio_data = number++, .aio_key = 77, .aio_lio_opcode = command, .aio_fildes = file,
           .aio_buf = (unsigned long)bytes,
                        .aio_nbytes = length, .aio_offset = offset};
    return made;
}

static void contexts(void)
{
    aio_context_t other = 1;
    printf("not zero %s", done(syscall(SYS_io_setup, 5, &other)));
    other = 0;
    printf(", none %s", done(syscall(SYS_io_setup, 0, &other)));
    printf(", nowhere %s, too many %s %s", done(syscall(SYS_io_setup, 5, 1)), done(syscall(SYS_io_setup, 0x7fffffff, &other)),
           done(syscall(SYS_io_setup, 10000000, &other)));
    printf(", made %s", done(syscall(SYS_io_setup, 10, &context)));
    printf(", readable %d", *(volatile char *)context >= -128);
    printf(", second %s", done(syscall(SYS_io_setup, 10, &other)));
    printf(" %d, destroyed %s", other != context, done(syscall(SYS_io_destroy, other)));
    printf(", again %s, zero %s\n", done(syscall(SYS_io_destroy, other)), done(syscall(SYS_io_destroy, 0)));
    fflush(stdout);
    if (fork() == 0) {
        printf("a child's: submit %s", done(submit(0, 0)));
        printf(", destroy %s\n", done(syscall(SYS_io_destroy, context)));
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    struct timespec none = {0, 0};
    struct io_event list[2];
    printf("nothing yet: %s %s", result(events(0, 1, list, 0)), result(events(1, 1, list, &none)));
    printf(", %s", result(events(0, 0, list, 0)));
    struct timespec soon = {0, 20000000};
    printf(", soon %s, least above most %s, negative %s %s", result(events(1, 1, list, &soon)), result(events(2, 1, list, &none)),
           result(events(-1, 1, list, &none)), result(events(0, -1, list, &none)));
    printf(", time nowhere %s", result(events(1, 1, list, (void *)1)));
    printf(", no context %s\n", done(syscall(SYS_io_getevents, 1, 1, 1, list, 0)));
}

static void requests(void)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char bytes[16] = "asynchronously", room[16] = "", more[16] = "";
    struct iocb written = request(IOCB_CMD_PWRITE, file, bytes, 14, 100);
    struct iocb first = request(IOCB_CMD_PREAD, file, room, 15, 101);
    struct iovec parts[2] = {{more, 3}, {more + 8, 5}};
    struct iocb readv = request(IOCB_CMD_PREADV, file, parts, 2, 100);
    struct iovec given[2] = {{"<<", 2}, {">>", 2}};
    struct iocb writev = request(IOCB_CMD_PWRITEV, file, given, 2, 98);
    struct iocb *list[] = {&written, &first, &readv, &writev};
    printf("submitted %s", result(submit(4, list)));
    printf(" key %d", written.aio_key);
    told();
    printf("read %s, %s %s, length %ld\n", room, more, more + 8, (long)lseek(file, 0, SEEK_END));
    struct iocb again = request(IOCB_CMD_PREAD, file, room, 6, 98), behind = request(IOCB_CMD_PREAD, file, room + 8, 5, 5000);
    struct iocb *second[] = {&again, &behind};
    printf("submitted %s", result(submit(2, second)));
    told();
    printf("%.6s\n", room);

    struct iocb sync = request(IOCB_CMD_FSYNC, file, 0, 0, 0), data = request(IOCB_CMD_FDSYNC, file, 0, 0, 0);
    printf("sync %s %s", result(one(&sync)), result(one(&data)));
    usleep(100000);
    struct io_event heard[2];
    printf(" %s %lld\n", result(events(2, 2, heard, 0)), heard[0].res);
    sync.aio_nbytes = 5;
    printf("sync of bytes %s", result(one(&sync)));
    int ends[2];
    pipe(ends);
    struct iocb pipes = request(IOCB_CMD_FSYNC, ends[1], 0, 0, 0);
    printf(", of a pipe %s", result(one(&pipes)));
    pipes = request(IOCB_CMD_PWRITE, ends[1], "into a pipe", 11, 0);
    printf(", pipe %s", result(one(&pipes)));
    pipes = request(IOCB_CMD_PREAD, ends[0], room, 16, 7);
    printf(" %s", result(one(&pipes)));
    told();
    printf("%.11s", room);
    struct iocb wrong = request(IOCB_CMD_PWRITE, ends[0], "x", 1, 0);
    printf(", wrong end %s", result(one(&wrong)));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    pipes = request(IOCB_CMD_PREAD, ends[0], room, 16, 0);
    printf(", empty %s", result(one(&pipes)));
    told();

    struct iocb bad = request(IOCB_CMD_PREAD, 99, room, 1, 0);
    printf("no file %s", result(one(&bad)));
    bad = request(IOCB_CMD_NOOP, file, 0, 0, 0);
    printf(", nothing to do %s", result(one(&bad)));
    bad = request(99, file, 0, 0, 0);
    printf(", unknown %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREAD, file, room, 1, -1);
    printf(", before the start %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREAD, file, room, -1, 0);
    printf(", negative %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREAD, file, (void *)-4096, 5, 0);
    printf(", wild %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREAD, file, (void *)4096, 5, 0);
    printf(", nowhere %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREAD, file, room, 1, 0);
    bad.aio_reserved2 = 1;
    printf(", reserved %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREAD, file, room, 1, 0);
    bad.aio_rw_flags = 0x80000000;
    printf(", flags %s", result(one(&bad)));
    bad = request(IOCB_CMD_PREADV, file, parts, 1025, 0);
    printf(", segments %s", result(one(&bad)));
    printf(", request nowhere %s, list nowhere %s", result(one((void *)1)), result(submit(1, (void *)1)));
    printf(", negative count %s, none %s", result(submit(-1, list)), result(submit(0, 0)));
    told();
    int reader = open(path, O_RDONLY);
    bad = request(IOCB_CMD_PWRITE, reader, room, 1, 0);
    struct iocb good = request(IOCB_CMD_PREAD, reader, room, 1, 100);
    struct iocb *mixed[] = {&good, &bad, &good};
    printf("one good, one bad: %s", result(submit(3, mixed)));
    told();

    int events_file = eventfd(0, 0);
    struct iocb notified = request(IOCB_CMD_PREAD, file, room, 3, 100);
    notified.aio_flags = IOCB_FLAG_RESFD;
    notified.aio_resfd = events_file;
    struct iocb *twice[] = {&notified, &notified};
    printf("with an event file %s", result(submit(2, twice)));
    unsigned long count = 0;
    eventfd_read(events_file, &count);
    printf(" %ld", count);
    told();
    notified.aio_resfd = file;
    printf("with another file %s", result(one(&notified)));
    notified.aio_resfd = 99;
    printf(", with none %s", result(one(&notified)));
    printf(", cancel what is done %s", done(syscall(SYS_io_cancel, context, &good, heard)));
    good.aio_key = 5;
    printf(" %s, nowhere %s\n", done(syscall(SYS_io_cancel, context, &good, heard)), done(syscall(SYS_io_cancel, context, 1, heard)));

    struct iocb appended = request(IOCB_CMD_PWRITE, file, "end", 3, 5);
    appended.aio_rw_flags = RWF_APPEND | RWF_DSYNC;
    printf("appended %s", result(one(&appended)));
    printf(", length %ld", (long)lseek(file, 0, SEEK_END));
    told();
    for (int i = 0; i < 3; i++)
        one(&good);
    printf("nowhere to tell %s", result(events(1, 3, (void *)1, 0)));
    told();
    close(file);
}

static void on_signal(int number)
{
    (void)number;
}

static void waits(void)
{
    int ends[2];
    pipe(ends);
    struct io_event list[2];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0);
    struct itimerspec soon = {.it_value = {0, 30000000}};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, 0, &timer);
    timer_settime(timer, 0, &soon, 0);
    printf("interrupted %s", result(events(1, 1, list, 0)));
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGALRM);
    struct {
        sigset_t *mask;
        size_t length;
    } wanted = {&mask, 8};
    timer_settime(timer, 0, &soon, 0);
    struct timespec later = {0, 80000000};
    printf(", masked %s", result(syscall(SYS_io_pgetevents, context, 1, 1, list, &later, &wanted)));
    wanted.length = 7;
    printf(", short mask %s", result(syscall(SYS_io_pgetevents, context, 1, 1, list, &later, &wanted)));
    wanted.length = 8;
    wanted.mask = (void *)1;
    printf(", mask nowhere %s %s", result(syscall(SYS_io_pgetevents, context, 1, 1, list, &later, &wanted)),
           result(syscall(SYS_io_pgetevents, context, 1, 1, list, &later, 1)));
    printf(", no mask %s\n", result(syscall(SYS_io_pgetevents, context, 1, 1, list, &later, NULL)));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        aio_context_t own = 0;
        syscall(SYS_io_setup, 1, &own);
        syscall(SYS_io_getevents, own, 1, 1, list, 0);
        _exit(1);
    }
    usleep(50000);
    kill(child, SIGKILL);
    printf("killed %d", wait_for(child));
    child = fork();
    if (child == 0) {
        aio_context_t own = 0;
        syscall(SYS_io_setup, 100, &own);
        execl("/proc/self/exe", "asynchronous", "exec", (char *)0);
        _exit(1);
    }
    printf(", executed %d\n", wait_for(child));
}

/* preadv2 and pwritev2. */
static void flags(void)
{
    char room[16] = "";
    struct iovec part = {room, 5}, none = {room, 0}, text = {"hello", 5};
    int ends[2], pair[2];
    pipe(ends);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    printf("empty pipe %s", result(preadv2(ends[0], &part, 1, -1, RWF_NOWAIT)));
    printf(", written %s", result(pwritev2(ends[1], &text, 1, -1, RWF_NOWAIT)));
    printf(", read %s", result(preadv2(ends[0], &part, 1, -1, RWF_NOWAIT)));
    printf(", at a place %s", result(preadv2(ends[0], &part, 1, 0, RWF_NOWAIT)));
    while (pwritev2(ends[1], &text, 1, -1, RWF_NOWAIT) > 0)
        ;
    printf(", full %s", done(-1));
    printf(", socket %s", result(preadv2(pair[0], &part, 1, -1, RWF_NOWAIT)));
    printf(", unknown %s, unknown for nothing %s\n", result(preadv2(ends[0], &part, 1, -1, 0x40000000)),
           result(preadv2(ends[0], &none, 1, -1, 0x40000000)));
    printf("file %s", result(pwritev2(file, &text, 1, 3, RWF_DSYNC)));
    printf(", appended %s", result(pwritev2(file, &text, 1, 0, RWF_APPEND | RWF_SYNC)));
    printf(", at its place %s", result(pwritev2(file, &text, 1, -1, RWF_HIPRI)));
    printf(", length %ld place %ld", (long)lseek(file, 0, SEEK_END), (long)lseek(file, 0, SEEK_CUR));
    printf(", read %s", result(preadv2(file, &part, 1, 1, RWF_NOWAIT | RWF_HIPRI)));
    printf(" %s, behind %s, bad place %s\n", room, result(preadv2(file, &part, 1, 100, RWF_NOWAIT)), result(preadv2(file, &part, 1,
           -2, 0)));
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "exec") == 0)
        return 9;
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    snprintf(path, sizeof path, "%s/asynchronous-file", count > 1 ? arguments[1] : "/tmp");
    contexts();
    requests();
    waits();
    flags();
    printf("destroyed %s\n", done(syscall(SYS_io_destroy, context)));
    unlink(path);
    return 0;
}

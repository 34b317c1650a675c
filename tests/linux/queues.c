/* POSIX message queues. Prints the same lines on every Linux.
 * gcc -O1 -static -pthread -o queues queues.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "results.h"
#include "users.h"

static char name[32], other[32];
static char room[8192];

static long receive(mqd_t queue)
{
    unsigned priority = 77;
    memset(room, 0, 64);
    long length = mq_receive(queue, room, sizeof room, &priority);
    if (length >= 0)
        printf(" [%s]%u", room, priority);
    return length;
}

static const char *state(mqd_t queue)
{
    static char texts[4][96];
    static int next;
    char *text = texts[next++ % 4];
    struct mq_attr now;
    if (mq_getattr(queue, &now) < 0)
        return strerrorname_np(errno);
    sprintf(text, "%lx %ld %ld %ld", now.mq_flags, now.mq_maxmsg, now.mq_msgsize, now.mq_curmsgs);
    return text;
}

static struct timespec in(long milliseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += milliseconds % 1000 * 1000000;
    now.tv_sec += milliseconds / 1000 + now.tv_nsec / 1000000000;
    now.tv_nsec %= 1000000000;
    return now;
}

static void opening(void)
{
    printf("absent %s", done(mq_open(name, O_RDWR)));
    printf(", no slash %s", done(mq_open(name + 1, O_RDWR)));
    printf(", empty %s %s", done(mq_open("", O_RDWR)), done(syscall(SYS_mq_open, "", O_RDWR, 0, 0)));
    printf(", root %s", done(mq_open("/", O_RDWR)));
    printf(", dots %s %s", done(mq_open("/.", O_RDWR | O_CREAT, 0600, 0)), done(mq_open("/..", O_RDWR)));
    printf(", path %s", done(mq_open("/a/b", O_RDWR | O_CREAT, 0600, 0)));
    printf(", bad %s %s\n", done(syscall(SYS_mq_open, 1, O_RDWR, 0, 0)), done(syscall(SYS_mq_open, name + 1, O_RDWR, 0, 1)));
    char text[300] = "/";
    memset(text + 1, 'q', 256);
    printf("256 letters %s", done(mq_open(text, O_RDWR | O_CREAT, 0600, 0)));
    text[256] = 0;
    printf(", 255 %s", done(mq_open(text, O_RDWR | O_CREAT, 0600, 0)));
    printf(" %s", done(mq_unlink(text)));
    text[256] = 'q';
    printf(", unlink long %s, absent %s, no slash %s\n", done(mq_unlink(text)), done(mq_unlink("/absent-queue")),
           done(mq_unlink("absent")));

    umask(022);
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, 0);
    printf("made %s, again %s, not exclusive %s", done(queue), done(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, 0)),
           done(mq_open(name, O_RDONLY | O_CREAT, 0, 0)));
    printf(", neither %s, direct %s\n", done(syscall(SYS_mq_open, name + 1, 3, 0, 0)), done(syscall(SYS_mq_open, name + 1,
           O_DIRECT, 0, 0)));
    struct stat status;
    fstat(queue, &status);
    printf("mode %o size %ld links %ld owner %d type %d", status.st_mode, (long)status.st_size, (long)status.st_nlink,
           status.st_uid == geteuid(),
           S_ISREG(status.st_mode));
    printf(", flags %x, at exec %x", fcntl(queue, F_GETFL) & ~O_LARGEFILE, fcntl(queue, F_GETFD));
    char link[64], target[64] = "";
    sprintf(link, "/proc/self/fd/%d", queue);
    long length = readlink(link, target, 63);
    printf(", link %d", length == (long)strlen(name) && strcmp(target, name) == 0);
    printf(", chmod %s %s\n", done(fchmod(queue, 0640)), done(fchown(queue, 0, 5)));
    fstat(queue, &status);
    printf("mode %o group %d, state %s\n", status.st_mode, status.st_gid, state(queue));
    printf("unlink %s", done(mq_unlink(name)));
    printf(", again %s, still %s", done(mq_unlink(name)), state(queue));
    fstat(queue, &status);
    printf(", links %ld", (long)status.st_nlink);
    printf(", seek %s %s %s", result(lseek(queue, 3, SEEK_SET)), result(lseek(queue, -1, SEEK_END)), result(lseek(queue, -3, SEEK_SET)));
    printf(", write %s, room %s\n", done(write(queue, "x", 1)), "yes");
    printf("close %s", done(mq_close(queue)));
    printf(" %s\n", done(mq_close(queue)));
}

static void sizes(void)
{
    long sizes[][2] = {{0, 10}, {10, 0}, {-1, 5}, {5, -1}, {10, 8192}, {11, 10}, {65536, 1}, {1, 8193}, {1, 8192},
               {1, LONG_MAX}, {3, 1}, {LONG_MAX, 1}};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mq_attr wanted = {0x800, sizes[i][0], sizes[i][1], 5, {0}};
        mqd_t queue;
        AS(1000, 1000, queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &wanted);
           printf("%ld x %ld: %s", sizes[i][0], sizes[i][1], done(queue));
           printf(" %s\n", queue < 0 ? "none" : state(queue)); mq_unlink(name));
    }
    struct rlimit limit;
    getrlimit(RLIMIT_MSGQUEUE, &limit);
    printf("limit %ld %ld\n", (long)limit.rlim_cur, (long)limit.rlim_max);
    AS(1003, 1003, {
        mqd_t queues[20];
        int count = 0;
        for (; count < 20; count++) {
            char text[64];
            sprintf(text, "%s-%d", name, count);
            if ((queues[count] = mq_open(text, O_RDWR | O_CREAT, 0600, 0)) < 0)
                break;
        }
        printf("a user's queues: %d, then %s\n", count, done(-1));
        for (int i = 0; i < count; i++) {
            char text[64];
            sprintf(text, "%s-%d", name, i);
            mq_unlink(text);
            if (i != 3)
                mq_close(queues[i]);
        }
        struct rlimit low = {165760, 819200};
        setrlimit(RLIMIT_MSGQUEUE, &low);
        printf("one unlinked and open, room for another %s", done(mq_open(name, O_RDWR | O_CREAT, 0600, 0)));
        printf(", and a third %s", done(mq_open(other, O_RDWR | O_CREAT, 0600, 0)));
        mq_close(queues[3]);
        printf(", without the first %s", done(mq_open(other, O_RDWR | O_CREAT, 0600, 0)));
        printf(" %s %s\n", done(mq_unlink(name)), done(mq_unlink(other)));
    });
}

static void rights(void)
{
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0604, 0);
    fchmod(queue, 0604);
    AS(1000, 1000, {
        printf("other: read %s", done(mq_open(name, O_RDONLY)));
        printf(", write %s, both %s", done(mq_open(name, O_WRONLY)), done(mq_open(name, O_RDWR)));
        printf(", exclusive %s, unlink %s", done(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, 0)), done(mq_unlink(name)));
        printf(", chmod %s\n", done(fchmod(queue, 0666)));
    });
    mqd_t reader = mq_open(name, O_RDONLY), writer = mq_open(name, O_WRONLY);
    printf("send by reader %s, receive by writer %s", done(mq_send(reader, "x", 1, 0)), done(mq_receive(writer, room, sizeof room, 0)));
    int file = open("/dev/null", O_RDWR);
    printf(", of a device %s %s %s %s", done(mq_send(file, "x", 1, 0)), done(mq_receive(file, room, sizeof room, 0)), state(file),
           done(mq_notify(file, 0)));
    printf(", of nothing %s %s %s %s\n", done(mq_send(99, "x", 1, 0)), done(mq_receive(99, room, sizeof room, 0)), state(99),
           done(mq_notify(99, 0)));
    struct timespec bad = {0, 1000000000}, wrong = {-1, 0};
    printf("time %s %s %s", done(mq_timedsend(writer, "x", 1, 0, &bad)), done(mq_timedsend(99, "x", 1, 0, &wrong)),
           done(mq_timedreceive(reader, room, sizeof room, 0, &bad)));
    printf(", at nowhere %s", done(syscall(SYS_mq_timedsend, writer, "x", 1, 0, 1)));
    printf(", priority %s %s", done(mq_send(writer, "x", 1, 32768)), done(mq_send(99, "x", 1, -1)));
    printf(", long %s", done(mq_send(writer, room, 8193, 0)));
    printf(", from nowhere %s", done(syscall(SYS_mq_timedsend, writer, 1, 5, 0, 0)));
    printf(", short room %s\n", done(mq_receive(reader, room, 8191, 0)));
    printf("highest %s, empty %s", done(mq_send(writer, "x", 1, 32767)), done(mq_send(writer, "", 0, 0)));
    printf(", to nowhere %s", done(syscall(SYS_mq_timedreceive, reader, 1, sizeof room, 0, 0)));
    printf(", priority to nowhere %s", done(syscall(SYS_mq_timedreceive, reader, room, sizeof room, 1, 0)));
    printf(", left %s\n", state(reader));
    struct mq_attr set = {O_NONBLOCK, 3, 3, 3, {0}}, before;
    printf("set %s", done(mq_setattr(reader, &set, &before)));
    printf(" %lx, then %s", before.mq_flags, state(reader));
    set.mq_flags = O_NONBLOCK | O_APPEND;
    printf(", more %s, at nowhere %s %s", done(mq_setattr(reader, &set, 0)), done(syscall(SYS_mq_getsetattr, reader, 1, 0)),
           done(syscall(SYS_mq_getsetattr, reader, 0, 1)));
    printf(", nothing %s, flags %x\n", done(syscall(SYS_mq_getsetattr, reader, 0, 0)), fcntl(reader, F_GETFL) & ~O_LARGEFILE);
    mq_close(reader);
    mq_close(writer);
    mq_close(queue);
    mq_unlink(name);
}

static void order(void)
{
    struct mq_attr wanted = {0, 6, 8192, 0, {0}};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &wanted);
    printf("empty %s", done(mq_receive(queue, room, sizeof room, 0)));
    const char *texts[] = {"low", "high", "low too", "middle", "high too", "lowest"};
    unsigned priorities[] = {1, 9, 1, 5, 9, 0};
    for (int i = 0; i < 6; i++)
        mq_send(queue, texts[i], strlen(texts[i]) + 1, priorities[i]);
    printf(", full %s, %s:", done(mq_send(queue, "x", 1, 1)), state(queue));
    char text[128] = "";
    lseek(queue, 0, SEEK_SET);
    long length = read(queue, text, sizeof text);
    receive(queue);
    mq_send(queue, "highest", 8, 10);
    while (receive(queue) >= 0)
        ;
    printf(" %s\nread %ld %s", done(-1), length, text);
    fcntl(queue, F_SETFL, 0);
    struct timespec soon = in(20), past = {1, 0};
    printf("late %s %s", done(mq_timedreceive(queue, room, sizeof room, 0, &soon)), done(mq_timedreceive(queue, room, sizeof room,
           0, &past)));
    for (int i = 0; i < 6; i++)
        mq_send(queue, texts[i], strlen(texts[i]) + 1, i);
    soon = in(20);
    printf(", full %s %s", done(mq_timedsend(queue, "x", 1, 0, &soon)), done(mq_timedsend(queue, "x", 1, 0, &past)));
    while (mq_timedreceive(queue, room, sizeof room, 0, &past) >= 0)
        ;
    memset(room, 'z', sizeof room);
    printf(", large %s", done(mq_send(queue, room, sizeof room, 3)));
    memset(room, 0, sizeof room);
    printf(" %s", result(mq_receive(queue, room, sizeof room, 0)));
    printf(" %d\n", room[0] == 'z' && room[8191] == 'z');
    mq_close(queue);
    mq_unlink(name);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    printf(" (signal %d code %d value %d from child %d)", number, info->si_code, info->si_value.sival_int, info->si_pid != getpid());
}

/* Until a process sleeps in its call. */
static void until_asleep(pid_t process)
{
    char path[64], text[512];
    sprintf(path, "/proc/%d/stat", process);
    for (;;) {
        FILE *file = fopen(path, "r");
        if (file && fgets(text, sizeof text, file) && strchr(text, ')') && strchr(text, ')')[2] == 'S') {
            fclose(file);
            return;
        }
        fclose(file);
        usleep(2000);
    }
}

static void waits(void)
{
    struct mq_attr wanted = {0, 1, 8192, 0, {0}};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &wanted);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("received");
        fflush(stdout);
        receive(queue);
        fflush(stdout);
        _exit(3);
    }
    until_asleep(child);
    mq_send(queue, "at last", 8, 4);
    printf(" %d, left %s\n", wait_for(child), state(queue));
    mq_send(queue, "first", 6, 1);
    child = fork();
    if (child == 0)
        _exit(mq_send(queue, "second", 7, 2) == 0 ? 5 : 1);
    until_asleep(child);
    printf("one and one that waits:");
    receive(queue);
    printf(" %d", wait_for(child));
    receive(queue);
    puts("");
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    for (int restarts = 0; restarts < 2; restarts++) {
        action.sa_flags = SA_SIGINFO | (restarts ? SA_RESTART : 0);
        fflush(stdout);
        child = fork();
        if (child == 0) {
            sigaction(SIGUSR1, &action, 0);
            printf("interrupted");
            fflush(stdout);
            printf(" %s\n", done(receive(queue)));
            fflush(stdout);
            _exit(0);
        }
        until_asleep(child);
        sigqueue(child, SIGUSR1, (union sigval){.sival_int = 12});
        usleep(20000);
        if (restarts)
            mq_send(queue, "again", 6, 0);
        wait_for(child);
    }
    child = fork();
    if (child == 0)
        receive(queue);
    until_asleep(child);
    kill(child, SIGKILL);
    printf("killed %d", wait_for(child));
    mq_send(queue, "nobody", 7, 0);
    printf(", left %s", state(queue));
    receive(queue);
    puts("");
    mq_close(queue);
    mq_unlink(name);
}

static void polls(void)
{
    struct mq_attr wanted = {0, 2, 100, 0, {0}};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &wanted);
    struct pollfd poller = {queue, POLLIN | POLLOUT | POLLPRI, 0};
    for (int i = 0; i < 3; i++) {
        printf("%d: %d %x, ", i, poll(&poller, 1, 0), poller.revents);
        if (i < 2)
            mq_send(queue, "x", 1, 0);
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET, {.u32 = 7}};
    printf("epoll %s", done(epoll_ctl(epoll, EPOLL_CTL_ADD, queue, &event)));
    for (int i = 0; i < 4; i++) {
        event.events = 0;
        printf(" %d", epoll_wait(epoll, &event, 1, 0));
        printf(" %x", event.events);
        if (i == 0 || i == 2)
            mq_receive(queue, room, 100, 0);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        poller.events = POLLIN;
        _exit(poll(&poller, 1, -1) == 1 ? poller.revents : 99);
    }
    until_asleep(child);
    mq_send(queue, "x", 1, 0);
    printf(", woken %d\n", wait_for(child));
    close(epoll);
    mq_close(queue);
    mq_unlink(name);
}

static volatile int told;

static void on_thread(union sigval value)
{
    told = value.sival_int;
}

static void notices(void)
{
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, 0), second = mq_open(name, O_RDWR);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR2, &action, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 55};
    printf("listen %s", done(mq_notify(queue, &event)));
    printf(", again %s, elsewhere %s", done(mq_notify(queue, &event)), done(mq_notify(second, &event)));
    event.sigev_notify = 7;
    printf(", unknown %s", done(mq_notify(queue, &event)));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    printf(", no signal %s", done(mq_notify(queue, &event)));
    printf(", at nowhere %s", done(syscall(SYS_mq_notify, queue, 1)));
    char text[128] = "";
    pread(queue, text, sizeof text - 1, 0);
    char *process = strstr(text, "NOTIFY_PID:");
    printf(", read %d %.*s", process && atoi(process + 11) == getpid(), process ? (int)(process - text) : 0, text);
    fflush(stdout);
    if (fork() == 0) {
        mq_notify(queue, 0);
        mq_close(queue);
        mq_send(second, "from a child", 13, 0);
        _exit(0);
    }
    wait(0);
    printf(", told:");
    receive(queue);
    mq_send(queue, "unheard", 8, 0);
    receive(queue);
    event.sigev_signo = SIGUSR2;
    mq_send(queue, "before", 7, 0);
    printf("\nnot empty %s", done(mq_notify(queue, &event)));
    mq_send(queue, "second", 7, 0);
    receive(queue);
    receive(queue);
    mq_send(queue, "first again", 12, 0);
    receive(queue);
    printf(", on %s", done(mq_notify(queue, &event)));
    printf(", off %s", done(mq_notify(queue, 0)));
    mq_send(queue, "unheard", 8, 0);
    receive(queue);
    printf(", by a copy's end %s", done(mq_notify(queue, &event)));
    close(dup(second));
    mq_send(queue, "unheard", 8, 0);
    receive(queue);
    puts("");

    /* Who waits goes before who listens. */
    mq_notify(queue, &event);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        receive(queue);
        fflush(stdout);
        _exit(0);
    }
    until_asleep(child);
    mq_send(queue, "to the waiter", 14, 0);
    wait_for(child);
    mq_send(queue, "to the listener", 16, 0);
    receive(queue);
    event.sigev_notify = SIGEV_NONE;
    printf(", nothing %s", done(mq_notify(queue, &event)));
    printf(" %s", done(mq_notify(queue, &event)));
    mq_send(queue, "x", 2, 0);
    receive(queue);
    printf(" %s %s", done(mq_notify(queue, &event)), done(mq_notify(queue, 0)));
    fflush(stdout);
    if (fork() == 0) {
        mq_notify(queue, &event);
        _exit(0);
    }
    wait(0);
    printf(", the listener has ended %s\n", done(mq_notify(queue, &event)));
    mq_notify(queue, 0);

    struct sigevent thread = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_int = 99};
    printf("thread %s", done(mq_notify(queue, &thread)));
    mq_send(queue, "for a thread", 13, 0);
    while (!told)
        usleep(1000);
    printf(" %d", told);
    receive(queue);
    int netlink = socket(AF_NETLINK, SOCK_RAW, 0);
    char cookie[32] = "cookie", heard[64];
    struct sigevent raw = {.sigev_notify = SIGEV_THREAD, .sigev_signo = netlink, .sigev_value.sival_ptr = cookie};
    printf(", raw %s", done(syscall(SYS_mq_notify, queue, &raw)));
    struct pollfd poller = {netlink, POLLIN, 0};
    printf(" %d", poll(&poller, 1, 0));
    mq_send(queue, "raw", 4, 0);
    printf(" %d", poll(&poller, 1, 0));
    printf(" %s", result(recv(netlink, heard, sizeof heard, MSG_DONTWAIT)));
    printf(" %s %d", heard, heard[31]);
    receive(queue);
    printf(", again %s", done(syscall(SYS_mq_notify, queue, &raw)));
    printf(", removed %s", done(mq_notify(queue, 0)));
    printf(" %s", result(recv(netlink, heard, sizeof heard, MSG_DONTWAIT)));
    printf(" %d", heard[31]);
    raw.sigev_signo = queue;
    printf(", no socket %s", done(syscall(SYS_mq_notify, queue, &raw)));
    raw.sigev_signo = 99;
    printf(" %s", done(syscall(SYS_mq_notify, queue, &raw)));
    raw.sigev_signo = socket(AF_UNIX, SOCK_STREAM, 0);
    printf(" %s", done(syscall(SYS_mq_notify, queue, &raw)));
    raw.sigev_value.sival_ptr = (void *)1;
    printf(", no cookie %s", done(syscall(SYS_mq_notify, queue, &raw)));
    raw.sigev_signo = netlink;
    raw.sigev_value.sival_ptr = cookie;
    printf(", again %s", done(syscall(SYS_mq_notify, queue, &raw)));
    printf(", socket gone %s", done(close(netlink)));
    printf(" %s\n", done(mq_send(queue, "x", 1, 0)));
    mq_close(queue);
    mq_close(second);
    mq_unlink(name);
}

int main(void)
{
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    sprintf(name, "/lego-queue-%d", getpid());
    sprintf(other, "/lego-other-%d", getpid());
    opening();
    sizes();
    rights();
    order();
    waits();
    polls();
    notices();
    return 0;
}

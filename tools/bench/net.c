// What the network costs a program that talks to a server on the host (tools/lego/bench/NetworkPeer.cs): one row a run, so that the same rows can
// be measured in turn on a rack and in a Linux guest with the same card. Run by `./lego bench net`.
//
// usage: net                       lists the rows: name, tab, what is measured
//        net ROW ADDRESS PORT      prints "BENCH ROW_ns N" or "BENCH ROW - REASON"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BlockBytes = 65536, Megabyte = 1000000, Megabytes = 16, Rounds = 500, WarmUp = 50, ReceiveSeconds = 5, Idle = 1000 };

static const char *row;
static struct sockaddr_in peer;
static char block[BlockBytes];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

// This side cannot run the row: says why, and is done.
static long check(const char *what, long result)
{
    if (result < 0) {
        printf("BENCH %s - %s: %s\n", row, what, strerror(errno));
        exit(0);
    }
    return result;
}

static int connect_to(int type)
{
    int s = (int)check("socket", socket(AF_INET, type, 0)), one = 1;
    check("connect", connect(s, (struct sockaddr *)&peer, sizeof peer));
    if (type == SOCK_STREAM)
        check("TCP_NODELAY", setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    return s;
}

// The first byte of a connection says what the peer does with it.
static int open_stream(char wish)
{
    int s = connect_to(SOCK_STREAM);
    check("write", write(s, &wish, 1));
    return s;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void watch(int epoll, int s)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = s };
    check("EPOLL_CTL_ADD", epoll_ctl(epoll, EPOLL_CTL_ADD, s, &event));
}

// The median time of a byte there and back; an epoll instance, if there is one, tells that it has come.
static double echo(int s, int epoll)
{
    struct epoll_event event;
    static double times[Rounds];
    char byte = 'x';
    for (int i = -WarmUp; i < Rounds; i++) {
        double start = now();
        check("write", write(s, &byte, 1));
        if (epoll >= 0)
            check("epoll_wait", epoll_wait(epoll, &event, 1, -1));
        check("read", read(s, &byte, 1));
        if (i >= 0)
            times[i] = now() - start;
    }
    qsort(times, Rounds, sizeof *times, by_value);
    return times[Rounds / 2];
}

static double tcp_echo(void) { return echo(open_stream('E'), -1); }

// A server's wait: one connection is busy, a thousand sockets are not.
static double epoll_echo(void)
{
    int s = open_stream('E'), epoll = (int)check("epoll_create1", epoll_create1(0));
    struct rlimit limit = { 2 * Idle, 2 * Idle };
    check("RLIMIT_NOFILE", setrlimit(RLIMIT_NOFILE, &limit));
    watch(epoll, s);
    for (int i = 0; i < Idle; i++)
        watch(epoll, (int)check("socket", socket(AF_INET, SOCK_DGRAM, 0)));
    return echo(s, epoll);
}

static double udp_echo(void)
{
    int s = connect_to(SOCK_DGRAM);
    struct timeval limit = { ReceiveSeconds, 0 };
    check("SO_RCVTIMEO", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    return echo(s, -1);
}

static double tcp_send(void)
{
    int s = open_stream('S');
    double start = now();
    for (long left = (long)Megabytes * Megabyte; left > 0;)
        left -= check("write", write(s, block, left < BlockBytes ? left : BlockBytes));
    check("shutdown", shutdown(s, SHUT_WR));
    // The peer closes when it has read everything.
    check("read", read(s, block, 1));
    return (now() - start) / Megabytes;
}

static double tcp_receive(void)
{
    int s = open_stream('R');
    double start = now();
    long total = 0, count;
    while ((count = check("read", read(s, block, BlockBytes))) > 0)
        total += count;
    return (now() - start) / ((double)total / Megabyte);
}

static double tcp_connect(void)
{
    double start = now();
    for (int i = 0; i < Rounds; i++) {
        int s = open_stream('C');
        check("read", read(s, block, 1));
        close(s);
    }
    return (now() - start) / Rounds;
}

static const struct {
    const char *name, *title;
    double (*run)(void);
} rows[] = {
    { "tcp_send", "a megabyte sent by TCP", tcp_send },
    { "tcp_receive", "a megabyte received by TCP", tcp_receive },
    { "tcp_echo", "a byte there and back by TCP", tcp_echo },
    { "epoll_echo", "the same, with epoll and 1,000 idle sockets", epoll_echo },
    { "udp_echo", "a byte there and back by UDP", udp_echo },
    { "tcp_connect", "a connection made, used and closed", tcp_connect },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (argc < 4) {
            printf("%s\t%s\n", rows[i].name, rows[i].title);
        } else if (strcmp(argv[1], rows[i].name) == 0) {
            row = rows[i].name;
            peer.sin_family = AF_INET;
            peer.sin_port = htons((unsigned short)atoi(argv[3]));
            inet_pton(AF_INET, argv[2], &peer.sin_addr);
            printf("BENCH %s_ns %.1f\n", row, rows[i].run());
        }
    }
    return 0;
}

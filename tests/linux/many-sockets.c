/*
 * many-sockets: 10,000 sockets that are open at a time, first connections of one process with itself, then datagram sockets, and
 * connections again: each end hears what was said to it and nothing else, epoll tells of each once, and 1,000 connections wait to be
 * accepted. Prints one line per finding, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -w -o many-sockets many-sockets.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "results.h"

enum { Sockets = 10000, Pairs = Sockets / 2, Waiting = 1000, AtATime = 500, SomeDescriptors = 16 };

static int sockets[Sockets];

/* A socket on a port of the loopback's that is free, and its name. */
static int open_bound(int type, struct sockaddr_in *name)
{
	socklen_t length = sizeof *name;
	int s = socket(AF_INET, type, 0);
	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	if (s < 0 || bind(s, (void *)name, length) < 0 || getsockname(s, (void *)name, &length) < 0) {
		printf("socket: %s\n", error_of(-1));
		exit(1);
	}
	return s;
}

static int open_connected(const struct sockaddr_in *to)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	if (s < 0 || connect(s, (void *)to, sizeof *to) < 0) {
		printf("connect: %s\n", error_of(-1));
		exit(1);
	}
	return s;
}

/* Takes what epoll tells of: how many sockets have heard their own number, and nothing else. */
static int hear(int epoll, int expected)
{
	struct epoll_event events[64];
	static char heard[Sockets];
	int right = 0, count;
	memset(heard, 0, sizeof heard);
	while (right < expected && (count = epoll_wait(epoll, events, 64, 5000)) > 0)
		for (int i = 0; i < count; i++) {
			int index = events[i].data.u32, word[2];
			if (recv(sockets[index], word, sizeof word, MSG_DONTWAIT) == sizeof *word && *word == index && !heard[index]++)
				right++;
			else
				return -1;
		}
	return epoll_wait(epoll, events, 64, 0) == 0 ? right : -1;
}

static void watch(int epoll, int index)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = index };
	epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[index], &event);
}

static void close_all(void)
{
	for (int i = 0; i < Sockets; i++)
		close(sockets[i]);
}

/* The first half connects, the second half was accepted. */
static void connections(void)
{
	struct sockaddr_in name;
	int listener = open_bound(SOCK_STREAM, &name), epoll = epoll_create1(0), said = 0, heard = 0;
	listen(listener, SomeDescriptors);
	for (int i = 0; i < Pairs; i++) {
		sockets[i] = open_connected(&name);
		sockets[Pairs + i] = accept(listener, 0, 0);
		watch(epoll, i);
		watch(epoll, Pairs + i);
	}
	for (int first = 0; first < Sockets; first += AtATime) {
		for (int i = first; i < first + AtATime; i++) {
			int to = (i + Pairs) % Sockets;
			said += write(sockets[i], &to, sizeof to) == sizeof to;
		}
		heard += hear(epoll, AtATime);
	}
	printf("connections: said %d, heard %d\n", said, heard);
	close_all();
	close(listener);
	close(epoll);
}

static void datagrams(void)
{
	struct sockaddr_in name;
	int epoll = epoll_create1(0), sender = socket(AF_INET, SOCK_DGRAM, 0), said = 0;
	for (int i = 0; i < Sockets; i++) {
		sockets[i] = open_bound(SOCK_DGRAM, &name);
		watch(epoll, i);
		said += sendto(sender, &i, sizeof i, 0, (void *)&name, sizeof name) == sizeof i;
	}
	printf("datagrams: said %d, heard %d\n", said, hear(epoll, Sockets));
	close_all();
	close(sender);
	close(epoll);
}

static void backlog(void)
{
	struct sockaddr_in name;
	int listener = open_bound(SOCK_STREAM, &name), accepted = 0;
	listen(listener, Waiting);
	for (int i = 0; i < Waiting; i++)
		sockets[i] = open_connected(&name);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	while ((sockets[Waiting + accepted] = accept(listener, 0, 0)) >= 0)
		accepted++;
	printf("backlog: accepted %d, then %s\n", accepted, error_of(-1));
	for (int i = 0; i < Waiting + accepted; i++)
		close(sockets[i]);
	close(listener);
}

int main(void)
{
	struct rlimit limit;
	setvbuf(stdout, 0, _IOLBF, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = Sockets + SomeDescriptors;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	printf("limit: %s\n", error_of(setrlimit(RLIMIT_NOFILE, &limit)));
	connections();
	datagrams();
	backlog();
	connections();
	return 0;
}

/*
 * events: what epoll instances watch and report, level- and edge-triggered, once, from several threads, after dup and close; event counters (epoll(7), eventfd(2)).
 * Prints one line per finding, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -pthread -w -o events events.c
 * usage: events         all but input
 *        events input   polls an instance that watches standard input, and reads it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results.h"

static int watch(int set, int operation, int file, unsigned events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };
	return epoll_ctl(set, operation, file, &event);
}

/* What the instance reports now, lowest data first. */
static void report(const char *what, int set)
{
	struct epoll_event events[16];
	int count = epoll_wait(set, events, 16, 0);
	printf("%s:", what);
	if (count < 0)
		printf(" %s", strerrorname_np(errno));
	for (uint64_t data = 0; data < 100; data++)
		for (int i = 0; i < count; i++)
			if (events[i].data.u64 == data)
				printf(" %lu=%x", data, events[i].events);
	printf("\n");
}

static void levels_and_edges(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC), pipes[2], buffer;
	char text[8];
	pipe2(pipes, O_NONBLOCK);
	printf("close-on-exec: %d\n", fcntl(set, F_GETFD) & FD_CLOEXEC);
	watch(set, EPOLL_CTL_ADD, pipes[0], EPOLLIN, 1);
	watch(set, EPOLL_CTL_ADD, pipes[1], EPOLLOUT, 2);
	report("empty", set);
	write(pipes[1], "ab", 2);
	report("filled", set);
	report("still filled", set);
	watch(set, EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLET, 1);
	watch(set, EPOLL_CTL_MOD, pipes[1], EPOLLOUT | EPOLLET, 2);
	report("edges", set);
	report("no new edge", set);
	read(pipes[0], text, 1);
	report("partly read", set);
	write(pipes[1], "c", 1);
	report("more written", set);
	while (read(pipes[0], text, sizeof text) > 0)
		;
	write(pipes[1], "d", 1);
	report("emptied and filled between two looks", set);
	watch(set, EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLONESHOT, 3);
	watch(set, EPOLL_CTL_DEL, pipes[1], 0, 0);
	report("once", set);
	write(pipes[1], "e", 1);
	report("only once", set);
	watch(set, EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLONESHOT, 4);
	report("again", set);
	watch(set, EPOLL_CTL_MOD, pipes[0], 0, 5);
	close(pipes[1]);
	report("hung up, though nothing is asked", set);
	close(pipes[0]);
	report("closed", set);
	close(set);
}

static void errors(void)
{
	int set = epoll_create1(0), pipes[2], copy, file = open("/proc/self/exe", O_RDONLY), directory = open("/", O_RDONLY);
	struct epoll_event event;
	pipe(pipes);
	printf("flags: %s, size: %s\n", error_of(epoll_create1(7)), error_of(epoll_create(0)));
	printf("file: %s, directory: %s\n", error_of(watch(set, EPOLL_CTL_ADD, file, EPOLLIN, 0)), error_of(watch(set, EPOLL_CTL_ADD, directory, EPOLLIN, 0)));
	printf("itself: %s, no instance: %s\n", error_of(watch(set, EPOLL_CTL_ADD, set, EPOLLIN, 0)), error_of(watch(pipes[0], EPOLL_CTL_ADD, pipes[1], EPOLLIN, 0)));
	printf("closed: %s, %s\n", error_of(watch(set, EPOLL_CTL_ADD, 99, EPOLLIN, 0)), error_of(watch(99, EPOLL_CTL_ADD, pipes[0], EPOLLIN, 0)));
	printf("not there: %s, %s\n", error_of(watch(set, EPOLL_CTL_MOD, pipes[0], EPOLLIN, 0)), error_of(watch(set, EPOLL_CTL_DEL, pipes[0], EPOLLIN, 0)));
	watch(set, EPOLL_CTL_ADD, pipes[0], EPOLLIN, 1);
	printf("twice: %s, unknown: %s, no memory: %s\n", error_of(watch(set, EPOLL_CTL_ADD, pipes[0], EPOLLIN, 0)), error_of(watch(set, 9, pipes[0], EPOLLIN, 0)),
		error_of(epoll_ctl(set, EPOLL_CTL_MOD, pipes[0], (void *)8)));
	copy = dup(pipes[0]);
	printf("a copy is another: %s\n", error_of(watch(set, EPOLL_CTL_ADD, copy, EPOLLIN, 2)));
	write(pipes[1], "x", 1);
	report("both", set);
	close(pipes[0]);
	report("one of them closed, the file is open", set);
	close(copy);
	report("both closed", set);
	printf("no room: %s, no instance: %s, closed: %s\n", error_of(epoll_wait(set, &event, 0, 0)), error_of(epoll_wait(pipes[1], &event, 1, 0)),
		error_of(epoll_wait(99, &event, 1, 0)));
	close(set);
}

static int waited_set;

static void *waits(void *unused)
{
	struct epoll_event event;
	int count = epoll_wait(waited_set, &event, 1, -1);
	return (void *)(long)(count == 1 ? event.data.u64 : 1000);
}

static void on_alarm(int signal) {}

static void waiting(void)
{
	int pipes[2], counter = eventfd(0, EFD_NONBLOCK), status;
	struct epoll_event event;
	pthread_t thread;
	void *result;
	uint64_t one = 1;
	sigset_t all;
	waited_set = epoll_create1(0);
	pipe(pipes);
	watch(waited_set, EPOLL_CTL_ADD, pipes[0], EPOLLIN, 7);
	watch(waited_set, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLET, 8);
	pthread_create(&thread, NULL, waits, NULL);
	usleep(5000);
	write(counter, &one, 8);
	pthread_join(thread, &result);
	printf("woken by a counter: %ld\n", (long)result);
	pthread_create(&thread, NULL, waits, NULL);
	usleep(5000);
	write(counter, &one, 8);
	pthread_join(thread, &result);
	printf("by its next change, unread: %ld\n", (long)result);
	pthread_create(&thread, NULL, waits, NULL);
	usleep(5000);
	if (fork() == 0) {
		write(pipes[1], "x", 1);
		_exit(0);
	}
	pthread_join(thread, &result);
	wait(&status);
	printf("by another process: %ld\n", (long)result);
	read(pipes[0], &status, 1);
	pthread_create(&thread, NULL, waits, NULL);
	usleep(5000);
	status = eventfd(5, 0);
	watch(waited_set, EPOLL_CTL_ADD, status, EPOLLIN, 9);
	pthread_join(thread, &result);
	printf("by what is added ready: %ld\n", (long)result);
	close(status);
	printf("nothing in time: %d\n", epoll_wait(waited_set, &event, 1, 10));
	signal(SIGALRM, on_alarm);
	/* Again and again: the first one may come before the wait. */
	ualarm(10000, 10000);
	printf("a signal: %s\n", error_of(epoll_wait(waited_set, &event, 1, -1)));
	ualarm(0, 0);
	sigfillset(&all);
	ualarm(5000, 0);
	printf("signals blocked: %d\n", epoll_pwait(waited_set, &event, 1, 30, &all));
	struct pollfd poll_set = { waited_set, POLLIN };
	printf("polled: %d", poll(&poll_set, 1, 0));
	write(pipes[1], "x", 1);
	printf(" %d %x\n", poll(&poll_set, 1, 0), poll_set.revents & POLLIN);
	close(waited_set);
}

/* What could not be told is told by the next call. */
static void told_to_nobody(void)
{
	int set = epoll_create1(0), edge = eventfd(1, 0), once = eventfd(1, 0);
	watch(set, EPOLL_CTL_ADD, edge, EPOLLIN | EPOLLET, 1);
	watch(set, EPOLL_CTL_ADD, once, EPOLLIN | EPOLLONESHOT, 2);
	printf("no memory: %s\n", error_of(syscall(SYS_epoll_wait, set, (void *)8, 16, 0)));
	report("told again", set);
	report("not a third time", set);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event *last = (struct epoll_event *)(pages + 4096 - sizeof *last);
	munmap(pages + 4096, 4096);
	watch(set, EPOLL_CTL_MOD, edge, EPOLLIN | EPOLLET, 1);
	watch(set, EPOLL_CTL_MOD, once, EPOLLIN | EPOLLONESHOT, 2);
	printf("memory for one: %ld\n", syscall(SYS_epoll_wait, set, last, 16, 0));
	printf("the other: %d\n", epoll_wait(set, last, 1, 0));
	report("none", set);
	close(set);
}

/* Input of a program comes when it is asked for: an instance that is polled asks as well. */
static void input_through_an_instance(void)
{
	int set = epoll_create1(0);
	char text[16] = "";
	watch(set, EPOLL_CTL_ADD, 0, EPOLLIN, 1);
	struct pollfd file = { set, POLLIN };
	printf("input: %d", poll(&file, 1, 10000));
	printf(" %ld %s\n", read(0, text, sizeof text - 1), text);
	close(set);
}

/* More than one call reports: everybody has its turn. */
static void many(void)
{
	int set = epoll_create1(0), seen = 0, counts[200];
	struct epoll_event events[7];
	unsigned char was[200] = { 0 };
	for (int i = 0; i < 200; i++) {
		counts[i] = eventfd(1, 0);
		watch(set, EPOLL_CTL_ADD, counts[i], EPOLLIN, i);
	}
	for (int round = 0; round < 40; round++) {
		int count = epoll_wait(set, events, 7, 0);
		for (int i = 0; i < count; i++)
			seen += !was[events[i].data.u64]++;
	}
	printf("many: %d\n", seen);
}

static void *adds_late(void *file)
{
	uint64_t number = 3;
	usleep(5000);
	write((int)(long)file, &number, 8);
	return NULL;
}

static void counters(void)
{
	int counter = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC), semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK), waits = eventfd(0, 0);
	uint64_t number = 0, most = UINT64_MAX - 1, none = UINT64_MAX, one = 1;
	char path[64], text[64] = "";
	pthread_t thread;
	struct pollfd file = { counter, POLLIN | POLLOUT };
	poll(&file, 1, 0);
	printf("counter: polled %x, ", file.revents);
	printf("read %ld %lu, ", read(counter, &number, 8), number);
	printf("again %s, ", error_of(read(counter, &number, 8)));
	printf("short %s, %s, all ones %s\n", error_of(read(counter, &number, 4)), error_of(write(counter, &number, 4)), error_of(write(counter, &none, 8)));
	write(counter, &most, 8);
	poll(&file, 1, 0);
	printf("full: polled %x, %s\n", file.revents, error_of(write(counter, &one, 8)));
	printf("semaphore:");
	while (read(semaphore, &number, 8) == 8)
		printf(" %lu", number);
	printf(" %s\n", error_of(-1));
	pthread_create(&thread, NULL, adds_late, (void *)(long)waits);
	printf("waits: %ld %lu\n", read(waits, &number, 8), number);
	pthread_join(thread, NULL);
	sprintf(path, "/proc/self/fd/%d", counter);
	readlink(path, text, sizeof text - 1);
	printf("%s, seek %s, flags %s\n", text, error_of(lseek(counter, 0, SEEK_SET)), error_of(eventfd(0, 8)));
	sprintf(path, "/proc/self/fd/%d", epoll_create1(0));
	memset(text, 0, sizeof text);
	readlink(path, text, sizeof text - 1);
	printf("%s\n", text);
}

int main(int count, char **arguments)
{
	if (count > 1) {
		input_through_an_instance();
		return 0;
	}
	levels_and_edges();
	errors();
	waiting();
	told_to_nobody();
	many();
	counters();
	return 0;
}

/*
 * told-events: files that tell of events: timers, signals, owners of files, and epoll instances within instances, shared, exclusive and with
 * many idle files (timerfd_create(2), signalfd(2), fcntl(2), epoll(7)). Prints one line per finding, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -pthread -w -o told-events told-events.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

static void say_events(const char *what, int file)
{
	struct pollfd wanted = { file, POLLIN | POLLOUT, 0 };
	int count = poll(&wanted, 1, 0);
	printf("%s: %d %x\n", what, count, wanted.revents);
}

static void timers(void)
{
	uint64_t ticks = 0;
	char text[8];
	for (int clock = -1; clock < 14; clock++) {
		int timer = timerfd_create(clock, 0);
		printf("clock %d: %s\n", clock, done(timer));
		close(timer);
	}
	for (int flags = 1; flags < 1 << 24; flags <<= 1) {
		int timer = timerfd_create(CLOCK_MONOTONIC, flags);
		if (timer >= 0 || flags < 8)
			printf("flags %x: %s\n", flags, done(timer));
		close(timer);
	}
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	printf("flags %x %x\n", fcntl(timer, F_GETFL), fcntl(timer, F_GETFD));
	say_events("unarmed", timer);
	printf("read: %s\n", result(read(timer, &ticks, 8)));
	printf("read of little: %s\n", result(read(timer, &ticks, 7)));
	printf("write: %s\n", result(write(timer, &ticks, 8)));
	printf("seek: %s\n", result(lseek(timer, 0, SEEK_CUR)));
	struct itimerspec wrong[] = { { { 0, 0 }, { 0, 1000000000 } }, { { 0, -1 }, { 1, 0 } }, { { -1, 0 }, { 1, 0 } }, { { 0, 0 }, { -1, 0 } } };
	for (int i = 0; i < 4; i++)
		printf("wrong time %d: %s\n", i, error_of(timerfd_settime(timer, 0, &wrong[i], 0)));
	struct itimerspec once = { { 0, 0 }, { 0, 1000 } }, often = { { 0, 1000000 }, { 0, 1000000 } }, never = { { 0, 0 }, { 0, 0 } },
		late = { { 3, 0 }, { 1000, 0 } }, old;
	for (int flags = 0; flags < 5; flags++)
		printf("set with %d: %s\n", flags, error_of(timerfd_settime(timer, flags, &late, 0)));
	printf("set of a pipe: %s\n", error_of(timerfd_settime(0, 0, &late, 0)));
	printf("set of nothing: %s %s\n", error_of(timerfd_settime(99, 0, &late, 0)), error_of(timerfd_gettime(99, &old)));
	printf("set to nowhere: %s\n", error_of(timerfd_settime(timer, 0, (void *)8, 0)));
	timerfd_settime(timer, 0, &late, 0);
	timerfd_settime(timer, 0, &once, &old);
	printf("old: %ld %ld, %d\n", (long)old.it_interval.tv_sec, (long)old.it_interval.tv_nsec,
		old.it_value.tv_sec >= 998 && old.it_value.tv_sec <= 1000);
	fcntl(timer, F_SETFL, 0);
	printf("once: %s", result(read(timer, &ticks, 8)));
	printf(" %lu\n", ticks);
	timerfd_gettime(timer, &old);
	printf("then: %ld %ld\n", (long)old.it_value.tv_sec, (long)old.it_value.tv_nsec);
	timerfd_settime(timer, 0, &often, 0);
	usleep(20000);
	timerfd_gettime(timer, &old);
	printf("running: %d %ld\n", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 1000000, (long)old.it_interval.tv_nsec);
	say_events("expired", timer);
	read(timer, &ticks, 8);
	printf("missed some: %d\n", ticks >= 15);
	read(timer, &ticks, 8);
	printf("one by one: %d\n", ticks >= 1);
	timerfd_settime(timer, 0, &never, 0);
	fcntl(timer, F_SETFL, O_NONBLOCK);
	printf("disarmed: %s\n", result(read(timer, &ticks, 8)));
	struct itimerspec past = { { 0, 0 }, { 0, 1 } };
	printf("past: %s", error_of(timerfd_settime(timer, TFD_TIMER_ABSTIME, &past, 0)));
	printf(" %s\n", result(read(timer, &ticks, 8)));
	int real = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct itimerspec at = { { 0, 0 }, { 0, 0 } };
	clock_gettime(CLOCK_REALTIME, &at.it_value);
	timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, 0);
	printf("now: %s %lu\n", result(read(real, &ticks, 8)), ticks);
	at.it_value.tv_sec += 1000;
	timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, 0);
	printf("later: %s\n", result(read(real, &ticks, 8)));
	int set = epoll_create1(0);
	struct epoll_event event = { EPOLLIN | EPOLLET };
	epoll_ctl(set, EPOLL_CTL_ADD, timer, &event);
	printf("epoll: %d", epoll_wait(set, &event, 1, 0));
	timerfd_settime(timer, 0, &once, 0);
	printf(" %d", epoll_wait(set, &event, 1, 5000));
	printf(" %d\n", epoll_wait(set, &event, 1, 0));
	int copy = dup(timer);
	close(timer);
	printf("copy: %s\n", result(read(copy, &ticks, 8)));
}

static void signals(void)
{
	sigset_t mask;
	struct signalfd_siginfo info[4];
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGRTMIN);
	printf("wrong size: %s\n", error_of(syscall(SYS_signalfd4, -1, &mask, 7, 0)));
	printf("wrong flags: %s\n", error_of(syscall(SYS_signalfd4, -1, &mask, 8, 1)));
	printf("wrong descriptor: %s\n", error_of(syscall(SYS_signalfd4, 0, &mask, 8, 0)));
	printf("no descriptor: %s\n", error_of(syscall(SYS_signalfd4, 99, &mask, 8, 0)));
	printf("no mask: %s\n", error_of(syscall(SYS_signalfd4, -1, 8, 8, 0)));
	int file = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	sigprocmask(SIG_BLOCK, &mask, 0);
	say_events("none", file);
	printf("read: %s\n", result(read(file, info, sizeof info)));
	printf("read of little: %s\n", result(read(file, info, 127)));
	int set = epoll_create1(0);
	struct epoll_event event = { EPOLLIN };
	epoll_ctl(set, EPOLL_CTL_ADD, file, &event);
	printf("epoll: %d\n", epoll_wait(set, &event, 1, 0));
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval) { .sival_int = 42 });
	sigqueue(getpid(), SIGRTMIN, (union sigval) { .sival_int = 43 });
	raise(SIGUSR2);
	printf("epoll: %d\n", epoll_wait(set, &event, 1, 0));
	say_events("some", file);
	long got = read(file, info, sizeof info);
	printf("read: %ld\n", got);
	for (int i = 0; i < got / 128; i++)
		printf("signal %d code %d self %d value %d\n", info[i].ssi_signo == SIGRTMIN ? 34 : info[i].ssi_signo, info[i].ssi_code,
			info[i].ssi_pid == getpid(), info[i].ssi_int);
	printf("read: %s\n", result(read(file, info, sizeof info)));
	printf("epoll: %d\n", epoll_wait(set, &event, 1, 0));
	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		_exit(7);
	printf("epoll: %d\n", epoll_wait(set, &event, 1, 5000));
	got = read(file, info, sizeof info);
	printf("child: %ld signal %d code %d status %d same %d\n", got, info[0].ssi_signo, info[0].ssi_code, info[0].ssi_status,
		info[0].ssi_pid == child);
	waitpid(child, 0, 0);
	fcntl(file, F_SETFL, 0);
	pid_t self = getpid();
	if (fork() == 0) {
		usleep(30000);
		kill(self, SIGUSR2);
		_exit(0);
	}
	sigdelset(&mask, SIGCHLD);
	printf("change: %s\n", error_of(signalfd(file, &mask, 0) - file));
	got = read(file, info, sizeof info);
	printf("blocking: %ld signal %d\n", got, info[0].ssi_signo);
	wait(0);
}

static void nesting(void)
{
	int sets[8], counter = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1, value;
	struct epoll_event event = { EPOLLIN };
	for (int i = 0; i < 8; i++)
		sets[i] = epoll_create1(0);
	printf("itself: %s\n", error_of(epoll_ctl(sets[0], EPOLL_CTL_ADD, sets[0], &event)));
	for (int i = 0; i < 7; i++)
		printf("%d in %d: %s\n", i, i + 1, error_of(epoll_ctl(sets[i + 1], EPOLL_CTL_ADD, sets[i], &event)));
	for (int i = 1; i < 6; i++)
		printf("%d in 0: %s\n", i, error_of(epoll_ctl(sets[0], EPOLL_CTL_ADD, sets[i], &event)));
	epoll_ctl(sets[0], EPOLL_CTL_ADD, counter, &event);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5; i++)
			printf(" %d", epoll_wait(sets[i], &event, 1, 0));
		say_events(" outermost", sets[4]);
		if (round == 0)
			write(counter, &one, 8);
		else
			read(counter, &value, 8);
	}
	event.events = EPOLLIN | EPOLLEXCLUSIVE;
	printf("exclusive instance: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_ADD, sets[5], &event)));
	event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	printf("exclusive once: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_ADD, counter, &event)));
	event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP;
	printf("exclusive with more: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_ADD, counter, &event)));
	event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLET;
	printf("exclusive edge: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_ADD, counter, &event)));
	printf("change: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_MOD, counter, &event)));
	event.events = EPOLLIN;
	printf("change: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_MOD, counter, &event)));
	printf("remove: %s\n", error_of(epoll_ctl(sets[7], EPOLL_CTL_DEL, counter, 0)));
	close(sets[0]);
	printf("inner one closed: %d\n", epoll_wait(sets[1], &event, 1, 0));
	for (int i = 1; i < 8; i++)
		close(sets[i]);
	close(counter);
}

#define WAITERS 4
static int shared_sets[WAITERS], started, woken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *waiter(void *argument)
{
	struct epoll_event event;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	int count = epoll_wait(*(int *)argument, &event, 1, 500);
	__atomic_add_fetch(&woken, count > 0, __ATOMIC_SEQ_CST);
	return 0;
}

/* At least one waiter of several hears of an event, of exclusive entries not all. */
static void exclusive(void)
{
	for (int is_exclusive = 0; is_exclusive < 2; is_exclusive++) {
		int counter = eventfd(0, EFD_NONBLOCK);
		pthread_t threads[WAITERS];
		uint64_t one = 1;
		started = woken = 0;
		for (int i = 0; i < WAITERS; i++) {
			struct epoll_event event = { EPOLLIN | EPOLLET | (is_exclusive ? EPOLLEXCLUSIVE : 0) };
			shared_sets[i] = epoll_create1(0);
			epoll_ctl(shared_sets[i], EPOLL_CTL_ADD, counter, &event);
			pthread_create(&threads[i], 0, waiter, &shared_sets[i]);
		}
		while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < WAITERS)
			usleep(1000);
		usleep(50000);
		write(counter, &one, 8);
		for (int i = 0; i < WAITERS; i++)
			pthread_join(threads[i], 0);
		if (is_exclusive)
			printf("exclusive: some %d, not all %d\n", woken > 0, woken < WAITERS);
		else
			printf("all: %d\n", woken);
		for (int i = 0; i < WAITERS; i++)
			close(shared_sets[i]);
		close(counter);
	}
	/* One instance, several threads, as many events. */
	int set = epoll_create1(0), pairs[WAITERS][2];
	pthread_t threads[WAITERS];
	started = woken = 0;
	for (int i = 0; i < WAITERS; i++) {
		struct epoll_event event = { EPOLLIN | EPOLLET };
		socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]);
		epoll_ctl(set, EPOLL_CTL_ADD, pairs[i][0], &event);
		pthread_create(&threads[i], 0, waiter, &set);
	}
	while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < WAITERS)
		usleep(1000);
	for (int i = 0; i < WAITERS; i++)
		write(pairs[i][1], "x", 1);
	for (int i = 0; i < WAITERS; i++)
		pthread_join(threads[i], 0);
	printf("each its own: %d\n", woken);
}

static void many(void)
{
	enum { count = 1000 };
	static int files[count];
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &limit);
	int set = epoll_create1(0);
	for (int i = 0; i < count; i++) {
		struct epoll_event event = { EPOLLIN, { .u64 = i } };
		files[i] = eventfd(0, EFD_NONBLOCK);
		epoll_ctl(set, EPOLL_CTL_ADD, files[i], &event);
	}
	uint64_t one = 1, sum = 0;
	for (int round = 0; round < 10000; round++) {
		struct epoll_event event;
		int which = round * 7919 % count;
		write(files[which], &one, 8);
		if (epoll_wait(set, &event, 1, 1000) != 1 || event.data.u64 != which)
			printf("round %d: wrong\n", round);
		read(files[which], &one, 8);
		sum += event.data.u64;
	}
	printf("sum %lu\n", sum);
	struct epoll_event events[64];
	int reported[count] = { 0 }, rounds = 0, total = 0;
	for (int i = 0; i < count; i++)
		write(files[i], &one, 8);
	for (; rounds < count && total < count; rounds++) {
		int got = epoll_wait(set, events, 10, 0);
		for (int i = 0; i < got; i++)
			total += !reported[events[i].data.u64]++;
	}
	printf("each has its turn: %d in %d rounds\n", total, rounds);
	static struct epoll_event all[count + 1];
	printf("at once: %s", result(epoll_wait(set, all, count + 1, 0)));
	printf(" %s", result(epoll_wait(set, all, 100, 0)));
	/* An array that ends within nothing: what fitted was told, the others stay. */
	char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(pages + 4096, 4096);
	printf(" %s", result(epoll_wait(set, (void *)(pages + 4096 - 80 * sizeof *all), 200, 0)));
	for (int i = 0; i < count; i++)
		epoll_ctl(set, EPOLL_CTL_MOD, files[i], &(struct epoll_event) { EPOLLIN | EPOLLET, { .u64 = i } });
	printf(" once %s", result(epoll_wait(set, (void *)(pages + 4096 - 80 * sizeof *all), 200, 0)));
	printf(" rest %s", result(epoll_wait(set, all, count + 1, 0)));
	printf(" none %s\n", result(epoll_wait(set, all, count + 1, 0)));
}

static volatile int told;

static void on_told(int signal)
{
	told++;
}

/* Signals that a change has sent since the last look. */
static void say_told(const char *what)
{
	printf("%s: %s\n", what, told ? "told" : "nothing");
	told = 0;
}

static void owners(void)
{
	int pair[2], pipes[2], on = 1, off = 0, regular = open("/proc/self/exe", O_RDONLY);
	signal(SIGIO, on_told);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pipe(pipes);
	printf("nobody: %s\n", result(fcntl(pair[0], F_GETOWN)));
	printf("on: %s,", result(ioctl(pair[0], FIOASYNC, &on)));
	printf(" flags %x\n", fcntl(pair[0], F_GETFL));
	write(pair[1], "x", 1);
	say_told("without an owner");
	printf("no process: %s\n", result(fcntl(pair[0], F_SETOWN, 0x3fffff)));
	printf("no group: %s\n", result(fcntl(pair[0], F_SETOWN, -0x3fffff)));
	printf("process: %s,", result(fcntl(pair[0], F_SETOWN, getpid())));
	printf(" is us %d\n", fcntl(pair[0], F_GETOWN) == getpid());
	say_told("owned");
	write(pair[1], "x", 1);
	say_told("written");
	char bytes[4096] = { 0 };
	write(pair[0], "x", 1);
	read(pair[1], bytes, 1);
	say_told("read, with room before");
	fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	while (write(pair[0], bytes, sizeof bytes) > 0)
		;
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	say_told("full");
	while (read(pair[1], bytes, sizeof bytes) > 0)
		;
	printf("read: told %d times\n", told);
	told = 0;
	write(pair[0], "x", 1);
	read(pair[1], bytes, 1);
	say_told("read again");
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof name;
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	bind(server, (void *)&name, length);
	listen(server, 1);
	getsockname(server, (void *)&name, &length);
	connect(client, (void *)&name, length);
	int accepted = accept(server, 0, 0);
	fcntl(accepted, F_SETOWN, getpid());
	fcntl(accepted, F_SETFL, O_ASYNC);
	write(accepted, "x", 1);
	read(client, bytes, 1);
	usleep(100000);
	say_told("connection, acknowledged");
	write(client, "x", 1);
	usleep(100000);
	say_told("connection, arrived");
	signal(SIGURG, on_told);
	fcntl(accepted, F_SETFL, 0);
	send(client, "abc", 3, 0);
	usleep(100000);
	say_told("text, when off");
	send(client, "u", 1, MSG_OOB);
	usleep(100000);
	say_told("urgent byte");
	signal(SIGURG, SIG_DFL);
	close(client);
	close(accepted);
	close(server);
	told = 0;
	printf("off: %s,", result(ioctl(pair[0], FIOASYNC, &off)));
	printf(" flags %x\n", fcntl(pair[0], F_GETFL));
	write(pair[1], "x", 1);
	say_told("when off");
	fcntl(pipes[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	fcntl(pipes[0], F_SETOWN, getpid());
	write(pipes[1], "x", 1);
	say_told("pipe");
	if (fork() == 0)
		_exit(write(pipes[1], "x", 1) != 1);
	wait(0);
	say_told("pipe, by a child");
	close(pipes[1]);
	say_told("pipe, last writer");
	int child = fork();
	if (child == 0)
		_exit(0);
	fcntl(pair[0], F_SETOWN, child);
	waitpid(child, 0, 0);
	printf("gone: %s\n", result(fcntl(pair[0], F_GETOWN)));
	printf("regular file: %s,", result(ioctl(regular, FIOASYNC, &on)));
	printf(" %s,", result(ioctl(regular, FIOASYNC, &off)));
	printf(" %s,", result(fcntl(regular, F_SETFL, O_ASYNC)));
	printf(" flags %x\n", fcntl(regular, F_GETFL) & ~0100000);
	close(pair[0]);
	close(pipes[0]);
	signal(SIGIO, SIG_DFL);
}

int main(void)
{
	setbuf(stdout, 0);
	timers();
	signals();
	owners();
	nesting();
	exclusive();
	many();
	return 0;
}

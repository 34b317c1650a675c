/*
 * cpu-clocks: clocks of processor time, one's own, of other threads and of other processes (clock_getcpuclockid(3)): reading them, sleeping on them
 * (clock_nanosleep(2)) and timers on them (timer_create(2)).
 *
 * Prints one line per finding, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -pthread -w -o cpu-clocks cpu-clocks.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

enum { NAP = 30000000 };

static volatile int stop, fired;

static int64_t ns(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t now(clockid_t clock)
{
	struct timespec t = { 0 };

	return syscall(SYS_clock_gettime, clock, &t) < 0 ? -1 : ns(t);
}

static long nap(clockid_t clock, int flags, int64_t length, struct timespec *left)
{
	struct timespec t = { length / 1000000000, length % 1000000000 };

	return syscall(SYS_clock_nanosleep, clock, flags, &t, left);
}

static clockid_t number(int id, int bits)
{
	return (~(clockid_t)id << 3) | bits;
}

static void *burn(void *unused)
{
	while (!stop)
		;
	return NULL;
}

static void *rest(void *unused)
{
	while (!stop)
		usleep(100000);
	return NULL;
}

static void on_signal(int signal)
{
	fired++;
}

static pid_t child(void *(*work)(void *))
{
	pid_t id = fork();

	if (id == 0) {
		work(NULL);
		_exit(0);
	}
	return id;
}

static void end(pid_t id)
{
	kill(id, SIGKILL);
	waitpid(id, NULL, 0);
}

static void numbers(pid_t other, pid_t thread, pid_t others_thread)
{
	struct { const char *name; clockid_t clock; } clocks[] = {
		{ "process", CLOCK_PROCESS_CPUTIME_ID }, { "thread", CLOCK_THREAD_CPUTIME_ID },
		{ "own", number(0, 2) }, { "own user time", number(0, 1) }, { "own total", number(0, 0) }, { "by id", number(getpid(), 2) },
		{ "own thread", number(0, 6) }, { "thread by id", number(gettid(), 6) }, { "other thread", number(thread, 6) },
		{ "process by a thread's id", number(thread, 2) }, { "other process", number(other, 2) },
		{ "other process's user time", number(other, 1) }, { "other process's thread", number(other, 6) },
		{ "nobody", number(1 << 22, 2) }, { "nobody's thread", number(1 << 22, 6) }, { "a device", number(0, 3) },
		{ "no part", number(0, 7) }, { "coarse", CLOCK_MONOTONIC_COARSE }, { "raw", CLOCK_MONOTONIC_RAW }, { "none", 100 },
	};
	struct timespec zero = { 0 }, wrong = { 0, -1 };

	for (int i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		clockid_t clock = clocks[i].clock;
		timer_t timer;
		struct timespec fine = { 1, 1 };
		int exact;

		printf("%s: read %s", clocks[i].name, error_of(now(clock) < 0 ? -1 : 0));
		exact = syscall(SYS_clock_getres, clock, &fine);
		printf(", resolution %s %s", error_of(exact), ns(fine) == 1 ? "fine" : "coarse");
		printf(", set %s %s %s", error_of(syscall(SYS_clock_settime, clock, &wrong)), error_of(syscall(SYS_clock_settime, clock, NULL)),
			clock >= 0 ? "" : error_of(syscall(SYS_clock_settime, clock, &zero)));
		printf(", sleep %s %s %s", error_of(nap(clock, TIMER_ABSTIME, 0, NULL)), error_of(syscall(SYS_clock_nanosleep, clock, 0, &wrong, NULL)),
			error_of(syscall(SYS_clock_nanosleep, clock, 0, NULL, NULL)));
		int made = syscall(SYS_timer_create, clock, NULL, &timer);
		printf(", timer %s\n", error_of(made));
		if (made == 0)
			syscall(SYS_timer_delete, *(int *)&timer);
	}
}

static void sleeps(const char *who, clockid_t clock)
{
	int64_t before = now(clock);
	long slept = nap(clock, 0, NAP, NULL);
	int64_t after = now(clock);

	printf("%s: sleep %s, so long %s\n", who, error_of(slept), after - before >= NAP ? "yes" : "no");
	before = now(clock);
	slept = nap(clock, TIMER_ABSTIME, before + NAP, NULL);
	printf("%s: sleep until %s, so late %s\n", who, error_of(slept), now(clock) >= before + NAP ? "yes" : "no");
}

static void interrupted(const char *who, clockid_t clock)
{
	struct timespec left = { 7, 7 };
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGALRM, &action, NULL);
	fired = 0;
	/* Again and again: the first one may come before the sleep. */
	ualarm(50000, 50000);
	long slept = nap(clock, 0, 5000000000LL, &left);
	printf("%s: interrupted %s, rest %s, signals %s\n", who, error_of(slept), ns(left) > 0 && ns(left) <= 5000000000LL ? "yes" : "no",
		fired ? "yes" : "no");
	left = (struct timespec){ 7, 7 };
	slept = nap(clock, TIMER_ABSTIME, now(clock) + 5000000000LL, &left);
	printf("%s: interrupted until %s, rest untouched %s\n", who, error_of(slept), ns(left) == 7000000007LL ? "yes" : "no");
	ualarm(0, 0);
}

/* Whether a timer of 30 ms fires within so many milliseconds, and how much of the clock had passed. */
static void timers(const char *who, clockid_t clock, int within)
{
	struct itimerspec setting = { .it_value = { 0, NAP } }, got;
	struct sigaction action = { .sa_handler = on_signal };
	int timer;

	sigaction(SIGALRM, &action, NULL);
	fired = 0;
	if (syscall(SYS_timer_create, clock, NULL, &timer) < 0) {
		printf("%s: %s\n", who, error_of(-1));
		return;
	}
	int64_t before = now(clock);
	syscall(SYS_timer_settime, timer, 0, &setting, NULL);
	syscall(SYS_timer_gettime, timer, &got);
	int64_t left = ns(got.it_value), limit = now(CLOCK_MONOTONIC) + within * 1000000LL;
	while (!fired && now(CLOCK_MONOTONIC) < limit)
		usleep(20000);
	printf("%s: left %s, fired %d", who, left > 0 && left <= NAP ? "yes" : "no", fired);
	printf(", not early %s\n", !fired || now(clock) - before >= NAP ? "yes" : "no");
	syscall(SYS_timer_delete, timer);
}

/* Timers and sleeps on the clock of a process that ends. */
static void gone(void)
{
	struct itimerspec setting = { .it_value = { 0, NAP } }, got = { .it_value = { 9, 9 } };
	struct timespec left;
	pid_t other = child(rest);
	clockid_t clock = number(other, 2);
	int timer;

	syscall(SYS_timer_create, clock, NULL, &timer);
	printf("settime: %s\n", error_of(syscall(SYS_timer_settime, timer, 0, &setting, NULL)));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	printf("of one who is gone: settime %s", error_of(syscall(SYS_timer_settime, timer, 0, &setting, NULL)));
	printf(", gettime %s", error_of(syscall(SYS_timer_gettime, timer, &got)));
	printf(", read %s", error_of(now(clock)));
	printf(", sleep %s", error_of(nap(clock, 0, NAP, NULL)));
	printf(", delete %s\n", error_of(syscall(SYS_timer_delete, timer)));
}

int main(void)
{
	pthread_t thread;
	clockid_t threads_clock;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pid_t idle = child(rest), busy = child(burn);
	pthread_create(&thread, NULL, rest, NULL);
	pthread_getcpuclockid(thread, &threads_clock);
	numbers(idle, ~(threads_clock >> 3), idle);
	interrupted("own", CLOCK_PROCESS_CPUTIME_ID);
	interrupted("idle process", number(idle, 2));
	sleeps("busy process", number(busy, 2));
	sleeps("busy process's user time", number(busy, 1));
	timers("timer on a busy process", number(busy, 2), 60000);
	timers("timer on an idle process", number(idle, 2), 200);
	printf("other process's time is less than its life: %s\n", now(number(idle, 2)) < now(number(busy, 2)) ? "yes" : "no");
	end(busy);
	end(idle);
	stop = 1;
	pthread_join(thread, NULL);
	stop = 0;
	pthread_create(&thread, NULL, burn, NULL);
	pthread_getcpuclockid(thread, &threads_clock);
	sleeps("busy thread", threads_clock);
	sleeps("process of a busy thread", CLOCK_PROCESS_CPUTIME_ID);
	sleeps("the same by id", number(getpid(), 2));
	timers("timer on a busy thread", threads_clock, 60000);
	timers("timer on an idle thread", CLOCK_THREAD_CPUTIME_ID, 200);
	timers("timer on the process", CLOCK_PROCESS_CPUTIME_ID, 60000);
	stop = 1;
	pthread_join(thread, NULL);
	printf("thread that has ended: %s\n", error_of(now(threads_clock)));
	stop = 0;
	gone();
	return 0;
}

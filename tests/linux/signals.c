/*
 * signals: what programs may rely on about signals, timers, sleeping and futexes (POSIX, Linux man pages).
 *
 * Prints one line per finding, the same on any Linux host and on a rack: no process ids and no times.
 *
 * gcc -O2 -static -w -o signals signals.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "results.h"
#include "times.h"

static volatile int count, last_code, last_value, last_depth, depth;
static volatile long last_overrun;

static void on_signal(int number, siginfo_t *info, void *context)
{
	count++;
	last_code = info->si_code;
	last_value = info->si_value.sival_int;
	last_overrun = info->si_overrun;
}

static void handle(int number, int flags)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = flags | SA_SIGINFO };

	sigaction(number, &action, NULL);
	count = 0;
}

/* The calls that children are stopped in, for longer than the calls would last: afterwards they have nothing left to wait for. */
static const char *const stopped_calls[] = { "nanosleep", "clock_nanosleep", "poll", "futex", "sigtimedwait", "read" };

#define STOPPED (sizeof stopped_calls / sizeof *stopped_calls)

static int stopped_call(int kind, int fd)
{
	struct timespec t = { 4, 0 };
	int word = 0, result = -1;
	sigset_t set;
	char c;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (kind == 0)
		result = nanosleep(&t, NULL);
	if (kind == 1)
		result = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	if (kind == 2)
		result = poll(NULL, 0, 4000);
	if (kind == 3)
		result = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0);
	if (kind == 4)
		result = sigtimedwait(&set, NULL, &t);
	if (kind == 5)
		result = read(fd, &c, 1);
	return result < 0 ? errno : 0;
}

static void stops(void)
{
	int status, p[2];
	pid_t children[STOPPED];

	pipe(p);
	for (int i = 0; i < STOPPED; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(stopped_call(i, p[0]));
	}
	pause_ms(300);
	for (int i = 0; i < STOPPED; i++) {
		kill(children[i], SIGSTOP);
		waitpid(children[i], &status, WUNTRACED);
	}
	pause_ms(4000);
	double start = now();

	for (int i = 0; i < STOPPED; i++)
		kill(children[i], SIGCONT);
	pause_ms(100);
	write(p[1], "x", 1);
	for (int i = 0; i < STOPPED; i++) {
		waitpid(children[i], &status, 0);
		printf("%s after a stop: %s\n", stopped_calls[i], strerror(WEXITSTATUS(status)));
	}
	printf("waited anew: %d\n", now() - start > 3.5);
}

static void restarts(void)
{
	int p[2];
	char c;
	struct timespec t = { 1, 0 };
	struct itimerval soon = { { 0, 0 }, { 0, 50000 } };

	pipe(p);
	for (int flags = 0; flags <= 1; flags++) {
		handle(SIGALRM, flags ? SA_RESTART : 0);
		setitimer(ITIMER_REAL, &soon, NULL);
		if (flags && fork() == 0) {
			pause_ms(300);
			write(p[1], "x", 1);
			_exit(0);
		}
		say(flags ? "read with SA_RESTART" : "read", read(p[0], &c, 1));
		setitimer(ITIMER_REAL, &soon, NULL);
		say("nanosleep", nanosleep(&t, &t));
		say("rest", t.tv_sec == 0 && t.tv_nsec > 0);
		t.tv_sec = 1;
		t.tv_nsec = 0;
		setitimer(ITIMER_REAL, &soon, NULL);
		say("poll", poll(NULL, 0, 1000));
		setitimer(ITIMER_REAL, &soon, NULL);
		say("futex", syscall(SYS_futex, &count, FUTEX_WAIT, count, &t, NULL, 0));
		setitimer(ITIMER_REAL, &soon, NULL);
		say("pause", pause());
		printf("signals %d\n", count);
	}
	wait(NULL);
}

static char stack_area[65536];

static void deep(int number)
{
	volatile char use[3000];

	stack_t now_stack;

	use[0] = 1;
	sigaltstack(NULL, &now_stack);
	printf("on the alternate stack: %d\n", (now_stack.ss_flags & SS_ONSTACK) != 0);
	stack_t other = { .ss_sp = stack_area, .ss_size = 8192 };

	say("sigaltstack on it", sigaltstack(&other, NULL));
}

static void overflow(int number)
{
	raise(SIGUSR1);
}

static void stacks(void)
{
	int status;
	stack_t stack = { .ss_sp = stack_area, .ss_size = sizeof stack_area }, old;
	struct sigaction action = { .sa_handler = deep, .sa_flags = SA_ONSTACK };

	say("sigaltstack", sigaltstack(&stack, NULL));
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	stack.ss_size = 100;
	say("sigaltstack too small", sigaltstack(&stack, NULL));
	stack.ss_flags = 77;
	say("sigaltstack with strange flags", sigaltstack(&stack, NULL));
	fflush(stdout);
	if (fork() == 0) {
		/* Handlers that nest on an alternate stack until it is full. */
		stack.ss_size = 16384;
		stack.ss_flags = 0;
		sigaltstack(&stack, NULL);
		action.sa_handler = overflow;
		action.sa_flags = SA_ONSTACK | SA_NODEFER;
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	wait(&status);
	printf("a full alternate stack: %x\n", status & 0x7f);
	stack.ss_flags = SS_DISABLE;
	say("disable", sigaltstack(&stack, NULL));
	sigaltstack(NULL, &old);
	printf("flags %d\n", old.ss_flags);
}

static void nest(int number)
{
	depth++;
	last_depth = depth > last_depth ? depth : last_depth;
	if (++count < 3)
		raise(number);
	depth--;
}

static void queueing(void)
{
	struct sigaction action = { .sa_handler = nest, .sa_flags = SA_NODEFER };
	sigset_t set, pending;
	siginfo_t info;
	struct timespec zero = { 0, 0 }, short_time = { 0, 20000000 };
	union sigval value = { .sival_int = 0 };

	count = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	printf("with SA_NODEFER: %d deep %d\n", count, last_depth);
	count = last_depth = 0;
	action.sa_flags = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	printf("without: %d deep %d\n", count, last_depth);
	handle(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &action);
	printf("SA_RESETHAND: %d default %d\n", count, action.sa_handler == SIG_DFL);

	handle(SIGUSR1, 0);
	handle(SIGRTMIN, 0);
	handle(SIGRTMIN + 1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 3; i++) {
		value.sival_int = i + 10;
		sigqueue(getpid(), SIGRTMIN + 1, value);
		value.sival_int = i + 20;
		sigqueue(getpid(), SIGRTMIN, value);
		sigqueue(getpid(), SIGUSR1, value);
	}
	sigpending(&pending);
	printf("pending %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGRTMIN));
	for (int n; (n = sigtimedwait(&set, &info, &zero)) > 0;)
		printf("taken %d code %d value %d\n", n == SIGUSR1 ? 0 : n - SIGRTMIN + 1, info.si_code, info.si_value.sival_int);
	say("sigtimedwait with nothing", sigtimedwait(&set, &info, &short_time));
	short_time.tv_nsec = -1;
	say("sigtimedwait with a bad time", sigtimedwait(&set, &info, &short_time));

	/* The limit of queued signals; root's own, so a child with another user id. */
	fflush(stdout);
	if (fork() == 0) {
		struct rlimit few = { 5, 5 };
		int sent = 0;

		setresuid(54321, 54321, 54321);
		setrlimit(RLIMIT_SIGPENDING, &few);
		while (sent < 100 && sigqueue(getpid(), SIGRTMIN, value) == 0)
			sent++;
		say("sigqueue beyond the limit", sent == 5 ? -1 : sent);
		say("kill beyond the limit", kill(getpid(), SIGRTMIN));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	if (fork() == 0) {
		sigset_t none;

		sigemptyset(&none);
		handle(SIGUSR1, 0);
		kill(getpid(), SIGUSR1);
		say("sigsuspend", sigsuspend(&none));
		sigprocmask(SIG_BLOCK, NULL, &pending);
		printf("count %d blocked again %d\n", count, sigismember(&pending, SIGUSR1));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("sigaction of SIGKILL", sigaction(SIGKILL, &action, NULL));
	say("sigaction of 65", sigaction(65, &action, NULL));
	say("sigprocmask 9", sigprocmask(9, &set, NULL));
	signal(SIGUSR1, SIG_DFL);
}

static void timers(void)
{
	struct itimerval value = { { 0, 20000 }, { 0, 20000 } }, got;
	struct itimerspec spec = { { 0, 10000000 }, { 0, 10000000 } }, spec_got;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 99 };
	timer_t timer;
	sigset_t set;

	handle(SIGALRM, 0);
	setitimer(ITIMER_REAL, &value, NULL);
	while (count < 3)
		pause();
	memset(&value, 0, sizeof value);
	setitimer(ITIMER_REAL, &value, &got);
	printf("interval %ld\n", (long)got.it_interval.tv_usec);
	value.it_value.tv_sec = 18446744074;
	say("setitimer of centuries", setitimer(ITIMER_REAL, &value, NULL));
	count = 0;
	pause_ms(400);
	getitimer(ITIMER_REAL, &got);
	printf("fired %d, left %d\n", count, got.it_value.tv_sec > 1000000);
	say("alarm(0)", alarm(0) > 1000000);
	value.it_value.tv_sec = 1;
	value.it_value.tv_usec = 1000000;
	say("setitimer with too many microseconds", setitimer(ITIMER_REAL, &value, NULL));
	say("setitimer of a strange kind", setitimer(7, &value, NULL));

	for (int kind = ITIMER_VIRTUAL; kind <= ITIMER_PROF; kind++) {
		int number = kind == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF;

		handle(number, 0);
		value.it_interval.tv_usec = value.it_value.tv_usec = 10000;
		value.it_value.tv_sec = 0;
		setitimer(kind, &value, NULL);
		while (count < 3)
			;
		memset(&value, 0, sizeof value);
		setitimer(kind, &value, NULL);
		printf("processor time timer %d fired\n", kind);
	}

	handle(SIGRTMIN, 0);
	say("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("timer_settime", timer_settime(timer, 0, &spec, NULL));
	pause_ms(200);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	printf("once %d code %d value %d overruns %d %d\n", count >= 1, last_code, last_value, last_overrun > 5, timer_getoverrun(timer) >= 0);
	timer_gettime(timer, &spec_got);
	printf("runs %d\n", spec_got.it_value.tv_nsec > 0 && spec_got.it_interval.tv_nsec == 10000000);
	say("timer_delete", timer_delete(timer));
	say("timer_delete twice", syscall(SYS_timer_delete, 77));
	event.sigev_signo = 99;
	say("timer_create with a bad signal", timer_create(CLOCK_MONOTONIC, &event, &timer));
	say("timer_create with a bad clock", timer_create(77, NULL, &timer));
	event.sigev_notify = SIGEV_NONE;
	say("timer_create without signal", timer_create(CLOCK_REALTIME, &event, &timer));
	clock_gettime(CLOCK_REALTIME, &spec.it_value);
	spec.it_value.tv_sec += 100;
	spec.it_interval.tv_nsec = 0;
	timer_settime(timer, TIMER_ABSTIME, &spec, NULL);
	timer_gettime(timer, &spec_got);
	printf("absolute %d\n", spec_got.it_value.tv_sec >= 98 && spec_got.it_value.tv_sec <= 100);
	timer_delete(timer);
}

static void clocks(void)
{
	struct timespec t, u;
	clockid_t clock;

	say("clock 77", clock_gettime(77, &t));
	say("clock_getres", clock_getres(CLOCK_MONOTONIC, &t));
	printf("%ld %ld\n", (long)t.tv_sec, t.tv_nsec);
	say("clock_getcpuclockid", clock_getcpuclockid(0, &clock));
	say("its time", clock_gettime(clock, &t) == 0 && t.tv_sec * 1000000000L + t.tv_nsec > 0);
	clock_getcpuclockid(getppid(), &clock);
	say("another's time", clock_gettime(clock, &t));
	say("nobody's time", clock_gettime(~99999 << 3 | 2, &t));
	t.tv_nsec = 1000000000;
	t.tv_sec = 0;
	say("nanosleep of a bad time", nanosleep(&t, NULL));
	errno = clock_nanosleep(77, 0, &t, NULL);
	say("clock_nanosleep of a bad clock", -1);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec -= 5;
	say("clock_nanosleep until the past", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
	say("nanosleep from nowhere", syscall(SYS_nanosleep, 16, NULL));
	clock_t before = times(NULL);

	pause_ms(50);
	say("times go on", times(NULL) - before >= 4);
}

static int word;

static long futex(int op, int value, void *time, void *other, int value3)
{
	return syscall(SYS_futex, &word, op, value, time, other, value3);
}

static void futexes(void)
{
	struct timespec t;

	for (int real = 0; real <= 1; real++) {
		int clock = real ? CLOCK_REALTIME : CLOCK_MONOTONIC;

		clock_gettime(clock, &t);
		t.tv_nsec += 50000000;
		if (t.tv_nsec >= 1000000000)
			t.tv_sec++, t.tv_nsec -= 1000000000;
		alarm(10);
		say("absolute time", futex(FUTEX_WAIT_BITSET | (real ? FUTEX_CLOCK_REALTIME : 0), 0, &t, NULL, -1));
		struct timespec after;

		clock_gettime(clock, &after);
		printf("not too early %d\n", after.tv_sec > t.tv_sec || (after.tv_sec == t.tv_sec && after.tv_nsec >= t.tv_nsec));
		alarm(0);
	}
	t.tv_sec = 0;
	t.tv_nsec = 10000000;
	say("relative time", futex(FUTEX_WAIT, 0, &t, NULL, 0));
	say("other value", futex(FUTEX_WAIT, 1, &t, NULL, 0));
	say("no bits", futex(FUTEX_WAIT_BITSET, 0, &t, NULL, 0));
	say("wake no bits", futex(FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
	say("realtime with FUTEX_WAIT", futex(FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &t, NULL, 0));
	say("wake nobody", futex(FUTEX_WAKE, 1, NULL, NULL, 0));
	say("requeue nobody", futex(FUTEX_REQUEUE, 1, (void *)1, &count, 0));
	say("cmp_requeue with another value", futex(FUTEX_CMP_REQUEUE, 1, (void *)1, &count, 7));
	say("unknown operation", futex(77, 1, NULL, NULL, 0));
	say("no memory", syscall(SYS_futex, 0x1000, FUTEX_WAKE, 1, NULL, NULL, 0));
	say("no memory, private", syscall(SYS_futex, 0x1000, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	say("odd address", syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 0, &t, NULL, 0));
	int target = 5;

	say("wake_op", futex(FUTEX_WAKE_OP, 1, (void *)1, &target, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
	printf("target %d\n", target);
	t.tv_nsec = -1;
	say("bad time", futex(FUTEX_WAIT, 0, &t, NULL, 0));
}

static void deaths(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM, SIGXCPU, SIGSYS, SIGPROF, SIGPWR, SIGSTKFLT, 40 };
	int status;

	for (int i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (fork() == 0) {
			struct rlimit none = { 0, 0 };

			setrlimit(RLIMIT_CORE, &none);
			signal(numbers[i], SIG_DFL);
			raise(numbers[i]);
			_exit(0);
		}
		wait(&status);
		printf("%d: %x\n", numbers[i], status);
	}
	/* A handler's address that is none. */
	if (fork() == 0) {
		struct sigaction action = { .sa_handler = (void *)(1UL << 63) };

		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	wait(&status);
	printf("handler nowhere: %x\n", status & 0x7f);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	restarts();
	stacks();
	queueing();
	timers();
	clocks();
	futexes();
	deaths();
	stops();
	return 0;
}

/*
 * policies: scheduling policies and real-time priorities, and that they decide who runs (sched(7)); capabilities, prctl(2), locked memory.
 *
 * Prints one line per finding, the same on any Linux host and on a rack. Runs as root.
 *
 * gcc -O2 -static -pthread -w -o policies policies.c
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t minimum, maximum;
};

static int set_policy(pid_t id, int policy, int priority)
{
	struct sched_param parameters = { priority };

	return syscall(SYS_sched_setscheduler, id, policy, &parameters);
}

static int set_attributes(pid_t id, struct attributes *attributes, unsigned flags)
{
	return syscall(SYS_sched_setattr, id, attributes, flags);
}

static void tell(const char *what, pid_t id)
{
	struct attributes attributes = { 0 };
	struct sched_param parameters = { -1 };
	struct timespec slice = { -1, -1 };

	sched_getparam(id, &parameters);
	syscall(SYS_sched_getattr, id, &attributes, 48, 0);
	sched_rr_get_interval(id, &slice);
	printf("%s: policy %x priority %d, attributes %u %u %lx %d %u", what, sched_getscheduler(id), parameters.sched_priority, attributes.size, attributes.policy, (long)attributes.flags, attributes.nice, attributes.priority);
	if (attributes.policy == SCHED_FIFO || attributes.policy == SCHED_RR)
		printf(", slice %ld ms", slice.tv_nsec / 1000000);
	printf("\n");
}

static void setting(void)
{
	static const int policies[] = { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, 6, 7, 4, 99, -1 };
	struct attributes attributes = { 48 };
	struct sched_param parameters;
	int status;

	for (int i = 0; i < 10; i++)
		printf("policy %d: least %s most %s, priority 0 %s, 1 %s, 99 %s, 100 %s\n", policies[i], result(sched_get_priority_min(policies[i])), result(sched_get_priority_max(policies[i])),
		    policies[i] < 6 ? error_of(set_policy(0, policies[i], 0)) : "", policies[i] < 6 ? error_of(set_policy(0, policies[i], 1)) : "", policies[i] < 6 ? error_of(set_policy(0, policies[i], 99)) : "",
		    policies[i] < 6 ? error_of(set_policy(0, policies[i], 100)) : "");
	set_policy(0, SCHED_OTHER, 0);
	setpriority(PRIO_PROCESS, 0, 0);
	tell("plain", 0);
	set_policy(0, SCHED_FIFO, 30);
	tell("first in, first out", 0);
	parameters.sched_priority = 40;
	printf("another priority %s", result(sched_setparam(0, &parameters)));
	parameters.sched_priority = 0;
	printf(" none %s\n", result(sched_setparam(0, &parameters)));
	tell("now", getpid());
	set_policy(0, SCHED_RR | 0x40000000, 20);
	tell("round robin", 0);
	fflush(stdout);
	if (fork() == 0) {
		tell("its child", 0);
		_exit(0);
	}
	wait(NULL);
	set_policy(0, SCHED_RR, 20);
	fflush(stdout);
	if (fork() == 0) {
		tell("its child without a reset", 0);
		setresuid(65534, 65534, 65534);
		printf("as nobody: lower %s", result(set_policy(0, SCHED_RR, 10)));
		printf(" higher %s", result(set_policy(0, SCHED_RR, 30)));
		printf(" other %s", result(set_policy(0, SCHED_OTHER, 0)));
		printf(" back %s", result(set_policy(0, SCHED_RR, 1)));
		printf(" another's %s\n", result(set_policy(getppid(), SCHED_OTHER, 0)));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	attributes.policy = SCHED_FIFO;
	attributes.priority = 7;
	printf("attributes %s", result(set_attributes(0, &attributes, 0)));
	attributes.flags = 8;
	attributes.policy = 0;
	attributes.priority = 9;
	printf(" keep the policy %s", result(set_attributes(0, &attributes, 0)));
	attributes.flags = 0;
	attributes.policy = SCHED_BATCH;
	attributes.priority = 0;
	attributes.nice = 5;
	printf(" batch %s", result(set_attributes(0, &attributes, 0)));
	printf(" nice %d\n", getpriority(PRIO_PROCESS, 0));
	tell("batch", 0);
	attributes.policy = 77;
	printf("wrong: policy %s", result(set_attributes(0, &attributes, 0)));
	attributes.policy = 0;
	printf(" flags %s, nobody %s, negative %s", result(set_attributes(0, &attributes, 1)), result(set_attributes(999999, &attributes, 0)), result(set_attributes(-1, &attributes, 0)));
	attributes.size = 40;
	printf(", size %s", result(set_attributes(0, &attributes, 0)));
	printf(" %u, nowhere %s", attributes.size, result(set_attributes(0, NULL, 0)));
	attributes.size = 56;
	attributes.nice = 0;
	printf(", larger %s\n", result(set_attributes(0, &attributes, 0)));
	set_policy(0, SCHED_OTHER, 0);
	setpriority(PRIO_PROCESS, 0, 0);
	printf("of nobody: %s %s %s\n", result(sched_getscheduler(999999)), result(sched_getparam(999999, &parameters)), result(set_policy(999999, 0, 0)));
}

static volatile int order[8], arrived;

/* Used before the threads are made, so that nothing has to be waited for meanwhile. */
static char stacks[7][131072] __attribute__((aligned(4096)));

static void *runs(void *argument)
{
	order[__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST)] = (long)argument;
	return NULL;
}

/* Threads of one CPU are made by one that goes before all of them, and then run by their priorities. */
static void deciding(void)
{
	static const int priorities[] = { 10, 0, 55, 30, 50, 0, 20 };
	pthread_t threads[7];
	cpu_set_t allowed, one;
	int cpu = 0;

	sched_getaffinity(0, sizeof allowed, &allowed);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	memset(stacks, 1, sizeof stacks);
	set_policy(0, SCHED_FIFO, 90);
	for (long i = 0; i < 7; i++) {
		pthread_attr_t attributes;
		struct sched_param parameters = { priorities[i] };

		pthread_attr_init(&attributes);
		pthread_attr_setstack(&attributes, stacks[i], sizeof stacks[i]);
		pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
		pthread_attr_setschedpolicy(&attributes, priorities[i] ? SCHED_FIFO : SCHED_OTHER);
		pthread_attr_setschedparam(&attributes, &parameters);
		pthread_create(&threads[i], &attributes, runs, (void *)i);
	}
	printf("before they run: %d\n", arrived);
	for (int i = 0; i < 7; i++)
		pthread_join(threads[i], NULL);
	printf("order:");
	for (int i = 0; i < 5; i++)
		printf(" %d", order[i]);
	printf("\n");

	/* Who computes without a priority does not keep the other one away. */
	pid_t child = fork();
	if (child == 0) {
		set_policy(0, SCHED_OTHER, 0);
		for (;;)
			;
	}
	for (int i = 0; i < 20; i++) {
		struct timespec pause = { 0, 1000000 };

		nanosleep(&pause, NULL);
	}
	kill(child, SIGKILL);
	printf("a computing child ends by %d\n", wait_for(child) - 128);

	/* sched_yield goes behind equals: two of them take turns. A round before those that count touches what they need: nothing is waited for. */
	int turns[2], ready[2], starts[2][2];
	char text[16] = "";
	pipe(turns);
	pipe(ready);
	for (int i = 0; i < 2; i++) {
		pipe(starts[i]);
		if (fork() == 0) {
			char start;

			set_policy(0, SCHED_FIFO, 50);
			write(ready[1], "r", 1);
			sched_yield();
			for (int round = 0; round < 4; round++) {
				if (round < 2)
					read(starts[i][0], &start, 1);
				if (round > 0)
					write(turns[1], i ? "b" : "a", 1);
				sched_yield();
			}
			_exit(0);
		}
	}
	for (int round = 0; round < 2; round++) {
		if (round == 0) {
			read(ready[0], text, 1);
			read(ready[0], text, 1);
		}
		set_policy(0, SCHED_FIFO, 40);
		set_policy(0, SCHED_FIFO, 90);
		write(starts[0][1], "s", 1);
		write(starts[1][1], "s", 1);
	}
	set_policy(0, SCHED_FIFO, 40);
	wait(NULL);
	wait(NULL);
	printf("they yield: %.*s\n", (int)read(turns[0], text, sizeof text), text);
	set_policy(0, SCHED_OTHER, 0);
	sched_setaffinity(0, sizeof allowed, &allowed);
}

static void capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2], less[2];

	printf("capget %s", result(syscall(SYS_capget, &header, data)));
	printf(", chown %d inheritable %x\n", data[0].effective & 1, data[0].inheritable);
	header.pid = 999999;
	printf("of nobody %s", result(syscall(SYS_capget, &header, data)));
	header.pid = -1;
	printf(", of -1 %s", result(syscall(SYS_capget, &header, data)));
	header = (struct __user_cap_header_struct){ 0x1234, 0 };
	printf(", version %s", result(syscall(SYS_capget, &header, data)));
	printf(" told %x", header.version);
	header.version = 0;
	printf(", asked for it alone %s\n", result(syscall(SYS_capget, &header, NULL)));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	syscall(SYS_capget, &header, data);
	memcpy(less, data, sizeof data);
	printf("capset the same %s", result(syscall(SYS_capset, &header, data)));
	less[0].permitted &= ~1;
	printf(" effective without permitted %s", result(syscall(SYS_capset, &header, less)));
	header.pid = getppid();
	printf(" another's %s\n", result(syscall(SYS_capset, &header, data)));
	fflush(stdout);
	if (fork() == 0) {
		setresuid(65534, 65534, 65534);
		header.pid = 0;
		printf("nobody: %s", result(syscall(SYS_capget, &header, data)));
		printf(" %x %x", data[0].effective, data[0].permitted);
		data[0].permitted = data[0].effective = 1;
		printf(" gains %s\n", result(syscall(SYS_capset, &header, data)));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
}

/* In a process of its own; what it prints stays in order. */
#define IN_CHILD(...) do { \
	fflush(stdout); \
	if (fork() == 0) { \
		__VA_ARGS__; \
		fflush(stdout); \
		_exit(0); \
	} \
	wait(NULL); \
} while (0)

static struct __user_cap_data_struct held[2];
static const unsigned SETS_IDS = 1 << CAP_SETGID | 1 << CAP_SETUID;

static int set_capabilities(unsigned permitted, unsigned effective)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	held[0] = (struct __user_cap_data_struct){ .effective = effective, .permitted = permitted };
	held[1] = (struct __user_cap_data_struct){ 0 };
	return syscall(SYS_capset, &header, held);
}

/* Of the first capabilities those that matter here, so that a container's root has as many. */
static void tell_capabilities(const char *when)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	syscall(SYS_capget, &header, held);
	printf("%s: permitted %x, effective %x, keeps %s\n", when, held[0].permitted & (SETS_IDS | 1), held[0].effective & (SETS_IDS | 1), result(prctl(PR_GET_KEEPCAPS)));
	fflush(stdout);
}

static void started(void)
{
	uid_t real, effective, saved;

	getresuid(&real, &effective, &saved);
	printf("started by %d %d %d, ", real, effective, saved);
	tell_capabilities("started");
}

static void start_again(void)
{
	fflush(stdout);
	execl("/proc/self/exe", "policies", "started", NULL);
	printf("exec %s\n", result(-1));
}

/* Root becomes a user as setpriv(1) does it: user first, with the capabilities kept that the group needs. */
static void dropping(void)
{
	IN_CHILD({
		tell_capabilities("root");
		printf("keep %s, ", result(prctl(PR_SET_KEEPCAPS, 1)));
		printf("capset of a part %s\n", result(set_capabilities(SETS_IDS, SETS_IDS)));
		printf("user %s, ", result(syscall(SYS_setresuid, 113, 113, 113)));
		tell_capabilities("user");
		printf("group %s, ", result(syscall(SYS_setresgid, 113, 113, 113)));
		printf("capset of what is kept %s, ", result(set_capabilities(SETS_IDS, SETS_IDS)));
		printf("group %s, groups %s\n", result(syscall(SYS_setresgid, 113, 113, 113)), result(syscall(SYS_setgroups, 0, NULL)));
		printf("capset of more %s, ", result(set_capabilities(SETS_IDS | 1, SETS_IDS)));
		printf("of the group's alone %s, ", result(set_capabilities(1 << CAP_SETGID, 1 << CAP_SETGID)));
		printf("user %s, group %s\n", result(syscall(SYS_setuid, 114)), result(syscall(SYS_setgid, 114)));
		tell_capabilities("then");
		start_again();
	});
	IN_CHILD({
		syscall(SYS_setresuid, -1, 113, -1);
		tell_capabilities("effective user");
		printf("group %s, ", result(syscall(SYS_setresgid, 113, 113, 113)));
		syscall(SYS_setresuid, -1, 0, -1);
		tell_capabilities("root again");
		syscall(SYS_setresuid, 113, 113, 0);
		tell_capabilities("saved root");
		start_again();
	});
	IN_CHILD({
		prctl(PR_SET_KEEPCAPS, 1);
		set_capabilities(1, 1);
		tell_capabilities("less");
		start_again();
	});
	IN_CHILD({
		syscall(SYS_setresuid, 113, 113, 113);
		tell_capabilities("not kept");
		printf("root %s\n", result(syscall(SYS_setresuid, 0, 0, 0)));
	});
}

static void controls(void)
{
	char name[16] = "";
	int number = -1;

	printf("bounding set: %s %s, secure bits %s, keep %s", result(prctl(PR_CAPBSET_READ, 0)), result(prctl(PR_CAPBSET_READ, 64)), result(prctl(PR_GET_SECUREBITS)), result(prctl(PR_GET_KEEPCAPS)));
	printf(" set %s %s, seccomp %s, time stamps %s", result(prctl(PR_SET_KEEPCAPS, 0)), result(prctl(PR_SET_KEEPCAPS, 2)), result(prctl(PR_GET_SECCOMP)), result(prctl(PR_GET_TSC, &number)));
	printf(" %d, huge pages %s, unknown %s\n", number, result(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)), result(prctl(123456)));
	printf("munlockall %s, mlockall of nothing %s, of nonsense %s, of later faults alone %s, mlock2 %s\n", result(munlockall()), result(mlockall(0)), result(mlockall(64)), result(mlockall(4)), result(syscall(SYS_mlock2, 4096, 4096, 2)));
}

int main(int count, char **arguments)
{
	setlinebuf(stdout);
	if (count > 1) {
		started();
		return 0;
	}

	setting();
	deciding();
	capabilities();
	dropping();
	controls();
	return 0;
}

/*
 * threadlocks: locks that outlive their owners, locks with owners, restartable sequences, barriers, timers of threads, /proc/PID/task (futex(2),
 * get_robust_list(2), rseq(2), membarrier(2), timer_create(2), proc(5)).
 *
 * Prints one line per finding, the same on any Linux host and on a rack: no ids and no times.
 *
 * gcc -O2 -static -pthread -w -o threadlocks threadlocks.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "threads.h"

static void make(pthread_mutex_t *mutex, int robust, int protocol, int shared)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, robust);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutexattr_setpshared(&attributes, shared);
	if (pthread_mutex_init(mutex, &attributes))
		printf("pthread_mutex_init failed\n");
}

static int is_taken;

static void *takes_and_ends(void *mutex)
{
	pthread_mutex_lock(mutex);
	__atomic_store_n(&is_taken, 1, __ATOMIC_SEQ_CST);
	pause_ms(30);
	return NULL;
}

static const char *name_of(int error) { return error ? strerror(error) : "none"; }

static void robust(const char *what, int protocol)
{
	static pthread_mutex_t mutex;
	make(&mutex, PTHREAD_MUTEX_ROBUST, protocol, PTHREAD_PROCESS_PRIVATE);
	is_taken = 0;
	pthread_t thread = start(takes_and_ends, &mutex);
	while (!__atomic_load_n(&is_taken, __ATOMIC_SEQ_CST))
		pause_ms(1);
	int first = pthread_mutex_lock(&mutex);
	join(thread);
	int consistent = pthread_mutex_consistent(&mutex);
	int unlock = pthread_mutex_unlock(&mutex);
	int again = pthread_mutex_lock(&mutex);
	printf("%s: waiter gets %s; consistent %d, unlock %d, lock %d\n", what, name_of(first), consistent, unlock, again);
	pthread_mutex_unlock(&mutex);
	join(start(takes_and_ends, &mutex));
	printf("%s: who comes later gets %s, and without repair", what, name_of(pthread_mutex_lock(&mutex)));
	pthread_mutex_unlock(&mutex);
	printf(" %s\n", name_of(pthread_mutex_lock(&mutex)));
}

static pthread_mutex_t counted;
static long counter;

static void *counts(void *argument)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&counted);
		long before = counter;
		if (i % 50 == 0)
			sched_yield();
		counter = before + 1;
		pthread_mutex_unlock(&counted);
	}
	return NULL;
}

static void *tries(void *mutex)
{
	struct timespec t;
	int tried = pthread_mutex_trylock(mutex);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	int timed = pthread_mutex_timedlock(mutex, &t);
	printf("a taken lock: trylock %s, timedlock %s\n", name_of(tried), name_of(timed));
	return NULL;
}

static void owned(void)
{
	pthread_t threads[8];
	make(&counted, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT, PTHREAD_PROCESS_PRIVATE);
	for (int i = 0; i < 8; i++)
		threads[i] = start(counts, NULL);
	for (int i = 0; i < 8; i++)
		join(threads[i]);
	printf("locks with owners: %ld\n", counter);
	pthread_mutex_lock(&counted);
	join(start(tries, &counted));
	pthread_mutex_unlock(&counted);
	static uint32_t word;
	word = gettid();
	printf("own lock: %ld", syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	printf(" %s, nobody's: ", strerror(errno));
	word = 0x3ffffff0;
	printf("%ld", syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	printf(" %s, unlock of another's: ", strerror(errno));
	word = getpid() + 1;
	printf("%ld", syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	printf(" %s\n", strerror(errno));
}

/* --- a restartable sequence that a signal interrupts */

extern const ptrdiff_t __rseq_offset;
extern const unsigned int __rseq_size;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void on_alarm(int number) {}

/* Spins inside a sequence until it is aborted; the handler of SIGALRM does nothing. */
static int spin(void)
{
	struct rseq *own = area();
	int aborted = 0;
	__asm__ volatile(
		".pushsection .data.rel.ro.sequence, \"aw\"\n"
		".balign 32\n"
		"3: .long 0, 0\n"
		"   .quad 1f, 2f - 1f, 4f\n"
		".popsection\n"
		"   leaq 3b(%%rip), %%rax\n"
		"   movq %%rax, %[sequence]\n"
		"1: pause\n"
		"   jmp 1b\n"
		"2: nop\n"
		".pushsection .text.sequence, \"ax\"\n"
		"   .byte 0x0f, 0xb9, 0x3d\n"
		"   .long 0x53053053\n"
		"4: movl $1, %[aborted]\n"
		"   jmp 5f\n"
		".popsection\n"
		"5:\n"
		: [aborted] "+m"(aborted), [sequence] "=m"(*(uint64_t *)&own->rseq_cs)
		:
		: "rax", "memory");
	return aborted * 10 + (own->rseq_cs == 0);
}

static void sequences(void)
{
	if (!__rseq_size) {
		printf("no rseq\n");
		return;
	}
	signal(SIGALRM, on_alarm);
	ualarm(20000, 0);
	printf("a sequence and a signal: %d\n", spin());
	unsigned cpu = -1;
	getcpu(&cpu, NULL);
	printf("cpu in range %d, registered twice: %ld", area()->cpu_id < 64, syscall(SYS_rseq, area(), 32, 0, 0x53053053));
	printf(" %s\n", strerror(errno));
}

/* --- barriers of other CPUs */

static volatile int flag_a, flag_b, stop;

static void *watches(void *argument)
{
	while (!stop)
		flag_a++;
	return NULL;
}

static void barriers(void)
{
	long known = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	pthread_t thread = start(watches, NULL);
	long unregistered = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	printf("membarrier: private known %d, unregistered %ld %s, ", (known & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0, unregistered, strerror(errno));
	printf("register %ld, ", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	long failed = 0;
	for (int i = 0; i < 100; i++)
		failed += syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	stop = 1;
	join(thread);
	printf("failed %ld, bad flags %ld\n", failed, syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 99, 0));
}

/* --- a timer whose signal goes to one thread */

static volatile pid_t wanted, got;

static void on_timer(int number) { got = gettid(); }

static void *waits(void *argument)
{
	wanted = gettid();
	while (!got)
		pause_ms(1);
	return NULL;
}

static void timers(void)
{
	struct sigaction action = { .sa_handler = on_timer };
	struct itimerspec due = { { 0, 0 }, { 0, 10000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 2 };
	timer_t timer;
	sigaction(SIGRTMIN + 2, &action, NULL);
	pthread_t thread = start(waits, NULL);
	while (!wanted)
		sched_yield();
	event._sigev_un._tid = wanted;
	int made = timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &due, NULL);
	join(thread);
	printf("timer of a thread: made %d, its own %d\n", made, got == wanted);
	timer_delete(timer);
}

/* --- /proc/PID/task */

static volatile int leave;

static void *stays(void *argument)
{
	pthread_setname_np(pthread_self(), argument);
	while (!leave)
		pause_ms(1);
	return NULL;
}

static int in_names(const char *name)
{
	return !strcmp(name, "one") + 2 * !strcmp(name, "two") + 4 * !strcmp(name, "threadlocks");
}

static void tasks(void)
{
	pthread_t a = start(stays, "one"), b = start(stays, "two");
	int names = 0, count = 0;
	pause_ms(30);
	DIR *directory = opendir("/proc/self/task");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char path[300], name[32] = "";
		if (entry->d_name[0] == '.')
			continue;
		sprintf(path, "/proc/self/task/%s/comm", entry->d_name);
		FILE *file = fopen(path, "r");
		if (file && fgets(name, sizeof name, file))
			name[strcspn(name, "\n")] = 0;
		if (file)
			fclose(file);
		count++;
		names |= in_names(name);
	}
	closedir(directory);
	char link[64] = "", expected[64];
	readlink("/proc/thread-self", link, sizeof link - 1);
	sprintf(expected, "%d/task/%d", getpid(), gettid());
	printf("tasks: %d with names %d, thread-self %d, another process's thread %d\n", count, names, !strcmp(link, expected),
		access("/proc/self/task/1", F_OK));
	leave = 1;
	join(a);
	join(b);
}

/* --- affinity */

static int in_set(void)
{
	int outside = 0;
	cpu_set_t set;
	sched_getaffinity(0, sizeof set, &set);
	for (int i = 0; i < 200; i++) {
		outside += !CPU_ISSET(sched_getcpu(), &set);
		if (i % 20 == 0)
			pause_ms(1);
		sched_yield();
	}
	return outside;
}

static void *stays_there(void *count)
{
	cpu_set_t set;
	sched_getaffinity(0, sizeof set, &set);
	*(int *)count = CPU_COUNT(&set);
	return (void *)(long)in_set();
}

static void affinity(void)
{
	cpu_set_t all, one, none;
	int count = 0, outside = 0;
	sched_getaffinity(0, sizeof all, &all);
	CPU_ZERO(&none);
	printf("affinity: none %d", sched_setaffinity(0, sizeof none, &none));
	printf(" %s", strerror(errno));
	for (int cpu = 0; cpu < 64; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof one, &one))
			outside += 1000;
		outside += sched_getcpu() != cpu;
		outside += in_set() + join(start(stays_there, &count));
		if (count != 1)
			outside += 10000;
	}
	printf(", elsewhere %d, all again %d\n", outside, sched_setaffinity(0, sizeof all, &all));
}

/* --- processes that share memory and descriptors */

static volatile int shared_number;

static int writes_number(void *argument)
{
	shared_number = 17;
	close((int)(long)argument);
	return 5;
}

static void sharing(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status = 0, descriptor = dup(1);
	fflush(stdout);
	int pid = clone(writes_number, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, (void *)(long)descriptor);
	waitpid(pid, &status, 0);
	printf("a process in the same memory: %d, status %d, descriptor closed %d\n", shared_number, WEXITSTATUS(status), close(descriptor));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	robust("robust", PTHREAD_PRIO_NONE);
	robust("robust with owner", PTHREAD_PRIO_INHERIT);
	owned();
	sequences();
	barriers();
	timers();
	tasks();
	affinity();
	sharing();
	return 0;
}

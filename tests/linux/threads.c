/*
 * threads: what programs may rely on about threads of one process (POSIX threads, clone(2), futex(2), signal(7)).
 *
 * Prints one line per finding, the same on any Linux host and on a rack: no ids and no times.
 *
 * gcc -O2 -static -pthread -w -o threads threads.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "threads.h"

#define MANY 64
#define ROUNDS 100000

/* A line of a child: what it ended with. */
static void child(const char *what, void (*body)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		body();
		fflush(stdout);
		_exit(99);
	}
	int status = 0;
	if (waitpid(pid, &status, 0) != pid)
		printf("%s: waitpid: %s\n", what, strerror(errno));
	else if (WIFSIGNALED(status))
		printf("%s: signal %d\n", what, WTERMSIG(status));
	else
		printf("%s: status %d\n", what, WEXITSTATUS(status));
}

/* --- creation, thread-local variables, mutexes */

static __thread long mine = 7;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;
static pthread_key_t key;
static int destroyed;

static void destroy(void *value) { __sync_fetch_and_add(&destroyed, (int)(long)value); }

static void *adds(void *argument)
{
	long number = (long)argument;
	mine += number;
	pthread_setspecific(key, (void *)1);
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		total += number;
		pthread_mutex_unlock(&lock);
	}
	return (void *)mine;
}

static void many(void)
{
	pthread_t threads[MANY];
	long results = 0;
	pthread_key_create(&key, destroy);
	for (long i = 0; i < MANY; i++)
		threads[i] = start(adds, (void *)i);
	for (int i = 0; i < MANY; i++)
		results += join(threads[i]);
	printf("64 threads: sum %ld, results %ld, own variable %ld, destructors %d\n", total, results, mine, destroyed);
}

/* --- a condition variable handed to and fro */

static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *plays(void *argument)
{
	int own = (int)(long)argument;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		while (turn % 2 != own)
			pthread_cond_wait(&turn_changed, &lock);
		turn++;
		pthread_cond_signal(&turn_changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void ping_pong(void)
{
	pthread_t a = start(plays, (void *)0), b = start(plays, (void *)1);
	join(a);
	join(b);
	printf("ping-pong: %d turns\n", turn);
}

/* --- barriers, read-write locks, semaphores with a time */

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int phases[100], serial, writes, torn;
static volatile int left_half, right_half;

static void *meets(void *argument)
{
	for (int i = 0; i < 100; i++) {
		__sync_fetch_and_add(&phases[i], 1);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__sync_fetch_and_add(&serial, 1);
		if (phases[i] != 8)
			torn++;
	}
	for (int i = 0; i < 300; i++) {
		if (i % 10 == (long)argument) {
			pthread_rwlock_wrlock(&rwlock);
			left_half++;
			writes++;
			right_half++;
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			if (left_half != right_half)
				torn++;
			pthread_rwlock_unlock(&rwlock);
		}
	}
	return NULL;
}

static void meetings(void)
{
	pthread_t threads[8];
	pthread_barrier_init(&barrier, NULL, 8);
	for (long i = 0; i < 8; i++)
		threads[i] = start(meets, (void *)i);
	for (int i = 0; i < 8; i++)
		join(threads[i]);
	printf("barrier: %d serial threads; rwlock: %d writes, %d torn\n", serial, writes, torn);
	sem_t empty;
	struct timespec t;
	sem_init(&empty, 0, 0);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	int result = sem_timedwait(&empty, &t);
	printf("sem_timedwait: %d %s\n", result, strerror(errno));
}

/* --- cancellation */

static int cleaned;
static int pipe_ends[2];

static void cleans(void *argument) { cleaned += (int)(long)argument; }

static void *reads(void *argument)
{
	char byte;
	pthread_cleanup_push(cleans, (void *)1);
	read(pipe_ends[0], &byte, 1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *waits_for_condition(void *argument)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &lock);
	pthread_cleanup_push(cleans, (void *)10);
	for (;;)
		pthread_cond_wait(&turn_changed, &lock);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *computes(void *argument)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (volatile long i = 0;; i++)
		;
	return NULL;
}

static void *refuses(void *argument)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pause_ms(50);
	return (void *)5;
}

static void cancellation(void)
{
	void *(*bodies[])(void *) = { reads, waits_for_condition, computes, refuses };
	long results[4];
	pipe(pipe_ends);
	for (int i = 0; i < 4; i++) {
		pthread_t thread = start(bodies[i], NULL);
		pause_ms(20);
		pthread_cancel(thread);
		results[i] = join(thread);
	}
	printf("cancelled: %d %d %d %d, cleaned %d, lock %s\n", (void *)results[0] == PTHREAD_CANCELED, (void *)results[1] == PTHREAD_CANCELED,
		(void *)results[2] == PTHREAD_CANCELED, (int)results[3], cleaned, pthread_mutex_trylock(&lock) == 0 ? "free" : "taken");
	pthread_mutex_unlock(&lock);
}

/* --- signals */

static volatile sig_atomic_t handled, wrong_thread;
static volatile pid_t expected;

static void on_signal(int number)
{
	handled++;
	if (expected && expected != gettid())
		wrong_thread++;
}

static void *pauses(void *argument)
{
	*(volatile pid_t *)argument = gettid();
	int result = pause();
	return (void *)(long)(result == -1 && errno == EINTR);
}

static atomic_int taken;

static void *takes(void *argument)
{
	sigset_t set;
	siginfo_t info;
	int sum = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 1);
	for (int i = 0; i < 6; i++) {
		sum = sum * 3 + (sigwaitinfo(&set, &info) == SIGUSR2 ? 1 : 2);
		taken = i + 1;
	}
	return (void *)(long)sum;
}

static void *unblocks(void *argument)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expected = gettid();
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return (void *)(long)handled;
}

static void signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	volatile pid_t id = 0;
	sigset_t set, pending;
	sigaction(SIGUSR1, &action, NULL);
	pthread_t thread = start(pauses, (void *)&id);
	while (!id)
		sched_yield();
	expected = id;
	pause_ms(20);
	pthread_kill(thread, SIGUSR1);
	long result = join(thread);
	printf("pthread_kill: interrupted %ld, handled %d, elsewhere %d\n", result, handled, wrong_thread);
	printf("tgkill of an ended thread: %d", (int)syscall(SYS_tgkill, getpid(), id, 0));
	printf(" %s, of another process's: %d", strerror(errno), (int)syscall(SYS_tgkill, getppid(), gettid(), 0));
	printf(" %s\n", strerror(errno));

	/* The process's signal goes to the thread that does not block it. */
	handled = 0;
	id = 0;
	thread = start(pauses, (void *)&id);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!id)
		sched_yield();
	expected = id;
	pause_ms(20);
	kill(getpid(), SIGUSR1);
	result = join(thread);
	printf("kill: interrupted %ld, handled %d, elsewhere %d\n", result, handled, wrong_thread);

	/* All block it: it waits for whoever unblocks it. */
	handled = 0;
	kill(getpid(), SIGUSR1);
	sigpending(&pending);
	result = join(start(unblocks, NULL));
	printf("pending %d, handled by who unblocks %ld, elsewhere %d\n", sigismember(&pending, SIGUSR1), result, wrong_thread);
	sigpending(&pending);
	printf("pending %d\n", sigismember(&pending, SIGUSR1));

	thread = start(takes, NULL);
	/* One at a time: of two that are pending the thread's own comes first. */
	for (int i = 0; i < 3; i++) {
		pause_ms(10);
		kill(getpid(), SIGUSR2);
		while (taken < 2 * i + 1)
			pause_ms(1);
		pthread_kill(thread, SIGRTMIN + 1);
		while (taken < 2 * i + 2)
			pause_ms(1);
	}
	printf("sigwaitinfo: %ld\n", join(thread));
	expected = 0;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* --- ends */

static void *sleeps(void *argument)
{
	for (;;)
		pause();
}

static void *ends_all(void *argument)
{
	pause_ms(10);
	exit(41);
}

static void *faults(void *argument)
{
	pause_ms(10);
	*(volatile int *)8 = 1;
	return NULL;
}

static void *ends_later(void *argument)
{
	pause_ms(300);
	printf("a thread goes on without the first one\n");
	fflush(stdout);
	syscall(SYS_exit, 7);
	return NULL;
}

static void with_waiters(void)
{
	for (int i = 0; i < 8; i++)
		start(i % 2 ? sleeps : computes, NULL);
}

static void exit_by_thread(void) { with_waiters(); start(ends_all, NULL); for (;;) pause(); }
static void exit_by_main(void) { with_waiters(); pause_ms(10); _exit(42); }
static void fault_in_thread(void) { with_waiters(); start(faults, NULL); for (;;) pause(); }
static void kill_all(void) { with_waiters(); pause_ms(10); kill(getpid(), SIGKILL); for (;;) pause(); }
static void terminate_all(void) { with_waiters(); pause_ms(10); kill(getpid(), SIGTERM); for (;;) pause(); }
static void main_first(void) { start(ends_later, NULL); syscall(SYS_exit, 3); }
static void last_returns(void) { start(ends_later, NULL); pthread_exit(NULL); }
static void exit_race(void) { for (int i = 0; i < 6; i++) start(ends_all, NULL); pause_ms(10); exit(41); }

/* --- fork and exec */

static void *forks(void *argument)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		char line[256];
		int threads = -1;
		FILE *status = fopen("/proc/self/status", "r");
		while (status && fgets(line, sizeof line, status))
			sscanf(line, "Threads: %d", &threads);
		printf("the child of a thread: %d thread, main %d\n", threads, gettid() == getpid());
		fflush(stdout);
		pthread_t thread = start(refuses, NULL);
		_exit(join(thread) + 20);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return (void *)(long)WEXITSTATUS(status);
}

static char *self;

static void *executes(void *argument)
{
	char id[16];
	sprintf(id, "%d", getpid());
	char *words[] = { self, "executed", id, NULL };
	pause_ms(10);
	execv(self, words);
	return NULL;
}

static void exec_by_thread(void) { with_waiters(); start(executes, NULL); for (;;) pause(); }
static void exec_without_main(void) { start(executes, NULL); syscall(SYS_exit, 0); }
static void exec_race(void) { with_waiters(); start(executes, NULL); start(executes, NULL); executes(NULL); }

/* --- stops */

static void stops(void)
{
	int status = 0;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		with_waiters();
		for (;;)
			pause();
	}
	for (int i = 0; i < 3; i++) {
		pause_ms(20);
		kill(pid, SIGSTOP);
		waitpid(pid, &status, WUNTRACED);
		printf("stopped %d by %d, ", WIFSTOPPED(status), WSTOPSIG(status));
		kill(pid, SIGCONT);
		waitpid(pid, &status, WCONTINUED);
		printf("continued %d\n", WIFCONTINUED(status));
	}
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("killed %d while stopped\n", WTERMSIG(status));
}

/* --- memory */

static char *shared_page;
static volatile int flipping, segvs;

static void on_segv(int number, siginfo_t *info, void *context)
{
	segvs++;
	/* Try again until it is allowed. */
	sched_yield();
}

static void *flips(void *argument)
{
	for (int i = 0; i < 200; i++) {
		mprotect(shared_page, 4096, PROT_READ);
		sched_yield();
		mprotect(shared_page, 4096, PROT_READ | PROT_WRITE);
		sched_yield();
	}
	return NULL;
}

static void *maps(void *argument)
{
	unsigned sum = 0;
	for (int i = 0; i < 100; i++) {
		size_t length = (1 + (i + (long)argument) % 5) * 4096;
		char *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return (void *)-1L;
		for (size_t at = 0; at < length; at += 1024) {
			if (p[at])
				return (void *)-2L;
			p[at] = (char)(long)argument + 1;
			sum += p[at];
		}
		void *block = malloc(3000 + i * 50);
		memset(block, 1, 3000 + i * 50);
		munmap(p, length);
		free(block);
	}
	return (void *)(long)sum;
}

static void *writes_shared(void *argument)
{
	for (int i = 0; i < 2000; i++) {
		((volatile char *)shared_page)[(long)argument]++;
		__sync_fetch_and_add((int *)(shared_page + 64), 1);
	}
	return NULL;
}

static void *grows(void *argument)
{
	for (int i = 0; i < 50; i++) {
		char *p = sbrk(4096);
		if (p == (void *)-1)
			return (void *)-1L;
	}
	return NULL;
}

static void memory(void)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	pthread_t threads[8];
	long sum = 0;
	sigaction(SIGSEGV, &action, NULL);
	for (long i = 0; i < 6; i++)
		threads[i] = start(maps, (void *)i);
	for (int i = 0; i < 6; i++)
		sum += join(threads[i]);
	printf("mmap and munmap by six: %ld\n", sum);
	shared_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t flipper = start(flips, NULL);
	for (long i = 0; i < 4; i++)
		threads[i] = start(writes_shared, (void *)i);
	for (int i = 0; i < 4; i++)
		join(threads[i]);
	join(flipper);
	printf("mprotect against writes: %d %d\n", *(int *)(shared_page + 64), shared_page[0]);
	signal(SIGSEGV, SIG_DFL);
}

/* --- files */

static atomic_int reading;

static void *reads_pipe(void *argument)
{
	char byte = 0;
	reading = 1;
	long got = read(pipe_ends[0], &byte, 1);
	return (void *)(got * 1000 + byte);
}

static void *opens(void *argument)
{
	for (int i = 0; i < 50; i++) {
		int descriptor = open("/proc/self/stat", O_RDONLY);
		int other = dup(descriptor);
		char text[64];
		if (descriptor < 0 || other < 0 || read(other, text, sizeof text) <= 0)
			return (void *)1L;
		close(descriptor);
		close(other);
	}
	return NULL;
}

static void files(void)
{
	pthread_t threads[6];
	long failed = 0;
	pipe(pipe_ends);
	pthread_t reader = start(reads_pipe, NULL);
	while (!reading)
		pause_ms(1);
	pause_ms(200);
	close(pipe_ends[0]);
	pause_ms(20);
	write(pipe_ends[1], "x", 1);
	printf("a read whose descriptor is closed: %ld\n", join(reader));
	for (int i = 0; i < 6; i++)
		threads[i] = start(opens, NULL);
	for (int i = 0; i < 6; i++)
		failed += join(threads[i]);
	printf("descriptors: %ld failed\n", failed);
}

/* --- names, ids, clocks */

static void *named(void *argument)
{
	char name[16], text[64] = "";
	pthread_setname_np(pthread_self(), "a-thread");
	pthread_getname_np(pthread_self(), name, sizeof name);
	struct timespec own, all;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	while (own.tv_nsec < 3000000 && own.tv_sec == 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
	printf("thread %s, is main %d, its time is within the process's %d\n", name, gettid() == getpid(),
		all.tv_sec > own.tv_sec || (all.tv_sec == own.tv_sec && all.tv_nsec >= own.tv_nsec));
	return NULL;
}

static void names(void)
{
	char name[16];
	join(start(named, NULL));
	pthread_getname_np(pthread_self(), name, sizeof name);
	printf("main %s, is main %d\n", name, gettid() == getpid());
}

/* --- interrupts that make another CPU forget translations (TLB shootdowns) */

#define PAGE 4096
#define PAGES 64
#define TRIES 200

static volatile int spins;

static void *spin(void *unused)
{
	while (spins)
		;
	return NULL;
}

/* How many of all CPUs there have been; 0 if the file does not say. */
static long shootdowns(void)
{
	char text[16384], *line;
	long sum = 0;
	int fd = open("/proc/interrupts", O_RDONLY);
	ssize_t length = 0, got;

	while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0)
		length += got;
	close(fd);
	text[length] = 0;
	line = strstr(text, "TLB:");
	for (char *at = line ? line + 4 : ""; *at == ' ';) {
		char *end;
		long value = strtol(at, &end, 10);
		if (end == at)
			break;
		sum += value;
		at = end;
	}
	return sum;
}

static void unmaps(char *pages) { munmap(pages, PAGES * PAGE); }
static void protects(char *pages) { mprotect(pages, PAGES * PAGE, PROT_READ); }
static void gives_up(char *pages) { madvise(pages, PAGES * PAGE, MADV_DONTNEED); }
static void moves(char *pages)
{
	pages = mremap(pages, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
	munmap(pages, 2 * PAGES * PAGE);
}

static void forks_once(char *pages)
{
	if (fork() == 0)
		_exit(0);
	wait(NULL);
}

/* The fewest that a call has needed while another thread runs: others on the machine have some, too. */
static void few(const char *what, void (*call)(char *))
{
	long fewest = LONG_MAX;

	for (int i = 0; i < TRIES && fewest > PAGES / 8; i++) {
		char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (int page = 0; page < PAGES; page++)
			pages[page * PAGE] = 1;
		long before = shootdowns();
		call(pages);
		long after = shootdowns();
		if (after - before < fewest)
			fewest = after - before;
		munmap(pages, PAGES * PAGE);
	}
	if (fewest <= PAGES / 8)
		printf("interrupts for %s 64 pages: few\n", what);
	else
		printf("interrupts for %s 64 pages: %ld\n", what, fewest);
}

static void interrupts(void)
{
	spins = 1;
	pthread_t other = start(spin, NULL);
	few("munmap of", unmaps);
	few("mprotect of", protects);
	few("MADV_DONTNEED of", gives_up);
	few("mremap of", moves);
	few("fork with", forks_once);
	spins = 0;
	join(other);
}

int main(int count, char **words)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count == 3 && !strcmp(words[1], "executed")) {
		printf("executed: same id %d, main %d\n", atoi(words[2]) == getpid(), gettid() == getpid());
		return 43;
	}
	self = words[0];
	many();
	ping_pong();
	meetings();
	cancellation();
	signals();
	child("exit by a thread", exit_by_thread);
	child("exit by main", exit_by_main);
	child("exit by all", exit_race);
	child("a fault in a thread", fault_in_thread);
	child("SIGKILL", kill_all);
	child("SIGTERM", terminate_all);
	child("main ends first", main_first);
	child("main ends, then the last", last_returns);
	printf("fork by a thread: %ld\n", join(start(forks, NULL)));
	child("exec by a thread", exec_by_thread);
	child("exec without main", exec_without_main);
	child("exec by three", exec_race);
	stops();
	memory();
	files();
	names();
	interrupts();
	return 0;
}

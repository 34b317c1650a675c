/*
 * futexes: waits for several words (futex_waitv(2)), conditions whose waiters get a lock with an owner (FUTEX_WAIT_REQUEUE_PI), and many waits and wake-ups of which
 * none may get lost (futex(2)): a lost one hangs the program.
 *
 * futexes [ROUNDS]   rounds of the last part, each some ten operations; 1000000 of them are ten million operations.
 *
 * gcc -O2 -static -pthread -w -o futexes futexes.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define WAITV 449
#define SIZE_U32 2

struct entry { uint64_t value, address; uint32_t flags, reserved; };

static uint32_t words[4];

static long futex(void *word, int operation, uint32_t value, void *time_or_count, void *second, uint32_t third)
{
	long result = syscall(SYS_futex, word, operation, value, time_or_count, second, third);
	return result < 0 ? -errno : result;
}

static long wait_any(struct entry *entries, unsigned count, unsigned flags, struct timespec *until, int clock)
{
	long result = syscall(WAITV, entries, count, flags, until, clock);
	return result < 0 ? -errno : result;
}

static void fill(struct entry *entries, int count, unsigned flags)
{
	memset(entries, 0, count * sizeof *entries);
	for (int i = 0; i < count; i++)
		entries[i] = (struct entry) { words[i], (uintptr_t)&words[i], flags, 0 };
}

static struct timespec soon(int clock, long ms)
{
	struct timespec t;
	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static const char *name_of(long result) { return result < 0 ? strerrorname_np(-result) : "none"; }

static void *waits_for_any(void *flags)
{
	struct entry entries[3];
	fill(entries, 3, SIZE_U32 | (unsigned)(uintptr_t)flags);
	return (void *)wait_any(entries, 3, 0, NULL, 0);
}

/* Wakes until somebody was there to be woken. */
static void wake_one(uint32_t *word, int private)
{
	while (futex(word, FUTEX_WAKE | private, 1, NULL, NULL, 0) != 1)
		sched_yield();
}

static void on_signal(int number) {}

static void several(void)
{
	struct entry entries[130];
	struct timespec until = soon(CLOCK_MONOTONIC, 20), bad = { 0, -1 };
	pthread_t thread;
	void *result;

	for (int index = 0; index < 3; index++) {
		int private = index == 2 ? 0 : FUTEX_PRIVATE_FLAG;
		pthread_create(&thread, NULL, waits_for_any, (void *)(uintptr_t)private);
		wake_one(&words[index], private);
		pthread_join(thread, &result);
		printf("one of three is woken: %ld\n", (long)result);
	}
	memset(entries, 0, sizeof entries);
	fill(entries, 3, SIZE_U32 | FUTEX_PRIVATE_FLAG);
	printf("nobody comes: %s\n", name_of(wait_any(entries, 3, 0, &until, CLOCK_MONOTONIC)));
	until = soon(CLOCK_REALTIME, 20);
	printf("nobody comes, by real time: %s\n", name_of(wait_any(entries, 3, 0, &until, CLOCK_REALTIME)));
	printf("bad time: %s, bad clock: %s, no memory: %s\n", name_of(wait_any(entries, 3, 0, &bad, CLOCK_MONOTONIC)),
		name_of(wait_any(entries, 3, 0, &until, CLOCK_BOOTTIME)), name_of(wait_any((void *)16, 1, 0, NULL, 0)));
	printf("none: %s, too many: %s, flags: %s\n", name_of(wait_any(entries, 0, 0, NULL, 0)), name_of(wait_any(entries, 129, 0, NULL, 0)),
		name_of(wait_any(entries, 1, 1, NULL, 0)));
	entries[2].value++;
	printf("another value: %s\n", name_of(wait_any(entries, 3, 0, NULL, 0)));
	entries[2].value--;
	entries[1].flags = 0;
	printf("another size: %s\n", name_of(wait_any(entries, 3, 0, NULL, 0)));
	entries[1].flags = SIZE_U32 | FUTEX_PRIVATE_FLAG;
	entries[1].reserved = 1;
	printf("reserved: %s\n", name_of(wait_any(entries, 3, 0, NULL, 0)));
	entries[1].reserved = 0;
	entries[1].address++;
	printf("between words: %s\n", name_of(wait_any(entries, 3, 0, NULL, 0)));
	entries[1].address = 8;
	printf("no word: %s\n", name_of(wait_any(entries, 3, 0, NULL, 0)));

	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGALRM, &action, NULL);
	fill(entries, 3, SIZE_U32 | FUTEX_PRIVATE_FLAG);
	/* Again and again: the first one may come before the wait. */
	ualarm(20000, 20000);
	printf("a signal comes: %s\n", name_of(wait_any(entries, 3, 0, NULL, 0)));
	ualarm(0, 0);
}

/* --- conditions whose waiters get the lock ---------------------------------------------------------------------------------------------- */

static uint32_t condition, lock, other_lock, inside, turns;

static void *waits_for_lock(void *until)
{
	long result = futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, condition, until, &lock, 0);
	if (result == 0) {
		if ((lock & FUTEX_TID_MASK) != syscall(SYS_gettid) || inside++ != 0)
			return (void *)1000;
		turns++;
		sched_yield();
		inside--;
		futex(&lock, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	}
	return (void *)result;
}

static long move(uint32_t value, long most, uint32_t *target)
{
	return futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, (void *)most, target, value);
}

static void handed_over(int takes)
{
	pthread_t threads[THREADS];
	void *result;
	long moved = 0, bad = 0;

	turns = 0;
	if (takes)
		futex(&lock, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, waits_for_lock, NULL);
	while (moved < THREADS) {
		long now = move(condition, INT_MAX, &lock);
		if (now < 0) {
			printf("moved: %s\n", name_of(now));
			exit(1);
		}
		moved += now;
		sched_yield();
	}
	if (takes) {
		inside = 0;
		futex(&lock, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		bad += (long)result != 0;
	}
	printf("lock %s: moved %ld, turns %u, wrong %ld, lock afterwards %x\n", takes ? "taken" : "free", moved, turns, bad, lock);
}

static void conditions(void)
{
	struct timespec until = soon(CLOCK_MONOTONIC, 20);
	pthread_t thread;
	void *result;
	long moved;

	handed_over(1);
	handed_over(0);
	printf("nobody signals: %s\n", name_of((long)waits_for_lock(&until)));
	printf("another value: %s, moved: %s\n", name_of(futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 7, NULL, &lock, 0)),
		name_of(move(7, 1, &lock)));
	printf("the lock itself: %s, moved: %s\n", name_of(futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, NULL, &condition, 0)),
		name_of(move(0, 1, &condition)));
	printf("wakes two: %s\n", name_of(futex(&condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 2, (void *)1, &lock, 0)));
	pthread_create(&thread, NULL, waits_for_lock, NULL);
	while ((moved = move(0, 1, &other_lock)) == 0)
		sched_yield();
	printf("another lock: %s\n", name_of(moved));
	while (move(0, 0, &lock) == 0)
		sched_yield();
	pthread_join(thread, &result);
	printf("its own: %ld\n", (long)result);

	/* Its time is over when it waits for the lock already. */
	futex(&lock, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	until = soon(CLOCK_MONOTONIC, 300);
	pthread_create(&thread, NULL, waits_for_lock, &until);
	while ((moved = move(0, 1, &lock)) == 0 && (soon(CLOCK_MONOTONIC, 0).tv_sec <= until.tv_sec))
		sched_yield();
	pthread_join(thread, &result);
	printf("too late for the lock: %s\n", name_of((long)result));
	futex(&lock, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
}

/* --- many ------------------------------------------------------------------------------------------------------------------------------ */

static long rounds = 4000;
static _Atomic uint32_t turn, simple;
static long counted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int waiting;

/* Two threads in turn: each waits until the word is its own. */
static void *in_turn(void *own)
{
	uint32_t me = (uintptr_t)own;
	for (long i = 0; i < rounds; i++) {
		uint32_t now;
		while ((now = turn) != me)
			futex(&turn, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, now, NULL, NULL, 0);
		turn = !me;
		futex(&turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
	}
	return NULL;
}

/* Drepper, "Futexes Are Tricky", mutex 2: 0 free, 1 taken, 2 taken and waited for. */
static void *excludes(void *unused)
{
	for (long i = 0; i < rounds; i++) {
		uint32_t seen = 0;
		if (!atomic_compare_exchange_strong(&simple, &seen, 1)) {
			if (seen != 2)
				seen = atomic_exchange(&simple, 2);
			while (seen != 0) {
				futex(&simple, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL, NULL, 0);
				seen = atomic_exchange(&simple, 2);
			}
		}
		counted++;
		if (i % 8 == 0)
			sched_yield();
		if (atomic_fetch_sub(&simple, 1) != 1) {
			simple = 0;
			futex(&simple, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
		}
	}
	return NULL;
}

static void *produces(void *unused)
{
	for (long i = 0; i < rounds; i++) {
		pthread_mutex_lock(&mutex);
		while (waiting == 2)
			pthread_cond_wait(&not_full, &mutex);
		waiting++;
		pthread_cond_signal(&not_empty);
		pthread_mutex_unlock(&mutex);
		sem_post(&semaphore);
	}
	return NULL;
}

static void *consumes(void *unused)
{
	for (long i = 0; i < rounds; i++) {
		pthread_mutex_lock(&mutex);
		while (waiting == 0)
			pthread_cond_wait(&not_empty, &mutex);
		waiting--;
		pthread_cond_signal(&not_full);
		pthread_mutex_unlock(&mutex);
		sem_wait(&semaphore);
	}
	return NULL;
}

static void many(void)
{
	void *(*bodies[])(void *) = { in_turn, in_turn, excludes, excludes, excludes, produces, produces, consumes, consumes };
	int left;
	pthread_t threads[9];
	sem_init(&semaphore, 0, 0);
	for (int i = 0; i < 9; i++)
		pthread_create(&threads[i], NULL, bodies[i], (void *)(uintptr_t)(i == 1));
	for (int i = 0; i < 9; i++)
		pthread_join(threads[i], NULL);
	sem_getvalue(&semaphore, &left);
	printf("none lost: %d, %d left, %d posted\n", counted == 3 * rounds, waiting, left);
}

int main(int count, char **arguments)
{
	if (count > 1)
		rounds = atol(arguments[1]);
	several();
	conditions();
	many();
	return 0;
}

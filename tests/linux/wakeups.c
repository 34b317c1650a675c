/*
 * wakeups THREADS ROUNDS: a token goes round a ring of threads; each waits for it in a futex of its own, which its neighbour wakes. One
 * wake-up lost and nobody ever continues. Prints "ok" and the number of futex calls on standard error.
 *
 * gcc -O2 -static -pthread -w -o wakeups wakeups.c
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 64 };

static struct {
	uint32_t token;
	char apart[60];
} places[MOST];
static long workers, rounds, calls;

static void *work(void *argument)
{
	long self = (long)argument, made = 0;
	uint32_t *mine = &places[self].token, *next = &places[(self + 1) % workers].token;
	for (long round = 0; round < rounds; round++) {
		while (!__atomic_load_n(mine, __ATOMIC_ACQUIRE)) {
			syscall(SYS_futex, mine, FUTEX_WAIT_PRIVATE, 0, NULL);
			made++;
		}
		__atomic_store_n(mine, 0, __ATOMIC_RELAXED);
		__atomic_store_n(next, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, next, FUTEX_WAKE_PRIVATE, 1);
		made++;
	}
	__atomic_fetch_add(&calls, made, __ATOMIC_RELAXED);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[MOST];
	workers = argc > 2 ? atol(argv[1]) : 0;
	if (workers < 2 || workers > MOST)
		return 2;
	rounds = atol(argv[2]);
	places[0].token = 1;
	for (long worker = 0; worker < workers; worker++)
		if (pthread_create(&threads[worker], NULL, work, (void *)worker))
			return 2;
	for (long worker = 0; worker < workers; worker++)
		pthread_join(threads[worker], NULL);
	puts("ok");
	fprintf(stderr, "%ld futex calls\n", calls);
	return 0;
}

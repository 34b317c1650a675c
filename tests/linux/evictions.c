/*
 * evictions THREADS PAGES STEPS: threads that write to the same pages while these are evicted and fetched. Each of them counts in a word of
 * its own on each page, and all together, atomically, in one that they share; each page bears its number. In the end no step may be missing.
 * Prints "ok", or what is wrong, with status 1.
 *
 * gcc -O2 -static -pthread -w -o evictions evictions.c
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, WORDS = PAGE / 8, SHARED = WORDS - 2, NUMBER = WORDS - 1, MOST = 64 };

static volatile uint64_t (*pages)[WORDS];
static long count, steps;

static void *work(void *argument)
{
	long self = (long)argument;
	uint64_t state = 88172645463325252ull + 977 * self;
	for (long step = 0; step < steps; step++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		volatile uint64_t *page = pages[state % count];
		page[self]++;
		__atomic_fetch_add(&page[SHARED], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[MOST];
	uint64_t sums[MOST] = { 0 }, shared = 0, foreign = 0;
	long workers = argc > 3 ? atol(argv[1]) : 0;
	if (workers < 1 || workers > MOST)
		return 2;
	count = atol(argv[2]);
	steps = atol(argv[3]);
	pages = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return 2;
	for (long page = 0; page < count; page++)
		pages[page][NUMBER] = page;
	for (long worker = 0; worker < workers; worker++)
		if (pthread_create(&threads[worker], NULL, work, (void *)worker))
			return 2;
	for (long worker = 0; worker < workers; worker++)
		pthread_join(threads[worker], NULL);
	for (long page = 0; page < count; page++) {
		for (long worker = 0; worker < workers; worker++)
			sums[worker] += pages[page][worker];
		shared += pages[page][SHARED];
		foreign += pages[page][NUMBER] != (uint64_t)page;
	}
	for (long worker = 0; worker < workers; worker++)
		if (sums[worker] != (uint64_t)steps)
			return printf("thread %ld made %ld steps and %lu are there\n", worker, steps, (unsigned long)sums[worker]), 1;
	if (shared != (uint64_t)(steps * workers) || foreign)
		return printf("%lu of %ld steps are there, %lu pages are others\n", (unsigned long)shared, steps * workers, (unsigned long)foreign), 1;
	puts("ok");
	return 0;
}

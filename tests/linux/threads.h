/* Threads of the tests that are about them: start and join, or the reason why not. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "times.h"

static pthread_t start(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, body, argument);
	if (error) {
		printf("pthread_create: %s\n", strerror(error));
		exit(1);
	}
	return thread;
}

/* What the thread returned, or -errno. */
static long join(pthread_t thread)
{
	void *result;
	int error = pthread_join(thread, &result);
	return error ? -error : (long)result;
}

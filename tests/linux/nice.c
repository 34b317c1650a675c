/*
 * nice: two processes compute on one CPU, and the nicer one has less of it (sched(7)); nice values are inherited and told, rights are checked (setpriority(2)).
 * gcc -O1 -static -w -o nice nice.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

static pid_t computes(int value)
{
	pid_t child = fork();
	if (child == 0) {
		setpriority(PRIO_PROCESS, 0, value);
		for (;;)
			;
	}
	return child;
}

static double ends(pid_t child)
{
	struct rusage usage;
	int status;
	kill(child, SIGKILL);
	wait4(child, &status, 0, &usage);
	return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 + usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6;
}

static double ratio_once(int first, int second)
{
	pid_t a = computes(first), b = computes(second);
	struct timespec wait = { 0, 400000000 };
	nanosleep(&wait, NULL);
	double time_a = ends(a), time_b = ends(b);
	return time_a / (time_b > 0.001 ? time_b : 0.001);
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return (difference > 0) - (difference < 0);
}

/* The median of five: a machine that gets no time of its host for a while counts that as the time of whoever computes. */
static double ratio(int first, int second)
{
	enum { Rounds = 5 };
	double ratios[Rounds];
	for (int i = 0; i < Rounds; i++)
		ratios[i] = ratio_once(first, second);
	qsort(ratios, Rounds, sizeof *ratios, compare);
	return ratios[Rounds / 2];
}

int main(void)
{
	cpu_set_t allowed, one;
	double equal, nicer;
	int cpu = 0;
	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) {
		perror("sched_getaffinity");
		return 1;
	}
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof one, &one) < 0) {
		perror("sched_setaffinity");
		return 1;
	}
	equal = ratio(0, 0);
	nicer = ratio(0, 10);
	printf("equals have equal shares: %d, the nicer one less: %d\n", equal > 0.5 && equal < 2, nicer > 3);
	setpriority(PRIO_PROCESS, 0, 5);
	fflush(stdout);
	if (fork() == 0) {
		printf("inherited: %d\n", getpriority(PRIO_PROCESS, 0));
		printf("too nice: %s", error_of(setpriority(PRIO_PROCESS, 0, 100)));
		printf(" %d\n", getpriority(PRIO_PROCESS, 0));
		setuid(1000);
		printf("back: %s\n", error_of(setpriority(PRIO_PROCESS, 0, 0)));
		printf("another's: %s\n", error_of(setpriority(PRIO_PROCESS, getppid(), 19)));
		printf("nobody's: %s\n", error_of(setpriority(PRIO_USER, 4711, 19)));
		exit(0);
	}
	wait(NULL);
	printf("raised: %s", error_of(setpriority(PRIO_PROCESS, 0, -3)));
	printf(" %d\n", getpriority(PRIO_PROCESS, 0));
	return 0;
}

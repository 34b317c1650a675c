/*
 * churn EXECS FILES THREADS: what a busy system does all day. Executes itself EXECS times, by fork, vfork and as a shell does with pipes; creates FILES
 * files, of which some are renamed, mapped, synchronized, or removed while they are open; starts THREADS threads that are all there at once, and end.
 * Nothing of it is left at the end. Prints "done".
 *
 * gcc -O2 -static -w -pthread -o churn churn.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int holds, const char *what)
{
	if (!holds) {
		perror(what);
		exit(1);
	}
}

static void execute(const char *self, int round)
{
	int ends[2], status;
	need(!pipe(ends), "pipe");
	pid_t child = round % 2 ? fork() : vfork();
	need(child >= 0, "fork");
	if (!child) {
		dup2(ends[1], 1);
		execl(self, self, "child", NULL);
		_exit(1);
	}
	close(ends[1]);
	char byte = 0;
	need(read(ends[0], &byte, 1) == 1 && byte == 'x', "what a child says");
	close(ends[0]);
	need(waitpid(child, &status, 0) == child && status == 0, "a child's status");
}

static void use_file(int round)
{
	static char bytes[3 * 4096];
	char path[40], other[40];
	sprintf(path, "/tmp/churn-%d", round % 100);
	sprintf(other, "/tmp/moved-%d", round % 100);
	int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	need(file >= 0, "open");
	long size = 1 + round * 37 % sizeof bytes;
	need(write(file, bytes, size) == size, "write");
	if (round % 5 == 0) {
		char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, round % 2 ? MAP_SHARED : MAP_PRIVATE, file, 0);
		need(memory != MAP_FAILED, "mmap");
		memory[size - 1]++;
		need(!munmap(memory, size), "munmap");
	}
	if (round % 50 == 0)
		need(!fsync(file), "fsync");
	if (round % 3 == 0)
		need(!rename(path, other), "rename");
	if (round % 2)
		close(file);
	need(!unlink(round % 3 ? path : other), "unlink");
	if (round % 2 == 0) {
		need(write(file, bytes, size) == size, "write to a file without a name");
		close(file);
	}
}

static pthread_barrier_t all;

static void *meet(void *unused)
{
	pthread_barrier_wait(&all);
	return NULL;
}

static void crowd(int threads)
{
	pthread_t *others = calloc(threads, sizeof *others);
	need(others && !pthread_barrier_init(&all, NULL, threads + 1), "barrier");
	for (int index = 0; index < threads; index++)
		need(!pthread_create(&others[index], NULL, meet, NULL), "thread");
	pthread_barrier_wait(&all);
	for (int index = 0; index < threads; index++)
		need(!pthread_join(others[index], NULL), "join");
}

int main(int count, char **arguments)
{
	if (count != 4)
		return write(1, "x", 1) != 1;
	for (int round = 0; round < atoi(arguments[1]); round++)
		execute(arguments[0], round);
	for (int round = 0; round < atoi(arguments[2]); round++)
		use_file(round);
	crowd(atoi(arguments[3]));
	puts("done");
	return 0;
}

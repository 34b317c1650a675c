/*
 * pipes: makes pipes and fills them until there are no more, in as many processes as it takes, and holds them until standard input ends. Prints "full" when it
 * can make no more, and at the end how many bytes came out of them again: "all" when that is what went in.
 *
 * gcc -O2 -static -w -o pipes pipes.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PER_PROCESS = 400 };

int main(void)
{
	static char bytes[65536];
	int ends[PER_PROCESS][2], count = 0, status = 0;
	long in = 0, out = 0, moved;
	while (count < PER_PROCESS && !pipe2(ends[count], O_NONBLOCK)) {
		while ((moved = write(ends[count][1], bytes, sizeof bytes)) > 0)
			in += moved;
		count++;
	}
	pid_t child = -1;
	if (count == PER_PROCESS && (child = fork()) == 0) {
		for (int i = 0; i < count; i++)
			close(ends[i][0]), close(ends[i][1]);
		execl("/proc/self/exe", "pipes", NULL);
		_exit(1);
	}
	if (child < 0) {
		puts("full");
		fflush(stdout);
		while (read(0, bytes, 1) > 0)
			;
	}
	else
		wait(&status);
	for (int i = 0; i < count; i++)
		while ((moved = read(ends[i][0], bytes, sizeof bytes)) > 0)
			out += moved;
	if (child < 0)
		puts(in == out ? "all" : "lost");
	return status != 0 || in != out;
}

/*
 * written-back: what is stored into a shared mapping changes the file although nobody asks for it (mmap(2): its times are marked for update between the
 * store and the next msync).
 *
 * gcc -O2 -static -w -o written-back written-back.c        usage: written-back [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

int main(int argc, char **argv)
{
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	struct stat status;
	char *map, byte;
	int fd;

	chdir(argc > 1 ? argv[1] : "/tmp");
	fd = open("written-back-file", O_CREAT | O_TRUNC | O_RDWR, 0600);
	ftruncate(fd, 8192);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	futimens(fd, old);
	map[4096] = 'x';
	do {
		usleep(100000);
		fstat(fd, &status);
	} while (status.st_mtime == 1);
	printf("changed\n");
	map[4097] = 'y';
	printf("read: %s", result(pread(fd, &byte, 1, 4097)));
	printf(" %c\n", byte);
	unlink("written-back-file");
	return 0;
}

/*
 * told-owners: signals to the owner of an open directory when something happens in it (fcntl(2), F_NOTIFY).
 *
 * Prints one line per finding, the same on any Linux host and on a rack. Works in DIRECTORY, in which it leaves nothing.
 *
 * gcc -O2 -static -w -o told-owners told-owners.c        usage: told-owners [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results.h"

static volatile int signals, code, descriptor;
static volatile long band;
static int directory, file;

static void on_signal(int number, siginfo_t *info, void *context)
{
	signals++;
	code = info->si_code;
	descriptor = info->si_fd;
	band = info->si_band;
}

static void told(const char *what)
{
	printf("%s: %d", what, signals);
	if (signals == 1)
		printf(", code %d, descriptor %s, band %lx", code, descriptor == directory ? "own" : "other", band);
	printf("\n");
	signals = 0;
}

static const char *ask(int asked, unsigned changes)
{
	return error_of(fcntl(asked, F_NOTIFY, changes));
}

static void store(const char *what)
{
	pwrite(file, "x", 1, 0);
	told(what);
}

/* Everything that may happen, under one kind of changes. */
static void all(const char *name, unsigned changes)
{
	char bytes[1000];

	printf("-- %s: %s", name, ask(directory, changes | DN_MULTISHOT));
	printf(", owner %s\n", fcntl(directory, F_GETOWN) == getpid() ? "own" : "other");
	pread(file, bytes, 1, 0);
	told("read");
	store("write");
	ftruncate(file, 2);
	told("ftruncate");
	truncate("told/file", 3);
	told("truncate");
	fchmod(file, 0600);
	told("chmod");
	utimensat(AT_FDCWD, "told/file", NULL, 0);
	told("utimensat");
	close(open("told/new", O_CREAT | O_WRONLY, 0644));
	told("create");
	close(open("told/new", O_RDONLY));
	told("open");
	mkdir("told/below", 0755);
	told("mkdir");
	symlink("nowhere", "told/link");
	told("symlink");
	link("told/file", "told/second");
	told("link");
	rename("told/new", "told/renamed");
	told("rename");
	rename("told/renamed", "told-other/renamed");
	told("rename to elsewhere");
	rename("told-other/renamed", "told/back");
	told("rename from elsewhere");
	unlink("told/back");
	told("unlink");
	rmdir("told/below");
	told("rmdir");
	chmod("told", 0700);
	told("chmod of itself");
	syscall(SYS_getdents64, directory, bytes, sizeof bytes);
	told("list");
	unlink("told/second");
	unlink("told/link");
	signals = 0;
	printf("nothing: %s\n", ask(directory, 0));
	store("no more");
}

static void shots(void)
{
	printf("once %s\n", ask(directory, DN_MODIFY));
	store("first");
	store("second");
	ask(directory, DN_MODIFY);
	ask(directory, DN_ATTRIB | DN_MULTISHOT);
	store("added");
	fchmod(file, 0644);
	told("another kind");
	store("as before");
	printf("unknown %s", ask(directory, 0x40));
	printf(", several of nothing %s\n", ask(directory, DN_MULTISHOT));
	store("ended");
}

static void ends(void)
{
	int copy = dup(directory), other;

	ask(directory, DN_MODIFY | DN_MULTISHOT);
	store("with two descriptors");
	close(copy);
	store("one of them closed");
	other = open("told", O_RDONLY);
	fcntl(other, F_SETSIG, SIGRTMIN);
	ask(other, DN_MODIFY | DN_MULTISHOT);
	ask(directory, DN_MODIFY | DN_MULTISHOT);
	store("two open directories");
	close(other);
	store("one of them");
	fflush(stdout);
	if (fork() == 0) {
		ask(directory, 0);
		_exit(0);
	}
	while (wait(NULL) < 0)
		;
	store("after a child's end");
	fcntl(directory, F_SETSIG, 0);
	pwrite(file, "x", 1, 0);
	printf("without F_SETSIG: %d, code %d\n", signals, code);
	signals = 0;
	fcntl(directory, F_SETOWN, 0);
	store("without an owner");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	setvbuf(stdout, NULL, _IOLBF, 0);
	chdir(argc > 1 ? argv[1] : "/tmp");
	mkdir("told", 0755);
	mkdir("told-other", 0755);
	directory = open("told", O_RDONLY);
	file = open("told/file", O_CREAT | O_RDWR, 0644);
	write(file, "abc", 3);
	sigaction(SIGRTMIN, &action, NULL);
	sigaction(SIGIO, &action, NULL);
	printf("file %s %s", ask(file, DN_CREATE), ask(file, 0));
	printf(", path %s", ask(open("told", O_PATH), DN_MODIFY));
	printf(", nobody %s\n", ask(77, DN_MODIFY));
	printf("owner before: %d\n", fcntl(directory, F_GETOWN));
	fcntl(directory, F_SETSIG, SIGRTMIN);
	all("access", DN_ACCESS);
	all("modify", DN_MODIFY);
	all("create", DN_CREATE);
	all("delete", DN_DELETE);
	all("rename", DN_RENAME);
	all("attributes", DN_ATTRIB);
	shots();
	ends();
	unlink("told/file");
	rmdir("told");
	rmdir("told-other");
	return 0;
}

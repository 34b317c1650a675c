/*
 * facts: what /proc tells about processes and lets them write, and execveat (proc(5), execveat(2)).
 *
 * Prints one line per finding, the same on any Linux host and on a rack when root runs it: no process ids and no sizes. Makes files in the working
 * directory.
 *
 * gcc -O2 -static -w -o facts facts.c
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"
#include "times.h"

static char text[65536];

static long get(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	text[0] = 0;
	if (fd < 0)
		return -1;
	while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return n;
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	char what[100];

	snprintf(what, sizeof what, "write [%s] to %s", value, path);
	say(what, fd < 0 ? -1 : write(fd, value, strlen(value)));
	close(fd);
}

static char state_of(pid_t process)
{
	char path[40];

	sprintf(path, "/proc/%d/stat", process);
	return get(path) < 0 ? '?' : strrchr(text, ')')[2];
}

/* A state that a process should reach soon. */
static void expect_state(const char *what, pid_t process, char state)
{
	char now = '?';

	for (int i = 0; i < 300 && now != state; i++) {
		pause_ms(10);
		now = state_of(process);
	}
	printf("%s: %c\n", what, now);
}

static void states(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			;
	expect_state("computes", child, 'R');
	kill(child, SIGSTOP);
	expect_state("stopped", child, 'T');
	kill(child, SIGCONT);
	expect_state("continued", child, 'R');
	kill(child, SIGKILL);
	expect_state("dead", child, 'Z');
	wait(NULL);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	expect_state("pauses", child, 'S');
	kill(child, SIGKILL);
	wait(NULL);
	printf("itself: %c\n", state_of(getpid()));
}

static void texts(void)
{
	static const char *const lines[] = { "Name:", "Umask:", "State:", "Tgid:", "Ngid:", "Pid:", "PPid:", "TracerPid:", "Uid:", "Gid:", "FDSize:",
		"Groups:", "VmPeak:", "VmSize:", "VmHWM:", "VmRSS:", "VmData:", "VmStk:", "VmExe:", "Threads:", "SigQ:", "SigPnd:", "ShdPnd:", "SigBlk:",
		"SigIgn:", "SigCgt:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Cpus_allowed:",
		"Cpus_allowed_list:", "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:" };
	static const char *const names[] = { "auxv", "cgroup", "cmdline", "comm", "environ", "exe", "fd", "fdinfo", "io", "limits", "maps", "mem",
		"mountinfo", "ns", "oom_score", "oom_score_adj", "root", "smaps", "stat", "statm", "status", "task", "wchan" };
	struct stat st;
	char path[40];
	long value = 0x1122334455667788, copy = 0;
	unsigned long entry[2];
	int fd;

	for (int i = 0; i < sizeof names / sizeof *names; i++) {
		sprintf(path, "/proc/self/%s", names[i]);
		say(names[i], lstat(path, &st) < 0 ? -1 : 0);
	}
	get("/proc/self/status");
	for (int i = 0; i < sizeof lines / sizeof *lines; i++) {
		char *line = strstr(text, lines[i]);

		while (line != NULL && line != text && line[-1] != '\n')
			line = strstr(line + 1, lines[i]);
		if (line == NULL)
			printf("status lacks %s\n", lines[i]);
	}
	long bytes = get("/proc/self/environ");

	printf("environ %ld [%s] [%s]\n", bytes, text, text + strlen(text) + 1);
	bytes = get("/proc/self/auxv");
	int page = 0;

	for (long at = 0; at + 16 <= bytes; at += 16) {
		memcpy(entry, text + at, 16);
		page |= entry[0] == 6 && entry[1] == 4096;
	}
	printf("auxv in pairs %d, tells the page's size %d, ends %d\n", bytes % 16 == 0, page, entry[0] == 0);
	fd = open("/proc/self/mem", O_RDONLY);
	say("mem", pread(fd, &copy, sizeof copy, (off_t)(uintptr_t)&value));
	printf("equal %d\n", copy == value);
	say("mem of nothing", pread(fd, &copy, sizeof copy, 4096));
	close(fd);
	get("/proc/self/io");
	printf("io %d %d\n", strstr(text, "rchar: ") != NULL, strstr(text, "syscw: ") != NULL);
	get("/proc/self/smaps");
	printf("smaps %d %d\n", strstr(text, "\nRss: ") != NULL, strstr(text, "[stack]") != NULL);
	get("/proc/self/wchan");
	printf("wchan [%s]\n", text);
	put("/proc/self/comm", "renamed-to-something-long");
	get("/proc/self/comm");
	printf("comm [%s]\n", text);
	prctl(PR_GET_NAME, text);
	printf("name [%s]\n", text);
	put("/proc/1/comm", "other");
	put("/proc/self/oom_score_adj", "100");
	get("/proc/self/oom_score_adj");
	printf("adj [%s]\n", text);
	put("/proc/self/oom_score_adj", "1001");
	put("/proc/self/oom_score_adj", "x");
	fflush(stdout);
	if (fork() == 0) {
		get("/proc/self/oom_score_adj");
		printf("inherited [%s]\n", text);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	put("/proc/self/oom_score_adj", "0\n");
	put("/proc/self/stat", "x");
}

/* The words of /proc/cpuinfo are what CPUID offers. */
static void processor(void)
{
	static const struct
	{
		const char *name;
		unsigned leaf, word, bit;
	} flags[] = { { "fpu", 1, 3, 0 }, { "sse2", 1, 3, 26 }, { "pni", 1, 2, 0 }, { "ssse3", 1, 2, 9 }, { "fma", 1, 2, 12 }, { "cx16", 1, 2, 13 },
		{ "sse4_1", 1, 2, 19 }, { "sse4_2", 1, 2, 20 }, { "popcnt", 1, 2, 23 }, { "aes", 1, 2, 25 }, { "xsave", 1, 2, 26 }, { "avx", 1, 2, 28 },
		{ "f16c", 1, 2, 29 }, { "rdrand", 1, 2, 30 }, { "bmi1", 7, 1, 3 }, { "avx2", 7, 1, 5 }, { "bmi2", 7, 1, 8 }, { "vaes", 7, 2, 9 },
		{ "syscall", 0x80000001, 3, 11 }, { "nx", 0x80000001, 3, 20 }, { "lm", 0x80000001, 3, 29 }, { "abm", 0x80000001, 2, 5 } };
	char name[20];

	get("/proc/cpuinfo");
	char *line = strstr(text, "\nflags");

	if (line == NULL) {
		printf("cpuinfo lacks flags\n");
		return;
	}
	line++;
	line[strcspn(line, "\n")] = 0;
	strcat(line, " ");
	for (int i = 0; i < sizeof flags / sizeof *flags; i++) {
		unsigned words[4] = { 0 };

		__get_cpuid_count(flags[i].leaf, 0, words, words + 1, words + 2, words + 3);
		sprintf(name, " %s ", flags[i].name);
		if ((words[flags[i].word] >> flags[i].bit & 1) != (strstr(line, name) != NULL))
			printf("cpuinfo and cpuid differ about %s\n", flags[i].name);
	}
}

static void executes(const char *what, int fd, const char *path, int flags)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		syscall(SYS_execveat, fd, path, (char *[]){ "true", 0 }, (char *[]){ 0 }, flags);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	printf("execveat %s: %s\n", what, strerror(WEXITSTATUS(status)));
}

static void programs(void)
{
	char folder[] = "facts-XXXXXX";
	int fd;

	mkdtemp(folder);
	chdir(folder);
	symlink("/bin/busybox", "link");
	fd = open("script", O_CREAT | O_WRONLY, 0755);
	write(fd, "#!/bin/busybox cat\nx\n", 21);
	close(fd);
	fd = open("named", O_CREAT | O_WRONLY, 0755);
	write(fd, "#!/bin/busybox sh\nread name </proc/$$/comm; echo \"comm of a script: $name\"\n", 75);
	close(fd);
	fflush(stdout);
	if (fork() == 0) {
		execl("./named", "other", NULL);
		_exit(1);
	}
	wait(NULL);
	fd = open(".", O_RDONLY);
	executes("an absolute path", AT_FDCWD, "/bin/busybox", 0);
	executes("an absolute path without descriptor", 99, "/bin/busybox", 0);
	executes("a link", AT_FDCWD, "link", 0);
	chdir("..");
	executes("by a directory", fd, "link", 0);
	fchdir(fd);
	executes("nothing", AT_FDCWD, "missing", 0);
	executes("an empty path", AT_FDCWD, "", 0);
	executes("a link that is not followed", AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW);
	executes("a file that is no link", AT_FDCWD, "/bin/busybox", AT_SYMLINK_NOFOLLOW);
	executes("unknown flags", AT_FDCWD, "link", 0x8);
	executes("by no descriptor", 99, "link", 0);
	close(fd);
	fd = open("/bin/busybox", O_RDONLY);
	executes("by a file", fd, "x", 0);
	executes("a descriptor", fd, "", AT_EMPTY_PATH);
	executes("a script", open("script", O_RDONLY), "", AT_EMPTY_PATH);
	executes("a script that execve closes", open("script", O_RDONLY | O_CLOEXEC), "", AT_EMPTY_PATH);
	executes("a program that execve closes", open("link", O_RDONLY | O_CLOEXEC), "", AT_EMPTY_PATH);
	executes("a script of a directory that execve closes", open(".", O_RDONLY | O_CLOEXEC), "script", 0);
	executes("a descriptor that is closed", 99, "", AT_EMPTY_PATH);
	unlink("link");
	unlink("script");
	unlink("named");
	chdir("..");
	rmdir(folder);
}

int main(int count, char **words)
{
	if (count == 1) {
		execle("/proc/self/exe", "facts", "again", (char *)NULL, (char *[]){ "K=v", "L=", NULL });
		return 9;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	states();
	texts();
	processor();
	programs();
	return 0;
}

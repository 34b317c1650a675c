/*
 * sharing: what processes share and how they are named by descriptors: clone(2)'s flags, unshare(2), close_range(2), kcmp(2), pidfd_open(2) and
 * its kin, waitid(2) with P_PIDFD.
 *
 * Prints one line per finding, the same on any Linux host and on a rack. Works in DIRECTORY/lego-sharing, which it makes and leaves behind.
 *
 * gcc -O2 -static -w -o sharing sharing.c        usage: sharing [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "results.h"
#include "users.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };

static int channel[2];

static long raw_clone(unsigned long flags, int *parent_id, int *child_id)
{
	return syscall(SYS_clone, flags, 0, parent_id, child_id, 0);
}

static int kcmp(pid_t a, pid_t b, int type, long x, long y)
{
	int r = syscall(SYS_kcmp, a, b, type, x, y);

	return r > 0 ? 1 : r;
}

static int pidfd_open(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static int pidfd_signal(int fd, int signal, void *info, unsigned flags) { return syscall(SYS_pidfd_send_signal, fd, signal, info, flags); }
static int pidfd_getfd(int fd, int number, unsigned flags) { return syscall(SYS_pidfd_getfd, fd, number, flags); }

static const char *directory(void)
{
	static char text[4096];
	char *slash;

	if (!getcwd(text, sizeof text))
		return strerrorname_np(errno);
	slash = strrchr(text, '/');
	return slash ? slash + 1 : text;
}

static int mask_of(void)
{
	int mask = umask(0);

	umask(mask);
	return mask;
}

/* A clone with the flags does something to what may be shared; the parent tells what it sees afterwards. */
static void sharing(const char *name, unsigned long flags)
{
	int status, file;
	pid_t child;

	chdir("..");
	chdir("lego-sharing");
	umask(022);
	file = open("plain", O_CREAT | O_RDWR, 0600);
	child = raw_clone(flags | SIGCHLD, NULL, NULL);
	if (child == 0) {
		mkdir("below", 0700);
		chdir("below");
		umask(077);
		close(file);
		_exit(open("/dev/null", O_RDONLY) == file ? 0 : 1);
	}
	printf("%s: %s", name, child < 0 ? strerrorname_np(errno) : "born");
	if (child > 0) {
		struct stat st;

		waitpid(child, &status, __WALL);
		fstat(file, &st);
		printf(" ended %d, here in %s, mask %o, descriptor is a %s", status, directory(), mask_of(), S_ISREG(st.st_mode) ? "file" : "device");
	}
	printf("\n");
	close(file);
}

static void clones(void)
{
	int id = -1;
	static int parent_id, child_id;
	pid_t child;

	sharing("nothing", 0);
	sharing("directory", CLONE_FS);
	sharing("descriptors", CLONE_FILES);
	sharing("both", CLONE_FS | CLONE_FILES);
	sharing("handlers without memory", CLONE_SIGHAND);
	sharing("thread without memory", CLONE_THREAD);
	sharing("directory and a new namespace of mounts", CLONE_FS | CLONE_NEWNS);
	chdir("..");
	chdir("lego-sharing");
	umask(022);
	child = raw_clone(SIGCHLD | CLONE_PIDFD | CLONE_PARENT_SETTID, &id, NULL);
	printf("descriptor and id at one address: %s\n", result(child));
	child = raw_clone(SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, &parent_id, &child_id);
	if (child == 0)
		_exit(child_id == getpid() && child_id == syscall(SYS_gettid) ? 5 : 6);
	printf("ids are told: %d %d\n", parent_id == child, wait_for(child));
}

/* Who may not have namespaces hears of that after what is wrong for everybody. */
static void namespaces(void)
{
	static const unsigned long flags[] = { CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET };

	AS(1000, 1000, {
		for (int i = 0; i < sizeof flags / sizeof *flags; i++) {
			printf("namespace %lx: unshare %s", flags[i], result(unshare(flags[i])));
			printf(", and nonsense %s", result(unshare(flags[i] | 1)));
			printf(", and files %s", result(unshare(flags[i] | CLONE_FILES)));
			printf(", clone %s", result(raw_clone(flags[i] | SIGCHLD, NULL, NULL)));
			printf(", and handlers %s\n", result(raw_clone(flags[i] | CLONE_SIGHAND | SIGCHLD, NULL, NULL)));
		}
		printf("of times: unshare %s\n", result(unshare(0x80)));
		printf("clone of mounts and with the directory %s", result(raw_clone(CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL)));
		printf(", of users and with the directory %s\n", result(raw_clone(CLONE_NEWUSER | CLONE_FS | SIGCHLD, NULL, NULL)));
	});
}

static void unsharing(void)
{
	int status, file = open("plain", O_RDWR);
	pid_t child = raw_clone(CLONE_FS | CLONE_FILES | SIGCHLD, NULL, NULL);

	if (child == 0) {
		printf("unshare nothing: %s\n", result(unshare(0)));
		printf("unshare files: %s\n", result(unshare(CLONE_FILES)));
		printf("unshare directory: %s\n", result(unshare(CLONE_FS)));
		printf("unshare undo: %s\n", result(unshare(CLONE_SYSVSEM)));
		printf("unshare of what only threads share: %s %s %s\n", result(unshare(CLONE_THREAD)), result(unshare(CLONE_SIGHAND)), result(unshare(CLONE_VM)));
		printf("unshare of an unknown flag: %s\n", result(unshare(1)));
		close(file);
		chdir("/");
		umask(0);
		fflush(stdout);
		_exit(0);
	}
	fflush(stdout);
	waitpid(child, &status, 0);
	printf("afterwards in %s, mask %o, descriptor %s\n", directory(), mask_of(), done(fcntl(file, F_GETFD)));
	child = raw_clone(CLONE_FILES | SIGCHLD, NULL, NULL);
	if (child == 0)
		_exit(syscall(SYS_close_range, file, ~0U, 2) == 0 && fcntl(file, F_GETFD) < 0 ? 0 : 1);
	printf("close_range that unshares: %d", wait_for(child));
	printf(", descriptor %s\n", done(fcntl(file, F_GETFD)));
	child = raw_clone(CLONE_FILES | SIGCHLD, NULL, NULL);
	if (child == 0)
		_exit(syscall(SYS_close_range, file, ~0U, 0) == 0 && fcntl(file, F_GETFD) < 0 ? 0 : 1);
	printf("close_range that does not: %d", wait_for(child));
	printf(", descriptor %s\n", done(fcntl(file, F_GETFD)));
	printf("close_range of nothing: %s\n", result(syscall(SYS_close_range, 5, 4, 0)));
	printf("close_range with an unknown flag: %s\n", result(syscall(SYS_close_range, 100, 200, 1)));
	dup2(1, 50);
	dup2(1, 52);
	printf("close_range that marks: %s", result(syscall(SYS_close_range, 50, 60, 4)));
	printf(" %s %s\n", result(fcntl(50, F_GETFD)), result(fcntl(52, F_GETFD)));
	syscall(SYS_close_range, 50, 60, 0);
}

static void comparing(void)
{
	int one = open("plain", O_RDWR), other = open("plain", O_RDWR), copy = dup(one);
	pid_t self = getpid(), child;

	printf("kcmp of descriptors: same %d, copy %d, other %d, none %s\n", kcmp(self, self, KCMP_FILE, one, one), kcmp(self, self, KCMP_FILE, one, copy),
	    kcmp(self, self, KCMP_FILE, one, other), result(kcmp(self, self, KCMP_FILE, one, 999)));
	printf("kcmp of order: %d\n", syscall(SYS_kcmp, self, self, KCMP_FILE, one, other) + syscall(SYS_kcmp, self, self, KCMP_FILE, other, one));
	for (int shared = 0; shared < 2; shared++) {
		pipe(channel);
		child = raw_clone((shared ? CLONE_FS | CLONE_FILES : 0) | SIGCHLD, NULL, NULL);
		if (child == 0) {
			char byte;

			if (!shared)
				close(channel[1]);
			read(channel[0], &byte, 1);
			_exit(0);
		}
		printf("kcmp with a child: memory %d files %d directory %d handlers %d file %d\n", kcmp(self, child, KCMP_VM, 0, 0), kcmp(self, child, KCMP_FILES, 0, 0),
		    kcmp(self, child, KCMP_FS, 0, 0), kcmp(self, child, KCMP_SIGHAND, 0, 0), kcmp(self, child, KCMP_FILE, one, one));
		write(channel[1], "x", 1);
		waitpid(child, NULL, 0);
		close(channel[0]);
		close(channel[1]);
	}
	printf("kcmp of nobody: %s, of nothing: %s\n", result(kcmp(self, 999999, KCMP_VM, 0, 0)), result(kcmp(self, self, 77, 0, 0)));
	close(one);
	close(other);
	close(copy);
}

static short events_of(int fd)
{
	struct pollfd watched = { fd, POLLIN | POLLOUT, 0 };

	poll(&watched, 1, 0);
	return watched.revents;
}

static void describe(const char *what, long r, siginfo_t *info)
{
	printf("%s: %s", what, result(r));
	if (r == 0 && info->si_pid)
		printf(" code %d status %d", info->si_code, info->si_status);
	printf("\n");
}

static void process_descriptors(void)
{
	struct epoll_event event = { EPOLLIN }, got;
	siginfo_t info = { 0 };
	struct stat st;
	sigset_t set, old;
	pid_t child;
	int fd, poller, idle, end[2];
	char buffer[16];
	long r;

	pipe(end);
	child = fork();
	if (child == 0) {
		close(end[1]);
		read(end[0], buffer, 1);
		_exit(7);
	}
	close(end[0]);
	fd = pidfd_open(child, 0);
	printf("pidfd: %s, close-on-exec %d, mode %d\n", done(fd), fcntl(fd, F_GETFD), fcntl(fd, F_GETFL) & O_ACCMODE);
	printf("fstat %s, read %s, write %s, seek %s\n", result(fstat(fd, &st)), result(read(fd, buffer, 8)), result(write(fd, "x", 1)), error_of(pread(fd, buffer, 1, 0)));
	printf("poll while it lives: %x\n", events_of(fd));
	poller = epoll_create1(0);
	printf("epoll add %s, wait %s\n", result(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)), result(epoll_wait(poller, &got, 1, 0)));
	describe("waitid that does not wait", waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), &info);
	idle = pidfd_open(child, O_NONBLOCK);
	describe("waitid of a non-blocking descriptor", waitid(P_PIDFD, idle, &info, WEXITED), &info);
	printf("to its thread %s, to its group %s, to both %s\n", result(pidfd_signal(fd, 0, NULL, 1)), result(pidfd_signal(fd, 0, NULL, 4)), result(pidfd_signal(fd, 0, NULL, 5)));
	printf("signal 0 %s, bad signal %s, bad flag %s\n", result(pidfd_signal(fd, 0, NULL, 0)), result(pidfd_signal(fd, 65, NULL, 0)), result(pidfd_signal(fd, 0, NULL, 0x80)));
	write(end[1], "x", 1);
	printf("wait by epoll: %s", result(epoll_wait(poller, &got, 1, -1)));
	printf(" events %x\n", got.events);
	printf("poll after its end: %x\n", events_of(fd));
	printf("signal 0 to a zombie %s\n", result(pidfd_signal(fd, 0, NULL, 0)));
	printf("descriptor of a zombie's: %s\n", result(pidfd_getfd(fd, 1, 0)));
	describe("waitid that leaves it", waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT), &info);
	describe("waitid", waitid(P_PIDFD, idle, &info, WEXITED), &info);
	describe("waitid again", waitid(P_PIDFD, fd, &info, WEXITED), &info);
	printf("signal to nobody %s, descriptor of nobody %s\n", result(pidfd_signal(fd, 0, NULL, 0)), result(pidfd_getfd(fd, 1, 0)));
	printf("poll after the wait: %x\n", events_of(fd));
	close(fd);
	close(idle);
	close(poller);
	close(end[1]);
	printf("pidfd of nobody %s, of 0 %s, of -1 %s, with an unknown flag %s\n", result(pidfd_open(999999, 0)), result(pidfd_open(0, 0)), result(pidfd_open(-1, 0)),
	    result(pidfd_open(getpid(), 1)));
	printf("what is no pidfd: signal %s, get %s, wait %s; what is nothing: %s %s %s\n", result(pidfd_signal(0, 0, NULL, 0)), result(pidfd_getfd(0, 1, 0)),
	    result(waitid(P_PIDFD, 0, &info, WEXITED)), result(pidfd_signal(99, 0, NULL, 0)), result(pidfd_getfd(99, 1, 0)), result(waitid(P_PIDFD, 99, &info, WEXITED)));
	int own = open("/proc/self", O_DIRECTORY), thread = open("/proc/self/task", O_DIRECTORY), path = open("/proc/self", O_PATH);
	printf("directories of /proc: signal %s %s %s, get %s\n", result(pidfd_signal(own, 0, NULL, 0)), result(pidfd_signal(thread, 0, NULL, 0)),
	    result(pidfd_signal(path, 0, NULL, 0)), result(pidfd_getfd(own, 1, 0)));
	close(own);
	close(thread);
	close(path);

	/* A signal with a value to oneself. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	fd = pidfd_open(getpid(), 0);
	info = (siginfo_t){ .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	info.si_value.sival_int = 42;
	printf("signal with a value %s, with another number %s\n", result(pidfd_signal(fd, SIGUSR1, &info, 0)), result(pidfd_signal(fd, SIGUSR2, &info, 0)));
	memset(&info, 0, sizeof info);
	printf("it is %s", result(sigwaitinfo(&set, &info)));
	printf(", code %d value %d\n", info.si_code, info.si_value.sival_int);
	printf("signal from a bad address %s\n", result(pidfd_signal(fd, SIGUSR1, (void *)8, 0)));
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fd);

	/* Another process's descriptor. */
	pipe(end);
	pipe(channel);
	child = fork();
	if (child == 0) {
		int hidden = open("hidden", O_CREAT | O_TRUNC | O_RDWR, 0600);

		write(hidden, "hello", 5);
		dup2(hidden, 90);
		write(channel[1], "x", 1);
		close(end[1]);
		read(end[0], buffer, 1);
		_exit(lseek(90, 0, SEEK_CUR) == 2 ? 0 : 1);
	}
	close(end[0]);
	read(channel[0], buffer, 1);
	fd = pidfd_open(child, 0);
	poller = pidfd_getfd(fd, 90, 0);
	printf("its descriptor %s, close-on-exec %d, reads %s\n", done(poller), fcntl(poller, F_GETFD), result(pread(poller, buffer, 16, 0)));
	printf("no such one %s, bad flags %s\n", result(pidfd_getfd(fd, 91, 0)), result(pidfd_getfd(fd, 90, 1)));
	lseek(poller, 2, SEEK_SET);
	close(end[1]);
	printf("the position is shared: %d\n", wait_for(child));
	close(fd);
	close(poller);

	/* A child with its descriptor, and its death. */
	fd = -1;
	child = raw_clone(CLONE_PIDFD | SIGCHLD, &fd, NULL);
	if (child == 0) {
		pause();
		_exit(0);
	}
	printf("clone with a descriptor: %s, close-on-exec %d\n", done(fd), fcntl(fd, F_GETFD));
	printf("kill it %s\n", result(pidfd_signal(fd, SIGKILL, NULL, 0)));
	describe("its end", waitid(P_PIDFD, fd, &info, WEXITED), &info);
	close(fd);
	{
		struct clone_args arguments = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD };

		child = syscall(SYS_clone3, &arguments, sizeof arguments);
		if (child == 0)
			_exit(3);
		describe("clone3 with a descriptor", waitid(P_PIDFD, fd, &info, WEXITED), &info);
		close(fd);
		arguments.flags = CLONE_PIDFD | CLONE_DETACHED;
		printf("clone3 detached %s\n", result(syscall(SYS_clone3, &arguments, sizeof arguments)));
		arguments.flags = CLONE_PIDFD | CLONE_VM | CLONE_VFORK;
		/* Parent and child share the stack, so neither may return from a function. */
		__asm__ volatile("syscall; test %%rax, %%rax; jnz 1f; mov %2, %%eax; mov $4, %%edi; syscall; 1:"
		    : "=a"(r) : "0"(SYS_clone3), "i"(SYS_exit), "D"(&arguments), "S"(sizeof arguments) : "rcx", "r11", "memory");
		printf("as posix_spawn does it %s\n", done(r));
		describe("as posix_spawn does it", waitid(P_PIDFD, fd, &info, WEXITED), &info);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	chdir(argc > 1 ? argv[1] : "/tmp");
	mkdir("lego-sharing", 0755);
	chdir("lego-sharing");
	clones();
	unsharing();
	namespaces();
	comparing();
	process_descriptors();
	return 0;
}

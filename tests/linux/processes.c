/*
 * processes: what programs may rely on about processes: fork, clone, waiting, groups, identities, limits, priorities (POSIX, Linux man pages).
 *
 * Prints one line per finding, the same on any Linux host and on a rack when root runs it: no process ids and no times. A check that could hang
 * says so after some seconds.
 *
 * gcc -O2 -static -w -o processes processes.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "times.h"

static void say(const char *what, long value)
{
	if (value < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, value);
	fflush(stdout);
}

/* The wait status of a child that should end soon; -1 when it has not after ten seconds. */
static int status_soon(pid_t child)
{
	int status;

	for (int i = 0; i < 1000; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		pause_ms(10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1;
}

static void killing(void)
{
	int escaped = 0, p[2];

	/* A group that forks for ever, killed in the middle of it. */
	for (int round = 0; round < 8; round++) {
		pid_t leader = fork();

		if (leader == 0) {
			setpgid(0, 0);
			for (int i = 0; i < 300; i++)
				if (fork() == 0)
					i = 0, pause();
			pause();
		}
		setpgid(leader, leader);
		pause_ms(5 + 7 * round);
		kill(-leader, SIGKILL);
		status_soon(leader);
		int alive = 1;

		for (int i = 0; i < 300 && alive; i++) {
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
			alive = kill(-leader, 0) == 0;
			if (alive)
				pause_ms(10);
		}
		escaped += alive;
		if (alive)
			kill(-leader, SIGKILL);
	}
	printf("groups that survived SIGKILL: %d\n", escaped);

	/* A parent that waits for its vfork child. */
	pipe(p);
	pid_t child = fork();

	if (child == 0) {
		if (vfork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			write(p[1], "x", 1);
			pause();
		}
		_exit(1);
	}
	char c;

	read(p[0], &c, 1);
	pause_ms(50);
	kill(child, SIGTERM);
	printf("vfork parent: %x\n", status_soon(child));
	fflush(stdout);
}

static int shared_function(void *argument)
{
	close(*(int *)argument);
	umask(077);
	return 7;
}

static void nothing(int s)
{
}

static int cloned(const char *what, int flags, long stack)
{
	pid_t child = syscall(SYS_clone, flags, stack, 0, 0, 0);

	if (child == 0)
		_exit(3);
	if (child < 0) {
		say(what, -1);
		return -1;
	}
	return child;
}

static void cloning(void)
{
	int status, p[2], fd = open("/dev/null", O_RDONLY);
	pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (child == 0) {
		close(fd);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	say("descriptor that a CLONE_FILES child closed", fcntl(fd, F_GETFD));
	fd = open("/dev/null", O_RDONLY);
	child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		execl("/bin/busybox", "sh", "-c", "exec 3>&-; exec 4>&-; exec 5>&-; exec 6>&-", (char *)NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	say("descriptor that it closed after execve", fcntl(fd, F_GETFD));
	close(fd);

	/* CLONE_VFORK without CLONE_VM: waits, but has memory of its own. */
	static volatile int value = 1;

	pipe2(p, O_NONBLOCK);
	child = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		value = 2;
		pause_ms(100);
		write(p[1], "x", 1);
		_exit(0);
	}
	char byte;

	say("CLONE_VFORK has waited", read(p[0], &byte, 1));
	waitpid(child, &status, 0);
	say("own memory", value);
	say("CLONE_SIGHAND without CLONE_VM", syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
	say("CLONE_THREAD without CLONE_SIGHAND", syscall(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, 0, 0, 0, 0) == -1);

	/* CLONE_PARENT: a sibling. */
	child = fork();
	if (child == 0) {
		pid_t sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

		if (sibling == 0)
			_exit(9);
		_exit(waitpid(sibling, NULL, 0) == -1 && errno == ECHILD ? 1 : 2);
	}
	int sum = 0;

	for (int i = 0; i < 2; i++)
		sum += wait(&status) > 0 ? WEXITSTATUS(status) : 100;
	say("exit codes of a child and its CLONE_PARENT sibling", sum);

	/* Exit signals other than SIGCHLD. */
	child = cloned("clone without signal", 0, 0);
	say("wait for it", waitpid(child, &status, 0));
	say("wait with __WCLONE", waitpid(child, &status, __WCLONE) == child);
	signal(SIGUSR1, nothing);
	child = cloned("clone with SIGUSR1", SIGUSR1, 0);
	say("wait with __WALL", waitpid(child, &status, __WALL) == child);
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = { .exit_signal = SIGCHLD };

	child = syscall(435, &args, sizeof args);
	if (child == 0)
		_exit(4);
	say("clone3", waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
	args.exit_signal = 999;
	say("clone3 with a bad signal", syscall(435, &args, sizeof args));
	say("clone3 with too little", syscall(435, &args, 40));
}

static void waiting(void)
{
	int status;
	siginfo_t info;
	struct rusage usage;
	pid_t child = fork();

	if (child == 0)
		_exit(42);
	memset(&info, 0, sizeof info);
	say("waitid WNOWAIT", waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	printf("%d %d %d %d\n", info.si_signo, info.si_code, info.si_status, info.si_pid == child);
	say("waitid again", waitid(P_ALL, 0, &info, WEXITED));
	say("waitid without child", waitid(P_ALL, 0, &info, WEXITED));
	say("waitid P_PID 0", waitid(P_PID, 0, &info, WEXITED));
	say("waitid P_PGID -1", waitid(P_PGID, -1, &info, WEXITED));
	say("waitid without wish", waitid(P_ALL, 0, &info, WNOHANG));
	say("waitid strange kind", waitid(77, 0, &info, WEXITED));
	say("wait4 strange option", wait4(-1, &status, 0x100, NULL));
	child = fork();
	if (child == 0) {
		raise(SIGSTOP);
		usleep(300000); /* The parent is told of the stop's end first. */
		_exit(1);
	}
	say("stopped", waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
	memset(&info, 0xff, sizeof info);
	say("waitid WNOHANG", waitid(P_PID, child, &info, WEXITED | WNOHANG));
	printf("%d %d\n", info.si_signo, info.si_pid);
	kill(child, SIGCONT);
	say("continued", waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
	say("ended", waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0)
		_exit(0);
	say("wait with SIGCHLD ignored", wait(&status));
	signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (child == 0) {
		volatile unsigned long n = 0;

		while (n < 300000000)
			n++;
		_exit(0);
	}
	wait4(child, &status, 0, &usage);
	say("a child that computes has used time", usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec > 1000);
	say("its faults are counted", usage.ru_minflt + usage.ru_majflt > 0);
	getrusage(RUSAGE_CHILDREN, &usage);
	say("children's faults are counted", usage.ru_minflt + usage.ru_majflt > 0);
	getrusage(RUSAGE_SELF, &usage);
	say("own faults and memory", usage.ru_minflt + usage.ru_majflt > 0 && usage.ru_maxrss > 0);
	say("getrusage of a stranger", getrusage(5, &usage));
}

static int hangup_pipe;

static void on_hangup(int s)
{
	write(hangup_pipe, s == SIGHUP ? "H" : "C", 1);
}

static void groups(void)
{
	int p[2], status;
	char text[20] = "";

	pipe(p);
	hangup_pipe = p[1];
	if (fork() == 0) {
		setsid();
		pid_t middle = fork();

		if (middle == 0) {
			pid_t stopped = fork();

			if (stopped == 0) {
				setpgid(0, 0);
				signal(SIGHUP, on_hangup);
				signal(SIGCONT, on_hangup);
				raise(SIGSTOP);
				write(p[1], ".", 1);
				_exit(0);
			}
			setpgid(stopped, stopped);
			waitpid(stopped, &status, WUNTRACED);
			_exit(0);
		}
		waitpid(middle, &status, 0);
		pause_ms(300);
		_exit(0);
	}
	close(p[1]);
	wait(&status);
	for (int n = 0, r; (r = read(p[0], text + n, 1)) > 0 && n < 10; n++)
		;
	close(p[0]);
	printf("orphaned and stopped: HUP %d CONT %d goes on %d\n", !!strchr(text, 'H'), !!strchr(text, 'C'), !!strchr(text, '.'));
	pid_t child = fork();

	if (child == 0) {
		say("setpgid to a group that is not there", setpgid(0, 99999));
		say("setpgid negative", setpgid(0, -1));
		say("setpgid own", setpgid(0, 0));
		say("setsid of a leader", setsid());
		_exit(0);
	}
	wait(&status);
	child = fork();
	if (child == 0) {
		say("setsid", setsid() == getpid());
		say("setpgid of a session's leader", setpgid(0, 0));
		say("getsid", getsid(0) == getpid() && getpgrp() == getpid());
		_exit(0);
	}
	wait(&status);
	say("setpgid of process 1", setpgid(1, 1));
	say("getpgid(1)", getpgid(1) >= 0);
	say("kill(1, 0)", kill(1, 0));
	say("getsid of nobody", getsid(99999));
	say("kill of nobody", kill(99999, 0));
	say("kill with a bad signal", kill(getpid(), 65));
	say("tgkill -1", syscall(SYS_tgkill, -1, 1, 0));
	siginfo_t info = { .si_code = SI_QUEUE };

	say("rt_sigqueueinfo(-1)", syscall(SYS_rt_sigqueueinfo, -1, SIGUSR1, &info));
	say("rt_tgsigqueueinfo(-1)", syscall(SYS_rt_tgsigqueueinfo, -1, -1, SIGUSR1, &info));
	info.si_code = SI_USER;
	say("rt_sigqueueinfo as if by kill", syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));

	/* Orphans and their new parents. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (fork() == 0) {
		if (fork() == 0) {
			pause_ms(100);
			_exit(getppid() == 1 ? 1 : 2);
		}
		_exit(0);
	}
	wait(&status);
	say("orphan of a subreaper", wait(&status) > 0 ? WEXITSTATUS(status) : -1);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void identities(void)
{
	int status;
	uid_t r, e, s;

	if (fork() == 0) {
		say("setgid(-1)", setgid(-1));
		say("setuid(-1)", setuid(-1));
		say("setresuid(-1, -1, -1)", syscall(SYS_setresuid, -1, -1, -1));
		say("setresuid", syscall(SYS_setresuid, 1000, 2000, 3000));
		say("setreuid to the saved id", syscall(SYS_setreuid, 3000, -1));
		say("setreuid to own", syscall(SYS_setreuid, 2000, 3000));
		getresuid(&r, &e, &s);
		printf("%d %d %d\n", r, e, s);
		say("setuid to a stranger", setuid(5));
		say("setpriority better", setpriority(PRIO_PROCESS, 0, -1));
		say("setpriority worse", setpriority(PRIO_PROCESS, 0, 5));
		say("getpriority", getpriority(PRIO_PROCESS, 0));
		say("setpriority of root's", setpriority(PRIO_PROCESS, getppid(), 5));
		struct rlimit64 limit;

		say("prlimit of root's", prlimit64(getppid(), RLIMIT_NOFILE, NULL, &limit));
		say("kill of root's", kill(getppid(), 0));
		void *list;
		size_t size;

		say("get_robust_list of root's", syscall(SYS_get_robust_list, getppid(), &list, &size));
		say("sched_setscheduler of root's", syscall(SYS_sched_setscheduler, getppid(), SCHED_BATCH, &(struct sched_param){ 0 }));
		struct rlimit few = { 0, 0 };

		setrlimit(RLIMIT_NPROC, &few);
		say("fork beyond the limit of processes", fork());
		_exit(0);
	}
	wait(&status);
	if (fork() == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		pid_t child = fork();

		if (child == 0)
			_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
		waitpid(child, &status, 0);
		say("no_new_privs of a child", WEXITSTATUS(status));
		say("no_new_privs taken back", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
		_exit(0);
	}
	wait(&status);
}

static void supplementary(void)
{
	gid_t groups[40] = { 7, 3, 5 };

	if (fork() == 0) {
		say("setgroups", setgroups(3, groups));
		if (fork() == 0) {
			memset(groups, 0, sizeof groups);
			say("getgroups", getgroups(40, groups));
			printf("%d %d %d\n", groups[0], groups[1], groups[2]);
			say("their number", getgroups(0, groups));
			say("too little room", getgroups(2, groups));
			groups[0] = -1;
			say("setgroups(-1)", setgroups(1, groups));
			say("setgroups of too many", setgroups(65537, groups));
			say("setgroups from nowhere", setgroups(2, (gid_t *)16));
			setuid(1000);
			say("setgroups of a user", setgroups(0, groups));
			_exit(0);
		}
		wait(NULL);
		say("none", setgroups(0, groups));
		say("none left", getgroups(0, groups));
		_exit(0);
	}
	wait(NULL);
}

static void priorities(void)
{
	int start = getpriority(PRIO_PROCESS, 0); /* 0, unless the tests run nicely */
	if (fork() == 0) {
		say("nice", nice(7) - start);
		if (fork() == 0) {
			say("inherited", getpriority(PRIO_PROCESS, 0) - start);
			_exit(0);
		}
		wait(NULL);
		setpgid(0, 0); /* Who runs this program keeps his priority. */
		say("of a group", setpriority(PRIO_PGRP, 0, 7));
		say("too much", setpriority(PRIO_PROCESS, 0, 100) + getpriority(PRIO_PROCESS, 0));
		struct sched_param zero = { 0 }, five = { 5 };

		say("batch", sched_setscheduler(0, SCHED_BATCH, &zero));
		say("getscheduler", sched_getscheduler(0));
		say("priority of batch", sched_setscheduler(0, SCHED_BATCH, &five));
		say("policy 77", sched_setscheduler(0, 77, &zero));
		say("setparam", sched_setparam(0, &zero));
		say("setparam 5", sched_setparam(0, &five));
		say("getparam", sched_getparam(0, &five) + five.sched_priority);
		_exit(0);
	}
	wait(NULL);
	say("getpriority of nobody", getpriority(PRIO_PROCESS, 99999));
	say("getpriority of what", getpriority(9, 0));
	say("getscheduler of nobody", sched_getscheduler(99999));
	say("getscheduler negative", sched_getscheduler(-1));
	say("max of SCHED_DEADLINE", sched_get_priority_max(6));
	say("max of SCHED_FIFO", sched_get_priority_max(SCHED_FIFO));
	say("max of 4", sched_get_priority_max(4));
	cpu_set_t none;

	CPU_ZERO(&none);
	say("affinity to nothing", sched_setaffinity(0, sizeof none, &none));
	say("affinity to all", (memset(&none, 0xff, sizeof none), sched_setaffinity(0, sizeof none, &none)));
	say("affinity of nobody", sched_setaffinity(99999, sizeof none, &none));
}

static void limits(void)
{
	int status;
	struct rlimit limit;

	if (fork() == 0) {
		limit.rlim_cur = 1;
		limit.rlim_max = 2;
		setrlimit(RLIMIT_CPU, &limit);
		for (;;)
			;
	}
	wait(&status);
	printf("RLIMIT_CPU: %x\n", status & 0x7f);
	say("limit 99", getrlimit(99, &limit));
	limit.rlim_cur = 5;
	limit.rlim_max = 4;
	say("soft above hard", setrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = limit.rlim_max = 1 << 30;
	say("too many files", setrlimit(RLIMIT_NOFILE, &limit));
	say("prlimit of nobody", prlimit(99999, RLIMIT_CORE, NULL, &limit));
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	killing();
	cloning();
	waiting();
	groups();
	identities();
	supplementary();
	priorities();
	limits();
	return 0;
}

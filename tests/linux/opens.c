/*
 * opens: what holds of open files, working directories and locks while names come and go around them (open(2), unlink(2), proc_pid_fd(5), fcntl(2),
 * flock(2), fifo(7)).
 *
 * Prints one line per finding, the same on any Linux host and on a rack when root runs it: no process ids, times or inode numbers. Works in
 * DIRECTORY/lego-opens, which it makes and leaves behind.
 *
 * gcc -O2 -static -w -o opens opens.c        usage: opens [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[200000];

static void say(const char *what, long value)
{
	if (value == -1)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, value);
	fflush(stdout);
}

/* The result of an open, without the number. */
static long opened(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static long entries(const char *path)
{
	DIR *directory = opendir(path);
	long count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static void as_user(void)
{
	setgroups(0, NULL);
	setgid(1000);
	setuid(1000);
}

static void tell_link(const char *what, int fd)
{
	char name[64], target[5000] = "";

	sprintf(name, "/proc/self/fd/%d", fd);
	readlink(name, target, sizeof target - 1);
	printf("%s: %s\n", what, strrchr(target, '/') ? strrchr(target, '/') : target);
}

static void unlinked(void)
{
	struct stat st, before;
	int f, g;

	stat("/", &before);
	mkdir("d", 0777);
	chmod("d", 0777);
	if (fork() == 0) {
		as_user();
		f = open("d/f", O_CREAT | O_RDWR, 0644);
		g = open("d/g", O_CREAT | O_RDWR, 0644);
		write(f, "abc", 3);
		write(g, "other", 5);
		say("a user unlinks his open file", unlink("d/f"));
		say("it is gone", access("d/f", F_OK));
		say("it is read", pread(f, buffer, 10, 0));
		say("it is written", pwrite(f, "tail", 4, 10000));
		say("its mode is changed", fchmod(f, 0600));
		say("it is truncated", ftruncate(f, 7));
		fstat(f, &st);
		printf("links %ld size %ld\n", (long)st.st_nlink, (long)st.st_size);
		tell_link("its link", f);
		close(open("d/h", O_CREAT | O_WRONLY, 0644));
		say("a rename over the other", rename("d/h", "d/g"));
		fstat(g, &st);
		printf("links %ld size %ld\n", (long)st.st_nlink, (long)st.st_size);
		say("entries", entries("d"));
		say("tmpfile", tmpfile() ? 0 : -1);
		_exit(0);
	}
	wait(NULL);
	stat("/", &st);
	say("the root was changed", before.st_mtim.tv_sec != st.st_mtim.tv_sec || before.st_mtim.tv_nsec != st.st_mtim.tv_nsec);
	unlink("d/g");
	say("the directory is empty", rmdir("d"));
}

static void moved(void)
{
	struct stat st;
	char path[64];
	int d, z;

	mkdir("a", 0755);
	mkdir("a/in", 0755);
	close(creat("a/f", 0644));
	chdir("a/in");
	d = open("..", O_RDONLY);
	rename("../../a", "../../b");
	say("fstatat after a rename", fstatat(d, "f", &st, 0));
	say("create after a rename", opened(openat(d, "new", O_CREAT | O_WRONLY, 0644)));
	say("up after a rename", access("../new", F_OK));
	printf("where: %s\n", strrchr(getcwd(buffer, 5000), '/'));
	mkdir("../../a", 0755);
	mkdir("../../a/in", 0755);
	close(creat("here", 0644));
	say("not in the new directory of the old name", access("../../a/in/here", F_OK));
	fchdir(d);
	z = (mkdir("gone", 0755), open("gone", O_RDONLY));
	chdir("gone");
	rmdir("../gone");
	say("getcwd of a removed directory", syscall(SYS_getcwd, buffer, 5000));
	say("it is still here", stat(".", &st));
	say("its links", st.st_nlink);
	say("its entries", syscall(SYS_getdents64, z, buffer, 500));
	say("create in it", opened(open("x", O_CREAT | O_WRONLY, 0644)));
	mkdir("../gone", 0755);
	say("create in it after a new one took its name", opened(open("x", O_CREAT | O_WRONLY, 0644)));
	say("mkdirat in it", mkdirat(z, "x", 0755));
	tell_link("its link", z);
	say("up from it", chdir(".."));
	say("the file of the directory", access("f", F_OK));
	chdir("..");
	sprintf(path, "/proc/self/fd/%d/f", d);
	say("through the link of a descriptor", access(path, F_OK));
	sprintf(path, "/proc/self/fd/%d/../b/f", d);
	say("and up again", access(path, F_OK));
	say("fchdir to a file", fchdir(open("b/f", O_RDONLY)));
}

static void deep(void)
{
	char name[201];
	int depth, start = open(".", O_RDONLY);
	struct stat st;

	memset(name, 'n', 200);
	name[200] = 0;
	for (depth = 0; depth < 25; depth++)
		if (mkdir(name, 0755) < 0 || chdir(name) < 0)
			break;
	say("depth", depth);
	say("getcwd", syscall(SYS_getcwd, buffer, 60000) < 0 ? -1 : 0);
	say("create", opened(open("f", O_CREAT | O_WRONLY, 0644)));
	say("stat", stat("../../" "nowhere", &st));
	say("unlink", unlink("f"));
	for (; depth > 0; depth--) {
		chdir("..");
		if (rmdir(name) < 0)
			break;
	}
	say("left", depth);
	fchdir(start);
	memset(buffer, '/', 4095);
	buffer[4095] = 0;
	say("4095 slashes", stat(buffer, &st));
	buffer[4094] = '.';
	say("4094 slashes and a dot", stat(buffer, &st));
	buffer[4095] = '/';
	buffer[4096] = 0;
	say("4096 characters", stat(buffer, &st));
}

static void again(void)
{
	char path[64];
	int f = open("secret", O_CREAT | O_RDWR, 0600), r = open("public", O_CREAT | O_RDONLY, 0644), p[2], status;
	struct stat st;

	pipe(p);
	write(f, "text", 4);
	lseek(f, 3, SEEK_SET);
	sprintf(path, "/proc/self/fd/%d", f);
	say("opened again", opened(open(path, O_RDONLY)));
	say("with a position of its own", (r = open(path, O_RDONLY), lseek(r, 0, SEEK_CUR)));
	lstat(path, &st);
	printf("mode of the link %o\n", st.st_mode);
	sprintf(path, "/proc/self/fd/%d", r);
	lstat(path, &st);
	printf("mode of the link %o\n", st.st_mode);
	if (fork() == 0) {
		as_user();
		sprintf(path, "/proc/self/fd/%d", f);
		say("a user opens root's open file again", opened(open(path, O_RDONLY)));
		sprintf(path, "/dev/fd/%d", f);
		say("for writing", opened(open(path, O_WRONLY | O_TRUNC)));
		say("truncates it", truncate(path, 0));
		sprintf(path, "/proc/self/fd/%d", p[1]);
		say("a pipe", opened(open(path, O_WRONLY)));
		sprintf(path, "/proc/%d/fd/%d", getppid(), f);
		say("another's descriptor", opened(open(path, O_RDONLY)));
		say("its link", readlink(path, buffer, 100));
		sprintf(path, "/proc/%d/fd", getppid());
		say("another's descriptors", opened(open(path, O_RDONLY)));
		sprintf(path, "/proc/%d/cwd", getppid());
		say("another's directory", readlink(path, buffer, 100));
		_exit(0);
	}
	wait(NULL);
	sprintf(path, "/proc/self/fd/%d", f);
	say("link of the descriptor", linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	unlink("linked");
	unlink("secret");
	say("link of the deleted", linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	say("open of the deleted", opened(open(path, O_RDWR)));
	say("path descriptor of itself", (r = open("public", O_PATH), sprintf(path, "/proc/self/fd/%d", r), opened(open(path, O_RDONLY))));
	dup2(open(path, O_PATH | O_NOFOLLOW), r);
	say("a link that leads to itself", opened(open(path, O_RDONLY)));
	say("chmod of a path descriptor", fchmod(r, 0600));
}

static void served(void)
{
	char path[64];

	symlink("/dev/null", "null");
	symlink("/proc", "p");
	symlink("/", "r");
	say("a link to a device", opened(open("null", O_WRONLY)));
	say("into /proc", access("p/self/stat", R_OK));
	say("through the root", access("r/proc/self/status", R_OK));
	say("up from a link", access("p/../etc", F_OK) == 0 ? 0 : 1);
	say("up from /proc", access("/proc/../proc/self/../../proc/uptime", R_OK));
	say("below a link to a device", access("null/x", F_OK));
	say("unlink through a link", unlink("p/uptime"));
	say("mkdir through a link", mkdir("r/proc/x", 0755) < 0 ? 1 : 0);
	say("rename of the link", rename("null", "null2"));
	say("write to it", (int)write(open("null2", O_WRONLY), "x", 1));
	say("exec of nothing there", execl("p/nothing", "x", NULL));
	sprintf(path, "/proc/self/task/%d/stat", getpid());
	say("a thread's stat", access(path, R_OK));
	sprintf(path, "/proc/self/task/%d/task", getpid());
	say("a thread has no threads", access(path, F_OK));
}

static struct flock range(int type, long start, long length)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
}

static void on_signal(int number)
{
	(void)number;
}

static void locks(void)
{
	int f = open("locked", O_CREAT | O_RDWR, 0644), g = open("locked", O_RDWR), p[2], q[2], status;
	struct sigaction action = { .sa_handler = on_signal };
	struct flock k;
	pid_t child;

	pipe(p);
	pipe(q);
	write(f, "0123456789", 10);
	k = range(F_WRLCK, 2, 4);
	say("lock", fcntl(f, F_SETLK, &k));
	k = range(F_RDLCK, 3, 1);
	say("part of it for reading", fcntl(f, F_SETLK, &k));
	if ((child = fork()) == 0) {
		k = range(F_RDLCK, 0, 0);
		fcntl(f, F_GETLK, &k);
		printf("first in the way: type %d start %ld length %ld %s\n", k.l_type, (long)k.l_start, (long)k.l_len,
		       k.l_pid == getppid() ? "the parent's" : "whose?");
		fflush(stdout);
		k = range(F_RDLCK, 3, 1);
		say("shared", fcntl(f, F_SETLK, &k));
		k = range(F_WRLCK, 5, 1);
		say("taken", fcntl(f, F_SETLK, &k));
		k = range(F_WRLCK, 20, 1);
		say("beyond the end", fcntl(f, F_SETLK, &k));
		write(p[1], "x", 1);
		k = range(F_WRLCK, 2, 1);
		say("waited for", fcntl(f, F_SETLKW, &k));
		_exit(0);
	}
	read(p[0], buffer, 1);
	usleep(200000);
	k = range(F_WRLCK, 20, 1);
	say("a circle", fcntl(f, F_SETLKW, &k));
	close(dup(g));
	waitpid(child, &status, 0);
	say("a close of any descriptor drops them", status);
	if ((child = fork()) == 0) {
		k = range(F_WRLCK, 0, 0);
		fcntl(f, F_SETLK, &k);
		write(p[1], "x", 1);
		pause();
	}
	read(p[0], buffer, 1);
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	k = range(F_RDLCK, 0, 1);
	say("a signal ends the wait", fcntl(f, F_SETLKW, &k));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	say("a death drops them", fcntl(f, F_SETLK, &k));
	k = range(F_WRLCK, 5, -5);
	say("backwards", fcntl(f, F_SETLK, &k));
	k = range(F_WRLCK, 5, -6);
	say("before the start", fcntl(f, F_SETLK, &k));
	k = range(7, 0, 1);
	say("no such type", fcntl(f, F_SETLK, &k));
	k = range(F_WRLCK, 0, 1);
	say("through a descriptor for reading", fcntl(open("locked", O_RDONLY), F_SETLK, &k));
	say("flock", flock(f, LOCK_EX));
	say("of another open file", flock(g, LOCK_EX | LOCK_NB));
	say("shared", flock(g, LOCK_SH | LOCK_NB));
	say("to shared", flock(f, LOCK_SH));
	say("shared now", flock(g, LOCK_SH | LOCK_NB));
	say("up again", flock(g, LOCK_EX | LOCK_NB));
	say("which loses it", flock(f, LOCK_EX | LOCK_NB));
	say("no such operation", flock(f, 0));
	k = range(F_WRLCK, 0, 0);
	say("of the open file description", fcntl(f, F_OFD_SETLK, &k));
	say("another one", fcntl(g, F_OFD_SETLK, &k));
	k.l_pid = 1;
	say("with a process", fcntl(g, F_OFD_SETLK, &k));
}

static void fifos(void)
{
	char name[16];
	pid_t children[16];
	int index, fd;

	for (index = 0; index < 16; index++) {
		sprintf(name, "q%d", index);
		mkfifo(name, 0600);
		if ((children[index] = fork()) == 0)
			_exit(open(name, O_RDONLY) >= 0 ? 0 : 1);
	}
	usleep(200000);
	say("others open files meanwhile", opened(open("while", O_CREAT | O_WRONLY, 0644)));
	say("truncate of a FIFO", truncate("q0", 0));
	say("open for writing at once", opened(open("q0", O_WRONLY | O_NONBLOCK)));
	for (index = 0; index < 16; index++)
		kill(children[index], SIGKILL);
	for (index = 0; index < 16; index++)
		waitpid(children[index], NULL, 0);
	say("nobody reads", opened(open("q1", O_WRONLY | O_NONBLOCK)));
	fd = open("q1", O_RDWR | O_NONBLOCK);
	printf("flags %o\n", fcntl(fd, F_GETFL));
}

static int broken;

static void on_pipe(int number)
{
	(void)number;
	broken++;
}

static void limits(void)
{
	struct rlimit limit = { 8, 8 };
	int p[2], index, status;
	long written[3];
	pid_t child;

	signal(SIGPIPE, on_pipe);
	pipe(p);
	if ((child = fork()) == 0) {
		close(p[1]);
		read(p[0], buffer, 10000);
		_exit(0);
	}
	close(p[0]);
	say("a long write to a reader that leaves", write(p[1], buffer, 200000) < 200000);
	say("signals", broken);
	waitpid(child, NULL, 0);
	signal(SIGXFSZ, SIG_IGN);
	if (fork() == 0) {
		/* Its own output may be a file, which the limit is for as well. */
		setrlimit(RLIMIT_FSIZE, &limit);
		for (index = 0; index < 3; index++)
			written[index] = write(open("log", O_CREAT | O_WRONLY | O_APPEND, 0644), "12345", 5);
		_exit(written[0] * 16 + written[1] * 2 + (written[2] == -1 && errno == EFBIG));
	}
	wait(&status);
	say("appends below a limit", WEXITSTATUS(status));
}

int main(int count, char **arguments)
{
	if (chdir(count > 1 ? arguments[1] : "/tmp") < 0 || (mkdir("lego-opens", 0755), chdir("lego-opens")) < 0)
		return 1;
	chmod(".", 0755);
	umask(022);
	setlinebuf(stdout);
	unlinked();
	moved();
	deep();
	again();
	served();
	locks();
	fifos();
	limits();
	return 0;
}

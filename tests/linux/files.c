/*
 * files: what programs may rely on about open files, names, pipes, polling and timers (POSIX, Linux man pages).
 *
 * Prints one line per finding, the same on any Linux host and on a rack: no process ids, times or inode numbers. Works in DIRECTORY/lego-files,
 * which it makes and leaves behind.
 *
 * gcc -O2 -static -w -o files files.c        usage: files [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

static char buffer[200000];

static void content(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, buffer, 200);

	printf("%s holds [%.*s]\n", name, n < 0 ? 0 : (int)n, buffer);
	close(fd);
}

/* Whether the working directory's volume has ext4's limits. */
static int is_ext4(void)
{
	struct statfs volume;

	return statfs(".", &volume) == 0 && volume.f_type == 0xEF53;
}

static void on_signal(int number)
{
	(void)number;
}

static void handle(int number, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(number, &action, NULL);
}

static void opening(void)
{
	struct stat st;
	int fd;

	say("open missing", open("missing", O_RDONLY));
	say("open nothing", open("", O_RDONLY));
	say("open through a file", (close(open("plain", O_CREAT | O_WRONLY, 0644)), open("plain/x", O_RDONLY)));
	say("open exclusively", open("plain", O_CREAT | O_EXCL | O_WRONLY, 0644));
	say("open directory to write", open(".", O_WRONLY));
	say("open file as directory", open("plain", O_RDONLY | O_DIRECTORY));
	symlink("plain", "link");
	say("open link without following", open("link", O_RDONLY | O_NOFOLLOW));
	fd = open("link", O_PATH | O_NOFOLLOW);
	say("fstat of a path descriptor is a link", fstat(fd, &st) == 0 ? S_ISLNK(st.st_mode) : -1);
	say("read of a path descriptor", read(fd, buffer, 1));
	close(fd);
	say("close twice", close(fd));
	say("read of write-only", (fd = open("plain", O_WRONLY), read(fd, buffer, 1)));
	close(fd);
	say("write of read-only", (fd = open("plain", O_RDONLY), write(fd, "x", 1)));
	say("read to a bad address", read(open("/dev/zero", O_RDONLY), (void *)8, 10));
	say("write from a bad address", write(open("/dev/null", O_WRONLY), (void *)8, 10) >= -1 ? 0 : 1);
	say("path at a bad address", open((char *)8, O_RDONLY));
	memset(buffer, 'a', 5000);
	buffer[5000] = 0;
	say("path too long", open(buffer, O_RDONLY));
	buffer[300] = 0;
	say("name too long", open(buffer, O_RDONLY | O_CREAT, 0600));
	close(fd);
}

static void positions(void)
{
	struct iovec parts[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
	int fd = open("data", O_CREAT | O_TRUNC | O_RDWR, 0600), copy, other;

	say("writev", writev(fd, parts, 3));
	copy = dup(fd);
	say("position is shared by dup", lseek(copy, 0, SEEK_CUR));
	if (fork() == 0) {
		write(copy, "-child-", 7);
		_exit(0);
	}
	wait(NULL);
	say("position is shared by fork", lseek(fd, 0, SEEK_CUR));
	other = open("data", O_RDWR | O_APPEND);
	say("write at the end", write(other, "END", 3));
	say("position after append", lseek(other, 0, SEEK_CUR));
	say("pwrite", pwrite(fd, "XY", 2, 1));
	say("position after pwrite", lseek(fd, 0, SEEK_CUR));
	content("data");
	say("seek before the start", lseek(fd, -1, SEEK_SET));
	say("seek to the end", lseek(fd, 0, SEEK_END));
	say("seek beyond the end", lseek(fd, 100, SEEK_END));
	say("read beyond the end", read(fd, buffer, 10));
	say("pread", pread(fd, buffer, 4, 11));
	say("pread at a negative offset", pread(fd, buffer, 4, -4));
	say("seek to ext4's largest position", lseek(fd, 0xffffffff000, SEEK_SET) == 0xffffffff000);
	say("seek beyond it", is_ext4() ? lseek(fd, 0xffffffff001, SEEK_SET) : (errno = EINVAL, -1));
	say("read of all ones", read(fd, buffer, -1UL));
	say("write of a count that leaves the user's half", write(fd, buffer, 1UL << 47));
	say("pread of 2^62", pread(fd, buffer, 1UL << 62, 0));
	say("read of nothing beyond the user's half", read(fd, (void *)-4096, 0));
	parts[1].iov_len = 1UL << 62;
	say("writev of 2^62", writev(fd, parts, 3));
	parts[2].iov_len = -1UL;
	say("readv of all ones", readv(fd, parts, 3));
	say("truncate shorter", ftruncate(fd, 3));
	say("truncate longer", ftruncate(fd, 6));
	lseek(fd, 0, SEEK_SET);
	say("read all", read(fd, buffer, 100));
	say("hole is zero", buffer[3] + buffer[4] + buffer[5]);
	say("data from", lseek(fd, 0, SEEK_DATA));
	say("data beyond the end", lseek(fd, 6, SEEK_DATA));
	say("fcntl access mode", fcntl(other, F_GETFL) & O_ACCMODE);
	say("fcntl append", (fcntl(other, F_GETFL) & O_APPEND) != 0);
	say("fcntl set flags", fcntl(other, F_SETFL, O_NONBLOCK));
	say("append is off", (fcntl(other, F_GETFL) & O_APPEND) != 0);
	say("dup to a number", dup2(fd, 100));
	say("lowest from fifty", fcntl(fd, F_DUPFD_CLOEXEC, 50));
	say("close-on-exec", fcntl(50, F_GETFD));
	say("dup3 onto itself", dup3(fd, fd, 0));
	say("dup of nothing", dup(999));
	close(100);
	close(50);
	close(fd);
	close(copy);
	close(other);
}

static void names(void)
{
	struct stat st;
	int fd = open("victim", O_CREAT | O_RDWR, 0640), second;

	write(fd, "still here", 10);
	say("unlink an open file", unlink("victim"));
	say("its name", access("victim", F_OK));
	say("its links", fstat(fd, &st) == 0 ? (long)st.st_nlink : -1);
	say("its contents", pread(fd, buffer, 20, 0));
	say("written on", pwrite(fd, " and there", 10, 10));
	say("its size", fstat(fd, &st) == 0 ? (long)st.st_size : -1);
	second = open("victim", O_CREAT | O_EXCL | O_RDWR, 0600);
	say("a new file of that name is empty", fstat(second, &st) == 0 ? (long)st.st_size : -1);
	close(fd);
	write(second, "two", 3);
	fd = open("replacement", O_CREAT | O_WRONLY, 0600);
	write(fd, "three", 5);
	close(fd);
	say("rename over an open file", rename("replacement", "victim"));
	say("the old one can be read", pread(second, buffer, 10, 0));
	content("victim");
	close(second);
	mkdir("dir", 0755);
	fd = open("dir/inside", O_CREAT | O_RDWR, 0600);
	write(fd, "inside", 6);
	chdir("dir");
	say("rename the working directory", rename("../dir", "../moved"));
	say("its file is found", access("inside", F_OK));
	say("a file in it goes on", write(fd, "!", 1));
	say("its permissions change", fchmod(fd, 0644));
	getcwd(buffer, sizeof buffer);
	printf("working directory is now %s\n", strrchr(buffer, '/'));
	chdir("..");
	say("remove a full directory", rmdir("moved"));
	say("unlink a directory", unlink("moved"));
	unlink("moved/inside");
	say("remove it while its file is open", rmdir("moved"));
	close(fd);
	say("rename to itself", rename("victim", "victim"));
	say("link", link("victim", "alias"));
	say("links", stat("alias", &st) == 0 ? (long)st.st_nlink : -1);
	fd = open("alias", O_RDONLY);
	unlink("alias");
	unlink("victim");
	say("read after both names went", read(fd, buffer, 10));
	close(fd);
	say("readlink", readlink("link", buffer, 3));
	say("readlink of a file", readlink("plain", buffer, 3));
	fd = openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
	say("mkdirat", mkdirat(fd, "at", 0700));
	say("fstatat", fstatat(fd, "at", &st, 0) == 0 ? (long)(st.st_mode & 0777) : -1);
	say("fstatat of the descriptor", fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 ? S_ISDIR(st.st_mode) : -1);
	say("unlinkat", unlinkat(fd, "at", AT_REMOVEDIR));
	say("faccessat of a bad descriptor", faccessat(999, "at", F_OK, 0));
	close(fd);
}

static void directories(void)
{
	char name[32];
	struct dirent *entry;
	DIR *dir;
	long count = 0, place = 0, rest = 0;

	mkdir("list", 0755);
	for (int i = 0; i < 500; i++) {
		sprintf(name, "list/a-rather-long-name-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	dir = opendir("list");
	while ((entry = readdir(dir)) != NULL) {
		count++;
		if (count == 250)
			place = telldir(dir);
	}
	say("entries", count);
	seekdir(dir, place);
	while (readdir(dir) != NULL)
		rest++;
	say("entries after half", rest);
	rewinddir(dir);
	count = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			unlinkat(dirfd(dir), entry->d_name, 0);
			count++;
		}
	}
	say("removed while reading", count);
	closedir(dir);
	say("directory is empty", rmdir("list"));
	say("buffer too small", syscall(SYS_getdents64, open(".", O_RDONLY), buffer, 10));
	say("entries of a file", syscall(SYS_getdents64, open("plain", O_RDONLY), buffer, 1000));
}

static void pipes(void)
{
	struct pollfd poller;
	struct rlimit limit;
	int ends[2], status, n = 0;

	say("pipe", pipe(ends));
	say("set non-blocking", fcntl(ends[1], F_SETFL, O_NONBLOCK) | fcntl(ends[0], F_SETFL, O_NONBLOCK));
	say("read an empty pipe", read(ends[0], buffer, 10));
	while (write(ends[1], buffer, 4096) == 4096)
		n++;
	say("blocks in a full pipe", n);
	poller = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	say("full pipe is not writable", poll(&poller, 1, 0));
	say("atomic write waits", write(ends[1], buffer, 4096));
	read(ends[0], buffer, 4096);
	say("now it is", poll(&poller, 1, 0));
	say("bytes in it", ioctl(ends[0], FIONREAD, &n) == 0 ? n : -1);
	say("seek in a pipe", lseek(ends[0], 0, SEEK_SET));
	say("pread of a pipe", pread(ends[0], buffer, 1, 0));
	close(ends[1]);
	for (n = 0; (status = read(ends[0], buffer, 100000)) > 0;)
		n += status;
	say("drained", n);
	say("end of file", status);
	poller = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	say("poll sees the hang-up", poll(&poller, 1, -1) == 1 ? poller.revents : -1);
	close(ends[0]);

	pipe(ends);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	say("write without a reader", write(ends[1], "x", 1));
	if (fork() == 0) {
		signal(SIGPIPE, SIG_DFL);
		write(ends[1], "x", 1);
		_exit(0);
	}
	wait(&status);
	say("ended by signal", WTERMSIG(status));
	poller = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	say("poll sees the error", poll(&poller, 1, -1) == 1 ? poller.revents & POLLERR : -1);
	close(ends[1]);

	pipe(ends);
	if (fork() == 0) {
		close(ends[0]);
		memset(buffer, 'p', sizeof buffer);
		say("large write", write(ends[1], buffer, sizeof buffer));
		fflush(stdout);
		_exit(0);
	}
	close(ends[1]);
	for (n = 0; (status = read(ends[0], buffer, 7777)) > 0;)
		n += status;
	wait(NULL);
	say("large read", n);
	close(ends[0]);

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 20;
	say("limit descriptors", setrlimit(RLIMIT_NOFILE, &limit));
	for (n = 0; dup(0) >= 0; n++)
		;
	say("no more descriptors", -1);
	say("nor pipes", pipe(ends));
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	limit.rlim_cur = 1024;
	setrlimit(RLIMIT_NOFILE, &limit);

	mkfifo("fifo", 0600);
	say("open fifo for writing without a reader", open("fifo", O_WRONLY | O_NONBLOCK));
	if (fork() == 0) {
		int fd = open("fifo", O_WRONLY);

		write(fd, "through", 7);
		_exit(0);
	}
	n = open("fifo", O_RDONLY);
	say("read the fifo", read(n, buffer, 100));
	say("then its end", read(n, buffer, 100));
	wait(NULL);
	close(n);
}

static void waiting(void)
{
	struct timespec brief = { 0, 30000000 }, left;
	struct timeval instant = { 0, 20000 };
	struct itimerval timer = { { 0, 0 }, { 0, 50000 } };
	struct pollfd poller;
	struct timespec before, after;
	sigset_t none, chld;
	fd_set set;
	int ends[2];

	pipe(ends);
	poller = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	say("poll times out", poll(&poller, 1, 20));
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	say("select times out", select(ends[0] + 1, &set, NULL, NULL, &instant));
	say("and clears the set", FD_ISSET(ends[0], &set));
	if (fork() == 0) {
		nanosleep(&brief, NULL);
		write(ends[1], "w", 1);
		_exit(0);
	}
	say("poll wakes", poll(&poller, 1, 10000));
	wait(NULL);
	FD_SET(ends[0], &set);
	say("select is ready", select(ends[0] + 1, &set, NULL, NULL, NULL));
	read(ends[0], buffer, 1);
	close(900);
	poller.fd = 900;
	say("poll of a closed descriptor", poll(&poller, 1, 0) == 1 ? poller.revents : -1);
	handle(SIGALRM, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	say("read is interrupted", read(ends[0], buffer, 1));
	setitimer(ITIMER_REAL, &timer, NULL);
	brief = (struct timespec){ 5, 0 };
	say("sleep is interrupted", nanosleep(&brief, &left));
	say("time left is plausible", left.tv_sec >= 3 && left.tv_sec < 5);
	setitimer(ITIMER_REAL, &timer, NULL);
	say("poll is interrupted", poll(&poller, 0, -1));
	alarm(100);
	say("alarm tells the old one", alarm(0));
	handle(SIGALRM, SA_RESTART);
	setitimer(ITIMER_REAL, &timer, NULL);
	if (fork() == 0) {
		usleep(200000);
		write(ends[1], "r", 1);
		_exit(0);
	}
	say("read is restarted", read(ends[0], buffer, 1));
	wait(NULL);
	handle(SIGCHLD, 0);
	sigemptyset(&none);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	if (fork() == 0)
		_exit(0);
	say("ppoll lets the signal in", ppoll(NULL, 0, NULL, &none));
	say("and the mask is back", (sigprocmask(SIG_BLOCK, NULL, &none), sigismember(&none, SIGCHLD)));
	wait(NULL);
	clock_gettime(CLOCK_MONOTONIC, &before);
	usleep(30000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	say("slept long enough", (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= 30000000L);
	say("unknown clock", clock_gettime(77, &before));
	brief = (struct timespec){ 0, 2000000000 };
	say("bad time", nanosleep(&brief, NULL));
	close(ends[0]);
	close(ends[1]);
}

static void others(void)
{
	struct timespec times[2] = { { 1000000000, 5 }, { 0, UTIME_OMIT } };
	struct statfs volume;
	struct termios modes;
	struct stat st;
	off_t from = 1;
	int in = open("plain", O_RDWR | O_TRUNC), out;

	write(in, "0123456789", 10);
	out = open("copied", O_CREAT | O_RDWR, 0600);
	say("sendfile", sendfile(out, in, &from, 5));
	say("its position", from);
	say("copy_file_range", copy_file_range(in, &(off_t){ 0 }, out, NULL, 3, 0));
	content("copied");
	say("set times", futimens(in, times));
	fstat(in, &st);
	say("access time", st.st_atim.tv_sec * (st.st_atim.tv_nsec == 5));
	say("modification is later", st.st_mtim.tv_sec > 1000000000);
	write(in, "x", 1);
	times[1] = (struct timespec){ 1234567890, 123456789 };
	futimens(in, times);
	fsync(in);
	fstat(in, &st);
	say("modification time", st.st_mtim.tv_sec + st.st_mtim.tv_nsec);
	times[0] = (struct timespec){ 15032385535, 5 };
	times[1] = (struct timespec){ -2147483648, 5 };
	futimens(in, times);
	fstat(in, &st);
	say("the last second has no parts", is_ext4() ? st.st_atim.tv_nsec : 0);
	say("nor the first", is_ext4() ? st.st_mtim.tv_nsec : 0);
	umask(027);
	close(open("masked", O_CREAT | O_WRONLY, 0666));
	stat("masked", &st);
	say("masked permissions", st.st_mode & 0777);
	say("chmod", chmod("masked", 04711));
	stat("masked", &st);
	say("changed permissions", st.st_mode & 07777);
	say("chown", chown("masked", 12, 34));
	stat("masked", &st);
	say("owner and group", st.st_uid * 100 + st.st_gid);
	say("statfs", statfs(".", &volume));
	say("terminal of a file", tcgetattr(in, &modes));
	say("unknown ioctl", ioctl(in, 0x1234, 0));
	say("fsync of a pipe", (pipe((int *)buffer), fsync(*(int *)buffer)));
	say("fallocate", posix_fallocate(out, 0, 5000));
	fstat(out, &st);
	say("its size", st.st_size);
	say("sparse write", pwrite(out, "end", 3, 10000000));
	say("its read", pread(out, buffer, 100000, 9950000));
	for (from = 0; from < 50000 && buffer[from] == 0; from++)
		;
	say("zeros before it", from);
	say("chdir to a file", chdir("plain"));
	say("access for writing", access("/proc/version", W_OK) == 0 || errno == EACCES);
	say("remove /proc", rmdir("/proc"));
	say("create in /proc", open("/proc/nothing", O_CREAT | O_WRONLY, 0600) < 0);
	say("write to /dev/full", write(open("/dev/full", O_WRONLY), "x", 1));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGPIPE, SIG_DFL);
	umask(022);
	if (chdir(argc > 1 ? argv[1] : "/tmp") != 0 || mkdir("lego-files", 0755) != 0 || chdir("lego-files") != 0) {
		perror("lego-files");
		return 1;
	}
	opening();
	positions();
	names();
	directories();
	pipes();
	waiting();
	others();
	chdir("/");
	return 0;
}

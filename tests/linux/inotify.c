/*
 * inotify: what is told of files, names and directories, to whom, in which order and how it is read (inotify(7)).
 * Prints one line per event, the same on any Linux host and on a rack.
 *
 * gcc -O2 -static -w -o inotify inotify.c
 * usage: inotify [DIRECTORY]    works in DIRECTORY/inotify.d
 */
#define _GNU_SOURCE
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "results.h"

static const char *names[32] = { "ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE",
	"DELETE_SELF", "MOVE_SELF", "?", "UNMOUNT", "Q_OVERFLOW", "IGNORED", [30] = "ISDIR", [31] = "ONESHOT" };

static int in;
static unsigned first_cookie;

/* All events that wait; cookies are counted from the first one on. */
static void events(const char *what)
{
	char buffer[65536] __attribute__((aligned(8)));
	int waiting = -1, count = 0;
	ioctl(in, FIONREAD, &waiting);
	struct pollfd ready = { in, POLLIN };
	int polled = poll(&ready, 1, 0);
	printf("%s: poll %d, %d bytes\n", what, polled, waiting);
	ssize_t length;
	while ((length = read(in, buffer, sizeof buffer)) > 0)
		for (char *at = buffer; at < buffer + length;) {
			struct inotify_event *event = (void *)at;
			printf("  watch %d:", event->wd);
			for (int bit = 0; bit < 32; bit++)
				if (event->mask >> bit & 1)
					printf(" %s", names[bit] ? names[bit] : "?");
			if (event->cookie) {
				if (!first_cookie)
					first_cookie = event->cookie;
				printf(" cookie %u", event->cookie - first_cookie);
			}
			printf(" [%s] %u\n", event->len ? event->name : "", event->len);
			at += sizeof *event + event->len;
			count++;
		}
	printf("  %d bytes read of those promised: %s\n", waiting, length < 0 ? strerrorname_np(errno) : "end");
}

static int add(const char *path, unsigned mask)
{
	int watch = inotify_add_watch(in, path, mask);
	printf("add %s %x: ", path, mask);
	if (watch < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%d\n", watch);
	return watch;
}

static int make(const char *path, int flags)
{
	int file = open(path, O_CREAT | O_RDWR | flags, 0644);
	return file;
}

static void errors(void)
{
	int pipes[2], other;
	char buffer[8];
	pipe(pipes);
	printf("init1 with 1: %s\n", error_of(inotify_init1(1)));
	other = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	printf("close on exec %d, flags %o\n", fcntl(other, F_GETFD), fcntl(other, F_GETFL));
	printf("read nothing: %s\n", error_of(read(other, buffer, 8)));
	printf("write: %s, pread: %s, seek %ld\n", error_of(write(other, buffer, 8)), error_of(pread(other, buffer, 8, 0)), (long)lseek(other, 5, SEEK_SET));
	close(other);
	printf("no descriptor: %s, a pipe: %s\n", error_of(inotify_add_watch(99, ".", IN_OPEN)), error_of(inotify_add_watch(pipes[0], ".", IN_OPEN)));
	printf("remove: no descriptor: %s, a pipe: %s, no watch: %s\n", error_of(inotify_rm_watch(99, 1)), error_of(inotify_rm_watch(pipes[0], 1)),
		error_of(inotify_rm_watch(in, 77)));
	add("missing", IN_OPEN);
	add("", IN_OPEN);
	add(".", 0);
	add(".", 0x800000);
	add("plain", IN_ONLYDIR | IN_OPEN);
	add("plain/x", IN_OPEN);
	add(".", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE);
	printf("bad address: %s\n", error_of(syscall(SYS_inotify_add_watch, in, 8, IN_OPEN)));
	events("after errors");
	close(pipes[0]);
	close(pipes[1]);
}

static void of_a_file(void)
{
	char text[16];
	int watch = add("plain", IN_ALL_EVENTS), file = open("plain", O_RDONLY);
	read(file, text, 4);
	read(file, text, 16);
	events("open, read, end");
	close(file);
	file = open("plain", O_RDWR);
	write(file, "abc", 3);
	write(file, "def", 3);
	pwrite(file, "x", 1, 20);
	read(file, text, 4);
	events("two writes are one, then a read");
	write(file, "", 0);
	read(file, text, 0);
	events("nothing moved");
	ftruncate(file, 5);
	events("ftruncate");
	truncate("plain", 6);
	events("truncate");
	char path[32];
	sprintf(path, "/proc/self/fd/%d", file);
	truncate(path, 7);
	events("truncate by descriptor");
	fallocate(file, 0, 0, 100);
	events("fallocate");
	fchmod(file, 0600);
	events("fchmod");
	chmod("plain", 0644);
	events("chmod");
	fchown(file, getuid(), getgid());
	events("fchown");
	struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	utimensat(AT_FDCWD, "plain", times, 0);
	events("both times");
	times[0].tv_nsec = UTIME_OMIT;
	utimensat(AT_FDCWD, "plain", times, 0);
	events("time of change");
	times[0].tv_nsec = 0;
	times[1].tv_nsec = UTIME_OMIT;
	futimens(file, times);
	events("time of access");
	times[0].tv_nsec = UTIME_OMIT;
	futimens(file, times);
	events("no time");
	setxattr("plain", "user.a", "1", 1, 0);
	events("attribute set");
	fsetxattr(file, "user.a", "2", 1, 0);
	events("again by descriptor");
	removexattr("plain", "user.a");
	events("attribute removed");
	fsync(file);
	int copy = dup(file);
	close(file);
	events("one of two closed");
	close(copy);
	events("closed");
	close(open("plain", O_WRONLY | O_TRUNC));
	events("cut off by open");
	close(open("plain", O_PATH));
	events("a path alone");
	struct stat status;
	stat("plain", &status);
	access("plain", R_OK);
	events("asked about");
	printf("remove: %d\n", inotify_rm_watch(in, watch));
	printf("remove again: %s\n", error_of(inotify_rm_watch(in, watch)));
	events("removed");
	close(open("plain", O_RDONLY));
	events("nobody watches");
}

static void of_a_directory(void)
{
	char text[16];
	add("d", IN_ALL_EVENTS);
	int file = make("d/new", 0);
	events("made");
	write(file, "hello world", 11);
	lseek(file, 0, SEEK_SET);
	read(file, text, 5);
	close(file);
	events("written, read, closed");
	close(make("d/new", O_TRUNC));
	events("made again");
	printf("exclusive: %s\n", error_of(make("d/new", O_EXCL)));
	events("not made");
	mkdir("d/sub", 0755);
	events("directory");
	mkdir("d/slash/", 0755);
	events("with a slash");
	close(make("d/sub/deep", 0));
	events("too deep");
	symlink("new", "d/link");
	mkfifo("d/fifo", 0600);
	mknod("d/node", S_IFREG | 0600, 0);
	events("link, fifo, node");
	link("d/new", "d/second");
	events("second name");
	close(open("d/link", O_RDONLY));
	events("through a link");
	chmod("d/new", 0600);
	chmod("d/sub", 0700);
	events("modes");
	DIR *directory = opendir("d");
	while (readdir(directory))
		;
	closedir(directory);
	events("listed");
	unlink("d/second");
	unlink("d/link");
	unlink("d/fifo");
	unlink("d/node");
	events("removed");
	unlink("d/sub/deep");
	rmdir("d/sub");
	rmdir("d/slash/");
	events("directories removed");
	printf("%s %s\n", error_of(unlink("d/missing")), error_of(rmdir("d/new")));
	events("not removed");
	chdir("d");
	close(make("relative", 0));
	mkdir("dir", 0700);
	rmdir("./dir");
	unlink("relative");
	chdir("..");
	int at = open("d", O_RDONLY | O_DIRECTORY);
	mkdirat(at, "at", 0700);
	unlinkat(at, "at", AT_REMOVEDIR);
	close(at);
	events("relative names");
	mkdir("x", 0700);
	symlink("../d", "x/d");
	mkdir("x/d/through", 0700);
	rmdir("x/d/through");
	unlink("x/d");
	rmdir("x");
	events("through a link to the directory");
}

static void renames(void)
{
	mkdir("e", 0755);
	int d = add("d", IN_ALL_EVENTS), e = add("e", IN_ALL_EVENTS & ~IN_OPEN), file = add("d/new", IN_ALL_EVENTS);
	rename("d/new", "d/other");
	events("within");
	rename("d/other", "e/other");
	events("to another");
	rename("e/other", "plain2");
	events("out");
	rename("plain2", "d/new");
	events("in");
	close(make("e/target", 0));
	int target = add("e/target", IN_ALL_EVENTS);
	events("prepared");
	rename("d/new", "e/target");
	events("over another");
	mkdir("d/sub", 0755);
	close(make("d/sub/file", 0));
	int sub = add("d/sub", IN_ALL_EVENTS);
	events("prepared");
	rename("d/sub", "e/sub");
	events("a directory");
	close(open("e/sub/file", O_RDONLY));
	events("in the moved one");
	rename("e", "f");
	events("the parent");
	close(open("f/sub/file", O_RDONLY));
	close(open("f/target", O_RDONLY));
	events("in the moved parent");
	rename("f", "e");
	link("e/target", "e/same");
	events("another name");
	rename("e/target", "e/same");
	events("onto itself");
	unlink("e/same");
	events("one name less");
	printf("%s %s\n", error_of(rename("e/missing", "e/a")), error_of(rename("e", "e/sub/a")));
	events("not moved");
	unlink("e/sub/file");
	rmdir("e/sub");
	events("a watched directory removed");
	unlink("e/target");
	events("a watched file removed");
	inotify_rm_watch(in, e);
	rmdir("e");
	events("the watch removed first");
	inotify_rm_watch(in, d);
	events("and this one");
}

static void ends(void)
{
	int d = add("d", IN_ALL_EVENTS);
	int file = make("d/held", 0);
	add("d/held", IN_ALL_EVENTS);
	events("held");
	unlink("d/held");
	events("unlinked");
	write(file, "a", 1);
	events("written after that");
	close(file);
	events("closed");
	inotify_add_watch(in, "d", IN_ALL_EVENTS | IN_EXCL_UNLINK);
	file = make("d/held", 0);
	unlink("d/held");
	events("excluded");
	write(file, "a", 1);
	close(file);
	events("not told");
	inotify_rm_watch(in, d);
	events("end");
	mkdir("g", 0700);
	add("g", IN_DELETE_SELF);
	int held = open("g", O_RDONLY);
	rmdir("g");
	events("removed and held");
	close(held);
	events("closed");
}

static void masks(void)
{
	int a = add("plain", IN_OPEN), b = add("plain", IN_CLOSE | IN_MASK_ADD);
	close(open("plain", O_RDONLY));
	events("added");
	add("plain", IN_MASK_CREATE | IN_OPEN);
	add("plain", IN_CLOSE_NOWRITE);
	close(open("plain", O_RDONLY));
	events("replaced");
	add("plain", IN_OPEN | IN_ONESHOT);
	close(open("plain", O_RDONLY));
	events("once");
	add("plain", IN_MASK_CREATE | IN_OPEN);
	inotify_rm_watch(in, a + 1);
	events("a new number");
	symlink("plain", "sym");
	int through = add("sym", IN_OPEN | IN_ATTRIB), itself = add("sym", IN_ALL_EVENTS | IN_DONT_FOLLOW);
	close(open("sym", O_RDONLY));
	events("of what the link names");
	rename("sym", "sym2");
	events("the link is moved");
	unlink("sym2");
	events("and removed");
	inotify_rm_watch(in, through);
	events("end");
	add("d", IN_ONLYDIR | IN_CREATE);
	close(make("d/one", 0));
	mkdir("d/two", 0700);
	unlink("d/one");
	rmdir("d/two");
	events("only what is asked for");
	add("d", IN_ONESHOT);
	close(make("d/one", 0));
	unlink("d/one");
	events("nothing asked for");
	add(".", IN_ISDIR);
	events("no event either");
}

static void reading(void)
{
	char buffer[64];
	add("d", IN_CREATE | IN_DELETE);
	close(make("d/a", 0));
	close(make("d/fifteen-letters", 0));
	close(make("d/sixteen-letters-", 0));
	printf("small: %s\n", error_of(read(in, buffer, 15)));
	printf("record without name: %s\n", error_of(read(in, buffer, 16)));
	printf("one: %ld\n", (long)read(in, buffer, 32));
	printf("one and a half: %ld\n", (long)read(in, buffer, 50));
	printf("the rest: %ld\n", (long)read(in, buffer, 64));
	printf("none: %s\n", error_of(read(in, buffer, 64)));
	unlink("d/a");
	unlink("d/fifteen-letters");
	printf("bad address: %s\n", error_of(syscall(SYS_read, in, 8, 64)));
	unlink("d/sixteen-letters-");
	events("left");
	char longest[256] = "d/";
	memset(longest + 2, 'n', 240);
	close(make(longest, 0));
	unlink(longest);
	events("a long name");
	int set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 5 };
	epoll_ctl(set, EPOLL_CTL_ADD, in, &event);
	printf("epoll, empty: %d\n", epoll_wait(set, &event, 1, 0));
	close(make("d/a", 0));
	printf("ready: %d\n", epoll_wait(set, &event, 1, 0));
	printf("no edge: %d\n", epoll_wait(set, &event, 1, 0));
	unlink("d/a");
	printf("an edge: %d\n", epoll_wait(set, &event, 1, 0));
	close(set);
	events("left");
	int blocking = inotify_init();
	inotify_add_watch(blocking, "d", IN_CREATE);
	pid_t child = fork();
	if (child == 0) {
		usleep(10000);
		close(make("d/child", 0));
		_exit(0);
	}
	struct { struct inotify_event event; char name[32]; } one;
	printf("waited for: %ld", (long)read(blocking, &one, sizeof one));
	printf(" %s\n", one.name);
	waitpid(child, NULL, 0);
	unlink("d/child");
	close(blocking);
	events("the other instance heard the same");
	char path[64], link[64] = "";
	snprintf(path, sizeof path, "/proc/self/fd/%d", in);
	readlink(path, link, sizeof link - 1);
	struct stat status;
	fstat(in, &status);
	printf("%s mode %o size %ld\n", link, status.st_mode, (long)status.st_size);
}

static void copies(void)
{
	int from = make("d/from", 0), to = make("d/to", 0), pipes[2];
	off_t position = 0;
	write(from, "some bytes to copy", 18);
	int d = add("d", IN_ALL_EVENTS);
	sendfile(to, from, &position, 5);
	events("sendfile");
	loff_t source = 0, target = 0;
	copy_file_range(from, &source, to, &target, 7, 0);
	events("copy_file_range");
	pipe(pipes);
	source = 0;
	splice(from, &source, pipes[1], NULL, 5, 0);
	events("from the file to a pipe");
	target = 0;
	splice(pipes[0], NULL, to, &target, 5, 0);
	events("from the pipe to a file");
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	map[0] = 'X';
	msync(map, 4096, MS_SYNC);
	munmap(map, 4096);
	events("by memory");
	char text[4];
	struct iovec vector = { text, 4 };
	preadv(from, &vector, 1, 0);
	pwritev(to, &vector, 1, 0);
	events("vectors");
	close(from);
	close(to);
	unlink("d/from");
	unlink("d/to");
	inotify_rm_watch(in, d);
	events("end");
}

static void overflow(void)
{
	struct inotify_event event[64];
	int other = inotify_init1(IN_NONBLOCK), seen = 0, last = 0, queued;
	inotify_add_watch(other, "d", IN_OPEN | IN_CLOSE);
	for (int round = 0; round < 8300; round++)
		close(open("d", O_RDONLY));
	ioctl(other, FIONREAD, &queued);
	printf("queued %d bytes\n", queued);
	ssize_t length;
	while ((length = read(other, event, sizeof event)) > 0)
		for (int i = 0; i < length / (int)sizeof *event; i++) {
			seen++;
			last = event[i].mask;
			if (event[i].mask & IN_Q_OVERFLOW)
				printf("overflow after %d: watch %d\n", seen, event[i].wd);
		}
	printf("seen %d, last %x\n", seen, last);
	close(open("d", O_RDONLY));
	printf("after it: %ld\n", (long)read(other, event, sizeof event));
	close(other);
	int instances = 0, all[300];
	while (instances < 300 && (all[instances] = inotify_init()) >= 0)
		instances++;
	printf("instances end: %d\n", instances == 300 ? 0 : errno == EMFILE);
	while (instances > 0)
		close(all[--instances]);
}

int main(int count, char **arguments)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
	umask(022);
	chdir(count > 1 ? arguments[1] : "/tmp");
	if (mkdir("inotify.d", 0755) < 0 || chdir("inotify.d") < 0)
		return 1;
	mkdir("d", 0755);
	close(make("plain", 0));
	truncate("plain", 10);
	in = inotify_init1(IN_NONBLOCK);
	errors();
	of_a_file();
	of_a_directory();
	renames();
	ends();
	masks();
	reading();
	copies();
	overflow();
	close(in);
	rmdir("d");
	unlink("plain");
	chdir("..");
	printf("left: %s\n", error_of(rmdir("inotify.d")));
	return 0;
}

/*
 * transfers: bytes that move without a buffer of the program's: splice, tee, vmsplice, sendfile, copy_file_range; reads and writes with flags;
 * allocation, holes and zeros in files; openat2 (Linux's man pages).
 *
 * Prints one line per finding, the same on any Linux host with ext4 and on a rack. Works in DIRECTORY/lego-transfers.
 *
 * gcc -O2 -static -w -o transfers transfers.c        usage: transfers [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "results.h"

static char buffer[300000], other[300000];

static int fresh(const char *name, size_t size)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	for (size_t i = 0; i < size; i++)
		buffer[i] = 'a' + i % 26 + (i / 4096) % 3;
	write(fd, buffer, size);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static unsigned sum(int fd)
{
	unsigned hash = 1;
	ssize_t n = pread(fd, other, sizeof other, 0);

	for (ssize_t i = 0; i < n; i++)
		hash = hash * 31 + (unsigned char)other[i];
	return hash;
}

static void splices(void)
{
	int pipes[2], more[2], file = fresh("in", 200000), out = fresh("out", 0), append, directory = open(".", O_RDONLY);
	loff_t offset;
	ssize_t n, total = 0;

	pipe(pipes);
	pipe(more);
	printf("file to pipe: %s", result(splice(file, NULL, pipes[1], NULL, 1000, 0)));
	printf(" position %s\n", result(lseek(file, 0, SEEK_CUR)));
	offset = 5000;
	printf("from an offset: %s", result(splice(file, &offset, pipes[1], NULL, 500, 0)));
	printf(" offset %d position %s\n", (int)offset, result(lseek(file, 0, SEEK_CUR)));
	printf("pipe to file: %s", result(splice(pipes[0], NULL, out, NULL, 1200, 0)));
	offset = 3000;
	printf(" %s offset %d", result(splice(pipes[0], NULL, out, &offset, 5000, 0)), (int)offset);
	printf(" position %s sum %u\n", result(lseek(out, 0, SEEK_CUR)), sum(out));
	printf("empty, not waiting: %s\n", result(splice(pipes[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK)));
	printf("of nothing: %s\n", result(splice(file, NULL, pipes[1], NULL, 0, 0)));
	lseek(file, 0, SEEK_END);
	printf("at the end: %s\n", result(splice(file, NULL, pipes[1], NULL, 10, 0)));
	lseek(file, 0, SEEK_SET);
	printf("more than the pipe holds: %s", result(splice(file, NULL, pipes[1], NULL, 150000, 0)));
	printf(" full: %s\n", result(splice(file, NULL, pipes[1], NULL, 10, SPLICE_F_NONBLOCK)));
	printf("pipe to pipe: %s", result(splice(pipes[0], NULL, more[1], NULL, 10000, 0)));
	printf(" tee: %s", result(tee(pipes[0], more[1], 20000, 0)));
	printf(" rest %s", (n = read(pipes[0], other, sizeof other), result(n)));
	printf(" copy %s", (n = read(more[0], other, sizeof other), result(n)));
	printf(" %.10s %.10s\n", other, other + 10000);
	printf("tee of an empty pipe: %s, onto itself: %s, from a file: %s, of nothing %s\n", result(tee(pipes[0], more[1], 10, SPLICE_F_NONBLOCK)), result(tee(pipes[0], pipes[1], 10, SPLICE_F_NONBLOCK)),
	    result(tee(file, more[1], 10, 0)), result(tee(pipes[0], more[1], 0, 0)));
	append = open("out", O_WRONLY | O_APPEND);
	write(pipes[1], "hello", 5);
	offset = 0;
	printf("wrong: two files %s, appending %s, offset of a pipe %s %s, unknown flag %s, onto itself %s\n", result(splice(file, NULL, out, NULL, 5, 0)), result(splice(pipes[0], NULL, append, NULL, 5, 0)),
	    result(splice(pipes[0], &offset, out, NULL, 5, 0)), result(splice(file, NULL, pipes[1], &offset, 5, 0)), result(splice(file, NULL, pipes[1], NULL, 5, 0x40)), result(splice(pipes[0], NULL, pipes[1], NULL, 5, 0)));
	printf("wrong ends: %s %s, closed %s, directory %s\n", result(splice(pipes[1], NULL, out, NULL, 5, 0)), result(splice(file, NULL, pipes[0], NULL, 5, 0)), result(splice(99, NULL, pipes[1], NULL, 5, 0)),
	    error_of(splice(directory, NULL, pipes[1], NULL, 5, 0)));
	offset = -1;
	printf("negative offset: %s\n", result(splice(file, &offset, pipes[1], NULL, 5, 0)));
	printf("/dev/null takes %s, /dev/zero gives %s\n", result(splice(pipes[0], NULL, open("/dev/null", O_WRONLY), NULL, 5, 0)), result(splice(open("/dev/zero", O_RDONLY), NULL, more[1], NULL, 100, 0)));
	n = read(more[0], other, sizeof other);
	{
		struct iovec parts[2] = { { "vector ", 7 }, { "splice", 6 } };

		printf("vmsplice: %s", result(vmsplice(pipes[1], parts, 2, 0)));
		parts[0].iov_base = other;
		parts[0].iov_len = 20;
		printf(" back %s %.13s\n", result(vmsplice(pipes[0], parts, 1, 0)), other);
		printf("vmsplice of a file %s, empty and not waiting %s\n", result(vmsplice(file, parts, 1, 0)), result(vmsplice(pipes[0], parts, 1, SPLICE_F_NONBLOCK)));
	}
	close(pipes[1]);
	printf("no writer: %s %s\n", result(splice(pipes[0], NULL, out, NULL, 5, 0)), result(tee(pipes[0], more[1], 5, 0)));
	close(more[0]);
	signal(SIGPIPE, SIG_IGN);
	printf("no reader: %s\n", result(splice(file, NULL, more[1], NULL, 5, 0)));

	/* A copy by way of a pipe, between two processes. */
	pipe(pipes);
	if (fork() == 0) {
		close(pipes[0]);
		lseek(file, 0, SEEK_SET);
		while (splice(file, NULL, pipes[1], NULL, 70000, SPLICE_F_MORE) > 0)
			;
		_exit(0);
	}
	close(pipes[1]);
	out = fresh("out", 0);
	while ((n = splice(pipes[0], NULL, out, NULL, 1 << 20, SPLICE_F_MOVE)) > 0)
		total += n;
	wait(NULL);
	printf("copied %d, same %d\n", (int)total, sum(out) == sum(file));
	close(file);
	close(out);
}

static void sends(void)
{
	int from = fresh("from", 100000), to = fresh("to", 0), pipes[2], append = open("to", O_WRONLY | O_APPEND), only = open("from", O_WRONLY);
	off_t offset = 500;
	loff_t in = 1000, out = 2000;

	pipe(pipes);
	printf("sendfile: %s", result(sendfile(to, from, NULL, 1000)));
	printf(" %s offset %d\n", result(sendfile(to, from, &offset, 300)), (int)offset);
	printf("positions %s %s\n", result(lseek(to, 0, SEEK_CUR)), result(lseek(from, 0, SEEK_CUR)));
	printf("to a pipe %s, from a pipe %s, to append %s, from write-only %s, to read-only %s\n", result(sendfile(pipes[1], from, NULL, 2000)), result(sendfile(to, pipes[0], NULL, 10)),
	    result(sendfile(append, from, NULL, 10)), result(sendfile(to, only, NULL, 10)), result(sendfile(open("from", O_RDONLY), from, NULL, 10)));
	printf("copy_file_range: %s in %d out %d", result(copy_file_range(from, &in, to, &out, 5000, 0)), (int)in, (int)out);
	printf(" own positions %s\n", result(copy_file_range(from, NULL, to, NULL, 700, 0)));
	printf("flags %s, pipe %s, append %s, directory %s\n", result(copy_file_range(from, NULL, to, NULL, 7, 1)), result(copy_file_range(from, NULL, pipes[1], NULL, 7, 0)), result(copy_file_range(from, NULL, append, NULL, 7, 0)),
	    result(copy_file_range(open(".", O_RDONLY), NULL, to, NULL, 7, 0)));
	in = 10;
	out = 15;
	printf("overlapping %s", result(copy_file_range(to, &in, to, &out, 100, 0)));
	in = 10;
	out = 5000;
	printf(" apart %s", result(copy_file_range(to, &in, to, &out, 100, 0)));
	in = 1 << 20;
	printf(" beyond the end %s\n", result(copy_file_range(from, &in, to, NULL, 100, 0)));
	printf("sum %u\n", sum(to));
	close(from);
	close(to);
}

static void flags(void)
{
	int fd = fresh("flags", 100), pipes[2];
	struct iovec part = { "XYZ", 3 }, room = { other, 10 };

	pipe(pipes);
	printf("pwritev2: plain %s", result(pwritev2(fd, &part, 1, 5, 0)));
	printf(" append %s", result(pwritev2(fd, &part, 1, 5, RWF_APPEND)));
	printf(" sync %s", result(pwritev2(fd, &part, 1, 0, RWF_SYNC)));
	printf(" dsync %s", result(pwritev2(fd, &part, 1, 0, RWF_DSYNC)));
	printf(" own position %s", result(pwritev2(fd, &part, 1, -1, 0)));
	printf(" at %s size %s", result(lseek(fd, 0, SEEK_CUR)), result(lseek(fd, 0, SEEK_END)));
	printf(" append at own %s", (lseek(fd, 10, SEEK_SET), result(pwritev2(fd, &part, 1, -1, RWF_APPEND))));
	printf(" at %s", result(lseek(fd, 0, SEEK_CUR)));
	printf(" unknown %s negative %s\n", result(pwritev2(fd, &part, 1, 0, 0x40000000)), result(pwritev2(fd, &part, 1, -2, 0)));
	printf("preadv2: %s", result(preadv2(fd, &room, 1, 5, 0)));
	printf(" %.10s", other);
	printf(" high priority %s unknown %s own %s\n", result(preadv2(fd, &room, 1, 5, RWF_HIPRI)), result(preadv2(fd, &room, 1, 5, 0x40000000)), result(preadv2(fd, &room, 1, -1, 0)));
	printf("pipe: at its position %s, at another %s\n", result(pwritev2(pipes[1], &part, 1, -1, 0)), result(pwritev2(pipes[1], &part, 1, 0, 0)));
	printf("sum %u\n", sum(fd));
	printf("sync_file_range: %s %s, bad flags %s, negative %s, pipe %s, closed %s\n", result(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)), result(sync_file_range(fd, 10, 50, 7)), result(sync_file_range(fd, 0, 0, 8)),
	    result(sync_file_range(fd, -1, 0, 1)), result(sync_file_range(pipes[0], 0, 0, 1)), result(sync_file_range(99, 0, 0, 1)));
	close(fd);
}

static void sizes(int fd)
{
	struct stat st;

	fstat(fd, &st);
	printf(" size %d sum %u", (int)st.st_size, sum(fd));
}

static void allocation(void)
{
	int fd = fresh("blocks", 20000), append = open("blocks", O_WRONLY | O_APPEND), only = open("blocks", O_RDONLY), pipes[2];
	char *map;

	pipe(pipes);
	printf("fallocate: %s", result(fallocate(fd, 0, 10000, 20000)));
	sizes(fd);
	printf("\nkeep size %s", result(fallocate(fd, FALLOC_FL_KEEP_SIZE, 30000, 50000)));
	sizes(fd);
	printf("\npunch %s", result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3000, 7000)));
	sizes(fd);
	printf("\npunch beyond %s", result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 29000, 7000)));
	sizes(fd);
	printf("\nzero %s", result(fallocate(fd, FALLOC_FL_ZERO_RANGE, 12345, 30000)));
	sizes(fd);
	printf("\nzero and keep %s", result(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 40000, 30000)));
	sizes(fd);
	printf("\npunch by an appending descriptor %s", result(fallocate(append, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10)));
	sizes(fd);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	map[2000] = '!';
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 1500);
	printf("\na mapping sees it: %d %d", map[1500], map[2000]);
	sizes(fd);
	printf("\nwrong: punch alone %s, both %s, no length %s, negative %s, too far %s, read-only %s, pipe %s, directory %s, closed %s\n", result(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10)),
	    result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 10)), result(fallocate(fd, 0, 0, 0)), result(fallocate(fd, 0, -1, 10)), result(fallocate(fd, 0, 1L << 62, 1L << 62)),
	    result(fallocate(only, 0, 0, 10)), result(fallocate(pipes[1], 0, 0, 10)), result(fallocate(open(".", O_RDONLY), 0, 0, 10)), result(fallocate(99, 0, 0, 10)));
	printf("posix_fallocate %d", posix_fallocate(fd, 0, 100000));
	sizes(fd);
	printf("\n");
	close(fd);
	fd = memfd_create("object", 0);
	write(fd, buffer, 20000);
	printf("memory: punch %s", result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3000, 7000)));
	sizes(fd);
	printf(" extend %s", result(fallocate(fd, 0, 0, 50000)));
	sizes(fd);
	printf("\n");
}

static long openat2_(const char *name, uint64_t flags, uint64_t mode, uint64_t resolve, size_t size)
{
	struct { struct open_how how; uint64_t more; } how = { { flags, mode, resolve }, 0 };

	return syscall(SYS_openat2, AT_FDCWD, name, &how, size);
}

/* Where paths may lead: a line for each way to resolve, a word for each path. */
static void resolving(int start, const char *what, const char *const *paths, int flags)
{
	static const uint64_t ways[] = { 0, RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
	    RESOLVE_NO_XDEV | RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT };

	for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++) {
		printf("%s, resolve %d:", what, (int)ways[way]);
		for (int i = 0; paths[i]; i++) {
			struct open_how how = { flags, 0, ways[way] };
			/* The root may be of another file system than the place of the test. */
			if (ways[way] == RESOLVE_NO_XDEV && !strcmp(paths[i], "sub/toroot"))
				continue;
			int fd = syscall(SYS_openat2, start, paths[i], &how, sizeof how);
			printf(" %s", done(fd));
			close(fd);
		}
		printf("\n");
	}
}

static void scopes(void)
{
	static const char *const inside[] = { "file", "sub/file", "sub/../file", "sub/../../scope/file", "..", ".", "/", "/file", "link", "sub/up", "sub/out",
	    "absolute", "sub/toroot", "dangling", "none", "loop", "sub/dirlink/file", "link/", "file/", "../scope/file", "/../file", 0 };
	static const char *const served[] = { "version", "self/status", "self/exe", "self/cwd", "self/fd", "self/root/etc", "mounts", "..", "../etc", "self/..",
	    "self/../version", "self/../..", "/version", "/proc/version", "none", 0 };
	static const char *const root[] = { "proc/version", "/proc/version", "/proc/self/exe", "dev/null", "/dev/fd", "etc", "..", "../etc", "proc/..",
	    "proc/../etc", "lego-transfers-none", 0 };
	static const char *const links[] = { "link", "sub/up", "absolute", "loop", 0 };

	mkdir("scope", 0755);
	mkdir("scope/sub", 0755);
	close(open("scope/file", O_CREAT | O_RDWR, 0600));
	close(open("scope/sub/file", O_CREAT | O_RDWR, 0600));
	symlink("file", "scope/link");
	symlink("../file", "scope/sub/up");
	symlink("../../scope/file", "scope/sub/out");
	symlink("/proc/version", "scope/absolute");
	symlink("/file", "scope/sub/toroot");
	symlink("nothing", "scope/dangling");
	symlink("loop", "scope/loop");
	symlink("../sub", "scope/sub/dirlink");
	int start = open("scope", O_PATH | O_DIRECTORY), proc = open("/proc", O_RDONLY | O_DIRECTORY), top = open("/", O_RDONLY);
	resolving(start, "from a directory", inside, O_RDONLY);
	resolving(start, "the link itself", links, O_PATH | O_NOFOLLOW);
	resolving(proc, "from /proc", served, O_RDONLY);
	resolving(top, "from the root", root, O_PATH);
	struct open_how how = { O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH };
	printf("made beneath %s", done(syscall(SYS_openat2, start, "made", &how, sizeof how)));
	printf(", above %s", done(syscall(SYS_openat2, start, "../made", &how, sizeof how)));
	how.resolve = RESOLVE_IN_ROOT;
	printf(", in the root %s", done(syscall(SYS_openat2, start, "/../made2", &how, sizeof how)));
	printf(" %s\n", done(access("scope/made2", F_OK)));
	printf("cached: made %s, truncated %s", done(openat2_("scope/file", O_CREAT | O_RDWR, 0600, RESOLVE_CACHED, sizeof how)),
	    done(openat2_("scope/file", O_TRUNC | O_RDWR, 0, RESOLVE_CACHED, sizeof how)));
	close(open("scope/file", O_RDONLY));
	int known = openat2_("scope/file", O_RDONLY, 0, RESOLVE_CACHED, sizeof how);
	printf(", opened before %s", known >= 0 || errno == EAGAIN ? "or asked for" : done(known));
	printf(", both scopes %s, unknown %s\n", done(openat2_("scope", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT, sizeof how)),
	    done(openat2_("scope", O_RDONLY, 0, 64, sizeof how)));
}

static void opening(void)
{
	size_t size = sizeof(struct open_how);

	printf("openat2: %s", done(openat2_("new", O_CREAT | O_RDWR | O_EXCL, 0600, 0, size)));
	printf(" again %s, larger structure %s, smaller %s\n", result(openat2_("new", O_CREAT | O_RDWR | O_EXCL, 0600, 0, size)), done(openat2_("new", O_RDONLY, 0, 0, size + 8)), result(openat2_("new", O_RDONLY, 0, 0, 8)));
	printf("mode for nothing %s, too much mode %s, unknown flag %s, path to read %s\n", result(openat2_("new", O_RDONLY, 0600, 0, size)), result(openat2_("new2", O_CREAT, 070000, 0, size)), result(openat2_("new", 1UL << 40, 0, 0, size)),
	    result(openat2_("new", O_PATH | O_RDWR, 0, 0, size)));
	printf("unknown resolving %s\n", result(openat2_("new", O_RDONLY, 0, 0x1000, size)));
	unlink("new");
	scopes();
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	chdir(argc > 1 ? argv[1] : "/tmp");
	mkdir("lego-transfers", 0755);
	chdir("lego-transfers");
	splices();
	sends();
	flags();
	allocation();
	opening();
	return 0;
}

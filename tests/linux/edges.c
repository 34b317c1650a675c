/*
 * edges: calls at the edges of what they take: which error comes first, what of a partly bad buffer is written, ends of directories, flags of files,
 * holes through mappings, futexes in memory that cannot be written to.
 *
 * Prints one line per finding, the same on any Linux host and on a rack. Runs as root, works in DIRECTORY, in which it leaves nothing.
 *
 * gcc -O2 -static -w -o edges edges.c        usage: edges [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

enum { PAGE = 4096, USER = 1000 };

static void *map(int protection, int flags, int file)
{
	return mmap(NULL, PAGE, protection, flags | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
}

static void times(void)
{
	struct timespec ok[2] = { { 1, 1 }, { 2, 2 } }, bad[2] = { { 1, -5 }, { 2, 2 } }, omit[2] = { { 1, UTIME_OMIT }, { 1, UTIME_OMIT } },
		half[2] = { { 1, UTIME_OMIT }, { 2, 1000000000 } };
	int here = open("edge", O_CREAT | O_RDWR, 0644);
	symlink("nowhere", "edge-link");
	struct { const char *what; int directory; const char *name; struct timespec *times; int flags; } calls[] = {
		{ "bad time, no file", AT_FDCWD, "nowhere", bad }, { "bad time, file", AT_FDCWD, "edge", bad }, { "one bad time", AT_FDCWD, "edge", half },
		{ "bad time through a file", AT_FDCWD, "edge/below", bad }, { "bad time, dangling", AT_FDCWD, "edge-link", bad },
		{ "bad time, link", AT_FDCWD, "edge-link", bad, AT_SYMLINK_NOFOLLOW }, { "link", AT_FDCWD, "edge-link", ok, AT_SYMLINK_NOFOLLOW },
		{ "bad time, bad flags, no file", AT_FDCWD, "nowhere", bad, 0x10 }, { "bad flags, no file", AT_FDCWD, "nowhere", ok, 0x10 },
		{ "bad flags, bad name", AT_FDCWD, (char *)8, bad, 0x10 }, { "nothing, no file, bad flags", AT_FDCWD, "nowhere", omit, 0x10 },
		{ "nothing, bad descriptor", 77, NULL, omit }, { "bad descriptor", 77, NULL, bad }, { "bad descriptor, flags", 77, NULL, ok, AT_SYMLINK_NOFOLLOW },
		{ "descriptor, flags", here, NULL, ok, AT_SYMLINK_NOFOLLOW }, { "descriptor, empty path", here, NULL, ok, AT_EMPTY_PATH },
		{ "descriptor, bad time", here, NULL, bad }, { "descriptor", here, NULL, ok }, { "no name", AT_FDCWD, NULL, ok },
		{ "no name, bad time", AT_FDCWD, NULL, bad }, { "bad times", AT_FDCWD, "nowhere", (void *)8 }, { "empty name", AT_FDCWD, "", bad },
		{ "empty name of a descriptor", here, "", bad, AT_EMPTY_PATH }, { "bad name", AT_FDCWD, (char *)8, bad },
		{ "bad time, device", AT_FDCWD, "/dev/null", bad }, { "bad time, told text", AT_FDCWD, "/proc/version", bad },
	};

	for (int i = 0; i < sizeof calls / sizeof calls[0]; i++)
		printf("utimensat, %s: %s\n", calls[i].what,
			error_of(syscall(SYS_utimensat, calls[i].directory, calls[i].name, calls[i].times, calls[i].flags)));
	struct timeval values[2] = { { 1, -1 }, { 1, 1 } };
	printf("utimes, bad time, no file: %s\n", error_of(syscall(SYS_utimes, "nowhere", values)));
	close(here);
	unlink("edge");
	unlink("edge-link");
}

/* What of a vector whose second part is bad gets into a pipe that has some bytes already. */
static void pipes(void)
{
	static const int sizes[][3] = {
		{ 0, 100, 100 }, { 0, 4096, 100 }, { 0, 5000, 100 }, { 0, 8192, 1 }, { 0, 12000, 4096 }, { 10, 100, 100 }, { 10, 4000, 96 },
		{ 10, 4096, 100 }, { 10, 5000, 4096 }, { 4096, 4096, 10 }, { 10, 8192, 50 }, { 0, 0, 10 }, { 10, 50, 4046 }, { 4090, 3, 3 },
	};
	char *bytes = malloc(1 << 16), *bad = map(PROT_NONE, MAP_PRIVATE, -1);

	memset(bytes, 'x', 1 << 16);
	for (int i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		int ends[2], there = 0;
		struct iovec parts[] = { { bytes, sizes[i][1] }, { bad, sizes[i][2] }, { bytes, 10 } };

		pipe2(ends, O_NONBLOCK);
		write(ends[1], bytes, sizes[i][0]);
		const char *got = result(writev(ends[1], parts, 3));
		ioctl(ends[0], FIONREAD, &there);
		printf("pipe with %d, %d and %d bad: %s, then %d", sizes[i][0], sizes[i][1], sizes[i][2], got, there);
		printf(", more %s", result(write(ends[1], "end", 3)));
		int read_all = read(ends[0], bytes, 1 << 16);
		printf(", read %d %.3s\n", read_all, bytes + read_all - 3);
		memset(bytes, 'x', 1 << 16);
		close(ends[0]);
		close(ends[1]);
	}
	munmap(bad, PAGE);
	free(bytes);
}

/* Where a directory ends is its file system's matter: this is ext4's way, for one with an index. */
static void directories(void)
{
	struct statfs system;
	char entries[PAGE];

	mkdir("edge-directory", 0755);
	int directory = open("edge-directory", O_RDONLY);
	fstatfs(directory, &system);
	int is_ext4 = system.f_type == 0xEF53;
	printf("entries: %s\n", syscall(SYS_getdents64, directory, entries, PAGE) > 0 ? "some" : "none");
	struct { const char *what; long offset; int from; long wanted; } seeks[] = {
		{ "end", 0, SEEK_END, LONG_MAX }, { "before the end", -1, SEEK_END, LONG_MAX - 1 }, { "behind the end", 1, SEEK_END, -EINVAL },
		{ "here", 0, SEEK_CUR, LONG_MAX - 1 }, { "data", 0, SEEK_DATA, 0 }, { "hole", 0, SEEK_HOLE, LONG_MAX }, { "no data", -1, SEEK_DATA, -ENXIO },
		{ "no hole", LONG_MAX, SEEK_HOLE, -ENXIO }, { "before the beginning", -1, SEEK_SET, -EINVAL }, { "beyond", 1, SEEK_CUR, -EINVAL },
	};
	for (int i = 0; i < sizeof seeks / sizeof seeks[0]; i++) {
		long at = lseek(directory, seeks[i].offset, seeks[i].from);
		printf("%s of a directory as ext4 has it: %s\n", seeks[i].what, !is_ext4 || (at < 0 ? -errno : at) == seeks[i].wanted ? "yes" : "no");
	}
	lseek(directory, 0, SEEK_END);
	printf("entries at the end: %s\n", !is_ext4 || syscall(SYS_getdents64, directory, entries, PAGE) == 0 ? "none" : "some");
	printf("entries after the beginning: %s\n", lseek(directory, 0, SEEK_SET) == 0 && syscall(SYS_getdents64, directory, entries, PAGE) > 0 ? "some" : "none");
	close(directory);
	rmdir("edge-directory");
	directory = open("/", O_RDONLY);
	lseek(directory, 0, SEEK_END);
	close(directory);
}

static void flags_of(const char *what, int file)
{
	int flags = 0, none = 0, dirsync = FS_DIRSYNC_FL | 0x40000000;

	printf("flags of %s: %s", what, error_of(ioctl(file, FS_IOC_GETFLAGS, &flags)));
	printf(" %s", flags & ~0x80000 ? "some" : "none");
	printf(", set again %s", error_of(ioctl(file, FS_IOC_SETFLAGS, &flags)));
	printf(", unknown %s", error_of(ioctl(file, FS_IOC_SETFLAGS, &dirsync)));
	printf(", bad %s %s\n", error_of(ioctl(file, FS_IOC_GETFLAGS, 8L)), error_of(ioctl(file, FS_IOC_SETFLAGS, 8L)));
}

static void flags(void)
{
	int file = open("edge", O_CREAT | O_RDWR, 0666), ends[2], flags;

	fchmod(file, 0666);
	mkdir("edge-directory", 0755);
	int directory = open("edge-directory", O_RDONLY);
	pipe(ends);
	flags_of("a file", file);
	flags_of("a directory", directory);
	flags_of("a pipe", ends[0]);
	flags_of("a device", open("/dev/null", O_RDWR));
	flags_of("a path", open("edge", O_PATH));
	fflush(stdout);
	if (fork() == 0) {
		setresuid(USER, USER, USER);
		flags_of("another's file", open("edge", O_RDWR));
		ioctl(file, FS_IOC_GETFLAGS, &flags);
		fchown(file, USER, USER);
		flags |= FS_IMMUTABLE_FL;
		printf("immutable: %s\n", error_of(ioctl(file, FS_IOC_SETFLAGS, &flags)));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	fchown(file, USER, USER);
	if (fork() == 0) {
		setresuid(USER, USER, USER);
		flags_of("one's own file", file);
		ioctl(file, FS_IOC_GETFLAGS, &flags);
		flags |= FS_APPEND_FL;
		printf("one's own to append: %s\n", error_of(ioctl(file, FS_IOC_SETFLAGS, &flags)));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	close(file);
	close(directory);
	rmdir("edge-directory");
	unlink("edge");
}

static void remove_pages(const char *what, char *pages, int length)
{
	printf("remove %s: %s\n", what, error_of(madvise(pages, length, MADV_REMOVE)));
}

static void removals(void)
{
	struct stat st;
	int file = open("edge", O_CREAT | O_RDWR, 0644);

	for (int page = 0; page < 8; page++) {
		char bytes[PAGE];
		memset(bytes, 'a' + page, PAGE);
		write(file, bytes, PAGE);
	}
	fsync(file);
	fstat(file, &st);
	long before = st.st_blocks;
	char *shared = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), *other = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, file, 0);
	char *private = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), *anonymous = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	char *common = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	private[3 * PAGE] = 'p';
	memset(common, 'c', 4 * PAGE);
	shared[2 * PAGE + 1] = 'S';
	remove_pages("of a file", shared + 2 * PAGE, 2 * PAGE);
	printf(" %d %d %d %d %c %c\n", shared[2 * PAGE], shared[2 * PAGE + 1], other[3 * PAGE], private[2 * PAGE], private[3 * PAGE], shared[4 * PAGE]);
	char byte = 'x';
	pread(file, &byte, 1, 3 * PAGE);
	fsync(file);
	fstat(file, &st);
	printf("read %d, size %ld, space %s\n", byte, (long)st.st_size, st.st_blocks < before ? "less" : "as before");
	shared[2 * PAGE] = 'n';
	pread(file, &byte, 1, 2 * PAGE);
	printf("stored again: %c\n", byte);
	remove_pages("common", common + PAGE, PAGE);
	printf(" %c %d %c\n", common[0], common[PAGE], common[2 * PAGE]);
	remove_pages("private", private, PAGE);
	remove_pages("anonymous", anonymous, PAGE);
	remove_pages("nothing", shared, 0);
	remove_pages("odd", shared + 1, PAGE);
	munmap(common + PAGE, PAGE);
	remove_pages("a hole", common, 3 * PAGE);
	printf(" %d %d\n", common[0], common[2 * PAGE]);
	close(file);
	unlink("edge");
}

static void futexes(void)
{
	struct timespec moment = { 0, 1 };
	int file = open("/proc/self/exe", O_RDONLY);
	int *own = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, -1), *was = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	int *copied = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, file), *kept = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, file);
	int *none = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, -1), *gone = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	struct { const char *what; int *word; } words[] = {
		{ "own", own }, { "only read", map(PROT_READ, MAP_PRIVATE, -1) }, { "written before", was }, { "no access", none }, { "gone", gone },
		{ "file", map(PROT_READ, MAP_PRIVATE, file) }, { "shared file", map(PROT_READ, MAP_SHARED, file) }, { "copied", copied }, { "kept", kept },
		{ "shared zeros", map(PROT_READ, MAP_SHARED, -1) },
	};

	*was = *none = *gone = 5;
	*copied = *copied + 1;
	mprotect(was, PAGE, PROT_READ);
	mprotect(copied, PAGE, PROT_READ);
	mprotect(kept, PAGE, PROT_READ);
	mprotect(none, PAGE, PROT_NONE);
	munmap(gone, PAGE);
	for (int i = 0; i < sizeof words / sizeof words[0]; i++) {
		int *word = words[i].word, value = word == none || word == gone ? 0 : *word;

		printf("futex %s: wake %s %s", words[i].what, error_of(syscall(SYS_futex, word, FUTEX_WAKE, 1)), error_of(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1)));
		printf(", wait %s", error_of(syscall(SYS_futex, word, FUTEX_WAIT, value, &moment)));
		printf(" %s", error_of(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &moment)));
		printf(", move %s", error_of(syscall(SYS_futex, word, FUTEX_REQUEUE, 1, 1, own)));
		printf(" %s\n", error_of(syscall(SYS_futex, own, FUTEX_REQUEUE, 1, 1, word)));
	}
	close(file);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	chdir(argc > 1 ? argv[1] : "/tmp");
	umask(022);
	chmod(".", 0755);
	times();
	pipes();
	directories();
	flags();
	removals();
	futexes();
	return 0;
}

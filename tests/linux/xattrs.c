/*
 * xattrs: extended attributes (xattr(7)): values, names, flags, lengths, kinds of files, rights.
 *
 * Prints one line per finding, the same on any Linux host with ext4 and on a rack. Runs as root, works in DIRECTORY/lego-xattrs.
 *
 * gcc -O2 -static -w -o xattrs xattrs.c        usage: xattrs [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "results.h"
#include "users.h"

static char buffer[70000], names[70000];

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char **)a, *(char **)b);
}

/* All names in the order of the alphabet, each with its value. */
static void list(const char *what, const char *file)
{
	char *sorted[200];
	int count = 0;
	ssize_t n = llistxattr(file, names, sizeof names);

	printf("%s: %s", what, result(n));
	for (char *name = names; n > 0 && name < names + n; name += strlen(name) + 1)
		if (strncmp(name, "security.", 9))
			sorted[count++] = name;
	qsort(sorted, count, sizeof sorted[0], by_name);
	for (int i = 0; i < count; i++) {
		ssize_t length = lgetxattr(file, sorted[i], buffer, sizeof buffer);

		printf(" %s=%.*s", sorted[i], length < 0 ? 0 : (int)(length > 20 ? 20 : length), buffer);
	}
	printf("\n");
}

static void values(void)
{
	int fd = open("file", O_CREAT | O_RDWR, 0644);
	struct stat before, after;

	list("none", "file");
	printf("get of none %s, remove of none %s, replace of none %s\n", result(getxattr("file", "user.a", buffer, 100)), result(removexattr("file", "user.a")), result(setxattr("file", "user.a", "1", 1, XATTR_REPLACE)));
	printf("set %s, create again %s, replace %s, both flags %s, unknown flag %s\n", result(setxattr("file", "user.a", "one", 3, XATTR_CREATE)), result(setxattr("file", "user.a", "x", 1, XATTR_CREATE)),
	    result(setxattr("file", "user.a", "another", 7, XATTR_REPLACE)), error_of(setxattr("file", "user.b", "y", 1, 3)), result(setxattr("file", "user.a", "x", 1, 4)));
	removexattr("file", "user.b");
	setxattr("file", "user.a", "another", 7, 0);
	list("one", "file");
	printf("length %s, exact %s, too small %s, list length %s, list too small %s\n", result(getxattr("file", "user.a", NULL, 0)), result(getxattr("file", "user.a", buffer, 7)), result(getxattr("file", "user.a", buffer, 6)),
	    result(listxattr("file", NULL, 0)), result(listxattr("file", names, 3)));
	printf("empty value %s", result(setxattr("file", "user.empty", "", 0, 0)));
	printf(" %s %s\n", result(getxattr("file", "user.empty", NULL, 0)), result(getxattr("file", "user.empty", buffer, 10)));
	printf("by descriptor: set %s", result(fsetxattr(fd, "user.fd", "fd", 2, 0)));
	printf(" get %s list %s remove %s again %s\n", result(fgetxattr(fd, "user.fd", buffer, 10)), result(flistxattr(fd, names, 1000)), result(fremovexattr(fd, "user.fd")), result(fremovexattr(fd, "user.fd")));
	for (int i = 0; i < 30; i++) {
		char name[40], value[40];

		snprintf(name, sizeof name, "user.%.*s", 1 + i * 7 % 20, "qwertzuiopasdfghjklyx");
		snprintf(value, sizeof value, "value %d", i);
		if (setxattr("file", name, value, strlen(value), 0) < 0)
			printf("%s %s\n", name, strerrorname_np(errno));
	}
	list("many", "file");
	memset(buffer, 'v', sizeof buffer);
	printf("2000 bytes %s, 5000 bytes %s, 65536 bytes %s, 65537 bytes %s\n", result(setxattr("file", "user.big", buffer, 2000, 0)), result(setxattr("file", "user.huge", buffer, 5000, 0)),
	    result(setxattr("file", "user.huge", buffer, 65536, 0)), result(setxattr("file", "user.huge", buffer, 65537, 0)));
	printf("shorter %s", result(setxattr("file", "user.big", buffer, 100, 0)));
	printf(" %s\n", result(getxattr("file", "user.big", NULL, 0)));
	memset(buffer, 'n', 300);
	memcpy(buffer, "user.", 5);
	buffer[255] = 0;
	printf("name of 255 %s", result(setxattr("file", buffer, "x", 1, 0)));
	printf(" %s", result(removexattr("file", buffer)));
	buffer[255] = 'n';
	buffer[256] = 0;
	printf(", of 256 %s %s, empty %s, prefix alone %s %s\n", result(setxattr("file", buffer, "x", 1, 0)), result(getxattr("file", buffer, NULL, 0)), result(setxattr("file", "", "x", 1, 0)), result(setxattr("file", "user.", "x", 1, 0)),
	    result(getxattr("file", "user.", NULL, 0)));
	printf("unknown prefix: set %s get %s remove %s, none %s\n", result(setxattr("file", "other.x", "x", 1, 0)), result(getxattr("file", "other.x", NULL, 0)), result(removexattr("file", "other.x")), result(setxattr("file", "x", "x", 1, 0)));
	printf("bad addresses: name %s value %s buffer %s\n", result(setxattr("file", (char *)8, "x", 1, 0)), result(setxattr("file", "user.c", (char *)8, 1, 0)), result(getxattr("file", "user.a", (char *)8, 100)));
	printf("missing file %s %s %s %s, closed %s, name alone %s\n", result(setxattr("none", "user.a", "x", 1, 0)), result(getxattr("none", "user.a", NULL, 0)), result(listxattr("none", NULL, 0)), result(removexattr("none", "user.a")),
	    result(fgetxattr(99, "user.a", NULL, 0)), result(fgetxattr(open("file", O_PATH), "user.a", NULL, 0)));
	fstat(fd, &before);
	usleep(20000);
	setxattr("file", "user.a", "later", 5, 0);
	fstat(fd, &after);
	printf("times: change %d modify %d\n", after.st_ctim.tv_nsec != before.st_ctim.tv_nsec || after.st_ctim.tv_sec != before.st_ctim.tv_sec, after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
	write(fd, "contents", 8);
	chmod("file", 0600);
	rename("file", "moved");
	link("moved", "file");
	list("after other changes", "file");
	for (int i = 0; i < 3; i++) {
		ssize_t n = listxattr("file", names, sizeof names);

		for (char *name = names; name < names + n; name += strlen(name) + 1)
			if (!strncmp(name, "user.", 5) && removexattr("file", name) < 0)
				printf("remove %s %s\n", name, strerrorname_np(errno));
	}
	list("all removed", "file");
	setxattr("file", "user.last", "stays until the end", 19, 0);
	unlink("moved");
	unlink("file");
	printf("unlinked and open: %s", result(fgetxattr(fd, "user.last", buffer, 100)));
	printf(" set %s\n", result(fsetxattr(fd, "user.more", "x", 1, 0)));
	close(fd);
}

static void kinds(void)
{
	mkdir("dir", 0755);
	symlink("dir", "link");
	symlink("nothing", "dangling");
	mkfifo("fifo", 0644);
	mknod("null", S_IFCHR | 0666, 0x103);
	printf("directory %s, through a link %s, of the link %s, dangling %s %s\n", result(setxattr("dir", "user.d", "1", 1, 0)), result(setxattr("link", "user.l", "2", 1, 0)), result(lsetxattr("link", "user.k", "3", 1, 0)),
	    result(setxattr("dangling", "user.d", "1", 1, 0)), result(lgetxattr("dangling", "user.d", NULL, 0)));
	list("directory", "dir");
	printf("fifo %s %s, device %s %s\n", result(setxattr("fifo", "user.f", "1", 1, 0)), result(getxattr("fifo", "user.f", NULL, 0)), result(setxattr("null", "user.f", "1", 1, 0)), result(getxattr("null", "user.f", NULL, 0)));
	printf("trusted: file %s link %s fifo %s\n", result(setxattr("dir", "trusted.t", "t", 1, 0)), result(lsetxattr("link", "trusted.t", "t", 1, 0)), result(setxattr("fifo", "trusted.t", "t", 1, 0)));
	list("with trusted", "dir");
	list("link", "link");
	printf("of /proc: list %s get %s set %s, of a pipe %s\n", done(listxattr("/proc/self/status", NULL, 0)), result(getxattr("/proc/self/status", "user.a", NULL, 0)), result(setxattr("/proc/self/status", "user.a", "1", 1, 0)),
	    ({ int p[2]; pipe(p); result(fgetxattr(p[0], "user.a", NULL, 0)); }));
}

static void rights(void)
{
	close(open("other", O_CREAT | O_RDWR, 0644));
	chmod("other", 0644);
	setxattr("other", "user.seen", "yes", 3, 0);
	setxattr("other", "trusted.hidden", "no", 2, 0);
	AS(65533, 65533, {
		printf("another user: get %s set %s remove %s", result(getxattr("other", "user.seen", buffer, 100)), result(setxattr("other", "user.seen", "x", 1, 0)), result(removexattr("other", "user.seen")));
		printf(" trusted %s %s", result(getxattr("other", "trusted.hidden", buffer, 100)), result(setxattr("other", "trusted.hidden", "x", 1, 0)));
		printf(" security %s\n", result(setxattr("other", "security.mine", "x", 1, 0)));
		list("what he sees", "other");
	});
	chmod("other", 0600);
	AS(65533, 65533, printf("unreadable: get %s list %s\n", result(getxattr("other", "user.seen", buffer, 100)), done(listxattr("other", names, 1000))));
	chmod("other", 0666);
	AS(65533, 65533, printf("writable: set %s\n", result(setxattr("other", "user.his", "x", 1, 0))));
	mkdir("sticky", 01777);
	chmod("sticky", 01777);
	AS(65533, 65533, printf("sticky directory: set %s\n", result(setxattr("sticky", "user.his", "x", 1, 0))));
	list("in the end", "other");
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	umask(022);
	chdir(argc > 1 ? argv[1] : "/tmp");
	mkdir("lego-xattrs", 0755);
	chdir("lego-xattrs");
	chmod(".", 0755);
	values();
	kinds();
	rights();
	return 0;
}

/*
 * permissions: who may do what to files and names, and what happens to modes, owners and times meanwhile: sticky and set-group-id
 * directories, set-user-id bits that writes and chowns clear, kinds of files, limits of names, links and sizes (POSIX, Linux's man pages).
 *
 * Prints one line per finding, the same on any Linux host with ext4 and on a rack. Runs as root, works in DIRECTORY/lego-permissions.
 *
 * gcc -O2 -static -w -o permissions permissions.c        usage: permissions [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "results.h"
#include "users.h"

enum { ALICE = 65533, BOB = 65532, TEAM = 65531, OTHERS = 65530 };
static const char *kinds[] = { "file", "dir", "fifo", "block", "char", "link" };
static char text[8192];

static void make(const char *kind, const char *name, mode_t mode)
{
	umask(0);
	switch (kind[0]) {
	case 'f': if (kind[2] == 'f') mkfifo(name, mode); else close(open(name, O_CREAT | O_RDWR, mode)); break;
	case 'd': mkdir(name, mode); break;
	case 'b': mknod(name, S_IFBLK | mode, makedev(1, 2)); break;
	case 'c': mknod(name, S_IFCHR | mode, makedev(1, 2)); break;
	case 'l': symlink("target", name); break;
	}
	umask(022);
}

static void drop(const char *name)
{
	if (unlink(name) < 0)
		rmdir(name);
}

static const char *describe(const char *name)
{
	static char texts[4][100];
	static int next;
	char *out = texts[next++ % 4];
	struct stat st;

	if (lstat(name, &st) < 0)
		return strerrorname_np(errno);
	snprintf(out, 100, "%o,%d,%d,%s,%d", st.st_mode, st.st_uid, st.st_gid, S_ISDIR(st.st_mode) ? "-" : result(st.st_size), (int)st.st_nlink);
	return out;
}

static void kinds_of_files(void)
{
	for (int i = 0; i < 6; i++) {
		struct stat st;

		make(kinds[i], "thing", 0751);
		lstat("thing", &st);
		printf("%s: %s rdev %lx", kinds[i], describe("thing"), (long)st.st_rdev);
		printf(" again %s", result(i == 1 ? mkdir("thing", 0700) : mknod("thing", S_IFREG | 0600, 0)));
		printf(" chmod %s", result(i == 5 ? 0 : chmod("thing", 06555)));
		printf(" lchown %s %s", result(lchown("thing", ALICE, TEAM)), describe("thing"));
		printf(" link %s", result(link("thing", "second")));
		printf(" rmdir %s", result(i == 1 ? 0 : rmdir("thing")));
		printf(" unlink %s", result(i == 1 ? unlink("thing") : 0));
		printf(" rename %s %s", result(rename("thing", "moved")), describe("moved"));
		printf(" O_CREAT|O_EXCL %s", error_of(open("moved", O_CREAT | O_EXCL | O_RDWR, 0600)));
		printf(" O_DIRECTORY %s", error_of(open("moved", O_DIRECTORY | O_RDONLY | O_NONBLOCK)));
		printf(" O_NOFOLLOW %s", error_of(open("moved", O_NOFOLLOW | O_RDONLY | O_NONBLOCK)));
		printf(" truncate %s", result(truncate("moved", 5)));
		printf(" readlink %s\n", error_of(readlink("moved", text, 10)));
		drop("moved");
		drop("second");
	}
	printf("mknod of a directory %s, of type 0 %s, of nonsense %s, of a link %s\n", result(mknod("x", S_IFDIR | 0600, 0)), result(mknod("x0", 0600, 0)),
	    result(mknod("x1", 0110000, 0)), result(mknod("x2", S_IFLNK | 0600, 0)));
	printf("mknod of a socket %s %s\n", result(mknod("sock", S_IFSOCK | 0640, 0)), describe("sock"));
	printf("open of a socket %s\n", error_of(open("sock", O_RDONLY)));
	drop("x0");
	drop("sock");
	AS(ALICE, TEAM, printf("alice: block %s char %s fifo %s\n", result(mknod("a", S_IFBLK | 0600, makedev(1, 2))), result(mknod("b", S_IFCHR | 0600, makedev(1, 3))),
	    result(mknod("open/c", S_IFIFO | 0600, 0))));
	printf("mknod of null and open %s", result(mknod("null", S_IFCHR | 0666, makedev(1, 3))));
	{
		int fd = open("null", O_RDWR);

		printf(" write %s read %s\n", result(write(fd, "x", 1)), result(read(fd, text, 1)));
		close(fd);
	}
	mknod("nodev", S_IFCHR | 0666, makedev(240, 7));
	printf("open of no device %s\n", error_of(open("nodev", O_RDONLY)));
	drop("nodev");
	drop("null");
}

/* unlink, rmdir, rename and link in a sticky directory, for each owner of directory and file. */
static void sticky(void)
{
	static const int owners[] = { 0, ALICE, BOB };

	for (int d = 0; d < 3; d++)
		for (int f = 0; f < 3; f++)
			for (int k = 0; k < 6; k += 1) {
				mkdir("sticky", 0);
				chown("sticky", owners[d], TEAM);
				chmod("sticky", 01777);
				mkdir("plain-dir", 0777);
				chmod("plain-dir", 0777);
				make(kinds[k], "sticky/it", 0666);
				lchown("sticky/it", owners[f], TEAM);
				make(kinds[k], "plain-dir/new", 0666);
				lchown("plain-dir/new", ALICE, TEAM);
				printf("sticky of %d, %s of %d:", owners[d], kinds[k], owners[f]);
				AS(ALICE, TEAM, printf(" over %s", result(rename("plain-dir/new", "sticky/it"))));
				make(kinds[k], "sticky/it", 0666);
				lchown("sticky/it", owners[f], TEAM);
				AS(ALICE, TEAM, printf(" away %s", result(rename("sticky/it", "plain-dir/old"))));
				make(kinds[k], "sticky/it", 0666);
				lchown("sticky/it", owners[f], TEAM);
				AS(ALICE, TEAM, printf(" gone %s\n", result(k == 1 ? rmdir("sticky/it") : unlink("sticky/it"))));
				drop("sticky/it");
				drop("plain-dir/new");
				drop("plain-dir/old");
				drop("sticky");
				drop("plain-dir");
			}
}

static void set_group_directories(void)
{
	mkdir("sg", 0);
	chown("sg", ALICE, TEAM);
	chmod("sg", 02777);
	for (int i = 0; i < 6; i++) {
		make(kinds[i], "sg/it", 02755);
		printf("in a set-gid directory: %s %s\n", kinds[i], describe("sg/it"));
		drop("sg/it");
		AS(BOB, OTHERS, make(kinds[i], "sg/it", 02755); printf("by bob: %s\n", describe("sg/it")));
		drop("sg/it");
	}
	AS(BOB, OTHERS, close(open("sg/exec", O_CREAT | O_RDWR, 02711)); printf("file with the bit %s\n", describe("sg/exec")));
	AS(BOB, OTHERS, printf("set the bit on it %s %s\n", result(chmod("sg/exec", 02755)), describe("sg/exec")));
	drop("sg/exec");
	drop("sg");
}

static void bits_that_go(void)
{
	static const struct { const char *what; mode_t mode; } modes[] = { { "04755", 04755 }, { "02755", 02755 }, { "02745", 02745 }, { "06755", 06755 }, { "01777", 01777 } };

	for (int i = 0; i < 5; i++) {
		int fd;

		for (int who = 0; who < 2; who++) {
			for (int act = 0; act < 8; act++) {
				fd = open("suid", O_CREAT | O_RDWR, 0600);
				write(fd, "12345", 5);
				fchown(fd, ALICE, TEAM);
				fchmod(fd, modes[i].mode);
				chmod("suid", modes[i].mode);
				AS(who ? ALICE : 0, who ? TEAM : 0, {
					int mine = open("suid", O_RDWR);
					long r = -2;

					switch (act) {
					case 0: r = write(mine, "x", 1); break;
					case 1: r = write(mine, "", 0); break;
					case 2: r = ftruncate(mine, 2); break;
					case 3: r = truncate("suid", 9); break;
					case 4: r = fallocate(mine, 0, 0, 100); break;
					case 5: r = chown("suid", -1, TEAM); break;
					case 6: r = chown("suid", -1, -1); break;
					case 7: r = chown("suid", ALICE, OTHERS); break;
					}
					printf("%s by %s act %d: %s", modes[i].what, who ? "alice" : "root", act, result(r));
				});
				printf(" -> %s\n", describe("suid"));
				close(fd);
				drop("suid");
			}
		}
	}
	mkdir("sdir", 0755);
	chmod("sdir", 06755);
	chown("sdir", ALICE, TEAM);
	printf("chown of a directory leaves %s\n", describe("sdir"));
	AS(ALICE, TEAM, printf("chown by its owner %s %s\n", result(chown("sdir", -1, TEAM)), describe("sdir")));
	AS(ALICE, OTHERS, printf("set-gid by one outside %s %s\n", result(chmod("sdir", 02755)), describe("sdir")));
	AS(BOB, OTHERS, printf("chmod by another %s chown %s\n", result(chmod("sdir", 0)), result(chown("sdir", BOB, -1))));
	AS(ALICE, TEAM, printf("give away %s, to a foreign group %s\n", result(chown("sdir", BOB, -1)), result(chown("sdir", -1, OTHERS))));
	drop("sdir");
	AS(ALICE, TEAM, close(open("open/f", O_CREAT | O_RDWR, 0666)); printf("sticky file by its owner %s %s\n", result(chmod("open/f", 01666)), describe("open/f")));
	drop("open/f");
}

static void rights(void)
{
	static const mode_t modes[] = { 0, 0100, 0200, 0300, 0400, 0500, 0600, 0700, 0070, 0007, 0010, 0001, 0020, 0002 };
	static const struct { int user, group; const char *name; } who[] = { { ALICE, TEAM, "owner" }, { BOB, TEAM, "group" }, { BOB, OTHERS, "other" } };

	for (int m = 0; m < 14; m++) {
		close(open("file", O_CREAT | O_RDWR, 0600));
		chown("file", ALICE, TEAM);
		chmod("file", modes[m]);
		mkdir("dir", 0700);
		close(open("dir/in", O_CREAT | O_RDWR, 0666));
		chmod("dir/in", 0666);
		chown("dir", ALICE, TEAM);
		chmod("dir", modes[m]);
		for (int w = 0; w < 3; w++)
			AS(who[w].user, who[w].group, {
				printf("%03o %s:", modes[m], who[w].name);
				printf(" r %s w %s x %s", error_of(access("file", R_OK)), error_of(access("file", W_OK)), error_of(access("file", X_OK)));
				printf(" rd %s wr %s rw %s trunc %s", error_of(open("file", O_RDONLY)), error_of(open("file", O_WRONLY)), error_of(open("file", O_RDWR)), error_of(open("file", O_RDONLY | O_TRUNC)));
				printf(" truncate %s utimes %s times %s", result(truncate("file", 0)), result(utimes("file", NULL)), result(utimensat(AT_FDCWD, "file", (struct timespec[2]){ { 1, 0 }, { 2, 0 } }, 0)));
				printf(" list %s stat %s", error_of(open("dir", O_RDONLY)), describe("dir/in"));
				printf(" to write %s %s %s", error_of(open("dir", O_WRONLY)), error_of(open("dir", O_RDONLY | O_TRUNC)), error_of(truncate("dir", 0)));
				printf(" create %s", error_of(open("dir/new", O_CREAT | O_RDWR, 0600)));
				printf(" link %s", result(link("dir/in", "dir/second")));
				printf(" unlink %s", result(unlink("dir/in2")));
				printf(" rename %s", result(rename("dir/in", "dir/in")));
				printf(" chdir %s\n", result(chdir("dir")));
			});
		drop("dir/new");
		drop("dir/second");
		drop("dir/in");
		drop("dir");
		drop("file");
	}
	AS(ALICE, TEAM, printf("a removed parent's rights: %s %s\n", result(mkdir("/nowhere/x", 0700)), result(rmdir("/nowhere"))));
}

static void limits(void)
{
	int i, r;

	memset(text, 'n', 300);
	text[255] = 0;
	printf("name of 255: %s", result(mkdir(text, 0700)));
	printf(" %s\n", result(rmdir(text)));
	text[255] = 'n';
	text[256] = 0;
	printf("name of 256: mkdir %s open %s stat %s unlink %s rename %s link %s symlink %s mknod %s\n", result(mkdir(text, 0700)), error_of(open(text, O_CREAT, 0600)), result(access(text, 0)), result(unlink(text)),
	    result(rename(text, "x")), result(link("x", text)), result(symlink("x", text)), result(mknod(text, S_IFREG, 0)));
	printf("in the middle: %s\n", (strcpy(text + 256, "/x"), result(access(text, 0))));
	for (i = 0; i < 4100; i++)
		text[i] = i % 2 ? '/' : '.';
	text[4095] = 0;
	printf("path of 4095: %s", result(access(text, F_OK)));
	text[4095] = '.';
	text[4096] = 0;
	printf(", of 4096: %s %s\n", result(access(text, F_OK)), result(symlink(text, "long")));
	text[4096] = 0;
	memset(text, 'y', 4096);
	text[4095] = 0;
	r = symlink(text, "longest");
	printf("link of 4095: %s", result(r));
	printf(" %s %s\n", describe("longest"), error_of(open("longest", O_RDONLY)));
	drop("longest");
	printf("empty link: %s, empty names: %s %s %s %s\n", result(symlink("", "empty")), result(mkdir("", 0700)), result(unlink("")), result(rename("", "a")), result(link("", "b")));
	symlink("loop-b", "loop-a");
	symlink("loop-a", "loop-b");
	printf("loops: open %s stat %s chmod %s chown %s lchown %s mkdir %s unlink inside %s link %s truncate %s\n", error_of(open("loop-a", O_RDONLY)), result(access("loop-a", 0)), result(chmod("loop-a", 0)),
	    result(chown("loop-a", 0, 0)), result(lchown("loop-a", 0, 0)), result(mkdir("loop-a/x", 0700)), result(unlink("loop-a/x")), result(link("loop-a/x", "q")), result(truncate("loop-a", 0)));
	drop("loop-a");
	drop("loop-b");
	close(open("end", O_CREAT | O_RDWR, 0600));
	strcpy(text, "end");
	for (i = 0; i < 42; i++) {
		char name[20];

		snprintf(name, sizeof name, "chain%d", i);
		symlink(text, name);
		strcpy(text, name);
		if (i >= 38)
			printf("chain of %d: %s\n", i + 1, error_of(open(name, O_RDONLY)));
	}
	for (i = 0; i < 42; i++) {
		snprintf(text, sizeof text, "chain%d", i);
		drop(text);
	}
	printf("slash after a file: open %s stat %s unlink %s rename %s mkdir %s link %s\n", error_of(open("end/", O_RDONLY)), result(access("end/", 0)), result(unlink("end/")), result(rename("end/", "fin")),
	    result(mkdir("end/", 0700)), result(link("end/", "fin")));
	printf("slash after nothing: open %s mkdir %s", error_of(open("none/", O_CREAT | O_RDWR, 0600)), result(mkdir("none/", 0700)));
	printf(" rename %s symlink %s mknod %s\n", result(rename("none/", "none2/")), result(symlink("x", "none3/")), result(mknod("none4/", S_IFREG, 0)));
	drop("none2");
	symlink("end", "to-end");
	mkdir("d", 0700);
	symlink("d", "to-d");
	symlink("nothing", "to-nothing");
	printf("slash after a link: %s %s %s %s %s\n", error_of(open("to-end/", O_RDONLY)), result(access("to-d/", 0)), result(unlink("to-d/")), result(rmdir("to-d/")), result(rmdir("to-d")));
	printf("through a dangling link: open %s create %s mkdir %s mkdir/ %s\n", error_of(open("to-nothing", O_RDONLY)), error_of(open("to-nothing", O_CREAT | O_EXCL | O_RDWR, 0600)), result(mkdir("to-nothing", 0700)),
	    result(mkdir("to-nothing/", 0700)));
	printf("it is made where the link points: %s", error_of(open("to-nothing", O_CREAT | O_RDWR, 0640)));
	printf(" %s\n", describe("nothing"));
	printf("dots: mkdir %s %s rmdir %s %s %s unlink %s rename %s %s link %s\n", result(mkdir(".", 0700)), result(mkdir("d/..", 0700)), result(rmdir(".")), result(rmdir("d/.")), result(rmdir("d/..")), result(unlink(".")),
	    result(rename(".", "q")), result(rename("d", "d/..")), result(link(".", "q")));
	mkdir("d/e", 0700);
	printf("into itself %s, over a parent %s, not empty %s, file over directory %s, directory over file %s, onto itself %s\n", result(rename("d", "d/e/f")), result(rename("d/e", "d")), result(rmdir("d")), result(rename("end", "d/e")),
	    result(rename("d/e", "end")), result(rename("d", "d")));
	link("end", "end2");
	printf("rename between names of one file %s, both remain %s\n", result(rename("end", "end2")), describe("end"));
	printf("below a file: %s %s %s %s %s\n", result(mkdir("end/x", 0700)), result(unlink("end/x")), result(rename("end/x", "q")), result(rename("d", "end/x")), result(symlink("x", "end/x")));
	drop("d/e");
	drop("d");
	drop("end");
	drop("end2");
	drop("nothing");
	drop("to-end");
	drop("to-d");
	drop("to-nothing");
}

static void sizes(void)
{
	struct rlimit limit, old;
	struct stat st;
	int fd = open("big", O_CREAT | O_RDWR, 0600), r;

	printf("truncate: negative %s %s, of a directory %s, of nothing %s\n", result(truncate("big", -1)), result(ftruncate(fd, -1)), result(truncate(".", 0)), result(truncate("none", 0)));
	printf("largest %s", result(ftruncate(fd, 0xffffffff000L - 0)));
	printf(" beyond %s", result(ftruncate(fd, 0xfffffffffffL)));
	printf(" far beyond %s\n", result(ftruncate(fd, 1L << 62)));
	ftruncate(fd, 0);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 5000;
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_IGN);
	memset(text, 'z', sizeof text);
	printf("limit: write %s", result(write(fd, text, 6000)));
	printf(" more %s", result(write(fd, text, 1)));
	printf(" pwrite %s", result(pwrite(fd, text, 10, 4995)));
	printf(" truncate %s", result(ftruncate(fd, 5001)));
	printf(" to the limit %s", result(ftruncate(fd, 5000)));
	printf(" fallocate %s\n", result(fallocate(fd, 0, 0, 6000)));
	fflush(stdout);
	if (fork() == 0) {
		signal(SIGXFSZ, SIG_DFL);
		pwrite(fd, text, 1, 7000);
		_exit(0);
	}
	wait(&r);
	printf("signal %d\n", WTERMSIG(r));
	fflush(stdout);
	if (fork() == 0) {
		signal(SIGXFSZ, SIG_DFL);
		truncate("big", 10000);
		_exit(0);
	}
	wait(&r);
	printf("signal %d\n", WTERMSIG(r));
	setrlimit(RLIMIT_FSIZE, &old);
	drop("big");
	fstat(fd, &st);
	printf("links of an unlinked file %d\n", (int)st.st_nlink);
	close(fd);
}

/* Which times of directory and file a call changes; each is set to the past first. */
static void changed(const char *what, const char *names[])
{
	printf("%s:", what);
	for (int i = 0; names[i]; i++) {
		struct stat st;

		if (lstat(names[i], &st) < 0)
			printf(" %s -", names[i]);
		else
			printf(" %s %s%s", names[i], st.st_mtime > 1000 ? "m" : "", st.st_atime > 1000 ? "a" : "");
	}
	printf("\n");
}

static void past(const char *names[])
{
	struct timespec times[2] = { { 100, 0 }, { 200, 0 } };

	for (int i = 0; names[i]; i++)
		utimensat(AT_FDCWD, names[i], times, AT_SYMLINK_NOFOLLOW);
}

static void times(void)
{
	const char *names[] = { "t", "u", "t/f", "t/g", "u/f", "t/l", NULL };
	int fd;

	mkdir("t", 0755);
	mkdir("u", 0755);
#define STEP(what, ...) do { past(names); __VA_ARGS__; changed(what, names); } while (0)
	STEP("create", close(open("t/f", O_CREAT | O_RDWR, 0644)));
	STEP("open again", close(open("t/f", O_CREAT | O_RDWR, 0644)));
	STEP("truncating open of an empty file", close(open("t/f", O_TRUNC | O_RDWR)));
	STEP("link", link("t/f", "t/g"));
	STEP("chmod", chmod("t/f", 0600));
	STEP("chown", chown("t/f", 0, 0));
	STEP("write", fd = open("t/f", O_WRONLY); write(fd, "abc", 3); close(fd));
	STEP("write of nothing", fd = open("t/f", O_WRONLY); write(fd, "abc", 0); close(fd));
	STEP("truncate to the same size", truncate("t/f", 3));
	STEP("ftruncate to the same size", fd = open("t/f", O_WRONLY); ftruncate(fd, 3); close(fd));
	STEP("truncate", truncate("t/f", 2));
	STEP("read", fd = open("t/f", O_RDONLY); read(fd, text, 1); close(fd));
	STEP("read without O_NOATIME's trace", fd = open("t/f", O_RDONLY | O_NOATIME); read(fd, text, 1); close(fd));
	STEP("read at the end", fd = open("t/f", O_RDONLY); lseek(fd, 50, 0); read(fd, text, 1); close(fd));
	STEP("list", DIR *d = opendir("t"); readdir(d); closedir(d));
	STEP("symlink", symlink("f", "t/l"));
	STEP("readlink", readlink("t/l", text, 10));
	STEP("follow", access("t/l", 0));
	STEP("rename", rename("t/g", "u/f"));
	STEP("rename of a directory", mkdir("t/d", 0755); past(names); rename("t/d", "u/d"));
	STEP("rmdir", rmdir("u/d"));
	STEP("unlink", unlink("u/f"));
	STEP("missing unlink", unlink("u/f"));
	STEP("mmap is no read", fd = open("t/f", O_RDONLY); close(fd));
	STEP("fallocate", fd = open("t/f", O_RDWR); fallocate(fd, 0, 0, 2); close(fd));
	unlink("t/l");
	unlink("t/f");
	rmdir("t");
	rmdir("u");
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	umask(022);
	chdir(argc > 1 ? argv[1] : "/tmp");
	mkdir("lego-permissions", 0755);
	chdir("lego-permissions");
	chmod(".", 0755);
	mkdir("open", 0777);
	chmod("open", 0777);
	kinds_of_files();
	sticky();
	set_group_directories();
	bits_that_go();
	rights();
	limits();
	sizes();
	times();
	return 0;
}

/*
 * attributes: what stat(2), access(2), open(2) and lseek(2) tell right after each kind of change, asked again and again in between, so that a
 * system that remembers answers has every chance to give an old one.
 *
 * Prints one line per finding, the same on any Linux host and on a rack when root runs it: no inode numbers, times only by their order. Works in
 * DIRECTORY/lego-attributes, which it makes and leaves empty. With a number instead of a directory it asks so often for the same few answers and
 * prints nothing: the rack's counters are the finding. With a user, too, it asks as that user, who has supplementary groups.
 *
 * gcc -O2 -static -w -o attributes attributes.c        usage: attributes [DIRECTORY | NUMBER [USER]], default /tmp
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct stat last;

/* Twice, so that the second answer is one that could be remembered. */
static void show(const char *what, const char *path)
{
	struct stat one, two;
	int first = lstat(path, &one);
	int error = errno;
	int second = lstat(path, &two);

	if (first != second || (first == 0 && memcmp(&one, &two, sizeof one) != 0))
		printf("%s: two answers differ\n", what);
	if (second != 0) {
		printf("%s: %s: %s\n", what, path, strerror(error));
		return;
	}
	printf("%s: %s: mode %o links %lu owner %u:%u size %ld%s\n", what, path, two.st_mode, (unsigned long)two.st_nlink, two.st_uid, two.st_gid,
	       S_ISDIR(two.st_mode) ? 0L : (long)two.st_size,
	       two.st_mtim.tv_sec > last.st_mtim.tv_sec
			       || (two.st_mtim.tv_sec == last.st_mtim.tv_sec && two.st_mtim.tv_nsec >= last.st_mtim.tv_nsec)
		       ? ""
		       : " older");
	last = two;
}

static void say(const char *what, long value)
{
	printf("%s: %ld%s%s\n", what, value, value < 0 ? " " : "", value < 0 ? strerror(errno) : "");
}

static void put(int file, long at, const char *text)
{
	say("pwrite", pwrite(file, text, strlen(text), at));
}

/* What another user may reach. */
static void as_user(const char *path)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		setgid(1000);
		setuid(1000);
		struct stat status;
		for (int round = 0; round < 2; round++) {
			say("user: stat", stat(path, &status));
			say("user: access", access(path, R_OK));
			int file = open(path, O_RDONLY);
			say("user: open", file < 0 ? -1 : 0);
			close(file);
		}
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void repeat(long rounds, uid_t user)
{
	gid_t groups[] = { user, 27, 1004 };
	struct stat status;
	int file = open("/etc/repeated", O_RDWR | O_CREAT, 0644);

	if (write(file, "abc", 3) != 3)
		exit(1);
	symlink("repeated", "/etc/link");
	chown("/etc/repeated", user, user);
	if (user != 0 && (setgroups(3, groups) != 0 || setgid(user) != 0 || setuid(user) != 0))
		exit(1);
	for (long round = 0; round < rounds; round++) {
		char target[20];
		int again = open("/etc/link", O_RDONLY);
		if (stat("/etc/repeated", &status) != 0 || status.st_size != 3 || lstat("/etc/link", &status) != 0 || fstat(file, &status) != 0
		    || lseek(file, 0, SEEK_END) != 3 || access("/etc/repeated", W_OK) != 0 || access("/etc/missing", F_OK) == 0
		    || readlink("/etc/link", target, sizeof target) != 8
		    || stat("/etc/missing/below", &status) == 0 || again < 0 || close(again) != 0)
			exit(2);
	}
}

int main(int count, char **words)
{
	char directory[200];
	int file, other;

	if (count > 1 && atol(words[1]) > 0) {
		repeat(atol(words[1]), count > 2 ? atoi(words[2]) : 0);
		return 0;
	}
	umask(022);
	snprintf(directory, sizeof directory, "%s/lego-attributes", count > 1 ? words[1] : "/tmp");
	mkdir(directory, 0755);
	if (chdir(directory) != 0)
		return 1;

	show("nothing yet", "f");
	say("access", access("f", F_OK));
	file = open("f", O_RDWR | O_CREAT, 0644);
	show("made", "f");
	show("directory", ".");
	put(file, 0, "hello");
	show("written", "f");
	say("end", lseek(file, 0, SEEK_END));
	put(file, 5000, "far");
	say("end", lseek(file, 0, SEEK_END));
	show("written far", "f");
	ftruncate(file, 100);
	show("cut", "f");
	say("end", lseek(file, 0, SEEK_END));
	truncate("f", 300);
	show("grown", "f");
	fallocate(file, 0, 0, 1000);
	show("allocated", "f");
	fsync(file);
	show("synchronized", "f");
	other = open("f", O_WRONLY | O_APPEND);
	say("append", write(other, "tail", 4));
	show("appended", "f");
	say("end", lseek(file, 0, SEEK_END));
	close(other);
	other = open("f", O_RDWR | O_TRUNC);
	show("opened to cut", "f");
	close(other);

	chmod("f", 0600);
	show("chmod", "f");
	as_user("f");
	fchmod(file, 0644);
	show("fchmod", "f");
	as_user("f");
	chown("f", 1000, 1000);
	show("chown", "f");
	chmod(".", 0700);
	as_user("f");
	chmod(".", 0755);
	as_user("f");

	link("f", "g");
	show("linked", "f");
	show("linked", "g");
	rename("g", "h");
	show("renamed", "g");
	show("renamed", "h");
	unlink("f");
	show("unlinked", "f");
	show("unlinked", "h");
	open("f", O_RDWR);
	say("open of nothing", open("f", O_RDWR));
	other = open("f", O_RDWR | O_CREAT | O_EXCL, 0600);
	show("made again", "f");
	put(other, 0, "new");
	rename("f", "h");
	show("replaced", "f");
	show("replaced", "h");
	struct stat old;
	fstat(file, &old);
	say("links of the replaced", old.st_nlink);
	unlink("h");
	fstat(other, &old);
	say("links of the unlinked", old.st_nlink);
	say("size of the unlinked", old.st_size);
	show("unlinked", "h");
	close(file);
	close(other);

	mkdir("d", 0755);
	show("mkdir", "d");
	show("directory", ".");
	show("in it", "d/x");
	close(open("d/x", O_RDWR | O_CREAT, 0644));
	show("in it", "d/x");
	mkdir("d/e", 0755);
	show("mkdir", "d");
	rename("d", "m");
	show("moved", "d");
	show("moved", "d/x");
	show("moved", "m/x");
	symlink("m", "s");
	show("through a link", "s/x");
	show("the link", "s");
	say("readlink", readlink("s", directory, sizeof directory));
	say("readlink", readlink("s", directory, sizeof directory));
	say("readlink of a directory", readlink("m", directory, sizeof directory));
	unlink("s");
	say("readlink of nothing", readlink("s", directory, sizeof directory));
	symlink("nowhere", "s");
	say("readlink", readlink("s", directory, sizeof directory));
	show("through a link", "s/x");
	say("stat of a link that leads nowhere", access("s", F_OK));
	say("no directory", access("m/x/y", F_OK));
	unlink("m/x");
	say("no directory any more", access("m/x/y", F_OK));
	mkdir("m/x", 0755);
	close(open("m/x/y", O_RDWR | O_CREAT, 0644));
	say("a directory now", access("m/x/y", F_OK));
	unlink("m/x/y");
	say("rmdir", rmdir("m/x"));
	show("rmdir", "m/x");
	say("rmdir", rmdir("m/e"));
	show("rmdir", "m");
	say("rmdir", rmdir("m"));
	unlink("s");

	file = open("t", O_RDWR | O_CREAT, 0644);
	put(file, 0, "x");
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	utimensat(AT_FDCWD, "t", times, 0);
	stat("t", &old);
	printf("times: %ld.%09ld %ld.%09ld\n", (long)old.st_atim.tv_sec, old.st_atim.tv_nsec, (long)old.st_mtim.tv_sec, old.st_mtim.tv_nsec);
	put(file, 1, "y");
	fstat(file, &old);
	printf("after a write: %s\n", old.st_mtim.tv_sec > 2000 ? "newer" : "as before");
	close(file);
	unlink("t");
	return 0;
}

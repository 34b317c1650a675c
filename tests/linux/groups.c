/*
 * groups: what the supplementary groups of a process let it do with files (credentials(7), chown(2), chmod(2)).
 *
 * Prints one line per finding, the same on any Linux host and on a rack. Runs as root, works in DIRECTORY/lego-groups, which it makes and leaves.
 *
 * gcc -O2 -static -w -o groups groups.c        usage: groups [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER = 1000, OWN = 1001, FIRST = 50, LAST = 81, OTHER = 90 };

static void say(const char *what, long value)
{
	printf("%s: %ld%s%s\n", what, value, value == -1 ? " " : "", value == -1 ? strerror(errno) : "");
}

static void make(const char *name, mode_t mode, uid_t user, gid_t group)
{
	close(open(name, O_CREAT | O_WRONLY, 0600));
	chown(name, user, group);
	chmod(name, mode);
}

static void try(const char *name, int flags)
{
	int fd = open(name, flags);

	say(name, fd < 0 ? -1 : 0);
	close(fd);
}

static void use(const char *who)
{
	struct stat st = { 0 };

	printf("-- %s\n", who);
	try("first", O_RDONLY);
	try("first", O_RDWR);
	try("last", O_RDONLY);
	try("other", O_RDONLY);
	try("excluded", O_RDONLY);
	try("closed/inside", O_RDONLY);
	try("first", O_RDONLY);
	say("access", access("last", R_OK));
	say("write access", access("first", W_OK));
	say("eaccess", faccessat(AT_FDCWD, "closed/inside", R_OK, AT_EACCESS));
	say("stat", stat("closed/inside", &st));
	say("change directory and back", chdir("closed") == 0 ? chdir("..") : -1);
	say("create", open("closed/made", O_CREAT | O_WRONLY, 0644) < 0 ? -1 : 0);
	say("group of what was made", stat("closed/made", &st) < 0 ? -1 : (long)st.st_gid);
	say("remove", unlink("closed/made"));
	say("give to a group of one's own", chown("mine", -1, LAST));
	say("give to another group", chown("mine", -1, OTHER));
	say("set group id", chmod("mine", 02755));
	stat("mine", &st);
	say("mode", st.st_mode & 07777);
	say("mine has group", st.st_gid);
	chown("mine", -1, OWN);
}

static void as_user(const char *who, int count, gid_t *groups, uid_t user)
{
	fflush(stdout);
	if (fork() == 0) {
		setgroups(count, groups);
		setresgid(OWN, OWN, OWN);
		setresuid(user, user, user);
		use(who);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
}

int main(int argc, char **argv)
{
	gid_t groups[32];

	umask(022);
	chdir(argc > 1 ? argv[1] : "/tmp");
	chmod(".", 0755);
	mkdir("lego-groups", 0755);
	if (chdir("lego-groups") != 0)
		return 1;
	mkdir("closed", 0700);
	make("closed/inside", 0644, 0, 0);
	chown("closed", 0, LAST);
	chmod("closed", 0770);
	make("first", 0640, 0, FIRST);
	make("last", 0640, 0, LAST);
	make("other", 0640, 0, OTHER);
	make("excluded", 0604, 0, FIRST + 1);
	make("mine", 0644, USER, OWN);
	for (int i = 0; i < 32; i++)
		groups[i] = FIRST + i;
	as_user("no groups", 0, groups, USER);
	as_user("thirty-two groups", 32, groups, USER);
	as_user("one group", 1, groups + 31, USER);
	as_user("no groups again", 0, groups, USER);
	as_user("root with groups", 32, groups, 0);
	return 0;
}

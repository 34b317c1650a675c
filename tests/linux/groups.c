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
#include <sys/msg.h>
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

/* What setgroups takes and getgroups gives: in any number up to 65536, in ascending order. */
static void many(int count, gid_t first, int step)
{
	static gid_t given[70000], got[70000];
	unsigned long sum = 0, order = 1;

	for (int i = 0; i < count; i++)
		given[i] = first + (unsigned)(i * 7919L % count) * step;
	int set = setgroups(count, given);
	printf("setgroups of %d: %d %s\n", count, set, set < 0 ? strerror(errno) : "");
	int there = getgroups(0, got), read = getgroups(70000, got);
	for (int i = 0; i < read; i++) {
		sum = sum * 31 + got[i];
		order &= i == 0 || got[i - 1] <= got[i];
	}
	printf("getgroups: %d %d, in order %lu, %lx\n", there, read, order, sum);
	if (there > 1)
		say("getgroups without room", getgroups(there - 1, got));
}

/* The line of /proc/self/status: bytes and a sum of them. */
static void told(void)
{
	static char text[1 << 20];
	int file = open("/proc/self/status", O_RDONLY), size = 0, part;
	unsigned long sum = 0;

	while ((part = read(file, text + size, 5000)) > 0)
		size += part;
	text[size] = 0;
	close(file);
	char *line = strstr(text, "Groups:"), *end = strchr(line, '\n');
	for (char *at = line; at < end; at++)
		sum = sum * 31 + *at;
	printf("status: %ld bytes, %lx\n", (long)(end - line), sum);
}

/* Rights by groups that are not the first ones: of a queue and of a file in memory. */
static void far(void)
{
	struct msqid_ds ds;
	int queue = msgget(IPC_PRIVATE, 0600);
	int file = open("/dev/shm/lego-groups", O_CREAT | O_RDWR, 0600);

	msgctl(queue, IPC_STAT, &ds);
	ds.msg_perm.gid = 3999;
	ds.msg_perm.mode = 0040;
	msgctl(queue, IPC_SET, &ds);
	fchown(file, 0, 3999);
	fchmod(file, 0640);
	close(file);
	for (int count = 0; count <= 1000; count += 500) {
		many(count, 3000, 2 - count / 1000);
		fflush(stdout);
		if (fork() == 0) {
			if (fork() == 0) {
				setresgid(OWN, OWN, OWN);
				setresuid(USER, USER, USER);
				told();
				say("queue", msgctl(queue, IPC_STAT, &ds));
				try("/dev/shm/lego-groups", O_RDONLY);
				try("/dev/shm/lego-groups", O_RDWR);
				say("without rights", setgroups(0, NULL));
				fflush(stdout);
				_exit(0);
			}
			setgroups(0, NULL);
			wait(NULL);
			say("the parent's", getgroups(0, NULL));
			fflush(stdout);
			_exit(0);
		}
		wait(NULL);
	}
	msgctl(queue, IPC_RMID, NULL);
	unlink("/dev/shm/lego-groups");
}

static void numbers(void)
{
	static const int counts[] = { 0, 1, 32, 33, 64, 1000, 1022, 1023, 65536, 65537, 5, 40 };
	gid_t bad[40];

	for (int i = 0; i < sizeof counts / sizeof counts[0]; i++)
		many(counts[i], 100, 3);
	told();
	memset(bad, 0, sizeof bad);
	bad[39] = -1;
	say("no group", setgroups(40, bad));
	say("no memory", setgroups(40, (gid_t *)16));
	say("below zero", setgroups(-1, bad));
	say("as before", getgroups(0, NULL));
	far();
	setgroups(0, NULL);
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
	numbers();
	return 0;
}

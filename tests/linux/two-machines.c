/*
 * two-machines: two programs that share nothing but a directory of files, each of which sees at once what the other has been told is done
 * (read(2), write(2), open(2), rename(2), unlink(2)). Started twice at the same time, as "left" and as "right", on one machine or on two:
 * they find each other by the names in DIRECTORY/two-machines. Prints the same lines on every Linux.
 *
 * gcc -O2 -static -w -o two-machines two-machines.c        usage: two-machines left|right [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUNDS = 40, RECORDS = 150, NAMES = 60, MOST_LOOKS = 60000, LOOK_US = 2000 };

static int left;
static int step;
static char block[20000];

static void say(const char *what, long value)
{
	if (value == -1)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, value);
	fflush(stdout);
}

static void look_again(int *looks, const char *what)
{
	if (++*looks > MOST_LOOKS) {
		printf("%s: the other one does not come\n", what);
		exit(1);
	}
	usleep(LOOK_US);
}

/* Both have come here: each makes a name and waits for the other's, of which it may have been told before that there is none. */
static void meet(void)
{
	char mine[32], other[32];
	struct stat status;
	int looks = 0;

	sprintf(mine, "%s.%d", left ? "left" : "right", ++step);
	sprintf(other, "%s.%d", left ? "right" : "left", step);
	close(open(mine, O_CREAT | O_WRONLY, 0644));
	while (stat(other, &status) != 0)
		look_again(&looks, other);
}

static void put(const char *name, int flags, int count, char fill)
{
	int fd = open(name, O_WRONLY | O_CREAT | flags, 0644);

	memset(block, fill, count);
	if (write(fd, block, count) != count)
		say(name, -1);
	close(fd);
}

static long get(const char *name)
{
	int fd = open(name, O_RDONLY);
	long count = fd < 0 ? -1 : read(fd, block, sizeof block);

	if (fd >= 0)
		close(fd);
	return count;
}

/* A number goes back and forth in a file that both keep open; whoever has it leaves a page of it behind. */
static void ping_pong(void)
{
	int ball = open("ball", O_RDWR | O_CREAT, 0644), court = open("court", O_RDWR | O_CREAT, 0644);
	int round, looks = 0, wrong = 0, number = 0;

	for (round = 0; round < 2 * ROUNDS; round++) {
		if (round % 2 == !left) {
			memset(block, 'a' + round % 26, 5000);
			pwrite(court, block, 5000, (round % 3) * 4096);
			number = round + 1;
			pwrite(ball, &number, sizeof number, 0);
		} else {
			while (pread(ball, &number, sizeof number, 0) != sizeof number || number != round + 1)
				look_again(&looks, "ball");
			pread(court, block, 5000, (round % 3) * 4096);
			for (int at = 0; at < 5000; at++)
				wrong += block[at] != 'a' + round % 26;
		}
	}
	say("bytes that were not the other one's latest", wrong);
	close(ball);
	close(court);
}

/* Both append to one file at the same time: no record is lost, or torn. */
static void append(void)
{
	char record[16];
	int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644), mine[2] = { 0, 0 }, torn = 0;
	long count;

	meet();
	for (int number = 0; number < RECORDS; number++) {
		sprintf(record, "%-6s %07d\n", left ? "left" : "right", number);
		if (write(fd, record, 15) != 15)
			say("append", -1);
	}
	close(fd);
	meet();
	count = get("log");
	for (long at = 0; at + 15 <= count; at += 15) {
		int right = memcmp(block + at, "right", 5) == 0;

		torn += block[at + 14] != '\n' || atoi(block + at + 7) != mine[right]++;
	}
	say("bytes of the log", count);
	say("records of left", mine[0]);
	say("records out of order or torn", torn);
}

static void truncate_and_sync(void)
{
	struct stat status;
	int fd = open("cut", O_RDWR | O_CREAT, 0644);

	if (left) {
		memset(block, 'x', 10000);
		write(fd, block, 10000);
		fsync(fd);
	}
	meet();
	if (!left)
		say("truncate", truncate("cut", 5000));
	meet();
	fstat(fd, &status);
	say("size after truncate", status.st_size);
	say("read past it", pread(fd, block, 100, 5000));
	say("read before it", pread(fd, block, 100, 4990));
	meet();
	if (left)
		say("longer again", ftruncate(fd, 8000));
	meet();
	say("bytes", pread(fd, block, 8000, 0));
	say("a cleared one", block[6000]);
	say("a kept one", block[4999]);
	close(fd);
}

static void names(void)
{
	struct stat status;
	int fd = -1;

	if (left)
		put("old", 0, 700, 'o');
	meet();
	say("bytes under the old name", get("old"));
	meet();
	if (!left)
		say("rename", rename("old", "new"));
	meet();
	say("bytes under the old name", get("old"));
	say("bytes under the new name", get("new"));
	meet();
	fd = open("new", O_RDWR);
	meet();
	if (left)
		say("unlink", unlink("new"));
	meet();
	say("the name", stat("new", &status));
	fstat(fd, &status);
	say("names left", status.st_nlink);
	if (!left)
		say("write without a name", pwrite(fd, "!", 1, 0));
	meet();
	pread(fd, block, 1, 0);
	say("what the file without a name has", block[0]);
	close(fd);
	meet();
	if (left) {
		put("replacing", 0, 10, 'r');
		put("replaced", 0, 20, 'd');
	}
	meet();
	say("bytes before", get("replaced"));
	meet();
	if (!left)
		say("replace", rename("replacing", "replaced"));
	meet();
	say("bytes after", get("replaced"));
	meet();
	if (left) {
		say("mkdir", mkdir("folder", 0755));
		put("folder/inside", 0, 3, 'i');
		say("chmod", chmod("folder/inside", 0600));
	}
	meet();
	say("bytes inside", get("folder/inside"));
	stat("folder/inside", &status);
	say("mode", status.st_mode & 0777);
	say("rmdir of what is not empty", rmdir("folder"));
	meet();
	if (!left) {
		say("unlink inside", unlink("folder/inside"));
		say("rmdir", rmdir("folder"));
	}
	meet();
	say("bytes inside", get("folder/inside"));
}

/* Both make the same names: each name is made by one of them. */
static void exclusive(void)
{
	char name[32];
	int made = 0, fd;
	long both = 0;

	meet();
	for (int number = 0; number < NAMES; number++) {
		sprintf(name, "only.%d", number);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd >= 0) {
			made++;
			close(fd);
		} else if (errno != EEXIST)
			say(name, -1);
	}
	put(left ? "made.left" : "made.right", 0, made, '.');
	meet();
	both = get("made.left") + get("made.right");
	say("names made", both);
}

static void leave(void)
{
	struct dirent *entry;
	DIR *folder;
	int looks = 0;
	struct stat status;

	meet();
	/* Right has seen all that it waits for: the names may go. */
	if (left) {
		while (stat("bye", &status) != 0)
			look_again(&looks, "bye");
		folder = opendir(".");
		while ((entry = readdir(folder)) != NULL)
			if (entry->d_name[0] != '.')
				unlink(entry->d_name);
		closedir(folder);
		chdir("..");
		say("rmdir of the shared folder", rmdir("two-machines"));
	} else {
		close(open("bye", O_CREAT | O_WRONLY, 0644));
		while (stat("left.1", &status) == 0)
			look_again(&looks, "left.1");
	}
}

int main(int count, char **words)
{
	left = count > 1 && strcmp(words[1], "left") == 0;
	chdir(count > 2 ? words[2] : "/tmp");
	mkdir("two-machines", 0777);
	if (chdir("two-machines") != 0) {
		say("chdir", -1);
		return 1;
	}
	meet();
	ping_pong();
	append();
	truncate_and_sync();
	names();
	exclusive();
	leave();
	printf("done\n");
	return 0;
}

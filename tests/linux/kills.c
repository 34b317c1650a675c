/*
 * kills SECONDS [ROUNDS]: SIGKILL ends a process whatever it waits for (signal(7)). Puts children into each kind of wait that there is and kills them:
 * those that sleep when /proc/PID/stat says that they do, those that are busy with memory, files or processes at moments that differ.
 *
 * Prints a line per kind, the same on any Linux host and on a rack: "killed", or "lives" when the child is there SECONDS later (exit status 1). Standard
 * input must be open and empty. With KILLS_TIMES in the environment the longest time follows on standard error.
 *
 * gcc -O2 -static -pthread -w -o kills kills.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "times.h"

#define MEGABYTE (1L << 20)
#define LARGE (64 * MEGABYTE)

static char s_folder[] = "/tmp/kills-XXXXXX";
static char *s_self;

static void pause_us(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void need(int holds, const char *what)
{
	if (!holds) {
		perror(what);
		_exit(2);
	}
}

/* The path of a file of the test's own. */
static const char *own(const char *name)
{
	static char path[64];
	snprintf(path, sizeof path, "%s/%s", s_folder, name);
	return path;
}

static int opened(const char *name, int flags)
{
	int file = open(own(name), flags, 0600);
	need(file >= 0, name);
	return file;
}

/* Waits: none of them ends by itself. */

static void read_pipe(void)
{
	int ends[2];
	char byte;
	need(!pipe(ends), "pipe");
	read(ends[0], &byte, 1);
}

static void read_fifo(void)
{
	char byte;
	read(opened("fifo", O_RDWR), &byte, 1);
}

static void read_input(void)
{
	char byte;
	read(0, &byte, 1);
}

static void write_pipe(void)
{
	int ends[2];
	need(!pipe(ends), "pipe");
	char *bytes = calloc(1, MEGABYTE);
	write(ends[1], bytes, MEGABYTE);
}

static void send_to_pipe(void)
{
	int ends[2], file = opened("big", O_RDONLY);
	need(!pipe(ends), "pipe");
	while (sendfile(ends[1], file, NULL, MEGABYTE) > 0)
		;
	pause();
}

static void open_reader(void) { opened("fifo", O_RDONLY); }

static void open_writer(void) { opened("fifo", O_WRONLY); }

static void wait_flock(void) { flock(opened("locked", O_RDWR), LOCK_EX); }

static void wait_record_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	fcntl(opened("locked", O_RDWR), F_SETLKW, &lock);
}

static void wait_description_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	fcntl(opened("locked", O_RDWR), F_OFD_SETLKW, &lock);
}

static void wait_futex(void)
{
	int word = 0;
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static void wait_shared_futex(void)
{
	int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec t = { 1000 };
	syscall(SYS_futex, word, FUTEX_WAIT, 0, &t);
}

static void sleep_long(void) { pause_us(1000000000); }

static void sleep_until(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 1000;
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static void wait_poll(void)
{
	int ends[2];
	need(!pipe(ends), "pipe");
	struct pollfd entries[2] = { { ends[0], POLLIN }, { 0, POLLIN } };
	poll(entries, 2, -1);
}

static void wait_select(void)
{
	int ends[2];
	fd_set set;
	struct timeval t = { 1000 };
	need(!pipe(ends), "pipe");
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	select(ends[0] + 1, &set, NULL, NULL, &t);
}

static void wait_child(void)
{
	if (!fork()) {
		pause();
		_exit(0);
	}
	wait(NULL);
}

static void wait_id(void)
{
	siginfo_t info;
	if (!fork()) {
		pause();
		_exit(0);
	}
	waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT);
}

static void suspend(void)
{
	sigset_t all;
	sigfillset(&all);
	sigsuspend(&all);
}

static void wait_signal(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwaitinfo(&set, NULL);
}

static void just_pause(void) { pause(); }

static void stop(void) { raise(SIGSTOP); }

static void vfork_parent(void)
{
	if (!vfork()) {
		pause();
		_exit(0);
	}
}

/* A process whose threads wait, each in another way; the first one has ended. */
static void *sleeping(void *unused) { sleep_long(); }
static void *reading(void *unused) { read_pipe(); }
static void *polling(void *unused) { wait_poll(); }
static void *locking(void *unused) { wait_flock(); }
static void *opening(void *unused) { open_reader(); }

static void start_waiters(void)
{
	void *(*bodies[])(void *) = { sleeping, reading, polling, locking, opening };
	pthread_t thread;
	for (int i = 0; i < 5; i++)
		need(!pthread_create(&thread, NULL, bodies[i], NULL), "pthread_create");
}

static void threads_without_first(void)
{
	start_waiters();
	pthread_exit(NULL);
}

static void join_threads(void)
{
	pthread_t thread;
	start_waiters();
	need(!pthread_create(&thread, NULL, sleeping, NULL), "pthread_create");
	pthread_join(thread, NULL);
}

/* Work without an end, most of which waits for other components of a rack. */

static void miss_pages(void)
{
	long bytes = 32 * MEGABYTE;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(memory != MAP_FAILED, "mmap");
	for (;;)
		for (long at = 0; at < bytes; at += 4096)
			memory[at]++;
}

static void miss_from_threads(void)
{
	pthread_t thread;
	for (int i = 0; i < 3; i++)
		need(!pthread_create(&thread, NULL, (void *(*)(void *))miss_pages, NULL), "pthread_create");
	miss_pages();
}

static void read_file(void)
{
	static char bytes[MEGABYTE];
	int file = opened("big", O_RDONLY);
	for (;;) {
		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		while (read(file, bytes, sizeof bytes) > 0)
			;
		lseek(file, 0, SEEK_SET);
	}
}

static void write_file(void)
{
	static char bytes[MEGABYTE];
	int file = opened("written", O_RDWR | O_CREAT);
	for (;;) {
		for (int i = 0; i < 8; i++)
			write(file, bytes, sizeof bytes);
		ftruncate(file, 0);
		lseek(file, 0, SEEK_SET);
	}
}

static void synchronize(void)
{
	static char bytes[65536];
	int file = opened("written", O_RDWR | O_CREAT);
	for (;;) {
		pwrite(file, bytes, sizeof bytes, rand() % 64 * 65536L);
		fsync(file);
	}
}

static void copy_range(void)
{
	int from = opened("big", O_RDONLY), to = opened("written", O_RDWR | O_CREAT);
	for (;;) {
		off_t in = 0, out = 0;
		copy_file_range(from, &in, to, &out, LARGE, 0);
	}
}

/* Single calls that move more than a second can. */

static void read_at_once(void)
{
	char *bytes = malloc(LARGE);
	int file = opened("big", O_RDONLY);
	for (;;)
		pread(file, bytes, LARGE, 0);
}

static void write_at_once(void)
{
	char *bytes = calloc(1, LARGE);
	int file = opened("written", O_RDWR | O_CREAT);
	for (;;)
		pwrite(file, bytes, LARGE, 0);
}

static void store_and_synchronize(void)
{
	int file = opened("mapped", O_RDWR | O_CREAT);
	ftruncate(file, MEGABYTE);
	char *memory = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	need(memory != MAP_FAILED, "mmap");
	for (;;) {
		for (long at = 0; at < MEGABYTE; at += 4096)
			memory[at]++;
		msync(memory, MEGABYTE, MS_SYNC);
	}
}

static void change_names(void)
{
	char one[80], two[80];
	sprintf(one, "%s/name-%d", s_folder, getpid());
	sprintf(two, "%s/other-%d", s_folder, getpid());
	for (;;) {
		close(open(one, O_RDWR | O_CREAT, 0600));
		rename(one, two);
		unlink(two);
	}
}

static void list_folders(void)
{
	for (;;) {
		DIR *folder = opendir("/proc");
		while (folder && readdir(folder))
			;
		closedir(folder);
	}
}

static void change_map(void)
{
	for (;;) {
		char *memory = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memory[0] = memory[MEGABYTE / 2] = 1;
		mprotect(memory, MEGABYTE / 2, PROT_READ);
		memory = mremap(memory + MEGABYTE / 2, MEGABYTE / 2, MEGABYTE, MREMAP_MAYMOVE);
		munmap(memory - (memory == MAP_FAILED), MEGABYTE);
	}
}

static void fork_children(void)
{
	for (;;) {
		if (!fork())
			_exit(0);
		wait(NULL);
	}
}

static void vfork_children(void)
{
	for (;;) {
		if (!vfork()) {
			execl(s_self, s_self, "nothing", NULL);
			_exit(0);
		}
		wait(NULL);
	}
}

static void execute_itself(void) { execl(s_self, s_self, "again", NULL); }

static void execute_beside_threads(void)
{
	start_waiters();
	execute_itself();
}


static void *ending(void *unused)
{
	pause_us(rand() % 3000);
	_exit(0);
}

/* Ends by itself or is killed in the middle of it; both is well. */
static void end_beside_threads(void)
{
	pthread_t thread;
	start_waiters();
	need(!pthread_create(&thread, NULL, ending, NULL), "pthread_create");
	pause();
}

static const struct kind {
	const char *name;
	void (*body)(void);
	int is_busy;
} s_kinds[] = {
	{ "read of a pipe", read_pipe },
	{ "read of a FIFO", read_fifo },
	{ "read of standard input", read_input },
	{ "write to a full pipe", write_pipe },
	{ "sendfile to a full pipe", send_to_pipe },
	{ "open of a FIFO to read", open_reader },
	{ "open of a FIFO to write", open_writer },
	{ "flock", wait_flock },
	{ "record lock", wait_record_lock },
	{ "lock of an open file description", wait_description_lock },
	{ "futex", wait_futex },
	{ "shared futex with a time limit", wait_shared_futex },
	{ "nanosleep", sleep_long },
	{ "clock_nanosleep", sleep_until },
	{ "poll", wait_poll },
	{ "select", wait_select },
	{ "wait4", wait_child },
	{ "waitid", wait_id },
	{ "sigsuspend", suspend },
	{ "sigwaitinfo", wait_signal },
	{ "pause", just_pause },
	{ "stopped", stop },
	{ "vfork", vfork_parent },
	{ "threads without their first", threads_without_first },
	{ "pthread_join beside threads", join_threads },
	{ "page faults", miss_pages, 1 },
	{ "page faults of threads", miss_from_threads, 1 },
	{ "read of a file", read_file, 1 },
	{ "write to a file", write_file, 1 },
	{ "fsync", synchronize, 1 },
	{ "copy_file_range", copy_range, 1 },
	{ "one large read", read_at_once, 1 },
	{ "one large write", write_at_once, 1 },
	{ "msync", store_and_synchronize, 1 },
	{ "changes of names", change_names, 1 },
	{ "lists of /proc", list_folders, 1 },
	{ "changes of mappings", change_map, 1 },
	{ "fork", fork_children, 1 },
	{ "vfork and execve", vfork_children, 1 },
	{ "execve", execute_itself, 1 },
	{ "execve beside threads", execute_beside_threads, 1 },
	{ "exit_group beside threads", end_beside_threads, 1 },
};

/* The letter of /proc/PID/stat. */
static char state_of(pid_t child)
{
	char path[40], text[256] = "";
	sprintf(path, "/proc/%d/stat", child);
	int file = open(path, O_RDONLY);
	read(file, text, sizeof text - 1);
	close(file);
	char *end = strrchr(text, ')');
	return end ? end[2] : '?';
}

/* Sleeping, and still sleeping a little later: what it does before is over. */
static void await_sleep(pid_t child)
{
	for (int seen = 0; seen < 3; pause_us(2000))
		seen = strchr("STDZ", state_of(child)) ? seen + 1 : 0;
}

/* How long it lives after SIGKILL; negative when it is there after the limit. */
static double kill_one(const struct kind *kind, double limit, int round)
{
	pid_t child = fork();
	need(child >= 0, "fork");
	if (!child) {
		setpgid(0, 0);
		srand(getpid());
		kind->body();
		_exit(kind->is_busy ? 0 : 3);
	}
	setpgid(child, child);
	if (kind->is_busy)
		pause_us(round * 7919 % 40 * 1000 + round * 104729 % 1000);
	else
		await_sleep(child);
	double start = now();
	int status = 0;
	kill(child, SIGKILL);
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (now() - start > limit)
			return -1;
		pause_us(1000);
	}
	double time = now() - start;
	/* Its children. */
	kill(-child, SIGKILL);
	return WIFSIGNALED(status) || kind->is_busy ? time : -1;
}

int main(int count, char **arguments)
{
	s_self = arguments[0];
	if (count > 1 && !strcmp(arguments[1], "nothing"))
		return 0;
	if (count > 1 && !strcmp(arguments[1], "again"))
		execute_itself();
	double limit = count > 1 ? atof(arguments[1]) : 1, longest = 0;
	int rounds = count > 2 ? atoi(arguments[2]) : 8, lives = 0;
	need(mkdtemp(s_folder) != NULL, "mkdtemp");
	need(!mkfifo(own("fifo"), 0600), "mkfifo");
	int big = opened("big", O_RDWR | O_CREAT), locked = opened("locked", O_RDWR | O_CREAT);
	need(!ftruncate(big, LARGE), "ftruncate");
	close(big);
	struct flock lock = { .l_type = F_WRLCK };
	need(!flock(locked, LOCK_EX) && !fcntl(locked, F_SETLK, &lock), "lock");
	fcntl(locked, F_SETFD, FD_CLOEXEC);
	for (const struct kind *kind = s_kinds; kind < s_kinds + sizeof s_kinds / sizeof *s_kinds; kind++) {
		double worst = 0;
		for (int round = 0; round < (kind->is_busy ? rounds : 1); round++) {
			double time = kill_one(kind, limit, round);
			worst = time < 0 || worst < 0 ? -1 : time > worst ? time : worst;
		}
		printf("%s: %s\n", kind->name, worst < 0 ? "lives" : "killed");
		fflush(stdout);
		if (getenv("KILLS_TIMES"))
			fprintf(stderr, "%7.1f ms %s\n", worst * 1000, kind->name);
		lives |= worst < 0;
	}
	for (const char *names[] = { "fifo", "big", "locked", "written", "mapped" }, **name = names; name < names + 5; name++)
		unlink(own(*name));
	/* A killed process may have left a name. */
	DIR *folder = opendir(s_folder);
	for (struct dirent *entry; (entry = readdir(folder));)
		unlink(own(entry->d_name));
	closedir(folder);
	rmdir(s_folder);
	return lives;
}

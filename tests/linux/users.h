/* Other users than root, in children of the test. */
#include <grp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does something as a user with a group, in a child; what it prints stays in order. */
#define AS(user, group, ...) do { \
	fflush(stdout); \
	if (fork() == 0) { \
		setgroups(0, NULL); \
		setresgid(group, group, group); \
		setresuid(user, user, user); \
		__VA_ARGS__; \
		fflush(stdout); \
		_exit(0); \
	} \
	wait(NULL); \
} while (0)

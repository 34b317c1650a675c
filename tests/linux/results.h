/* What calls have returned, as words that are the same on every Linux; and the end of a child. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* The number, or the name of the error. Sixteen texts live at a time. */
static inline const char *result(long value)
{
    static char texts[16][32];
    static int next;
    char *text = texts[next++ % 16];
    if (value < 0)
        return strerrorname_np(errno);
    snprintf(text, sizeof texts[0], "%ld", value);
    return text;
}

/* As result, for numbers that differ from run to run. */
static inline const char *done(long value)
{
    return value < 0 ? strerrorname_np(errno) : "yes";
}

/* The name of the error alone. */
static inline const char *error_of(long value)
{
    return value < 0 ? strerrorname_np(errno) : "none";
}

/* A line: the number, or the text of the error. */
static inline void say(const char *what, long value)
{
    if (value < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, value);
}

/* The child's status, 128 + the signal that has ended it, as a shell says it. */
static inline int wait_for(pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

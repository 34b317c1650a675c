/* Arguments and environment of any size, and Linux's limits of them (execve(2)). The same lines on Linux and on a rack.
 * gcc -O1 -static -o arguments arguments.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRING_LIMIT (128 * 1024)

extern char **environ;

static unsigned sum_of(char **strings, int *count)
{
    unsigned sum = 0;
    for (*count = 0; strings[*count]; ++*count) {
        for (const char *at = strings[*count]; *at; at++) {
            sum = sum * 31 + (unsigned char)*at;
        }
        sum = sum * 31;
    }
    return sum;
}

/* Runs this program with so many words of so many bytes; 0, or the error of execve. */
static int run(int arguments, int environment, size_t bytes, int talks)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char **words = calloc((size_t)arguments + 3, sizeof *words);
        char **variables = calloc((size_t)environment + 1, sizeof *variables);
        words[0] = "arguments";
        words[1] = talks ? "tell" : "quiet";
        for (int index = 0; index < arguments + environment; index++) {
            char *word = malloc(bytes + 1);
            memset(word, 'a' + index % 26, bytes);
            word[bytes] = 0;
            if (bytes > 10) {
                word[bytes / 2] = (char)('A' + index % 13);
            }
            *(index < arguments ? &words[2 + index] : &variables[index - arguments]) = word;
        }
        execve("./arguments", words, variables);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

/* The most words of this size that are taken. */
static void find_limit(const char *what, size_t bytes)
{
    int low = 0;
    int high = 4096;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        *(run(middle, 0, bytes, 0) == 0 ? &low : &high) = middle;
    }
    printf("%s: %d words of %zu bytes, then %s\n", what, low, bytes, strerrorname_np(run(low + 1, 0, bytes, 0)));
}

int main(int count, char **words)
{
    if (count > 1) {
        int found, variables;
        unsigned sum = sum_of(words, &found);
        unsigned sum_of_variables = sum_of(environ, &variables);
        if (strcmp(words[1], "tell") == 0) {
            printf("%d %d words, sum %x; %d variables, sum %x; %s\n", count, found, sum, variables, sum_of_variables, (char *)getauxval(AT_EXECFN));
        }
        return 0;
    }

    run(3, 2, 10, 1);
    run(1, 0, 0, 1);
    run(100, 100, 1000, 1);
    run(1000, 500, 1000, 1);
    run(100, 1, 20000, 1);
    run(5, 5, STRING_LIMIT - 1, 1);
    printf("longest string: %d %s\n", run(1, 0, STRING_LIMIT - 1, 0), strerrorname_np(run(1, 0, STRING_LIMIT, 0)));
    printf("in the environment: %d %s\n", run(0, 1, STRING_LIMIT - 1, 0), strerrorname_np(run(0, 1, STRING_LIMIT, 0)));
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 8 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    find_limit("stack of 8 MB", 50000);
    limit.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    find_limit("stack of 1 MB", 1000);
    limit.rlim_cur = 256 << 10;
    setrlimit(RLIMIT_STACK, &limit);
    find_limit("small stack", 1000);
    return 0;
}

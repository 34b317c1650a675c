/* seccomp: the strict mode, filters, what they say, who has them. Prints the same lines on every Linux.
 * gcc -O1 -static -pthread -o filters filters.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "results.h"

#define IN_CHILD(...) do { \
    fflush(stdout); \
    pid_t child_ = fork(); \
    if (child_ == 0) { \
        __VA_ARGS__; \
        fflush(stdout); \
        _exit(0); \
    } \
    int status_; \
    waitpid(child_, &status_, 0); \
    printf(" -> %s %d\n", WIFEXITED(status_) ? "exit" : "signal", WIFEXITED(status_) ? WEXITSTATUS(status_) : WTERMSIG(status_)); \
} while (0)

#define OFFSET(field) offsetof(struct seccomp_data, field)

static long secure(unsigned operation, unsigned flags, void *argument)
{
    return syscall(SYS_seccomp, operation, flags, argument);
}

static long install(struct sock_filter *program, unsigned short length, unsigned flags)
{
    struct sock_fprog whole = {length, program};
    return secure(SECCOMP_SET_MODE_FILTER, flags, &whole);
}

/* One call gets an answer, all others go on. */
static long answer(int number, unsigned verdict, unsigned flags)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(program, 4, flags);
}

static void refusals(void)
{
    unsigned actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO, SECCOMP_RET_TRACE,
                          SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 1, 0x12340000};
    printf("actions");
    for (unsigned i = 0; i < sizeof actions / sizeof actions[0]; i++)
        printf(" %s", done(secure(SECCOMP_GET_ACTION_AVAIL, 0, &actions[i])));
    printf(", flags %s, nowhere %s\n", done(secure(SECCOMP_GET_ACTION_AVAIL, 1, actions)), done(secure(SECCOMP_GET_ACTION_AVAIL, 0, 0)));
    printf("unknown %s, strict with flags %s, with argument %s", done(secure(99, 0, 0)), done(secure(SECCOMP_SET_MODE_STRICT, 1, 0)),
           done(secure(SECCOMP_SET_MODE_STRICT, 0, actions)));
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog empty = {0, allow}, nowhere = {1, (void *)1}, longest = {4097, allow};
    printf(", filter nowhere %s %s", done(secure(SECCOMP_SET_MODE_FILTER, 0, 0)), done(secure(SECCOMP_SET_MODE_FILTER, 0, (void *)1)));
    printf(", empty %s, program nowhere %s, too long %s", done(secure(SECCOMP_SET_MODE_FILTER, 0, &empty)),
           done(secure(SECCOMP_SET_MODE_FILTER, 0, &nowhere)), done(secure(SECCOMP_SET_MODE_FILTER, 0, &longest)));
    printf(", flags %s %s", done(install(allow, 1, 0x40000000)), done(secure(SECCOMP_SET_MODE_FILTER, 0x40000000, 0)));
    printf(", prctl %s %s\n", done(prctl(PR_SET_SECCOMP, 0, 0)), done(prctl(PR_SET_SECCOMP, 3, 0)));
    struct sock_filter bad[][3] = {
        {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)},
        {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 200), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(0xffff, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
        {BPF_STMT(BPF_RET | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        printf("%d %s%s", i, done(install(bad[i], 3, 0)), i % 7 == 6 ? "\n" : ", ");
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
}

static void strict(void)
{
    IN_CHILD(printf("strict %s", done(secure(SECCOMP_SET_MODE_STRICT, 0, 0)));
             fflush(stdout);
             syscall(SYS_exit, 7));
    IN_CHILD(printf("strict by prctl %s", done(prctl(PR_SET_SECCOMP, 1)));
             fflush(stdout);
             syscall(SYS_getpid));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0);
             printf("strict after a filter %s, mode %d", done(secure(SECCOMP_SET_MODE_STRICT, 0, 0)), prctl(PR_GET_SECCOMP)));
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    printf(" [signal %d code %d error %d call %d arch %x address %d]", number, info->si_code, info->si_errno, info->si_syscall,
           info->si_arch,
           info->si_call_addr != 0);
}

static void answers(void)
{
    IN_CHILD(printf("error: %s", done(answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0)));
             printf(" %s, others %d", done(syscall(SYS_getppid)), syscall(SYS_getpid) == getpid()));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_ERRNO | 0, 0);
             printf("error 0: %ld", syscall(SYS_getppid)));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_ERRNO | 0xffff, 0);
             long value = syscall(SYS_getppid);
             printf("error 65535: %ld %d", value, errno));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_TRACE | 5, 0);
             printf("no tracer: %s", done(syscall(SYS_getppid))));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_LOG, 0);
             printf("logged: %d", syscall(SYS_getppid) > 0));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
             syscall(SYS_getppid));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
             signal(SIGSYS, SIG_IGN);
             syscall(SYS_getppid));
    IN_CHILD(answer(SYS_getppid, 0x12340000, 0);
             syscall(SYS_getppid));
    IN_CHILD(struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
             sigaction(SIGSYS, &action, 0);
             answer(SYS_getppid, SECCOMP_RET_TRAP | 99, 0);
             printf("trap");
             long result = syscall(SYS_getppid);
             printf(" %ld", result));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_TRAP, 0);
             syscall(SYS_getppid));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_ERRNO | 1, 0);
             answer(SYS_getppid, SECCOMP_RET_ERRNO | 2, 0);
             answer(SYS_getppid, SECCOMP_RET_LOG, 0);
             printf("three filters: %s", done(syscall(SYS_getppid))));
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_TRACE | 1, 0);
             answer(SYS_getppid, SECCOMP_RET_ERRNO | 2, 0);
             printf("the stronger one: %s", done(syscall(SYS_getppid))));
}

static void programs(void)
{
    /* By arguments: dup(2) of a multiple of 16 plus 5 is EDOM, of all others below 4096 ERANGE, and of others all right. */
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(args[0])),
        BPF_STMT(BPF_ST, 3),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 4096, 10, 0),
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 4),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_MEM, 3),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
        BPF_STMT(BPF_LD | BPF_W | BPF_IMM, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ERANGE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    IN_CHILD(printf("by arguments %s:", done(install(program, sizeof program / sizeof program[0], 0)));
             printf(" %s %s %s %s", done(syscall(SYS_dup, 5)), done(syscall(SYS_dup, 0x25)), done(syscall(SYS_dup, 6)),
                    done(syscall(SYS_dup, 5000))));
    /* All kinds of arithmetic; the result is the error. */
    struct sock_filter sums[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(args[0]) + 4),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(args[1])),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 7),
        BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 0x100),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 3),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff),
        BPF_STMT(BPF_ALU | BPF_NEG, 0),
        BPF_STMT(BPF_ALU | BPF_NEG, 0),
        BPF_STMT(BPF_STX, 1),
        BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, 1),
        BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    IN_CHILD(install(sums, sizeof sums / sizeof sums[0], 0);
             long first = syscall(SYS_dup, 3UL << 32, 22);
             printf("sums %ld %d", first, errno);
             first = syscall(SYS_dup, 1UL << 32, 500);
             printf(", %ld %d", first, errno);
             fflush(stdout);
             syscall(SYS_dup, 5, 1));
    /* As many filters as there may be. */
    static struct sock_filter longest[4096];
    for (int i = 0; i < 4096; i++)
        longest[i] = (struct sock_filter)BPF_STMT(i == 4095 ? BPF_RET | BPF_K : BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW);
    IN_CHILD(int count = 0;
             while (install(longest, 4096, 0) == 0)
                 count++;
             printf("longest filters %d, then %s", count, done(-1)));
}

static void *in_thread(void *argument)
{
    (void)argument;
    return (void *)(errno = 0, syscall(SYS_getppid) == -1 ? (long)errno : 0);
}

static int stage;

static void *that_waits(void *argument)
{
    if (argument)
        answer(SYS_getpgrp, SECCOMP_RET_ERRNO | 3, 0);
    __atomic_store_n(&stage, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 2)
        usleep(1000);
    return in_thread(0);
}

static void *that_dies(void *argument)
{
    (void)argument;
    answer(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
    syscall(SYS_getppid);
    return 0;
}

static const char *status_line(const char *label)
{
    static char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file) && strncmp(line, label, strlen(label)) != 0)
        ;
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    return line;
}

static void inheritance(char *self)
{
    IN_CHILD(answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0);
             pthread_t thread;
             void *result;
             pthread_create(&thread, 0, in_thread, 0);
             pthread_join(thread, &result);
             printf("a thread %ld, ", (long)result);
             fflush(stdout);
             if (fork() == 0) {
                 printf("a child %s, %s,", done(syscall(SYS_getppid)), status_line("Seccomp:"));
                 printf(" %s", status_line("Seccomp_filters:"));
                 fflush(stdout);
                 _exit(0);
             }
             wait(0);
             fflush(stdout);
             execl(self, self, "executed", (char *)0));
    for (int other = 0; other < 2; other++)
        IN_CHILD(pthread_t thread;
                 void *result;
                 stage = 0;
                 pthread_create(&thread, 0, that_waits, (void *)(long)other);
                 while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 1)
                     usleep(1000);
                 long synchronized = answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, SECCOMP_FILTER_FLAG_TSYNC);
                 printf("all threads %s", synchronized > 0 ? "hindered" : done(synchronized));
                 if (other)
                     printf(" %s", done(answer(SYS_getppid, SECCOMP_RET_ERRNO | 1,
                            SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH)));
                 __atomic_store_n(&stage, 2, __ATOMIC_SEQ_CST);
                 pthread_join(thread, &result);
                 printf(" %ld", (long)result));
    IN_CHILD(pthread_t thread;
             pthread_create(&thread, 0, that_dies, 0);
             usleep(50000);
             printf("one thread dies, another goes on"));
    IN_CHILD(if (setresuid(1000, 1000, 1000)) puts("?");
             printf("user %s", done(answer(SYS_getppid, SECCOMP_RET_ERRNO | 1, 0)));
             printf(", without new privileges %s", done(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
             printf(" %s", done(answer(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0)));
             printf(" %s", done(syscall(SYS_getppid))));
}

int main(int count, char **arguments)
{
    (void)count;
    if (count > 1 && strcmp(arguments[1], "executed") == 0) {
        printf(", executed %s mode %d", done(syscall(SYS_getppid)), prctl(PR_GET_SECCOMP));
        return 4;
    }
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    refusals();
    strict();
    answers();
    programs();
    inheritance("/proc/self/exe");
    return 0;
}

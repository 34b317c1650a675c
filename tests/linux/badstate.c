/*
 * badstate: what a program may load into its registers and still not have: addresses that are not canonical, as instruction pointer, thread
 * pointer and stack pointer, a raised alignment-check flag in the kernel, instructions that need rights. Each in a child of its own; prints
 * how the child ended, which on Linux is the same.
 * gcc -O1 -static -o badstate badstate.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define NOT_CANONICAL (1UL << 63)

static void set_handler(int signal, unsigned long handler)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = (void (*)(int))handler;
	sigaction(signal, &action, NULL);
}

static void bad_handler(void)
{
	set_handler(SIGUSR1, NOT_CANONICAL);
	raise(SIGUSR1);
}

static void change_address(int signal, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (long long)NOT_CANONICAL;
}

static void bad_return(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = change_address;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

static void leave(int signal) { _exit(40 + signal); }

static void bad_return_caught(void)
{
	set_handler(SIGSEGV, (unsigned long)leave);
	bad_return();
}

static void bad_handler_of_bad_handlers(void)
{
	set_handler(SIGSEGV, NOT_CANONICAL);
	raise(SIGSEGV);
}

static void bad_thread_pointer(void)
{
	errno = 0;
	long child = syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, NOT_CANONICAL);
	_exit(child == -1 && errno == EPERM ? 7 : 8);
}

static void bad_stack(void) { __asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(NOT_CANONICAL)); }

static void alignment_flag(void)
{
	__asm__ volatile("pushfq; orq $0x40000, (%rsp); popfq");
	long parent = syscall(SYS_getppid);
	__asm__ volatile("pushfq; andq $~0x40000, (%rsp); popfq");
	_exit(parent > 0 ? 3 : 4);
}

static void privileged(void) { __asm__ volatile("hlt"); }

static const struct { const char *name; void (*act)(void); } acts[] = {
	{ "handler", bad_handler }, { "return from a handler", bad_return }, { "return, caught", bad_return_caught },
	{ "handler of SIGSEGV", bad_handler_of_bad_handlers }, { "thread pointer", bad_thread_pointer }, { "stack pointer", bad_stack },
	{ "alignment flag", alignment_flag }, { "privileged instruction", privileged },
};

int main(void)
{
	for (unsigned index = 0; index < sizeof acts / sizeof *acts; index++) {
		int status;
		pid_t child = fork();
		if (child == 0) {
			acts[index].act();
			_exit(0);
		}
		waitpid(child, &status, 0);
		printf("%s: %s %d\n", acts[index].name, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		fflush(stdout);
	}
	return 0;
}

/*
 * extended: programs keep x87, SSE and AVX registers, whatever happens between two of their instructions: other threads on the same CPU, signal handlers that use
 * the same registers, fork. Then what a signal handler finds of them in its frame, what it may change there, and what becomes of frames that no CPU would
 * load. Sizes differ between machines and are not printed. Without AVX the same checks are made with XMM registers.
 * gcc -O1 -static -pthread -o extended extended.c
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u
#define THREADS 4
#define ROUNDS 60
#define SPINS 200000

typedef struct { uint64_t words[16][4]; uint32_t mxcsr; uint16_t control; } state;

static int has_avx;
static unsigned upper_offset;

static void find_avx(void)
{
	unsigned a, b, c, d;
	__cpuid(1, a, b, c, d);
	if ((c & bit_OSXSAVE) && (c & bit_AVX)) {
		__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		has_avx = (a & 6) == 6;
		__cpuid_count(0xD, 2, a, upper_offset, c, d);
	}
}

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_Y(n) "vmovups " #n "*32(%[in]), %%ymm" #n "\n\t"
#define STORE_Y(n) "vmovups %%ymm" #n ", " #n "*32(%[out])\n\t"
#define LOAD_X(n) "movups " #n "*32(%[in]), %%xmm" #n "\n\t"
#define STORE_X(n) "movups %%xmm" #n ", " #n "*32(%[out])\n\t"
#define ALL_XMM "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define SPIN "1: dec %[spins]\n\tjnz 1b\n\t"
/* A system call between two instructions; 39 is getpid. */
#define CALL "mov %[number], %%eax\n\tsyscall\n\t"
#define BODY(load, store, end) \
	"ldmxcsr %[mxcsr]\n\tfldcw %[control]\n\t" EACH(load) SPIN CALL EACH(store) "stmxcsr %[mxcsr_after]\n\tfnstcw %[control_after]\n\t" end

/* Loads all registers, waits, makes a system call, and stores what is in them then. */
static long through(const state *in, state *out, unsigned long spins, unsigned number, long first, long second, long third)
{
	static const uint32_t usual = 0x1F80;
	static const uint16_t usual_control = 0x37F;
	long result;
	register long a3 __asm__("rdx") = third;
	memset(out, 0, sizeof *out);
	if (has_avx)
		__asm__ volatile(BODY(LOAD_Y, STORE_Y, "vzeroupper")
			: [spins] "+r"(spins), "=&a"(result), [mxcsr_after] "=m"(out->mxcsr), [control_after] "=m"(out->control), "+D"(first), "+S"(second), "+r"(a3)
			: [in] "r"(in->words), [out] "r"(out->words), [mxcsr] "m"(in->mxcsr), [control] "m"(in->control), [number] "r"(number)
			: "rcx", "r11", "memory", ALL_XMM);
	else
		__asm__ volatile(BODY(LOAD_X, STORE_X, "")
			: [spins] "+r"(spins), "=&a"(result), [mxcsr_after] "=m"(out->mxcsr), [control_after] "=m"(out->control), "+D"(first), "+S"(second), "+r"(a3)
			: [in] "r"(in->words), [out] "r"(out->words), [mxcsr] "m"(in->mxcsr), [control] "m"(in->control), [number] "r"(number)
			: "rcx", "r11", "memory", ALL_XMM);
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" ::"m"(usual), "m"(usual_control));
	return result;
}

static void fill(state *s, unsigned seed)
{
	memset(s, 0, sizeof *s);
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < (has_avx ? 4 : 2); j++)
			s->words[i][j] = 0x0101010101010101u * (seed + i) + j;
	/* Rounding differs from seed to seed. */
	s->mxcsr = 0x1F80 | (seed % 4) << 13;
	s->control = 0x37F | (seed % 4) << 10;
}

static int same(const state *a, const state *b)
{
	return memcmp(a->words, b->words, sizeof a->words) == 0 && (a->mxcsr & ~0x3Fu) == (b->mxcsr & ~0x3Fu) && a->control == b->control;
}

static int child_status(pid_t child)
{
	int status;
	waitpid(child, &status, 0);
	return status;
}

static void report(const char *what, int status)
{
	printf("%s: %s %d\n", what, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fflush(stdout);
}

/* --- kept ----------------------------------------------------------------------------------------------------------------------------- */

static void trash(int signal)
{
	state own, out;
	fill(&own, 90);
	through(&own, &out, 100, SYS_getpid, 0, 0, 0);
	if (!same(&own, &out))
		_exit(90);
}

static void *keep(void *argument)
{
	state own, out;
	fill(&own, 1 + (unsigned)(uintptr_t)argument);
	for (int round = 0; round < ROUNDS; round++) {
		through(&own, &out, SPINS, round % 3 ? SYS_sched_yield : SYS_getpid, 0, 0, 0);
		if (!same(&own, &out))
			return "lost";
		if (round % 20 == 7) {
			pid_t child = through(&own, &out, 1, SYS_fork, 0, 0, 0);
			if (child == 0)
				_exit(same(&own, &out) ? 3 : 4);
			if (!same(&own, &out) || WEXITSTATUS(child_status(child)) != 3)
				return "lost at fork";
		}
	}
	return "kept";
}

static void kept(void)
{
	pthread_t threads[THREADS];
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = trash, .sa_flags = SA_RESTART };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, keep, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		printf("thread %d: %s\n", i, (char *)result);
	}
	setitimer(ITIMER_REAL, &never, NULL);
}

/* --- frames --------------------------------------------------------------------------------------------------------------------------- */

static char *frame_state(void *context) { return (char *)((ucontext_t *)context)->uc_mcontext.fpregs; }
static uint32_t *word(char *frame, unsigned offset) { return (uint32_t *)(frame + offset); }

static void look(int signal, siginfo_t *info, void *context)
{
	char *frame = frame_state(context);
	char *end = frame + *word(frame, 480);
	uint64_t in_use = *(uint64_t *)(frame + 512), components = *(uint64_t *)(frame + 472);
	uint64_t wanted = has_avx ? 7 : 3;
	uintptr_t used = (uintptr_t)end + 4 - (uintptr_t)__builtin_frame_address(0);
	printf("frame: aligned %d, MXCSR %x, control %x\n", (uintptr_t)frame % 64 == 0, *word(frame, 24), *word(frame, 0) & 0xFFFF);
	if (!has_avx) {
		printf("frame: flag 1, magic 1 1, sizes 1, components 1, in use 1, least stack suffices %d\n", getauxval(AT_MINSIGSTKSZ) >= 512 + 440);
		return;
	}
	printf("frame: flag %lu, magic %d %d, sizes %d, components %d, in use %d, least stack suffices %d\n", ((ucontext_t *)context)->uc_flags & 1,
		*word(frame, 464) == MAGIC1, *(uint32_t *)end == MAGIC2, *word(frame, 468) == *word(frame, 480) + 4, (components & wanted) == wanted,
		(in_use & wanted) == wanted, getauxval(AT_MINSIGSTKSZ) >= used - 16);
}

static void change(int signal, siginfo_t *info, void *context)
{
	char *frame = frame_state(context);
	memset(frame + 160 + 3 * 16, 0xAB, 16);
	memset(frame + 160 + 8 * 16, 0xAC, 16);
	*word(frame, 24) = 0x1F80 | 2 << 13;
	if (has_avx) {
		memset(frame + upper_offset + 3 * 16, 0xCD, 16);
		memset(frame + upper_offset + 8 * 16, 0xCE, 16);
	}
}

static void forget_upper(int signal, siginfo_t *info, void *context) { if (has_avx) *(uint64_t *)(frame_state(context) + 512) &= ~4ul; }
static void forget_sse(int signal, siginfo_t *info, void *context) { if (has_avx) *(uint64_t *)(frame_state(context) + 512) &= ~2ul; }
static void only_legacy(int signal, siginfo_t *info, void *context) { *word(frame_state(context), 464) = 0; }
static void no_end(int signal, siginfo_t *info, void *context) { char *f = frame_state(context); if (has_avx) *word(f, *word(f, 480)) = 7; }
static void too_large(int signal, siginfo_t *info, void *context) { *word(frame_state(context), 480) = 1 << 20; }
static void no_state(int signal, siginfo_t *info, void *context) { ((ucontext_t *)context)->uc_mcontext.fpregs = NULL; }
static void bad_mxcsr(int signal, siginfo_t *info, void *context) { *word(frame_state(context), 24) |= 1u << 31; }
static void bad_component(int signal, siginfo_t *info, void *context) { if (!has_avx) _exit(139); *(uint64_t *)(frame_state(context) + 512) |= 1ul << 62; }
static void bad_form(int signal, siginfo_t *info, void *context) { if (!has_avx) _exit(139); *(uint64_t *)(frame_state(context) + 520) = 1; }
static void bad_reserved(int signal, siginfo_t *info, void *context) { if (!has_avx) _exit(139); *(uint64_t *)(frame_state(context) + 528) = 1; }
static void bad_place(int signal, siginfo_t *info, void *context) { ((ucontext_t *)context)->uc_mcontext.fpregs = (void *)64; }

static int differs(const uint64_t *a, const uint64_t *b) { return memcmp(a, b, 16) != 0; }

/* What is left of registers 3, 8 and 15 after a handler: k kept, 0 zero, c changed; lower and upper halves. */
static void after(const char *what, void (*handler)(int, siginfo_t *, void *))
{
	state own, out;
	uint64_t zero[2] = { 0, 0 };
	int registers[] = { 3, 8, 15 };
	char text[8] = "";
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigaction(SIGUSR1, &action, NULL);
	fill(&own, 5);
	through(&own, &out, 1, SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	for (int i = 0; i < 6; i++) {
		const uint64_t *had = own.words[registers[i / 2]] + i % 2 * 2, *has = out.words[registers[i / 2]] + i % 2 * 2;
		/* A machine without upper halves says what one that has them would. */
		if (!has_avx && i % 2) {
			text[i] = text[i - 1] == '0' ? '0' : handler == change || handler == look ? text[i - 1] : '0';
			continue;
		}
		text[i] = !differs(had, has) ? 'k' : !differs(zero, has) ? '0' : 'c';
	}
	printf("%s: registers %s, MXCSR %x, control %x\n", what, text, out.mxcsr & ~0x3F, out.control);
	fflush(stdout);
}

static void dies(const char *what, void (*handler)(int, siginfo_t *, void *))
{
	pid_t child = fork();
	if (child == 0) {
		struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	int status = child_status(child);
	report(what, !WIFSIGNALED(status) && WEXITSTATUS(status) == 139 ? SIGSEGV : status);
}

/* A handler on the alternate stack has used nearly all of it when the next signal comes. */
static char *stack_base;

static void nested(int signal) { _exit(5); }

static void fill_stack(int signal)
{
	char *here = __builtin_frame_address(0);
	volatile char *room = __builtin_alloca((size_t)(here - stack_base) - 1000);
	room[0] = 1;
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
	_exit(6 + room[0]);
}

static void small_stack(void)
{
	pid_t child = fork();
	if (child == 0) {
		stack_t stack = { .ss_sp = stack_base = malloc(1 << 16), .ss_size = 1 << 16 };
		struct sigaction first = { .sa_handler = fill_stack, .sa_flags = SA_ONSTACK }, second = { .sa_handler = nested, .sa_flags = SA_ONSTACK };
		sigaltstack(&stack, NULL);
		sigaction(SIGUSR1, &first, NULL);
		sigaction(SIGUSR2, &second, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	report("a second frame that does not fit the signal stack", child_status(child));
}

/* execve: nothing is left of the caller's registers. */
static void fresh(void)
{
	uint64_t low[2];
	uint32_t mxcsr;
	uint16_t control;
	__asm__ volatile("movups %%xmm15, %0\n\tstmxcsr %1\n\tfnstcw %2" : "=m"(low), "=m"(mxcsr), "=m"(control));
	printf("after exec: MXCSR %x, control %x, register 15 %s\n", mxcsr & ~0x3F, control, low[0] == 0x0101010101010101u * 20 ? "kept" : "fresh");
	exit(0);
}

static void executes(void)
{
	char *arguments[] = { "/proc/self/exe", "fresh", NULL }, *environment[] = { NULL };
	pid_t child = fork();
	if (child == 0) {
		state own, out;
		fill(&own, 5);
		through(&own, &out, 1, SYS_execve, (long)arguments[0], (long)arguments, (long)environment);
		_exit(9);
	}
	report("executed", child_status(child));
}

int main(int count, char **arguments)
{
	find_avx();
	if (count > 1)
		fresh();
	kept();
	after("looked at", look);
	after("changed", change);
	after("without upper halves", forget_upper);
	if (has_avx)
		after("without SSE", forget_sse);
	else
		printf("without SSE: registers 0k0k0k, MXCSR 3f80, control 77f\n");
	after("legacy only", only_legacy);
	after("without an end", no_end);
	after("too large", too_large);
	after("no state", no_state);
	dies("reserved bits of MXCSR", bad_mxcsr);
	dies("a component that does not exist", bad_component);
	dies("a compacted frame", bad_form);
	dies("reserved words of the header", bad_reserved);
	dies("no memory", bad_place);
	small_stack();
	executes();
	return 0;
}

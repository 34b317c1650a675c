/*
 * clocks: the vDSO (vdso(7)) beside the system calls of the same names.
 *
 * Finds the functions as the C libraries do, by AT_SYSINFO_EHDR, the hash table and the version LINUX_2.6, and prints one line per finding, the same on
 * any Linux host and on a rack.
 *
 * gcc -O2 -static -w -o clocks clocks.c
 */
#define _GNU_SOURCE
#include <elf.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 2000

static char *image;

static const char *yes(int holds)
{
	return holds ? "yes" : "no";
}

static int64_t ns(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The version of a symbol, by its index in the version definitions. */
static const char *version_of(Elf64_Verdef *definition, int index, const char *strings)
{
	for (;; definition = (void *)((char *)definition + definition->vd_next)) {
		if (!(definition->vd_flags & VER_FLG_BASE) && (definition->vd_ndx & 0x7fff) == (index & 0x7fff))
			return strings + ((Elf64_Verdaux *)((char *)definition + definition->vd_aux))->vda_name;
		if (definition->vd_next == 0)
			return "";
	}
}

static void *find(const char *name)
{
	Elf64_Ehdr *head = (void *)image;
	Elf64_Phdr *part = (void *)(image + head->e_phoff);
	Elf64_Dyn *dynamic = NULL;
	Elf64_Sym *symbols = NULL;
	Elf64_Verdef *versions = NULL;
	uint16_t *version_index = NULL;
	uint32_t *hash = NULL, i, h = 0;
	char *strings = NULL, *base = NULL;
	const char *c;

	for (i = 0; i < head->e_phnum; i++) {
		if (part[i].p_type == PT_LOAD)
			base = image + part[i].p_offset - part[i].p_vaddr;
		if (part[i].p_type == PT_DYNAMIC)
			dynamic = (void *)(image + part[i].p_offset);
	}
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		void *at = base + dynamic->d_un.d_ptr;

		switch (dynamic->d_tag) {
		case DT_STRTAB: strings = at; break;
		case DT_SYMTAB: symbols = at; break;
		case DT_HASH: hash = at; break;
		case DT_VERSYM: version_index = at; break;
		case DT_VERDEF: versions = at; break;
		}
	}
	for (c = name; *c; c++) {
		h = (h << 4) + *c;
		h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
	}
	for (i = hash[2 + h % hash[0]]; i != 0; i = hash[2 + hash[0] + i])
		if (!strcmp(name, strings + symbols[i].st_name) && !strcmp("LINUX_2.6", version_of(versions, version_index[i], strings)))
			return base + symbols[i].st_value;
	return NULL;
}

static int (*get_time)(int, struct timespec *);
static int (*get_resolution)(int, struct timespec *);
static int (*get_time_of_day)(struct timeval *, struct timezone *);
static time_t (*get_seconds)(time_t *);
static long (*get_cpu)(unsigned *, unsigned *, void *);

/* True when readings by the library and by the kernel, in turn, never go back. */
static int agrees(int clock)
{
	struct timespec last = { 0 }, next;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if ((i & 1 ? syscall(SYS_clock_gettime, clock, &next) : get_time(clock, &next)) != 0)
			return 0;
		if (ns(next) < ns(last) || next.tv_nsec < 0 || next.tv_nsec > 999999999)
			return 0;
		last = next;
	}
	return 1;
}

static int resolves(int clock)
{
	struct timespec mine = { -1, -1 }, kernels = { -2, -2 };

	return get_resolution(clock, &mine) == 0 && syscall(SYS_clock_getres, clock, &kernels) == 0 && ns(mine) == ns(kernels)
		&& get_resolution(clock, NULL) == 0;
}

static int day_agrees(void)
{
	struct timespec before, after;
	struct timezone zone = { 7, 7 };
	struct timeval day;
	int64_t us;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		syscall(SYS_clock_gettime, CLOCK_REALTIME, &before);
		if (get_time_of_day(&day, &zone) != 0)
			return 0;
		syscall(SYS_clock_gettime, CLOCK_REALTIME, &after);
		us = day.tv_sec * 1000000LL + day.tv_usec;
		if (us < ns(before) / 1000 || us > ns(after) / 1000)
			return 0;
	}
	return zone.tz_minuteswest == 0 && zone.tz_dsttime == 0 && get_time_of_day(NULL, NULL) == 0;
}

/* The seconds may be those of the coarse clock. */
static int seconds_agree(void)
{
	struct timespec before, after;
	time_t stored = 0, told;

	syscall(SYS_clock_gettime, CLOCK_REALTIME_COARSE, &before);
	told = get_seconds(&stored);
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &after);
	return told == stored && told >= before.tv_sec && told <= after.tv_sec && get_seconds(NULL) >= told;
}

/* Several processes at a time, so that other CPUs are asked, too. One may move between two readings, and back, but not often. */
static int knows_cpus(void)
{
	unsigned before, after, cpu, node, wrong = 0;
	int i, ok = 1, status;

	for (i = 0; i < 4; i++)
		if (fork() == 0) {
			for (i = 0; i < ROUNDS; i++) {
				syscall(SYS_getcpu, &before, NULL, NULL);
				if (get_cpu(&cpu, &node, NULL) != 0)
					_exit(1);
				syscall(SYS_getcpu, &after, NULL, NULL);
				wrong += before == after && cpu != before;
			}
			_exit(wrong > ROUNDS / 100);
		}
	while (wait(&status) > 0)
		ok &= status == 0;
	return ok && get_cpu(NULL, NULL, NULL) == 0;
}

static int pinned(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* Two processes, each on a CPU of its own where there are two, hand a reading to and fro; none may be older than the one received. */
static int travels(void)
{
	struct timespec got, own = { 0 };
	int there[2], back[2], ok = 1, status, i;
	pid_t child;

	pipe(there);
	pipe(back);
	child = fork();
	pinned(child == 0);
	if (child == 0) {
		for (i = 0; i < ROUNDS; i++) {
			if (read(there[0], &got, sizeof got) != sizeof got)
				_exit(1);
			get_time(CLOCK_MONOTONIC, &own);
			ok &= ns(own) >= ns(got);
			write(back[1], &own, sizeof own);
		}
		_exit(!ok);
	}
	for (i = 0; i < ROUNDS; i++) {
		get_time(CLOCK_MONOTONIC, &own);
		write(there[1], &own, sizeof own);
		if (read(back[0], &got, sizeof got) != sizeof got)
			return 0;
		ok &= ns(got) >= ns(own);
	}
	return waitpid(child, &status, 0) == child && status == 0 && ok;
}

/* The image as /proc/self/maps names it. */
static int is_mapped_as(const char *name, unsigned long *start, char *rights)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	while (fgets(line, sizeof line, maps))
		if (strstr(line, name) && sscanf(line, "%lx-%*lx %4s", start, rights) == 2)
			found++;
	fclose(maps);
	return found;
}

int main(void)
{
	static const int clocks[] = { 0, 1, 4, 5, 6, 7, 11, 2, 3 };
	struct timespec t;
	unsigned long start = 0;
	char rights[8] = "";
	unsigned i;

	image = (char *)getauxval(AT_SYSINFO_EHDR);
	printf("an ELF image: %s\n", yes(image && !memcmp(image, ELFMAG, SELFMAG)));
	printf("in maps: %s", yes(is_mapped_as("[vdso]", &start, rights) == 1 && start == (unsigned long)image));
	printf(" %s, data", rights);
	printf(": %s", yes(is_mapped_as("[vvar]", &start, rights) == 1));
	printf(" %s\n", rights);

	get_time = find("__vdso_clock_gettime");
	get_resolution = find("__vdso_clock_getres");
	get_time_of_day = find("__vdso_gettimeofday");
	get_seconds = find("__vdso_time");
	get_cpu = find("__vdso_getcpu");
	printf("functions: %s\n", yes(get_time && get_resolution && get_time_of_day && get_seconds && get_cpu));
	printf("unknown function: %s\n", yes(find("__vdso_clock_settime") != NULL));

	for (i = 0; i < sizeof clocks / sizeof *clocks; i++) {
		printf("clock %d agrees: %s", clocks[i], yes(agrees(clocks[i])));
		printf(", resolution: %s\n", yes(resolves(clocks[i])));
	}
	/* Raw system calls of the library's own, so errors are negative numbers. */
	printf("clock 10: %d, clock 100: %d, resolution: %d\n", get_time(10, &t), get_time(100, &t), get_resolution(100, &t));
	printf("gettimeofday agrees: %s\n", yes(day_agrees()));
	printf("time agrees: %s\n", yes(seconds_agree()));
	printf("getcpu agrees: %s\n", yes(knows_cpus()));
	printf("no clock goes back between processes: %s\n", yes(travels()));
	return 0;
}

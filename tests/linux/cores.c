/*
 * cores: core files (core(5)): when one is written, how long it is, and that a reader finds the memory, the registers and the signal in it.
 *
 * Prints one line per finding, the same on a rack and on any Linux host whose /proc/sys/kernel/core_pattern is "core". Works in
 * DIRECTORY/lego-cores.
 *
 * gcc -O1 -static -w -o cores cores.c        usage: cores [DIRECTORY], default /tmp
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results.h"

static char pattern[] = "a text that stands in the data of the program";
static char *heap;

/* A child dies by a signal, after some preparation; what its parent is told, and the file. */
static void dies(const char *what, int signal, rlim_t limit, void (*prepare)(void))
{
	struct rlimit limits = { limit, limit };
	siginfo_t info = { 0 };
	struct stat st;

	if (fork() == 0) {
		setrlimit(RLIMIT_CORE, &limits);
		if (prepare)
			prepare();
		raise(signal);
		_exit(0);
	}
	waitid(P_ALL, 0, &info, WEXITED);
	printf("%s: code %d status %d", what, info.si_code, info.si_status);
	if (stat("core", &st) < 0)
		printf(", no file\n");
	else
		printf(", a file of mode %o with %d name%s\n", st.st_mode, (int)st.st_nlink, st.st_size > limit ? " that is too long" : "");
}

static void remember(void)
{
	heap = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(heap + 2 * 4096, "a text in the last page of three");
	strcpy(pattern, "changed before the end");
}

static void *map;
static size_t length;

/* What the file says is at an address, or NULL. */
static const char *at(const void *address)
{
	const Elf64_Ehdr *header = map;
	const Elf64_Phdr *segments = (void *)((char *)map + header->e_phoff);

	for (int i = 0; i < header->e_phnum; i++) {
		unsigned long offset = (unsigned long)address - segments[i].p_vaddr;

		if (segments[i].p_type == PT_LOAD && (unsigned long)address >= segments[i].p_vaddr && offset < segments[i].p_filesz && segments[i].p_offset + offset < length)
			return (char *)map + segments[i].p_offset + offset;
	}
	return NULL;
}

static void reads(void)
{
	int fd = open("core", O_RDONLY);
	const Elf64_Ehdr *header;
	const Elf64_Phdr *segments;
	struct stat st;

	fstat(fd, &st);
	length = st.st_size;
	map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	header = map;
	segments = (void *)((char *)map + header->e_phoff);
	printf("type %d machine %d, first segment a note %d\n", header->e_type, header->e_machine, segments[0].p_type == PT_NOTE);
	for (const char *note = (char *)map + segments[0].p_offset; note < (char *)map + segments[0].p_offset + segments[0].p_filesz;) {
		const Elf64_Nhdr *head = (void *)note;
		const void *body = note + sizeof *head + ((head->n_namesz + 3) & ~3);
		const prstatus_t *status = body;
		const prpsinfo_t *process = body;

		switch (strcmp((char *)(head + 1), "CORE") ? 0 : head->n_type) {
		case NT_PRSTATUS:
			printf("status: %d bytes, signal %d, stack is its %d, returns to its text %d\n", (int)head->n_descsz, status->pr_cursig, at((void *)status->pr_reg[19]) != NULL, status->pr_reg[16] > 0x400000 && status->pr_reg[16] < 0x1000000);
			break;
		case NT_PRPSINFO:
			printf("process: %d bytes, %.5s, arguments begin with %.1s\n", (int)head->n_descsz, process->pr_fname, strrchr(process->pr_psargs, '/'));
			break;
		case NT_SIGINFO:
			printf("signal: %d bytes, %d\n", (int)head->n_descsz, *(int *)body);
			break;
		case NT_AUXV:
			printf("auxiliary vector: %s\n", head->n_descsz > 200 ? "long" : "short");
			break;
		case NT_FILE:
			printf("files: at least one %d, unit %ld\n", *(long *)body > 0, ((long *)body)[1]);
			break;
		case NT_FPREGSET:
			printf("floating point: %d bytes, control word %x\n", (int)head->n_descsz, *(unsigned short *)body);
			break;
		}
		note = (char *)body + ((head->n_descsz + 3) & ~3);
	}
	printf("data: %s, heap: [%s] [%s]\n", at(pattern), at(at(&heap) ? *(char **)at(&heap) : NULL), at((at(&heap) ? *(char **)at(&heap) : NULL) + 2 * 4096));
	munmap(map, length);
	close(fd);
}

static void hides(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	chdir(argc > 1 ? argv[1] : "/tmp");
	mkdir("lego-cores", 0755);
	chdir("lego-cores");
	unlink("core");
	dies("no limit, no core", SIGABRT, 0, NULL);
	dies("less than a page", SIGQUIT, 4095, NULL);
	dies("a signal that writes none", SIGTERM, RLIM_INFINITY, NULL);
	dies("not dumpable", SIGQUIT, RLIM_INFINITY, hides);
	dies("quit", SIGQUIT, RLIM_INFINITY, remember);
	reads();
	link("core", "second");
	dies("in the place of the old one, cut off", SIGSEGV, 8192, NULL);
	unlink("core");
	symlink("second", "core");
	dies("in the place of a link", SIGSEGV, RLIM_INFINITY, NULL);
	unlink("core");
	mkdir("core", 0700);
	dies("in the place of a directory", SIGSEGV, RLIM_INFINITY, NULL);
	rmdir("core");
	unlink("core");
	unlink("second");
	return 0;
}

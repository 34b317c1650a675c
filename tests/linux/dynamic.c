/* A dynamically linked program with two libraries of its own (shared.c): linked and loaded. The same lines on Linux and on a rack.
 * DynamicProgramTests.cs compiles all three; "dynamic exec FILE..." tells how each file can be run.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

extern int shared_calls(void);
extern int shared_zeros(void);
extern const char *shared_name(void);
extern int shared_table[3];
extern __thread int shared_local;
extern void _start(void);
extern char __executable_start[], end[];

static __thread int own_local = 5;
static sigjmp_buf back;
static const char *const relocated[] = { "one", "two" };

static void on_fault(int number)
{
    siglongjmp(back, number);
}

static int headers_seen;

static int see(struct dl_phdr_info *info, size_t bytes, void *data)
{
    (void)bytes;
    (void)data;
    if (headers_seen++ == 0) {
        printf("AT_PHDR %d AT_PHNUM %d\n", (unsigned long)info->dlpi_phdr == getauxval(AT_PHDR), info->dlpi_phnum == getauxval(AT_PHNUM));
    }
    return 0;
}

/* The maps line that holds an address, as far as it is the same everywhere. */
static void print_mapping(const char *what, const void *address)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096 + 100];
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char rights[5], name[4096] = "";
        sscanf(line, "%lx-%lx %4s %*s %*s %*s %4095s", &from, &to, rights, name);
        if ((unsigned long)address >= from && (unsigned long)address < to) {
            char *slash = strrchr(name, '/');
            printf("%s: %s %s\n", what, rights, slash ? slash + 1 : name);
        }
    }
    fclose(maps);
}

static int run(const char *file)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = { (char *)file, "argument", NULL };
        execv(file, arguments);
        printf("%s: %s\n", file, strerrorname_np(errno));
        fflush(stdout);
        _exit(126);
    }
    waitpid(child, &status, 0);
    return status;
}

int main(int count, char **words)
{
    char text[4096];
    if (count > 1 && strcmp(words[1], "exec") == 0) {
        for (int index = 2; index < count; index++) {
            printf("%x\n", run(words[index]));
        }
        return 0;
    }
    if (count > 1) {
        printf("%d words", count);
        for (int index = 1; index < count; index++) {
            printf(" %s", words[index]);
        }
        printf(", calls %d\n", shared_calls());
        return 7;
    }

    printf("%s %d %d\n", shared_name(), shared_calls(), shared_calls());
    printf("zeros %d, local %d %d, table %d\n", shared_zeros(), own_local, shared_local, shared_table[1]);
    shared_local = 10;
    printf("%.6f %s\n", sin(atof("0.5")), relocated[count]);
    void *library = dlopen("./libloaded.so", RTLD_NOW);
    int (*calls)(void) = library ? dlsym(library, "shared_calls") : NULL;
    printf("loaded: %d\n", calls ? calls() : -1);
    printf("closed: %d, gone: %d\n", dlclose(library), dlopen("./libnothing.so", RTLD_NOW) == NULL);

    printf("AT_ENTRY %d AT_SECURE %lu AT_PAGESZ %lu AT_PHENT %lu AT_CLKTCK %lu AT_PLATFORM %s\n", getauxval(AT_ENTRY) == (unsigned long)_start,
        getauxval(AT_SECURE), getauxval(AT_PAGESZ), getauxval(AT_PHENT), getauxval(AT_CLKTCK), (char *)getauxval(AT_PLATFORM));
    printf("AT_EXECFN %d AT_RANDOM %d\n", strcmp((char *)getauxval(AT_EXECFN), words[0]) == 0, *(unsigned long *)getauxval(AT_RANDOM) != 0);
    printf("AT_UID %d AT_EUID %d AT_GID %d AT_EGID %d\n", getauxval(AT_UID) == getuid(), getauxval(AT_EUID) == geteuid(),
        getauxval(AT_GID) == getgid(), getauxval(AT_EGID) == getegid());
    printf("AT_BASE %d\n", memcmp((void *)getauxval(AT_BASE), ELFMAG, SELFMAG) == 0);
    dl_iterate_phdr(see, NULL);

    char *heap = sbrk(0);
    printf("heap behind the data %d, grows %d\n", heap >= end, sbrk(1 << 20) == heap && (heap[(1 << 20) - 1] = 1));
    print_mapping("program", __executable_start);
    print_mapping("main", main);
    print_mapping("library", shared_table);
    print_mapping("relro", relocated);
    print_mapping("heap", heap);

    signal(SIGSEGV, on_fault);
    int number = sigsetjmp(back, 1);
    if (number == 0) {
        *(volatile char *)relocated = 1;
    }
    printf("store into relocated constants: signal %d\n", number);

    ssize_t length = readlink("/proc/self/exe", text, sizeof text - 1);
    text[length > 0 ? length : 0] = 0;
    printf("exe %s\n", strrchr(text, '/'));
    fflush(stdout);
    if (fork() == 0) {
        printf("child: calls %d, local %d\n", shared_calls(), shared_local);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    printf("parent: calls %d\n", shared_calls());
    printf("%x %x\n", run(words[0]), run("/proc/self/exe"));
    return 0;
}

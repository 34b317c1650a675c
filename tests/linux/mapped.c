/* Files behind mappings and programs: removed, replaced, cut and written to meanwhile. The same lines on Linux and on a rack.
 * gcc -O1 -static -o mapped mapped.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static sigjmp_buf back;
static int code;

/* Large and constant: most of its pages are untouched when the program's file loses its name. */
static const char table[1 << 20] = { [70000] = 7, [500000] = 5, [1000000] = 1 };

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    code = info->si_code;
    siglongjmp(back, number);
}

static void peek(const char *what, const volatile char *address)
{
    int number = sigsetjmp(back, 1);
    if (number)
        printf("%s: signal %d code %d\n", what, number, code);
    else
        printf("%s: %d\n", what, *address);
}

static void show(const char *what, long result)
{
    printf("%s = %ld%s%s\n", what, result, result == -1 ? " " : "", result == -1 ? strerrorname_np(errno) : "");
}

static int copy_of_this(const char *name)
{
    char buffer[65536];
    int in = open("/proc/self/exe", O_RDONLY), out = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0755);
    long length;
    while ((length = read(in, buffer, sizeof buffer)) > 0)
        write(out, buffer, length);
    close(in);
    return out;
}

/* A child that runs a copy of this program and tells when it does. */
static pid_t start(const char *name, const char *what, int *go)
{
    int ready[2], end[2];
    pipe(ready);
    pipe(end);
    pid_t child = fork();
    if (child == 0) {
        char a[12], b[12];
        snprintf(a, sizeof a, "%d", ready[1]);
        snprintf(b, sizeof b, "%d", end[0]);
        close(end[1]);
        execl(name, name, what, a, b, (char *)0);
        show("execve", -1);
        _exit(1);
    }
    close(ready[1]);
    close(end[0]);
    char byte;
    read(ready[0], &byte, 1);
    close(ready[0]);
    *go = end[1];
    return child;
}

static void finish(pid_t child, int go)
{
    int status;
    close(go);
    waitpid(child, &status, 0);
    printf("status %d signal %d\n", WEXITSTATUS(status), WTERMSIG(status));
}

static int as_child(char **arguments)
{
    int ready = atoi(arguments[2]), end = atoi(arguments[3]);
    char byte = 1;
    write(ready, &byte, 1);
    close(ready);
    read(end, &byte, 1);
    printf("table %d %d %d\n", table[70000], table[500000], table[1000000]);
    return 3;
}

static void programs(void)
{
    int go;
    close(copy_of_this("program"));
    pid_t child = start("./program", "child", &go);
    show("open for writing while it runs", open("program", O_WRONLY));
    show("open for reading and writing", open("program", O_RDWR));
    show("open with O_TRUNC", open("program", O_RDONLY | O_TRUNC));
    show("truncate", truncate("program", 100000));
    show("creat", creat("program", 0755));
    int reads = open("program", O_RDONLY);
    printf("open for reading %d\n", reads >= 0);
    close(reads);
    show("unlink", unlink("program"));
    close(copy_of_this("program"));
    finish(child, go);

    child = start("./program", "child", &go);
    close(copy_of_this("other"));
    show("rename over it", rename("other", "program"));
    int new_one = open("program", O_WRONLY);
    printf("the new one opens for writing %d\n", new_one >= 0);
    close(new_one);
    finish(child, go);

    int writer = copy_of_this("busy");
    child = start("./busy", "child", &go);
    finish(child, go);
    close(writer);
    child = start("./busy", "child", &go);
    finish(child, go);
    writer = open("busy", O_WRONLY);
    printf("writable again %d\n", writer >= 0);
    close(writer);
    unlink("busy");
    unlink("program");
}

static void removed(void)
{
    char bytes[PAGE];
    int file = open("big", O_CREAT | O_RDWR, 0644);
    for (int page = 0; page < 300; page++) {
        memset(bytes, page + 1, PAGE);
        write(file, bytes, PAGE);
    }
    fsync(file);
    const char *map = mmap(0, 300 * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    unlink("big");
    sync();
    int right = 0;
    for (int page = 0; page < 300; page++)
        right += map[page * PAGE] == (char)(page + 1);
    printf("pages of a removed file: %d\n", right);
    if (fork() == 0) {
        munmap((char *)map, 100 * PAGE);
        _exit(map[250 * PAGE] == (char)251 ? 0 : 1);
    }
    int status;
    wait(&status);
    printf("in a child: %d\n", status);
    munmap((char *)map, 200 * PAGE);
    peek("the rest", map + 299 * PAGE);
    munmap((char *)map, 300 * PAGE);
}

static void written(void)
{
    char bytes[2 * PAGE];
    memset(bytes, 'x', sizeof bytes);
    int file = open("cut", O_CREAT | O_RDWR, 0644);
    write(file, bytes, 8102);
    char *map = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    char *shared = mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, file, 0);
    peek("8101", map + 8101);
    peek("8102", map + 8102);
    peek("9000", map + 9000);
    peek("shared 5000", shared + 5000);
    map[4100] = 'y';
    pwrite(file, "z", 1, 4101);
    pwrite(file, "q", 1, 10);
    peek("own copy", map + 4100);
    peek("untouched sees the write", map + 10);
    peek("shared sees the write", shared + 4101);
    ftruncate(file, 100);
    peek("100", map + 100);
    peek("changed page", map + 4100);
    peek("unchanged page", map + 5000);
    peek("shared page", shared + 4200);
    peek("shared 100", shared + 100);
    show("write from it", write(open("o", O_CREAT | O_WRONLY, 0644), map + 4096, 10));
    ftruncate(file, 8192);
    peek("regrown changed", map + 4100);
    peek("regrown", shared + 4200);
    pwrite(file, "ab", 2, 99);
    peek("written over the old end", shared + 100);
    close(open("cut", O_RDWR | O_TRUNC));
    peek("emptied", shared);
    unlink("cut");
    unlink("o");
}

/* Neighbours of two kinds are two lines of maps. */
static void line_of(int first, int second, int protection)
{
    char line[400], key[32];
    char *area = mmap(0, 2 * PAGE, PROT_NONE, MAP_ANONYMOUS | first, -1, 0);
    mmap(area + PAGE, PAGE, protection, MAP_ANONYMOUS | MAP_FIXED | second, -1, 0);
    snprintf(key, sizeof key, "%08lx-", (unsigned long)area + PAGE);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (!strncmp(line, key, strlen(key)))
            printf("line %.4s\n", strchr(line, ' ') + 1);
    fclose(maps);
    munmap(area, 2 * PAGE);
}

static void rights(void)
{
    int file = open("rights", O_CREAT | O_RDWR, 0644);
    write(file, "hello", 5);
    close(file);
    file = open("rights", O_RDONLY);
    char *map = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    show("mprotect of a private mapping", mprotect(map, PAGE, PROT_READ | PROT_WRITE));
    map[0] = 'j';
    printf("%.5s\n", map);
    char *shared = mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0);
    show("mprotect of a shared one", mprotect(shared, PAGE, PROT_READ | PROT_WRITE));
    show("shared and writable by a read-only descriptor", mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED ? -1 : 0);
    unlink("rights");
    int zero = open("/dev/zero", O_RDONLY);
    char *zeros = mmap(0, PAGE, PROT_READ, MAP_SHARED, zero, 0);
    show("mprotect of read-only zeros, shared", mprotect(zeros, PAGE, PROT_WRITE));
    line_of(MAP_SHARED, MAP_PRIVATE, PROT_NONE);
    line_of(MAP_PRIVATE, MAP_SHARED, PROT_NONE);
    line_of(MAP_SHARED, MAP_PRIVATE, PROT_READ);
    line_of(MAP_SHARED, MAP_PRIVATE, PROT_EXEC);
    char line[400], key[32], name[300] = "";
    unsigned long offset = 1, inode = 0;
    char *second = mmap(0, PAGE, PROT_READ, MAP_SHARED, open("/proc/self/exe", O_RDONLY), PAGE);
    snprintf(key, sizeof key, "%08lx-", (unsigned long)second);
    FILE *maps = fopen("/proc/self/maps", "r");
    char perms[8] = "";
    while (fgets(line, sizeof line, maps))
        if (!strncmp(line, key, strlen(key)))
            sscanf(strchr(line, ' '), "%7s %lx %*s %lu %299s", perms, &offset, &inode, name);
    fclose(maps);
    struct stat status;
    stat("/proc/self/exe", &status);
    printf("%s %lx inode %d name %s\n", perms, offset, inode == status.st_ino, strrchr(name, '/'));
}

int main(int count, char **arguments)
{
    setlinebuf(stdout);
    if (count > 1 && !strcmp(arguments[1], "child"))
        return as_child(arguments);
    char folder[] = "/tmp/mappedXXXXXX";
    chdir(mkdtemp(folder));
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGSEGV, &action, 0);
    programs();
    removed();
    written();
    rights();
    return 0;
}

/* Files in memory alone: memfd_create(2), their contents, sizes, attributes, seals, mappings, names and heirs. Prints the same lines on every Linux.
 * gcc -O1 -static -o memory-files memory-files.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results.h"

enum { PAGE = 4096 };

extern char **environ;

static void names(void)
{
    char name[300], path[64], text[400];
    memset(name, 'n', sizeof name);
    name[249] = 0;
    int longest = memfd_create(name, 0);
    name[249] = 'n';
    name[250] = 0;
    printf("longest name: %d", longest >= 0);
    printf(", longer %s", result(memfd_create(name, 0)));
    printf(", bad address %s", result(syscall(SYS_memfd_create, 8, 0)));
    printf(", bad flags %s\n", result(memfd_create("x", 0x4000)));
    close(longest);

    int file = memfd_create("a name/with a slash", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    ssize_t length = readlink(path, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    printf("%s; flags %x %x\n", text, fcntl(file, F_GETFD), fcntl(file, F_GETFL) & ~0100000);
    struct stat status;
    fstat(file, &status);
    printf("mode %o, links %ld, size %ld, blocks %ld, owner %d\n", status.st_mode, (long)status.st_nlink, (long)status.st_size, (long)status.st_blocks,
           status.st_uid == geteuid());
    struct statfs system;
    fstatfs(file, &system);
    printf("file system %lx\n", (long)system.f_type);
    printf("link: %s\n", result(linkat(AT_FDCWD, path, AT_FDCWD, "/tmp/linked", AT_SYMLINK_FOLLOW)));
    int again = open(path, O_RDONLY);
    printf("again: %s", result(pwrite(again, "x", 1, 0)));
    pwrite(file, "seen", 4, 0);
    pread(again, text, 4, 0);
    printf(", %.4s\n", text);
    close(again);
    again = open(path, O_RDWR | O_TRUNC);
    fstat(file, &status);
    printf("truncated: %ld\n", (long)status.st_size);
    close(again);
    close(file);
}

static void contents(void)
{
    static char text[3 * PAGE];
    int file = memfd_create("contents", 0);
    printf("write %s", result(write(file, "hello, world", 12)));
    printf(", far %s", result(pwrite(file, "far", 3, 5 * PAGE + 10)));
    printf(", end %s", result(lseek(file, 0, SEEK_END)));
    printf(", beyond %s", result(pread(file, text, 10, 6 * PAGE)));
    printf(", hole %s", result(pread(file, text, sizeof text, PAGE)));
    int zeros = 1;
    for (size_t index = 0; index < sizeof text; index++)
        zeros &= text[index] == 0;
    printf(" %d", zeros);
    printf(", across %s", result(pread(file, text, sizeof text, 4 * PAGE)));
    printf(" %.3s %d\n", text + PAGE + 10, text[100]);

    printf("shorter %s", result(ftruncate(file, 5)));
    printf(", longer %s", result(ftruncate(file, 2 * PAGE)));
    memset(text, 1, sizeof text);
    printf(", read %s", result(pread(file, text, sizeof text, 0)));
    printf(" %.5s %d %d\n", text, text[5], text[PAGE]);
    printf("negative %s", result(ftruncate(file, -1)));
    printf(", allocate %s", result(fallocate(file, 0, 0, 3 * PAGE)));
    printf(", end %s", result(lseek(file, 0, SEEK_END)));
    printf(", append %s", result(fcntl(file, F_SETFL, O_APPEND)));
    write(file, "tail", 4);
    printf(", end %s\n", result(lseek(file, 0, SEEK_END)));
    int copy = memfd_create("copy", 0);
    off_t from = 0;
    printf("sendfile %s", result(sendfile(copy, file, &from, 4 * PAGE)));
    pread(copy, text, 4, 3 * PAGE);
    printf(" %.4s, fsync %s", text, result(fsync(copy)));
    printf(", chmod %s", result(fchmod(copy, 0640)));
    struct timespec times[2] = {{1000, 5}, {2000, 7}};
    futimens(copy, times);
    struct stat status;
    fstat(copy, &status);
    printf(", %o %ld.%ld %ld.%ld", status.st_mode, status.st_atim.tv_sec, status.st_atim.tv_nsec, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    write(copy, "x", 1);
    fstat(copy, &status);
    printf(", written %d\n", status.st_mtim.tv_sec > 3000);
    close(copy);
    close(file);
}

static sig_atomic_t faults;
static char *mend;

static void on_fault(int number)
{
    faults = faults * 100 + number;
    mmap(mend, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void mappings(void)
{
    int file = memfd_create("mapped", 0);
    ftruncate(file, 4 * PAGE);
    char *shared = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *other = mmap(0, PAGE, PROT_READ, MAP_SHARED, file, PAGE);
    char *own = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    char text[8] = "";
    strcpy(shared + PAGE, "shared");
    pread(file, text, 6, PAGE);
    printf("mapping: %s %s %s", text, other, own + PAGE);
    pwrite(file, "by call", 7, PAGE);
    printf(", %s %s %s", shared + PAGE, other, own + PAGE);
    strcpy(own + PAGE, "mine");
    printf(", %s %s\n", shared + PAGE, own + PAGE);
    pid_t child = fork();
    if (child == 0)
    {
        strcpy(shared, "from the child");
        strcpy(own, "lost");
        _exit(shared[PAGE]);
    }
    printf("child %d: ", wait_for(child));
    printf("%s, %d\n", shared, own[0]);
    close(file);
    strcpy(shared + 2 * PAGE, "open no more");
    printf("%s\n", own + 2 * PAGE);
    munmap(other, PAGE);

    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGSEGV, &action, 0);
    file = memfd_create("short", 0);
    ftruncate(file, 10);
    char *map = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    map[9] = 'e';
    map[10] = 'x';
    mend = map + PAGE;
    map[PAGE] = 1;
    ftruncate(file, 20);
    pread(file, text, 4, 8);
    printf("end: fault %d, %d %c\n", (int)faults, text[0], text[1]);
    munmap(map, 2 * PAGE);
    munmap(shared, 4 * PAGE);
    munmap(own, 4 * PAGE);
    close(file);
}

static const char *seals_of(int file)
{
    return result(fcntl(file, F_GET_SEALS));
}

static void seals(void)
{
    int plain = memfd_create("plain", 0);
    printf("without: %s", seals_of(plain));
    printf(", add %s", result(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE)));
    int pipes[2];
    pipe(pipes);
    printf("; a pipe: %s", seals_of(pipes[0]));
    printf(" %s", result(fcntl(pipes[1], F_ADD_SEALS, F_SEAL_WRITE)));
    printf(" %s\n", result(fcntl(99, F_GET_SEALS)));
    close(plain);

    int file = memfd_create("sealed", MFD_ALLOW_SEALING);
    write(file, "contents", 8);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int reader = open(path, O_RDONLY);
    printf("sealed: %s", seals_of(file));
    printf(", reader %s", result(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW)));
    printf(", unknown %s", result(fcntl(file, F_ADD_SEALS, 0x4000)));
    printf(", shrink %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK)));
    printf(", smaller %s", result(ftruncate(file, 4)));
    printf(", larger %s", result(ftruncate(file, 100)));
    printf(", grow %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_GROW)));
    printf(", larger %s", result(ftruncate(file, 200)));
    printf(", same %s", result(ftruncate(file, 100)));
    printf(", write inside %s", result(pwrite(file, "c", 1, 0)));
    printf(", at the end %s", result(pwrite(file, "c", 1, 100)));
    printf(", allocate %s", result(fallocate(file, 0, 0, PAGE)));
    printf(", truncating open %s", result(open(path, O_RDWR | O_TRUNC)));
    printf(": %s\n", seals_of(file));

    char *map = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    printf("mapped: write seal %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
    mprotect(map, PAGE, PROT_READ);
    printf(", read-only %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
    pid_t child = fork();
    if (child == 0)
    {
        pause();
        _exit(0);
    }
    munmap(map, PAGE);
    printf(", a child's %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
    kill(child, SIGKILL);
    wait_for(child);
    char *readers = mmap(0, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    char *private = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    private[0] = 'p';
    printf(", a reader's and a private one %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
    printf(": %s\n", seals_of(file));
    printf("written: write %s", result(pwrite(file, "c", 1, 0)));
    printf(", nothing %s", result(pwrite(file, "c", 0, 0)));
    map = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    printf(", map %s", map == MAP_FAILED ? strerrorname_np(errno) : "yes");
    map = mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0);
    printf(", map to read %d", map != MAP_FAILED);
    printf(", protect %s", result(mprotect(readers, PAGE, PROT_READ | PROT_WRITE)));
    printf(", protect %s, %.8s %.8s", result(mprotect(map, PAGE, PROT_READ | PROT_WRITE)), map, private);
    printf(", last seal %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL)));
    printf(", another %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_GROW)));
    printf(": %s\n", seals_of(file));
    munmap(map, PAGE);
    munmap(readers, PAGE);
    munmap(private, PAGE);
    close(reader);
    close(file);

    file = memfd_create("future", MFD_ALLOW_SEALING);
    ftruncate(file, PAGE);
    map = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    printf("future: %s", result(fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)));
    strcpy(map, "still written");
    printf(", write %s", result(pwrite(file, "c", 1, 0)));
    char *late = mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0);
    printf(", %s, late %s", late, result(mprotect(late, PAGE, PROT_READ | PROT_WRITE)));
    munmap(map, PAGE);
    printf(", now %s: %s\n", result(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)), seals_of(file));
    munmap(late, PAGE);
    close(file);
}

static void programs(const char *self, int argc)
{
    (void)argc;
    int from = open(self, O_RDONLY);
    int file = memfd_create("program", 0);
    struct stat status;
    fstat(from, &status);
    off_t position = 0;
    while (position < status.st_size && sendfile(file, from, &position, status.st_size - position) > 0)
        ;
    close(from);
    char *arguments[] = {"itself", "in", "memory", 0};
    pid_t child = fork();
    if (child == 0)
    {
        fexecve(file, arguments, environ);
        _exit(99);
    }
    printf("fexecve: %d\n", wait_for(child));
    fflush(stdout);
    int kept = memfd_create("kept", 0);
    int closed = memfd_create("closed", MFD_CLOEXEC);
    write(kept, "heir", 4);
    char numbers[2][16];
    sprintf(numbers[0], "%d", kept);
    sprintf(numbers[1], "%d", closed);
    char path[64];
    sprintf(path, "/proc/self/fd/%d", file);
    char *heirs[] = {"itself", numbers[0], numbers[1], "heir", 0};
    child = fork();
    if (child == 0)
    {
        execv(path, heirs);
        _exit(98);
    }
    printf("heir: %d\n", wait_for(child));
    close(file);
    close(kept);
    close(closed);
}

int main(int argc, char **argv)
{
    setbuf(stdout, 0);
    if (argc == 3)
    {
        printf("%s %s\n", argv[1], argv[2]);
        return 33;
    }
    if (argc == 4)
    {
        char text[5] = "";
        pread(atoi(argv[1]), text, 4, 0);
        printf("%s, %s\n", text, result(pread(atoi(argv[2]), text, 4, 0)));
        return strcmp(text, argv[3]) == 0;
    }
    names();
    contents();
    mappings();
    seals();
    programs("/proc/self/exe", argc);
    return 0;
}

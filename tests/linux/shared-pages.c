/* One file under several private mappings of several processes: who writes has pages of his own, everybody else sees the file as it is now, also when it
 * is written to, cut, grown or replaced, and programs whose text is resident already are those that the volume has. The same lines on Linux and on a rack.
 * gcc -O1 -static -o shared-pages shared-pages.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define PAGES 8

static void fill(int file, int page, char value)
{
    char bytes[PAGE];
    memset(bytes, value, PAGE);
    if (pwrite(file, bytes, PAGE, page * PAGE) != PAGE)
        printf("pwrite of page %d failed\n", page);
}

static int make(const char *name, char first)
{
    int file = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);
    for (int page = 0; page < PAGES; page++)
        fill(file, page, first + page);
    return file;
}

static char *map(int file, int protection)
{
    return mmap(0, PAGES * PAGE, protection, MAP_PRIVATE, file, 0);
}

static void show(const char *who, const char *memory)
{
    printf("%s:", who);
    for (int page = 0; page < PAGES; page++)
        printf(" %c%c", memory[page * PAGE], memory[page * PAGE + PAGE - 1]);
    printf("\n");
    fflush(stdout);
}

static void await(pid_t child)
{
    int status = 0;
    waitpid(child, &status, 0);
    if (status)
        printf("a child's status is %x\n", status);
}

/* Parent and child write to some pages each. */
static void fork_and_write(int file)
{
    char *memory = map(file, PROT_READ | PROT_WRITE);
    char *readers = map(file, PROT_READ);
    show("mapped", memory);
    memory[0] = 'P';
    pid_t child = fork();
    if (child == 0) {
        show("child", memory);
        memory[PAGE] = 'C';
        memory[0] = 'C';
        show("child, written", memory);
        show("child's other mapping", readers);
        _exit(0);
    }
    await(child);
    memory[2 * PAGE] = 'P';
    show("parent", memory);
    show("parent's other mapping", readers);
    fill(file, 2, 'X');
    fill(file, 3, 'Y');
    show("parent, the file has changed", memory);
    show("parent's other mapping", readers);
    munmap(memory, PAGES * PAGE);
    memory = map(file, PROT_READ);
    show("mapped again", memory);
    munmap(memory, PAGES * PAGE);
    munmap(readers, PAGES * PAGE);
}

/* What nobody maps any more is found again only as long as it is the file. */
static void change_between(int file)
{
    char *memory = map(file, PROT_READ);
    show("before", memory);
    munmap(memory, PAGES * PAGE);
    fill(file, 1, 'W');
    if (pwrite(file, "Z", 1, 5 * PAGE) != 1 || ftruncate(file, 7 * PAGE) || ftruncate(file, PAGES * PAGE))
        printf("a change failed\n");
    memory = map(file, PROT_READ);
    printf("cut and grown: %d\n", memory[7 * PAGE]);
    memory = mremap(memory, PAGES * PAGE, 4 * PAGE, 0);
    printf("after: %c%c %c\n", memory[PAGE], memory[2 * PAGE - 1], memory[3 * PAGE]);
    munmap(memory, 4 * PAGE);
    memory = map(file, PROT_READ);
    printf("one byte: %c%c\n", memory[5 * PAGE], memory[5 * PAGE + 1]);
    munmap(memory, PAGES * PAGE);
}

/* Another file under the same name, and the same name for another file. */
static void replace(void)
{
    int old = make("first", 'a');
    char *memory = map(old, PROT_READ);
    show("old", memory);
    unlink("first");
    int new = make("first", 'i');
    char *other = map(new, PROT_READ | PROT_WRITE);
    show("new", other);
    show("old", memory);
    close(old);
    munmap(memory, PAGES * PAGE);
    int third = make("second", 'q');
    rename("second", "first");
    int found = open("first", O_RDONLY);
    memory = map(found, PROT_READ);
    show("renamed over", memory);
    show("new", other);
    other[0] = '!';
    show("new, written", other);
    close(third);
    close(found);
    close(new);
    unlink("first");
}

static void copy(const char *from, const char *to)
{
    static char bytes[65536];
    int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0755);
    long length;
    while ((length = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, length) != length)
            printf("write failed\n");
    close(in);
    close(out);
}

static int initialised = 41;
static char after[100];

/* Many lives of one program: each begins with the data that the file has. */
static void run_often(const char *name)
{
    copy("/proc/self/exe", name);
    for (int life = 0; life < 20; life++) {
        pid_t child = fork();
        if (child == 0) {
            execl(name, name, "life", (char *)0);
            _exit(127);
        }
        await(child);
    }
    unlink(name);
}

int main(int count, char **arguments)
{
    if (count > 1) {
        int zeros = 0;
        for (unsigned index = 0; index < sizeof after; index++)
            zeros += after[index] == 0;
        initialised++;
        memset(after, 7, sizeof after);
        if (initialised != 42 || zeros != sizeof after)
            printf("a life began with %d and %d zeros\n", initialised - 1, zeros);
        return 0;
    }
    int file = make("pages", 'a');
    fork_and_write(file);
    change_between(file);
    close(file);
    unlink("pages");
    replace();
    run_often("./again");
    printf("end\n");
    return 0;
}

/*
 * nameless DIR: files that are made without a name (O_TMPFILE) and get one, or never do; names that change places (RENAME_EXCHANGE) or must
 * be free (RENAME_NOREPLACE). What is where afterwards, how many names it has, and every refusal.
 * gcc -O1 -static -o nameless nameless.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "results.h"

#define EXCHANGE 2
#define NOREPLACE 1
#define WHITEOUT 4

static void make(const char *name, const char *text)
{
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (write(file, text, strlen(text)) < 0)
        printf("%s: %s\n", name, strerror(errno));
    close(file);
}

/* Type, permissions, names, and the text of a file. */
static void show(const char *name)
{
    struct stat status;
    char text[64] = "";
    if (lstat(name, &status) < 0) {
        printf("  %s: %s\n", name, strerrorname_np(errno));
        return;
    }
    int file = S_ISREG(status.st_mode) ? open(name, O_RDONLY) : -1;
    if (file >= 0 && read(file, text, sizeof text - 1) < 0)
        printf("  unreadable\n");
    close(file);
    printf("  %s: %o, %d names, gid %d [%s]\n", name, status.st_mode, (int)status.st_nlink, (int)status.st_gid, text);
}

static int link_to(int file, const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, path, AT_FDCWD, name, flags);
}

static void nameless(void)
{
    struct stat status;
    int file = open(".", O_TMPFILE | O_RDWR, 0640);
    printf("nameless: %s, write %s\n", done(file), result(write(file, "hello", 5)));
    fstat(file, &status);
    printf("%d names, %o, %d bytes, flags %x\n", (int)status.st_nlink, status.st_mode, (int)status.st_size,
        fcntl(file, F_GETFL) & (O_TMPFILE | O_ACCMODE));
    char path[64], target[PATH_MAX + 1];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    ssize_t length = readlink(path, target, PATH_MAX);
    target[length < 0 ? 0 : length] = 0;
    printf("told with %s\n", strrchr(target, ' ') ? strrchr(target, ' ') : "no mark");
    printf("a name by path: %s", error_of(link_to(file, "first", AT_SYMLINK_FOLLOW)));
    printf(", again: %s", error_of(link_to(file, "first", AT_SYMLINK_FOLLOW)));
    printf(", another: %s\n", error_of(linkat(file, "", AT_FDCWD, "second", AT_EMPTY_PATH)));
    show("first");
    printf("write %s\n", result(write(file, " world", 6)));
    close(file);
    show("second");
    unlink("first");
    show("second");

    file = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    printf("exclusive: %s, a name: %s", done(file), error_of(link_to(file, "never", AT_SYMLINK_FOLLOW)));
    printf(", by descriptor: %s\n", error_of(linkat(file, "", AT_FDCWD, "never", AT_EMPTY_PATH)));
    close(file);
    show("never");

    file = open("second", O_RDONLY);
    unlink("second");
    printf("what has lost its names gets none: %s\n", error_of(link_to(file, "third", AT_SYMLINK_FOLLOW)));
    close(file);

    printf("read-only: %s", error_of(open(".", O_TMPFILE | O_RDONLY, 0640)));
    printf(", with O_CREAT: %s", error_of(open(".", O_TMPFILE | O_CREAT | O_RDWR, 0640)));
    printf(", no directory flag: %s", error_of(open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0640)));
    make("file", "text");
    printf(", in a file: %s", error_of(open("file", O_TMPFILE | O_RDWR, 0640)));
    printf(", nowhere: %s", error_of(open("nowhere", O_TMPFILE | O_RDWR, 0640)));
    printf(", in /proc: %s\n", error_of(open("/proc", O_TMPFILE | O_RDWR, 0640)));

    mkdir("group", 0755);
    if (chown("group", 0, 123) == 0 && chmod("group", 02755) == 0) {
        file = open("group", O_TMPFILE | O_RDWR, 0664);
        link_to(file, "group/inherits", AT_SYMLINK_FOLLOW);
        close(file);
        show("group/inherits");
    }

    file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
    printf("in memory: %s, write %s", done(file), result(write(file, "shared", 6)));
    unlink("/dev/shm/lego-nameless");
    printf(", a name: %s\n", error_of(link_to(file, "/dev/shm/lego-nameless", AT_SYMLINK_FOLLOW)));
    show("/dev/shm/lego-nameless");
    unlink("/dev/shm/lego-nameless");
    close(file);
}

static const char *move(const char *from, const char *to, unsigned flags)
{
    return error_of(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

static void exchanges(void)
{
    make("a", "was a");
    make("b", "was b");
    mkdir("one", 0755);
    mkdir("one/deep", 0755);
    mkdir("two", 0700);
    make("two/file", "in two");
    if (symlink("a", "link") < 0)
        puts("no link");
    printf("taken: %s", move("a", "b", NOREPLACE));
    printf(", free: %s\n", move("a", "c", NOREPLACE));
    printf("files: %s\n", move("c", "b", EXCHANGE));
    show("b");
    show("c");
    printf("a file and a directory elsewhere: %s\n", move("c", "one/deep", EXCHANGE));
    show("c");
    show("one");
    show("one/deep");
    printf("directories side by side: %s\n", move("one", "two", EXCHANGE));
    show("one");
    show("one/file");
    show("two/deep");
    printf("directories apart: %s\n", move("c", "one/file", EXCHANGE));
    show("one");
    printf("a directory's parent: %d\n", access("one/file/../file", F_OK));
    printf("a link: %s\n", move("link", "two/deep", EXCHANGE));
    show("link");
    show("two/deep");
    printf("itself: %s", move("b", "b", EXCHANGE));
    printf(", with its parent: %s", move("one", "one/file", EXCHANGE));
    printf(", the other way: %s", move("one/file", "one", EXCHANGE));
    printf(", with nothing: %s", move("b", "nothing", EXCHANGE));
    printf(", nothing: %s", move("nothing", "b", EXCHANGE));
    printf(", \".\": %s", move(".", "b", EXCHANGE));
    printf(", the root: %s", move("/", "b", EXCHANGE));
    printf(", to \"..\" if free: %s\n", move("b", "..", NOREPLACE));
    printf("slashes: %s", move("b/", "one", EXCHANGE));
    printf(", %s", move("one", "b/", EXCHANGE));
    printf(", %s\n", move("b", "one/", EXCHANGE));
    printf("flags that exclude each other: %s, that are none: %s\n", move("b", "c", EXCHANGE | NOREPLACE), move("b", "c", 8));

    printf("a mark is left: %s", move("b", "moved", WHITEOUT));
    printf(", over another: %s", move("moved", "c/", WHITEOUT));
    printf(" %s", move("moved", "two/marked", WHITEOUT));
    printf(", not over it: %s", move("two/marked", "b", WHITEOUT | NOREPLACE));
    printf(", and exchanged: %s\n", move("b", "moved", WHITEOUT | EXCHANGE));
    show("b");
    show("moved");
    show("two/marked");
    make("plain", "plain");
    printf("two names: %s", error_of(link("plain", "same")));
    printf(", %s\n", move("plain", "same", WHITEOUT));
    show("plain");

    /* Open files are where their names are. */
    make("left", "left");
    make("right", "right");
    int file = open("left", O_RDWR);
    int folder = open("one", O_RDONLY);
    char path[64], target[PATH_MAX + 1];
    printf("open files: %s", move("left", "right", EXCHANGE));
    printf(" %s\n", move("one", "two", EXCHANGE));
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    ssize_t length = readlink(path, target, PATH_MAX);
    target[length < 0 ? 0 : length] = 0;
    printf("%s", strrchr(target, '/'));
    snprintf(path, sizeof path, "/proc/self/fd/%d", folder);
    length = readlink(path, target, PATH_MAX);
    target[length < 0 ? 0 : length] = 0;
    printf(" %s, and %s\n", strrchr(target, '/'), error_of(faccessat(folder, "file", F_OK, 0)));
    printf("write %s\n", result(pwrite(file, "LEFT", 4, 0)));
    show("right");
    show("left");
}

static void refusals(void)
{
    mkdir("theirs", 0755);
    make("theirs/file", "theirs");
    mkdir("sticky", 0777);
    chmod("sticky", 01777);
    make("sticky/root", "root's");
    mkdir("sticky/user", 0755);
    if (chown("sticky/user", 1000, 1000) < 0)
        return;
    fflush(stdout);
    if (fork() == 0) {
        if (setgid(1000) < 0 || setuid(1000) < 0)
            _exit(1);
        printf("in a directory of another: %s", error_of(open("theirs", O_TMPFILE | O_RDWR, 0600)));
        printf(", where everybody may: %s\n", done(open("sticky", O_TMPFILE | O_RDWR, 0600)));
        printf("exchange there: %s", move("theirs/file", "sticky/user", EXCHANGE));
        printf(", with what is another's: %s", move("sticky/user", "sticky/root", EXCHANGE));
        printf(" %s\n", move("sticky/root", "sticky/user", EXCHANGE));
        fflush(stdout);
        _exit(0);
    }
    wait_for(-1);
}

/* A directory that is open when it is removed. */
static void removed(void)
{
    struct stat status;
    mkdir("removed", 0755);
    int directory = open("removed", O_RDONLY | O_DIRECTORY);
    rmdir("removed");
    fstat(directory, &status);
    printf("a removed directory: %ld bytes, %ld links\n", (long)status.st_size, (long)status.st_nlink);
}

int main(int count, char **words)
{
    if (count > 1 && chdir(words[1]) < 0)
        return 1;
    umask(022);
    if (mkdir("nameless.d", 0755) < 0 || chdir("nameless.d") < 0)
        return 1;
    nameless();
    exchanges();
    refusals();
    removed();
    return 0;
}

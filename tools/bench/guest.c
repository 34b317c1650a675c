// The first program of the Linux guest that `./lego bench syscalls` measures beside a rack: loads the modules of the initial file system, makes the
// ext4 volume its root and runs what the first serial port says, a line at a time: program and arguments, separated by blanks. After each it
// says "STATUS n" there, and once in the beginning "READY".
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MostWords = 32, LineBytes = 1024, DiskTries = 100 };

static void must(const char *what, long result)
{
    if (result < 0) {
        printf("FAILED %s: %s\n", what, strerror(errno));
        for (;;)
            pause();
    }
}

// Their names begin with numbers, in the order in which they need each other.
static void load_modules(void)
{
    struct dirent **entries;
    int count = scandir("/modules", &entries, NULL, alphasort);
    must("/modules", count);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
        if (entries[i]->d_name[0] == '.')
            continue;
        int file = open(path, O_RDONLY);
        if (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST)
            must(path, -1);
        close(file);
    }
}

static void use_serial_port(void)
{
    struct termios modes;
    int port = open("/dev/ttyS0", O_RDWR);
    must("/dev/ttyS0", port);
    tcgetattr(port, &modes);
    cfmakeraw(&modes);
    tcsetattr(port, TCSANOW, &modes);
    dup2(port, 0);
    dup2(port, 1);
    dup2(port, 2);
}

static void enter_volume(void)
{
    struct timespec moment = { 0, 50 * 1000 * 1000 };
    for (int i = 0; i < DiskTries && access("/dev/vda", F_OK) != 0; i++)
        nanosleep(&moment, NULL);
    mkdir("/volume", 0755);
    must("mount /dev/vda", mount("/dev/vda", "/volume", "ext4", 0, NULL));
    must("mount /dev", mount("dev", "/volume/dev", "devtmpfs", 0, NULL));
    must("mount /proc", mount("proc", "/volume/proc", "proc", 0, NULL));
    must("chroot", chroot("/volume"));
    must("chdir", chdir("/"));
}

static void run(char *line)
{
    char *words[MostWords + 1];
    int count = 0, status = 0;
    for (char *word = strtok(line, " \r\n"); word && count < MostWords; word = strtok(NULL, " \r\n"))
        words[count++] = word;
    words[count] = NULL;
    if (count == 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        execv(words[0], words);
        _exit(127);
    }
    waitpid(child, &status, 0);
    printf("STATUS %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(void)
{
    static char line[LineBytes];
    mkdir("/dev", 0755);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    use_serial_port();
    setvbuf(stdout, NULL, _IOLBF, 0);
    load_modules();
    enter_volume();
    setenv("PATH", "/bin:/usr/bin:/sbin:/usr/sbin", 1);
    printf("READY\n");
    while (fgets(line, sizeof line, stdin))
        run(line);
    return 0;
}

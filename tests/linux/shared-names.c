/* /dev/shm: names of files in memory, by shm_open(3), sem_open(3) and plain calls. Prints the same lines on every Linux.
 * gcc -O1 -static -pthread -o shared-names shared-names.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "results.h"

enum { PAGE = 4096 };

static int compare(const void *one, const void *other)
{
    return strcmp(*(char **)one, *(char **)other);
}

static void list(void)
{
    char *names[64];
    int count = 0;
    DIR *directory = opendir("/dev/shm");
    for (struct dirent *entry; (entry = readdir(directory)) != 0 && count < 64;)
        if (strncmp(entry->d_name, "name-", 5) == 0)
        {
            names[count++] = strdup(entry->d_name);
            if (entry->d_type != DT_REG)
                printf("type %d ", entry->d_type);
        }
    closedir(directory);
    qsort(names, count, sizeof *names, compare);
    printf("listed:");
    for (int index = 0; index < count; index++)
        printf(" %s", names[index]);
    printf("\n");
}

static long link_count(const char *path)
{
    struct stat status;
    return stat(path, &status) < 0 ? -1 : (long)status.st_nlink;
}

static void names(void)
{
    struct stat status;
    stat("/dev/shm", &status);
    printf("directory: %o", status.st_mode);
    struct statfs system;
    statfs("/dev/shm", &system);
    printf(" %lx\n", (long)system.f_type);
    umask(022);
    int file = shm_open("/name-one", O_RDWR | O_CREAT | O_EXCL, 0666);
    printf("created %s", done(file));
    printf(", again %s", done(shm_open("/name-one", O_RDWR | O_CREAT | O_EXCL, 0666)));
    int other = shm_open("/name-one", O_RDWR | O_CREAT, 0666);
    printf(", without O_EXCL %s", done(other));
    printf(", directory %s", done(open("/dev/shm/name-one", O_RDONLY | O_DIRECTORY)));
    printf(", absent %s\n", done(shm_open("/name-absent", O_RDWR, 0)));
    write(file, "contents", 8);
    stat("/dev/shm/name-one", &status);
    printf("stat: %o %ld %ld %d", status.st_mode, (long)status.st_nlink, (long)status.st_size, status.st_uid == geteuid());
    printf(", chmod %s", result(chmod("/dev/shm/name-one", 0600)));
    printf(", truncate %s", result(truncate("/dev/shm/name-one", 4)));
    fstat(other, &status);
    printf(": %o %ld", status.st_mode, (long)status.st_size);
    printf(", access %s %s\n", result(access("/dev/shm/name-one", R_OK | W_OK)), result(access("/dev/shm/name-absent", F_OK)));
    char text[300] = "", path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    readlink(path, text, sizeof text - 1);
    printf("%s; seals %s\n", text, result(fcntl(file, F_GET_SEALS)));

    char *map = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pid_t child = fork();
    if (child == 0)
    {
        int mine = shm_open("/name-one", O_RDWR, 0);
        char *own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
        own[0] = 'C';
        _exit(own[1]);
    }
    printf("child: %d", wait_for(child));
    printf(" %.4s\n", map);

    printf("link %s", result(link("/dev/shm/name-one", "/dev/shm/name-two")));
    printf(", over %s", result(link("/dev/shm/name-one", "/dev/shm/name-two")));
    printf(", links %ld", link_count("/dev/shm/name-two"));
    printf(", out %s", result(link("/dev/shm/name-one", "/tmp/name-out")));
    printf(", rename %s", result(rename("/dev/shm/name-one", "/dev/shm/name-three")));
    printf(", out %s", result(rename("/dev/shm/name-two", "/tmp/name-out")));
    printf(", same %s", result(rename("/dev/shm/name-two", "/dev/shm/name-three")));
    list();
    close(open("/dev/shm/name-four", O_RDWR | O_CREAT, 0644));
    printf("no replace %s", result(renameat2(AT_FDCWD, "/dev/shm/name-four", AT_FDCWD, "/dev/shm/name-two", RENAME_NOREPLACE)));
    printf(", replace %s", result(rename("/dev/shm/name-four", "/dev/shm/name-two")));
    printf(", links %ld", link_count("/dev/shm/name-three"));
    printf(", rmdir %s", result(rmdir("/dev/shm/name-two")));
    char name[300] = "/dev/shm/name-";
    memset(name + 14, 'l', 280);
    name[9 + 255] = 0;
    printf(", longest %s", done(open(name, O_RDWR | O_CREAT, 0600)));
    printf(" %s", result(unlink(name)));
    name[9 + 255] = 'l';
    name[9 + 256] = 0;
    printf(", longer %s\n", done(open(name, O_RDWR | O_CREAT, 0600)));
    chdir("/dev/shm");
    printf("here: %s", done(open("name-two", O_RDONLY)));
    printf(", unlink %s", result(unlink("name-two")));
    printf(", again %s", result(unlink("name-two")));
    chdir("/");
    printf(", shm_unlink %s", result(shm_unlink("/name-three")));
    fstat(file, &status);
    printf(", links %ld, %.4s", (long)status.st_nlink, map);
    memset(text, 0, sizeof text);
    readlink(path, text, sizeof text - 1);
    printf(", %s\n", strrchr(text, ' '));
    list();
    munmap(map, PAGE);
    close(file);
    close(other);
    int slash = open("/dev/shm/name-slash/", O_RDWR | O_CREAT, 0600);
    printf("slash: %s", done(slash));
    printf(", below a file %s\n", done(open("/dev/shm/name-one/x", O_RDWR | O_CREAT, 0600)));
}

static void strangers(void)
{
    if (geteuid() != 0)
    {
        printf("strangers: EACCES EPERM EPERM EPERM yes yes\n");
        return;
    }
    close(open("/dev/shm/name-root", O_RDWR | O_CREAT, 0600));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        setgid(12345);
        setuid(12345);
        printf("strangers: %s", done(open("/dev/shm/name-root", O_RDONLY)));
        printf(" %s", done(unlink("/dev/shm/name-root")));
        int own = open("/dev/shm/name-own", O_RDWR | O_CREAT, 0600);
        printf(" %s", done(rename("/dev/shm/name-own", "/dev/shm/name-root")));
        printf(" %s", done(chmod("/dev/shm/name-root", 0777)));
        printf(" %s", done(own));
        printf(" %s\n", done(unlink("/dev/shm/name-own")));
        fflush(stdout);
        _exit(0);
    }
    wait_for(child);
    unlink("/dev/shm/name-root");
}

static void semaphores(void)
{
    sem_unlink("/name-semaphore");
    sem_t *one = sem_open("/name-semaphore", O_CREAT | O_EXCL, 0600, 2);
    printf("semaphore: %d", one != SEM_FAILED);
    sem_t *twice = sem_open("/name-semaphore", O_CREAT | O_EXCL, 0600, 2);
    printf(", again %s", twice == SEM_FAILED ? strerrorname_np(errno) : "yes");
    printf(", same %d", sem_open("/name-semaphore", 0) == one);
    printf(", absent %s\n", sem_open("/name-none", 0) == SEM_FAILED ? strerrorname_np(errno) : "yes");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        sem_t *own = sem_open("/name-semaphore", 0);
        for (int round = 0; round < 100; round++)
            sem_wait(own);
        _exit(7);
    }
    for (int round = 0; round < 98; round++)
        sem_post(one);
    printf("waited: %d", wait_for(child));
    int value;
    sem_getvalue(one, &value);
    printf(", value %d", value);
    printf(", close %s", result(sem_close(one)));
    printf(", unlink %s", result(sem_unlink("/name-semaphore")));
    printf(", again %s\n", result(sem_unlink("/name-semaphore")));
}

int main(void)
{
    setbuf(stdout, 0);
    names();
    strangers();
    semaphores();
    list();
    return 0;
}

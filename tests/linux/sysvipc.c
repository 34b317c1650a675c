/* System V's shared memory, semaphores and message queues. Prints the same lines on every Linux.
 * gcc -O1 -static -o sysvipc sysvipc.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

enum { PAGE = 4096, KEY = 0x4c65676f };

union semun
{
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

struct message
{
    long type;
    char text[8200];
};

static const char *attached(void *address)
{
    return address == (void *)-1 ? strerrorname_np(errno) : "yes";
}

static void on_signal(int number)
{
    (void)number;
}

static long attaches(int id)
{
    struct shmid_ds status;
    return shmctl(id, IPC_STAT, &status) < 0 ? -1 : (long)status.shm_nattch;
}

static void segments(void)
{
    printf("absent %s", done(shmget(KEY, PAGE, 0600)));
    printf(", empty %s", done(shmget(KEY, 0, IPC_CREAT | 0600)));
    int id = shmget(KEY, PAGE + 100, IPC_CREAT | IPC_EXCL | 0640);
    printf(", created %s", done(id));
    printf(", again %s", done(shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600)));
    printf(", same %d", shmget(KEY, 10, 0) == id);
    printf(", larger %s\n", done(shmget(KEY, 2 * PAGE, 0)));
    struct shmid_ds status;
    shmctl(id, IPC_STAT, &status);
    printf("stat: %o size %ld attaches %ld creator %d last %d times %d %d %d owner %d key %x\n", status.shm_perm.mode, (long)status.shm_segsz,
           (long)status.shm_nattch, status.shm_cpid == getpid(), status.shm_lpid, status.shm_atime == 0, status.shm_dtime == 0,
           status.shm_ctime >= time(0) - 5, status.shm_perm.uid == geteuid(), status.shm_perm.__key);

    char *one = shmat(id, 0, 0);
    char *two = shmat(id, 0, SHM_RDONLY);
    strcpy(one + PAGE, "segment");
    printf("attached: %ld, %s", attaches(id), two + PAGE);
    printf(", protect %s", done(mprotect(two, PAGE, PROT_READ | PROT_WRITE)));
    printf(", odd address %s", attached(shmat(id, one + 100, 0)));
    printf(", in use %s", attached(shmat(id, one, 0)));
    printf(", remap nothing %s", attached(shmat(id, 0, SHM_REMAP)));
    printf(", no id %s\n", attached(shmat(id + 1, 0, 0)));
    char *room = mmap(0, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *there = shmat(id, room + PAGE + 77, SHM_RND | SHM_REMAP);
    printf("there: %d %s, %ld", there == room + PAGE, there + PAGE, attaches(id));
    printf(", detach elsewhere %s", done(shmdt(there + PAGE)));
    printf(", detach %s", done(shmdt(there)));
    printf(", again %s, %ld\n", done(shmdt(there)), attaches(id));
    munmap(room, 4 * PAGE);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        printf("child: %ld %s", attaches(id), two + PAGE);
        strcpy(one, "from the child");
        shmdt(two);
        printf(", %ld\n", attaches(id));
        fflush(stdout);
        _exit(0);
    }
    wait_for(child);
    shmctl(id, IPC_STAT, &status);
    printf("ended: %ld %s, last %d, detached %d\n", (long)status.shm_nattch, one, status.shm_lpid == child, status.shm_dtime >= time(0) - 5);
    child = fork();
    if (child == 0)
    {
        char *arguments[] = {"sysvipc", "attaches", 0};
        char number[20], *environment[] = {number, 0};
        sprintf(number, "ID=%d", id);
        execve("/proc/self/exe", arguments, environment);
        _exit(99);
    }
    wait_for(child);

    status.shm_perm.mode = 0400;
    printf("set %s", done(shmctl(id, IPC_SET, &status)));
    shmctl(id, IPC_STAT, &status);
    printf(" %o", status.shm_perm.mode);
    printf(", lock %s", done(shmctl(id, SHM_LOCK, 0)));
    printf(", unlock %s", done(shmctl(id, SHM_UNLOCK, 0)));
    printf(", nonsense %s", done(shmctl(id, 99, 0)));
    printf(", remove %s", done(shmctl(id, IPC_RMID, 0)));
    shmctl(id, IPC_STAT, &status);
    printf(", %o key %x attaches %ld", status.shm_perm.mode, status.shm_perm.__key, (long)status.shm_nattch);
    printf(", by key %s", done(shmget(KEY, 10, 0)));
    char *late = shmat(id, 0, 0);
    printf(", late %s %s\n", attached(late), late);
    shmdt(late);
    shmdt(two);
    munmap(one, PAGE);
    printf("part: %ld %s", attaches(id), one + PAGE);
    printf(", detach %s", done(shmdt(one)));
    printf(", gone %s %s", done(shmctl(id, IPC_STAT, &status)), attached(shmat(id, 0, 0)));
    int private = shmget(IPC_PRIVATE, 1, 0600), other = shmget(IPC_PRIVATE, 1, 0600);
    printf(", private %d", private != other && private >= 0);
    printf(", remove %s", done(shmctl(private, IPC_RMID, 0)));
    printf(" %s", done(shmctl(other, IPC_RMID, 0)));
    printf(" %s\n", done(shmctl(other, IPC_RMID, 0)));
}

static int operate(int id, int number, int change, int flags)
{
    struct sembuf operation = {number, change, flags};
    return semop(id, &operation, 1);
}

static void wait_until(int id, int number, int command)
{
    while (semctl(id, number, command) == 0)
        usleep(1000);
}

static void semaphores(void)
{
    printf("absent %s", done(semget(KEY, 3, 0600)));
    printf(", empty %s", done(semget(KEY, 0, IPC_CREAT | 0600)));
    int id = semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600);
    printf(", created %s", done(id));
    printf(", again %s", done(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600)));
    printf(", more %s", done(semget(KEY, 4, 0)));
    printf(", same %d\n", semget(KEY, 0, 0) == id);
    struct semid_ds status;
    union semun argument = {.buf = &status};
    semctl(id, 0, IPC_STAT, argument);
    printf("stat: %o %ld %d %d\n", status.sem_perm.mode, (long)status.sem_nsems, status.sem_otime == 0, status.sem_ctime >= time(0) - 5);
    unsigned short values[3] = {1, 2, 3};
    argument.array = values;
    printf("set all %s", done(semctl(id, 0, SETALL, argument)));
    argument.val = 7;
    printf(", set %s", done(semctl(id, 1, SETVAL, argument)));
    argument.val = 40000;
    printf(", too much %s", done(semctl(id, 1, SETVAL, argument)));
    argument.val = 1;
    printf(", no such %s", done(semctl(id, 3, SETVAL, argument)));
    argument.array = values;
    semctl(id, 0, GETALL, argument);
    printf(", all %d %d %d, one %s", values[0], values[1], values[2], result(semctl(id, 2, GETVAL)));
    printf(", by %d %s\n", semctl(id, 1, GETPID) == getpid(), done(semctl(id, 1, 77)));

    struct sembuf several[3] = {{0, -1, 0}, {1, -7, 0}, {2, -4, IPC_NOWAIT}};
    printf("all or nothing %s", done(semop(id, several, 3)));
    printf(" %s", result(semctl(id, 0, GETVAL)));
    several[2].sem_op = -3;
    printf(", %s", done(semop(id, several, 3)));
    printf(" %s", result(semctl(id, 1, GETVAL)));
    printf(", zero %s", done(operate(id, 0, 0, 0)));
    printf(", busy %s", done(operate(id, 0, -1, IPC_NOWAIT)));
    printf(", range %s", done(operate(id, 0, 32767, 0)));
    printf(" %s", done(operate(id, 0, 1, 0)));
    printf(", number %s", done(operate(id, 3, 1, 0)));
    printf(", none %s", done(semop(id, several, 0)));
    printf(", many %s", done(semop(id, several, 501)));
    printf(", address %s\n", done(semop(id, (void *)8, 1)));
    struct timespec limit = {0, 30000000};
    several[0].sem_num = 1;
    several[0].sem_op = -1;
    printf("timed %s", done(semtimedop(id, several, 1, &limit)));
    limit.tv_nsec = -1;
    printf(" %s", done(semtimedop(id, several, 1, &limit)));
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0);
    /* Again and again: the first one may come before the wait. */
    ualarm(30000, 30000);
    printf(", interrupted %s\n", done(operate(id, 1, -1, 0)));
    ualarm(0, 0);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        int first = operate(id, 1, -2, SEM_UNDO);
        operate(id, 2, 5, SEM_UNDO);
        operate(id, 2, -1, SEM_UNDO);
        _exit(first);
    }
    wait_until(id, 1, GETNCNT);
    printf("waiting %s %s", result(semctl(id, 1, GETNCNT)), result(semctl(id, 1, GETZCNT)));
    operate(id, 1, 1, 0);
    operate(id, 1, 2, 0);
    int status_of_child = wait_for(child);
    printf(", child %d", status_of_child);
    printf(", undone %s %s", result(semctl(id, 1, GETVAL)), result(semctl(id, 2, GETVAL)));
    printf(", by %d\n", semctl(id, 1, GETPID) == child);

    /* A process that ends lets others go on. */
    argument.val = 0;
    semctl(id, 1, SETVAL, argument);
    argument.val = 1;
    semctl(id, 0, SETVAL, argument);
    child = fork();
    if (child == 0)
    {
        operate(id, 0, -1, SEM_UNDO);
        operate(id, 1, 1, 0);
        pause();
        _exit(0);
    }
    operate(id, 1, -1, 0);
    pid_t other = fork();
    if (other == 0)
        _exit(operate(id, 0, -1, 0) == 0 ? 11 : 12);
    wait_until(id, 0, GETNCNT);
    kill(child, SIGKILL);
    wait_for(child);
    printf("freed by the end: %d", wait_for(other));
    printf(" %s\n", result(semctl(id, 0, GETVAL)));

    /* Waiters for zero, and the order of others. */
    argument.val = 2;
    semctl(id, 0, SETVAL, argument);
    argument.val = 0;
    semctl(id, 2, SETVAL, argument);
    int pipes[2];
    pipe(pipes);
    pid_t waiters[3];
    for (int index = 0; index < 3; index++)
    {
        if ((waiters[index] = fork()) == 0)
        {
            operate(id, 2, -1, 0);
            char name = 'a' + index;
            write(pipes[1], &name, 1);
            operate(id, 1, 1, 0);
            _exit(0);
        }
        while (semctl(id, 2, GETNCNT) != index + 1)
            usleep(1000);
    }
    child = fork();
    if (child == 0)
        _exit(operate(id, 0, 0, 0) == 0 ? 21 : 22);
    wait_until(id, 0, GETZCNT);
    operate(id, 0, -1, 0);
    printf("for zero %s", result(semctl(id, 0, GETZCNT)));
    operate(id, 0, -1, 0);
    printf(", %d", wait_for(child));
    char order[4] = "";
    for (int index = 0; index < 3; index++)
    {
        operate(id, 2, 1, 0);
        operate(id, 1, -1, 0);
        read(pipes[0], order + index, 1);
        wait_for(waiters[index]);
    }
    printf(", order %s\n", order);

    fflush(stdout);
    child = fork();
    if (child == 0)
    {
        operate(id, 2, -1, 0);
        _exit(errno == EIDRM ? 31 : 32);
    }
    wait_until(id, 2, GETNCNT);
    printf("remove %s", done(semctl(id, 0, IPC_RMID)));
    printf(", waiter %d", wait_for(child));
    printf(", then %s\n", done(operate(id, 2, 1, 0)));
}

static void queues(void)
{
    static struct message message;
    printf("absent %s", done(msgget(KEY, 0600)));
    int id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
    printf(", created %s", done(id));
    printf(", again %s", done(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600)));
    printf(", same %d\n", msgget(KEY, 0) == id);
    for (int index = 0; index < 5; index++)
    {
        message.type = (int[]){3, 1, 2, 1, 5}[index];
        sprintf(message.text, "%d", index);
        msgsnd(id, &message, 300 + index, 0);
    }
    struct msqid_ds status;
    msgctl(id, IPC_STAT, &status);
    printf("stat: %o %ld messages %ld bytes of %ld, sender %d, receiver %d, times %d %d\n", status.msg_perm.mode, (long)status.msg_qnum,
           (long)status.__msg_cbytes, (long)status.msg_qbytes, status.msg_lspid == getpid(), status.msg_lrpid, status.msg_stime >= time(0) - 5,
           status.msg_rtime == 0);
    message.type = 0;
    printf("bad type %s", done(msgsnd(id, &message, 1, 0)));
    message.type = 1;
    printf(", too long %s", done(msgsnd(id, &message, 8193, 0)));
    printf(", address %s", done(msgsnd(id, (void *)8, 1, 0)));
    printf(", short %s", result(msgrcv(id, &message, 10, 2, 0)));
    printf(" %s", result(msgrcv(id, &message, 10, 2, MSG_NOERROR)));
    printf(" %s", message.text);
    printf(", lowest %s", result(msgrcv(id, &message, 8000, -3, 0)));
    printf(" %ld %s", message.type, message.text);
    printf(", not one %s", result(msgrcv(id, &message, 8000, 1, MSG_EXCEPT)));
    printf(" %ld %s", message.type, message.text);
    printf(", any %s", result(msgrcv(id, &message, 8000, 0, 0)));
    printf(" %ld %s", message.type, message.text);
    printf(", none %s", result(msgrcv(id, &message, 8000, 4, IPC_NOWAIT)));
    printf(", lowest none %s\n", result(msgrcv(id, &message, 8000, -4, IPC_NOWAIT)));

    message.type = 1;
    memset(message.text, 'x', 8192);
    printf("full: %s", done(msgsnd(id, &message, 8192, 0)));
    printf(" %s", done(msgsnd(id, &message, 8192, IPC_NOWAIT)));
    printf(" %s", done(msgsnd(id, &message, 8192 - 304, IPC_NOWAIT)));
    printf(" %s", done(msgsnd(id, &message, 1, IPC_NOWAIT)));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(msgsnd(id, &message, 100, 0) == 0 ? 41 : 42);
    usleep(50000);
    msgrcv(id, &message, 8192, 5, 0);
    printf(", sender %d", wait_for(child));
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0);
    ualarm(30000, 30000);
    printf(", interrupted %s", done(msgsnd(id, &message, 8192, 0)));
    printf(" %s", done(msgrcv(id, &message, 8192, 77, 0)));
    ualarm(0, 0);
    int ok = 1, count = 0;
    long length;
    while ((length = msgrcv(id, &message, 8192, 0, IPC_NOWAIT)) >= 0)
    {
        for (int index = 0; index < length; index++)
            ok &= message.text[index] == 'x';
        count++;
    }
    printf(", drained %d %d\n", count, ok);

    child = fork();
    if (child == 0)
    {
        long sum = 0;
        for (int index = 0; index < 200; index++)
        {
            msgrcv(id, &message, 8192, 9, 0);
            sum += message.text[0];
        }
        _exit(sum == 200 * 'm' ? 51 : 52);
    }
    for (int index = 0; index < 200; index++)
    {
        message.type = 9;
        memset(message.text, 'm', 1000);
        msgsnd(id, &message, 1000, 0);
    }
    printf("many: %d", wait_for(child));
    status.msg_qbytes = 100;
    status.msg_perm.mode = 0400;
    status.msg_perm.uid = geteuid();
    status.msg_perm.gid = getegid();
    printf(", set %s", done(msgctl(id, IPC_SET, &status)));
    status.msg_perm.uid = -1;
    printf(", to nobody %s", done(msgctl(id, IPC_SET, &status)));
    msgctl(id, IPC_STAT, &status);
    printf(" %o %ld", status.msg_perm.mode, (long)status.msg_qbytes);
    fflush(stdout);
    child = fork();
    if (child == 0)
    {
        msgrcv(id, &message, 8192, 0, 0);
        _exit(errno == EIDRM ? 61 : 62);
    }
    usleep(50000);
    printf(", remove %s", done(msgctl(id, IPC_RMID, 0)));
    printf(", receiver %d", wait_for(child));
    printf(", then %s\n", done(msgrcv(id, &message, 8192, 0, IPC_NOWAIT)));
}

/* The line of an object in /proc/sysvipc, without what differs from run to run. */
static void line_of(const char *table, int id)
{
    char path[64], line[400];
    snprintf(path, sizeof path, "/proc/sysvipc/%s", table);
    FILE *file = fopen(path, "r");
    fgets(line, sizeof line, file);
    printf("%s", line);
    while (fgets(line, sizeof line, file))
    {
        long key, found, perms, first, second;
        int columns = sscanf(line, "%ld %ld %lo %ld %ld", &key, &found, &perms, &first, &second);
        if (found == id)
            printf("%s: %d columns, key %ld, %lo, %ld, %d, rights at %d\n", table, columns, key, perms, first, (int)strlen(line) > 80, line[24] != ' ');
    }
    fclose(file);
}

static void texts(void)
{
    int segment = shmget(-5, 3 * PAGE, IPC_CREAT | 0604), set = semget(IPC_PRIVATE, 7, 0604), queue = msgget(KEY, IPC_CREAT | 0602);
    struct message message = {1, ""};
    msgsnd(queue, &message, 33, 0);
    line_of("shm", segment);
    line_of("sem", set);
    line_of("msg", queue);
    shmctl(segment, IPC_RMID, 0);
    semctl(set, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, 0);
}

static void strangers(void)
{
    int segment = shmget(IPC_PRIVATE, PAGE, 0604), set = semget(IPC_PRIVATE, 1, 0604), queue = msgget(IPC_PRIVATE, 0602);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        struct message message = {1, ""};
        if (geteuid() == 0 && (setgid(12345) || setuid(12345)))
            _exit(1);
        printf("strangers: attach %s", attached(shmat(segment, 0, 0)));
        printf(" %s", attached(shmat(segment, 0, SHM_RDONLY)));
        printf(", remove %s", done(shmctl(segment, IPC_RMID, 0)));
        printf(" %s", done(semctl(set, 0, IPC_RMID)));
        printf(" %s", done(msgctl(queue, IPC_RMID, 0)));
        printf(", value %s", done(semctl(set, 0, GETVAL)));
        printf(", post %s", done(operate(set, 0, 1, 0)));
        printf(", send %s", done(msgsnd(queue, &message, 1, 0)));
        printf(", receive %s\n", done(msgrcv(queue, &message, 1, 0, 0)));
        fflush(stdout);
        _exit(0);
    }
    wait_for(child);
    shmctl(segment, IPC_RMID, 0);
    semctl(set, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, 0);
}

int main(int argc, char **argv)
{
    (void)argv;
    setbuf(stdout, 0);
    if (argc == 2)
    {
        printf("executed: %ld\n", attaches(atoi(getenv("ID"))));
        return 0;
    }
    alarm(100);
    segments();
    semaphores();
    queues();
    texts();
    strangers();
    return 0;
}

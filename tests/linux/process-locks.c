/* Locks that processes share: mutexes, conditions, barriers, semaphores and bare futexes in memory that several address spaces map, by fork and by
 * mappings of their own at other addresses; owners that die. Prints the same lines on every Linux. Runs in its working directory.
 * gcc -O1 -static -pthread -o process-locks process-locks.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "results.h"

enum { PAGE = 4096, WORKERS = 6, ROUNDS = 300, HEIRS = 40 };

struct shared
{
    pthread_mutex_t mutex;
    pthread_mutex_t robust;
    pthread_mutex_t inherits;
    pthread_cond_t changed;
    pthread_barrier_t barrier;
    sem_t items, room;
    long counter, sum, turn, passed;
    int word, other, waiting, owners;
};

static long futex(int *word, int operation, int value, void *argument, int *second, int third)
{
    long result = syscall(SYS_futex, word, operation, value, argument, second, third);
    return result < 0 ? -errno : result;
}

static void init_mutex(pthread_mutex_t *mutex, int robust, int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (robust)
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_init(mutex, &attributes);
}

static void init(struct shared *shared)
{
    memset(shared, 0, sizeof *shared);
    init_mutex(&shared->mutex, 0, PTHREAD_PRIO_NONE);
    init_mutex(&shared->robust, 1, PTHREAD_PRIO_NONE);
    init_mutex(&shared->inherits, 1, PTHREAD_PRIO_INHERIT);
    pthread_condattr_t condition;
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->changed, &condition);
    pthread_barrierattr_t barrier;
    pthread_barrierattr_init(&barrier);
    pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &barrier, WORKERS);
    sem_init(&shared->items, 1, 0);
    sem_init(&shared->room, 1, 3);
}

/* A process gets its own mapping of the file, somewhere else, or goes on with the one it has inherited. */
static struct shared *mine(struct shared *inherited, int file)
{
    if (file < 0)
        return inherited;
    struct shared *own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, PAGE);
    munmap(inherited, PAGE);
    return own;
}

static void work(struct shared *shared, int worker)
{
    for (int round = 0; round < ROUNDS; round++)
    {
        pthread_mutex_lock(&shared->mutex);
        long before = shared->counter;
        if (round % 16 == 0)
            sched_yield();
        shared->counter = before + 1;
        pthread_mutex_unlock(&shared->mutex);
        pthread_mutex_lock(&shared->inherits);
        before = shared->sum;
        if (round % 16 == 0)
            sched_yield();
        shared->sum = before + 2;
        pthread_mutex_unlock(&shared->inherits);
    }
    for (int round = 0; round < 5; round++)
    {
        pthread_mutex_lock(&shared->mutex);
        while (shared->turn % WORKERS != worker)
            pthread_cond_wait(&shared->changed, &shared->mutex);
        shared->turn++;
        pthread_cond_broadcast(&shared->changed);
        pthread_mutex_unlock(&shared->mutex);
    }
    if (pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        shared->passed = shared->turn;
    if (pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        shared->passed += 1000;
    if (worker % 2 == 0)
        for (int round = 0; round < ROUNDS; round++)
        {
            sem_wait(&shared->room);
            sem_post(&shared->items);
        }
    else
        for (int round = 0; round < ROUNDS; round++)
        {
            sem_wait(&shared->items);
            sem_post(&shared->room);
        }
}

static void locks(const char *name, struct shared *shared, int file)
{
    init(shared);
    pid_t workers[WORKERS];
    for (int worker = 0; worker < WORKERS; worker++)
        if ((workers[worker] = fork()) == 0)
        {
            work(mine(shared, file), worker);
            _exit(worker);
        }
    int ends = 0;
    for (int worker = 0; worker < WORKERS; worker++)
        ends += wait_for(workers[worker]);
    int items, room;
    sem_getvalue(&shared->items, &items);
    sem_getvalue(&shared->room, &room);
    printf("%s: %d; mutexes %ld %ld, condition %ld, barrier %ld, semaphores %d %d\n", name, ends, shared->counter, shared->sum, shared->turn, shared->passed,
           items, room);
    fflush(stdout);
}

static const char *name_of(int error)
{
    return error == 0 ? "0" : error == EOWNERDEAD ? "EOWNERDEAD" : error == ENOTRECOVERABLE ? "ENOTRECOVERABLE" : strerror(error);
}

/* The owner ends with the lock, or is killed, while another process waits for it. */
static void deaths(const char *name, struct shared *shared, pthread_mutex_t *mutex, int kills)
{
    shared->waiting = shared->other = 0;
    pid_t owner = fork();
    if (owner == 0)
    {
        pthread_mutex_lock(mutex);
        __atomic_store_n(&shared->waiting, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&shared->other, __ATOMIC_SEQ_CST) == 0)
            usleep(1000);
        usleep(50000);
        if (kills)
            kill(getpid(), SIGKILL);
        _exit(3);
    }
    while (__atomic_load_n(&shared->waiting, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    pid_t waiter = fork();
    if (waiter == 0)
    {
        __atomic_store_n(&shared->other, 1, __ATOMIC_SEQ_CST);
        int error = pthread_mutex_lock(mutex);
        int mended = pthread_mutex_consistent(mutex);
        int again = pthread_mutex_trylock(mutex);
        int given = pthread_mutex_unlock(mutex);
        printf("%s: waiter %s, consistent %s, again %s, unlock %s\n", name, name_of(error), name_of(mended), again == EBUSY || again == EDEADLK ? "busy" : name_of(again), name_of(given));
        fflush(stdout);
        pthread_mutex_lock(mutex);
        _exit(0);
    }
    printf("%s: owner %d", name, wait_for(owner));
    int ended = wait_for(waiter);
    int error = pthread_mutex_lock(mutex);
    int given = pthread_mutex_unlock(mutex);
    int lost = pthread_mutex_lock(mutex);
    printf(", waiter %d; then %s, unlock %s, lock %s\n", ended, name_of(error), name_of(given), name_of(lost));
    fflush(stdout);
}

/* Each owner ends with the lock, while some wait for it and others come: one after the other has it, and all but the first hear of a death. */
static void heirs(struct shared *shared)
{
    pid_t children[HEIRS];
    for (int child = 0; child < HEIRS; child++)
        if ((children[child] = fork()) == 0)
        {
            usleep(child * 100);
            int error = pthread_mutex_lock(&shared->inherits);
            int is_only = __atomic_add_fetch(&shared->owners, 1, __ATOMIC_SEQ_CST) == 1;
            pthread_mutex_consistent(&shared->inherits);
            usleep(300);
            __atomic_sub_fetch(&shared->owners, 1, __ATOMIC_SEQ_CST);
            _exit(!is_only ? 3 : error == 0 ? 1 : error == EOWNERDEAD ? 2 : 4);
        }
    int ends[5] = {0};
    for (int child = 0; child < HEIRS; child++)
        ends[wait_for(children[child]) % 5]++;
    printf("heirs: first %d, others %d, beside another %d, errors %d\n", ends[1], ends[2], ends[3], ends[4] + ends[0]);
    fflush(stdout);
}

static void *wait_at(void *word)
{
    struct timespec limit = {20, 0};
    return (void *)futex(word, FUTEX_WAIT, 7, &limit, 0, 0);
}

/* One page, two addresses in one process; and a key that is private to the space. */
static void futexes(struct shared *one, int file)
{
    struct shared *two = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, PAGE);
    one->word = 7;
    pthread_t waiter;
    void *result;
    long woken;
    pthread_create(&waiter, 0, wait_at, &one->word);
    while ((woken = futex(&two->word, FUTEX_WAKE, 1, 0, 0, 0)) == 0)
        usleep(1000);
    pthread_join(waiter, &result);
    printf("by another address: %ld, %ld\n", woken, (long)result);

    pthread_create(&waiter, 0, wait_at, &one->word);
    usleep(100000);
    woken = futex(&two->word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    while (futex(&two->word, FUTEX_CMP_REQUEUE, 0, (void *)1L, &two->other, 7) == 0)
        usleep(1000);
    long old = futex(&one->word, FUTEX_WAKE, 1, 0, 0, 0);
    long moved = futex(&one->other, FUTEX_WAKE, INT_MAX, 0, 0, 0);
    pthread_join(waiter, &result);
    printf("private wake: %ld; moved away: %ld %ld, %ld\n", woken, old, moved, (long)result);

    int *own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, PAGE);
    own[1000] = 1;
    pthread_create(&waiter, 0, wait_at, &one->word);
    usleep(100000);
    int *same = own + ((int *)&one->word - (int *)one);
    woken = futex(same, FUTEX_WAKE, 1, 0, 0, 0);
    while (futex(&two->word, FUTEX_WAKE_OP, 0, (void *)1L, &one->word, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 7)) == 0)
        one->word = 7;
    pthread_join(waiter, &result);
    printf("private page: %ld; woken by operation: %ld, %d\n", woken, (long)result, two->word >= 7);

    one->word = 7;
    pid_t child = fork();
    if (child == 0)
    {
        int ready = futex(&two->word, FUTEX_WAIT, 7, 0, 0, 0) == 0;
        _exit(ready ? 5 : 6);
    }
    while (futex(&one->word, FUTEX_WAKE, 1, 0, 0, 0) == 0)
        usleep(1000);
    printf("child: %d\n", wait_for(child));
    munmap(two, PAGE);
}

/* The address that a thread of another process's memory clears at its end. */
static int cleared(void *argument)
{
    (void)argument;
    return 9;
}

static void clears(struct shared *shared)
{
    static char stack[65536];
    shared->word = 1;
    pid_t child = clone(cleared, stack + sizeof stack, CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, 0, 0, 0, &shared->word);
    int word;
    while ((word = __atomic_load_n(&shared->word, __ATOMIC_SEQ_CST)) != 0)
        futex(&shared->word, FUTEX_WAIT, word, 0, 0, 0);
    printf("cleared: %d, %d\n", shared->word, wait_for(child));
}

int main(void)
{
    alarm(120);
    struct shared *anonymous = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    locks("anonymous", anonymous, -1);
    int file = open("locks", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(file, 2 * PAGE);
    struct shared *mapped = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, PAGE);
    locks("file", mapped, file);
    for (int kills = 0; kills < 2; kills++)
    {
        init(anonymous);
        deaths(kills ? "robust, killed" : "robust", anonymous, &anonymous->robust, kills);
        init(mapped);
        deaths(kills ? "inherits, killed" : "inherits", mapped, &mapped->inherits, kills);
    }
    init(mapped);
    heirs(mapped);
    futexes(mapped, file);
    clears(anonymous);
    close(file);
    unlink("locks");
    return 0;
}

// What a page costs, seen from a program on the rack: bare trap, first touch, ExCache miss with a clean and with a dirty victim, and the
// raw link's echo of a page as the floor; and short calls: a null call, one byte read and one written, a name that does not exist, a page
// of a file written, a switch to another process and a thread made and joined. One line per figure on standard output: "BENCH name_ns
// median". Run by `./lego bench fetch` and `./lego bench instructions`, which boot the processor component with bench=on; that enables the private system call below
// (monitors/processor/linux/BenchCalls.cs).
//
// usage: fetch EXCACHE_MB
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BenchCall = 19527, EchoPages = 0, ArmTrap = 1, RawEchoPages = 2 };
enum { PageBytes = 4096, Samples = 4000, RegionFactor = 4 };

static uint64_t samples[Samples];

static inline uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static double ns_per_tick(void)
{
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    uint64_t first = ticks();
    double elapsed;
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        elapsed = (now.tv_sec - start.tv_sec) * 1e9 + (now.tv_nsec - start.tv_nsec);
    } while (elapsed < 100e6);
    return elapsed / (ticks() - first);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double report(const char *name, int count, double scale)
{
    qsort(samples, count, sizeof samples[0], ascending);
    double median = count ? samples[count / 2] * scale : 0;
    printf("BENCH %s_ns %.0f\n", name, median);
    fflush(stdout);
    return median;
}

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// Random pages, read or written, timed one by one; an access that took less than half a trap was a hit and does not count.
static void misses(const char *name, volatile char *region, size_t pages, int write, double scale, uint64_t hit_limit)
{
    int count = 0;
    for (long tries = 0; count < Samples && tries < 20L * Samples; tries++) {
        volatile char *page = region + next_random() % pages * PageBytes;
        uint64_t start = ticks();
        if (write)
            *page = 1;
        else
            (void)*page;
        uint64_t took = ticks() - start;
        if (took > hit_limit)
            samples[count++] = took;
    }
    report(name, count, scale);
}

// Times an operation, which gives a value that is true if it has failed.
#define SAMPLE(name, scale, failed)              \
    do {                                         \
        for (int i_ = 0; i_ < Samples; i_++) {   \
            uint64_t start_ = ticks();           \
            if (failed)                          \
                exit(1);                         \
            samples[i_] = ticks() - start_;      \
        }                                        \
        report(name, Samples, scale);            \
    } while (0)

// The shortest calls: what entering and leaving the kernel costs, without and with a descriptor and a byte of the program's memory.
static void calls(double scale)
{
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    char byte = 0;
    struct stat status;
    SAMPLE("null_call", scale, syscall(SYS_getppid) < 0);
    SAMPLE("read_byte", scale, read(zero, &byte, 1) != 1);
    SAMPLE("write_byte", scale, write(null, &byte, 1) != 1);
    SAMPLE("missing_name", scale, stat("/tmp/no such name", &status) == 0);
    close(zero);
    close(null);
}

// Pages of a file that has them all.
static void file_pages(double scale)
{
    enum { FilePages = 64 };
    static char page[PageBytes];
    int file = open("/tmp/fetch.data", O_RDWR | O_CREAT | O_TRUNC, 0644), at = 0;
    for (int i = 0; i < FilePages; i++)
        if (write(file, page, PageBytes) != PageBytes)
            exit(1);
    SAMPLE("read_page", scale, pread(file, page, PageBytes, at++ % FilePages * PageBytes) != PageBytes);
    SAMPLE("write_page", scale, pwrite(file, page, PageBytes, at++ % FilePages * PageBytes) != PageBytes);
    close(file);
    unlink("/tmp/fetch.data");
}

static void *do_nothing(void *argument) { return argument; }

static int run_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0;
}

// To another process that only yields, and back: two switches.
static void threads(double scale)
{
    SAMPLE("thread", scale, run_thread());
    pid_t child = fork();
    if (child == 0)
        for (;;)
            sched_yield();
    SAMPLE("yield", scale, sched_yield() != 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    size_t excache = (argc > 1 ? strtoul(argv[1], 0, 0) : 16) << 20;
    size_t pages = excache * RegionFactor / PageBytes;
    double scale = ns_per_tick();

    long echo = syscall(BenchCall, EchoPages, Samples);
    if (echo < 0) {
        fprintf(stderr, "fetch: the processor component was not booted with bench=on\n");
        return 2;
    }
    printf("BENCH rpc_echo_ns %ld\n", echo);
    long raw = syscall(BenchCall, RawEchoPages, Samples);
    if (raw >= 0) // A link within one machine has no bare echo.
        printf("BENCH echo_ns %ld\n", raw);

    static volatile char trapped[2 * PageBytes];
    volatile char *page = (volatile char *)(((uintptr_t)trapped + PageBytes - 1) & ~(uintptr_t)(PageBytes - 1));
    *page = 1;
    for (int i = 0; i < Samples; i++) {
        syscall(BenchCall, ArmTrap, page);
        uint64_t start = ticks();
        *page = 1;
        samples[i] = ticks() - start;
    }
    double trap = report("trap", Samples, scale);
    calls(scale);
    file_pages(scale);
    threads(scale);
    uint64_t hit_limit = trap / scale / 2;

    volatile char *region = mmap(0, pages * PageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) {
        perror("fetch: mmap");
        return 1;
    }
    size_t fresh = excache / PageBytes / 4 < Samples ? excache / PageBytes / 4 : Samples;
    for (size_t i = 0; i < fresh; i++) {
        uint64_t start = ticks();
        region[i * PageBytes] = 1;
        samples[i] = ticks() - start;
    }
    report("first_touch", fresh, scale);

    for (size_t i = 0; i < pages; i++)
        region[i * PageBytes] = 1;
    // Two read passes leave only clean pages resident.
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < pages; i++)
            (void)region[i * PageBytes];
    misses("miss_clean", region, pages, 0, scale, hit_limit);
    // Two write passes leave only dirty ones.
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < pages; i++)
            region[i * PageBytes] = 1;
    misses("miss_dirty", region, pages, 1, scale, hit_limit);
    puts("BENCH done");
    return 0;
}

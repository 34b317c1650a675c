/*
 * tracer: a seeded sequence of page accesses in chosen sets of the ExCache, for comparing its victims with a model on the host.
 *
 *   tracer SETS FIRST COUNT TAGS ACCESSES WRITEPERCENT SEED          (all decimal)
 *
 * The ExCache has SETS sets; set of an address = (address >> 12) mod SETS. The program accesses pages of the sets FIRST .. FIRST+COUNT-1 only,
 * TAGS different pages in each. Access number i uses r = splitmix64 output i of SEED (the state starts at SEED):
 *   set = FIRST + (r & 0xffff) % COUNT,  tag = (r >> 16 & 0xffff) % TAGS,  write when (r >> 32 & 0xffff) % 100 < WRITEPERCENT
 *   page address = 0x100000000000 + (tag * SETS + set) * 4096
 * The first access to a page is always a first touch. A write stores the page's number + 1; a read must find 0 or that.
 * It has no libc, so its own pages are few: its code (at 0x401000), its stack's top, and whatever the kernel's start of a program touches.
 * Choose FIRST so that the code lies in other sets. The stack lies where the kernel put it; when that is in a chosen set, nothing is done and
 * the exit status is 3: run it again. Prints "ok ACCESSES" or "bad"; exit status 0 or 1.
 *
 * gcc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -o tracer tracer.c
 */
#include <stdint.h>

/* Upper bounds of the stack's depth and of an argument's length. */
enum { FRAMES = 512, ARGUMENT = 32 };

enum { SYS_WRITE = 1, SYS_MMAP = 9, SYS_EXIT = 60, PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS_FIXED = 0x32, SIZE = 7 };

#define BASE 0x100000000000u

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (uint64_t)(*text++ - '0');
    return value;
}

static uint64_t next(uint64_t *state)
{
    uint64_t value = *state += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* Texts are built on the stack: a string constant would be one more page. */
static __attribute__((noreturn)) void finish(int good, uint64_t accesses)
{
    char text[32], *at = text + sizeof text;
    *--at = '\n';
    if (good) {
        do {
            *--at = (char)('0' + accesses % 10);
        } while ((accesses /= 10) != 0);
        *--at = ' ';
        *--at = 'k';
        *--at = 'o';
    } else {
        *--at = 'd';
        *--at = 'a';
        *--at = 'b';
    }
    call(SYS_WRITE, 1, (long)at, text + sizeof text - at, 0, 0, 0);
    for (;;)
        call(SYS_EXIT, good ? 0 : 1, 0, 0, 0, 0, 0);
}

/* True when a page of the stack that this program touches lies in a chosen set: from its deepest frame to its last argument. */
static int collides(uint64_t low, uint64_t high, uint64_t sets, uint64_t first, uint64_t count)
{
    for (uint64_t page = low / 4096; page <= high / 4096; page++)
        if (page % sets >= first && page % sets < first + count)
            return 1;
    return 0;
}

__attribute__((noreturn, used)) static void run(long *stack)
{
    uint64_t v[SIZE];
    if (stack[0] != SIZE + 1)
        finish(0, 0);
    for (int index = 0; index < SIZE; index++)
        v[index] = number((const char *)stack[index + 2]);
    uint64_t sets = v[0], first = v[1], count = v[2], tags = v[3], accesses = v[4], write_percent = v[5], state = v[6];
    if (sets == 0)
        finish(0, 0);
    while (collides((uint64_t)stack - FRAMES, (uint64_t)stack[SIZE + 1] + ARGUMENT, sets, first, count))
        call(SYS_EXIT, 3, 0, 0, 0, 0, 0);
    long bytes = (long)(tags * sets * 4096);
    if (count == 0 || tags == 0 || first + count > sets
        || call(SYS_MMAP, BASE, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED, -1, 0) != (long)BASE)
        finish(0, 0);
    for (uint64_t step = 0; step < accesses; step++) {
        uint64_t r = next(&state);
        uint64_t page = (r >> 16 & 0xffff) % tags * sets + first + (r & 0xffff) % count;
        volatile uint64_t *word = (volatile uint64_t *)(BASE + page * 4096);
        if ((r >> 32 & 0xffff) % 100 < write_percent) {
            *word = page + 1;
        } else {
            uint64_t found = *word;
            if (found != 0 && found != page + 1)
                finish(0, 0);
        }
    }
    finish(1, accesses);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");

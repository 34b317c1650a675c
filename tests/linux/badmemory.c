/*
 * badmemory: does one forbidden thing, by argument, and must die of it alone. The expected signal, as a shell shows it (128 + number):
 *
 *   null        reads address 0                            SIGSEGV 139
 *   wild        writes an address that is not mapped       SIGSEGV 139
 *   kernel      reads an address of the kernel half        SIGSEGV 139
 *   noncanonical  reads an address that no x86-64 page has SIGSEGV 139
 *   readonly    writes its own code                        SIGSEGV 139
 *   noexec      jumps into a data page                     SIGSEGV 139
 *   jumpnull    calls address 0                            SIGSEGV 139
 *   stack       recurses without end                       SIGSEGV 139
 *   badstack    faults with a stack pointer that is wild   SIGSEGV 139
 *   privileged  executes hlt                               SIGSEGV 139
 *   port        reads an I/O port                          SIGSEGV 139
 *   msr         reads a model-specific register            SIGSEGV 139
 *   illegal     executes ud2                               SIGILL  132
 *   divide      divides by zero                            SIGFPE  136
 *   breakpoint  executes int3                              SIGTRAP 133
 *   abort       calls abort()                              SIGABRT 134
 *
 * gcc -O1 -static -o badmemory badmemory.c        usage: badmemory WHAT       (exit status 1: it survived)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile char sink;
static unsigned char data_page[4096] __attribute__((aligned(4096))) = { 0xc3 };

static void null(void) { sink = *(volatile char *)0; }
static void wild(void) { *(volatile char *)0x123456789000 = 1; }
static void kernel(void) { sink = *(volatile char *)0xffff800000000000; }
static void noncanonical(void) { sink = *(volatile char *)0x1234567800000000; }
static void readonly(void) { *(volatile char *)(void *)&readonly = (char)0xc3; }
static void noexec(void) { ((void (*)(void))(void *)data_page)(); }
static void jumpnull(void) { ((void (*)(void))(void *)(size_t)sink)(); }
static void badstack(void) { __asm__ volatile("mov $0x1000, %%rsp; push %%rax" ::: "memory"); }
static void privileged(void) { __asm__ volatile("hlt"); }
static void port(void) { __asm__ volatile("inb $0x60, %%al" ::: "rax"); }
static void msr(void) { __asm__ volatile("rdmsr" :: "c"(0xc0000080) : "rax", "rdx"); }
static void illegal(void) { __asm__ volatile("ud2"); }
static void divide(void) { __asm__ volatile("div %0" :: "r"(0) : "rax", "rdx", "cc"); }
static void breakpoint(void) { __asm__ volatile("int3"); }

static int deeper(int depth)
{
    volatile char frame[1024];
    frame[depth & 1023] = (char)depth;
    return deeper(depth + 1) + frame[0];
}

static void stack(void) { sink = (char)deeper(0); }

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    { "null", null }, { "wild", wild }, { "kernel", kernel }, { "noncanonical", noncanonical }, { "readonly", readonly },
    { "noexec", noexec }, { "jumpnull", jumpnull }, { "stack", stack }, { "badstack", badstack }, { "privileged", privileged },
    { "port", port }, { "msr", msr }, { "illegal", illegal }, { "divide", divide }, { "breakpoint", breakpoint }, { "abort", abort },
};

int main(int argc, char **argv)
{
    for (size_t index = 0; argc == 2 && index < sizeof acts / sizeof *acts; index++) {
        if (strcmp(argv[1], acts[index].name) == 0) {
            printf("about to: %s\n", argv[1]);
            fflush(stdout);
            acts[index].act();
            printf("survived: %s\n", argv[1]);
            return 1;
        }
    }
    fprintf(stderr, "usage: badmemory WHAT, one of:");
    for (size_t index = 0; index < sizeof acts / sizeof *acts; index++)
        fprintf(stderr, " %s", acts[index].name);
    fprintf(stderr, "\n");
    return 2;
}

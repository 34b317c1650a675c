/* A program that may lie anywhere and has no dynamic linker: it relocates itself.
 * gcc -O1 -static-pie -o pie pie.c
 */
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

static int (*const relocated)(const char *) = puts;

int main(int count, char **words)
{
    (void)words;
    relocated("relocated");
    char *heap = sbrk(0);
    printf("%d AT_BASE %lu, grows %d\n", count, getauxval(AT_BASE), sbrk(1 << 20) == heap && (heap[(1 << 20) - 1] = 1));
    return 3;
}

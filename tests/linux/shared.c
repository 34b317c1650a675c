/* The library of dynamic.c: state, a table that is relocated, zeros behind the data's last page, a variable of each thread.
 * DynamicProgramTests.cs compiles it as libown.so and as libloaded.so.
 */
#include <stddef.h>

static int calls;
static char zeros[70000];
static const char *name = "not constructed";
int shared_table[3] = { 1, 2, 3 };
__thread int shared_local = 9;

__attribute__((constructor)) static void construct(void)
{
    name = "constructed";
    shared_table[1] = 20;
}

int shared_calls(void)
{
    return ++calls;
}

int shared_zeros(void)
{
    int sum = 0;
    for (size_t index = 0; index < sizeof zeros; index++) {
        sum += zeros[index];
    }
    return sum;
}

const char *shared_name(void)
{
    return name;
}

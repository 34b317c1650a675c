/* What CPUID offers, runs: many libraries look at its bits alone and not at what the kernel saves. The same line on Linux and on a rack.
 * gcc -O1 -static -o vectors vectors.c
 */
#include <cpuid.h>
#include <stdio.h>

int main(void)
{
	unsigned a, b, c, d, extended = 0, wide = 0;

	__get_cpuid(1, &a, &b, &c, &d);
	__get_cpuid_count(7, 0, &a, &extended, &wide, &d);
	if (c & bit_SSE4_2)
		__asm__ volatile("pcmpgtq %%xmm0, %%xmm0" ::: "xmm0");
	if (c & bit_PCLMUL)
		__asm__ volatile("pclmulqdq $0, %%xmm0, %%xmm0" ::: "xmm0");
	if (c & bit_AES)
		__asm__ volatile("aesenc %%xmm0, %%xmm0" ::: "xmm0");
	if (c & bit_AVX)
		__asm__ volatile("vxorps %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" ::: "xmm0");
	if (c & bit_FMA)
		__asm__ volatile("vfmadd213ps %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" ::: "xmm0");
	if (c & bit_F16C)
		__asm__ volatile("vcvtph2ps %%xmm0, %%ymm0\n\tvzeroupper" ::: "xmm0");
	if (extended & bit_AVX2)
		__asm__ volatile("vpaddd %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" ::: "xmm0");
	if (wide & bit_VAES)
		__asm__ volatile("vaesenc %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" ::: "xmm0");
	if (wide & bit_VPCLMULQDQ)
		__asm__ volatile("vpclmulqdq $0, %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" ::: "xmm0");
	printf("what CPUID offers, runs\n");
	return 0;
}

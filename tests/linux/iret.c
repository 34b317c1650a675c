/*
 * iret: executes IRETQ in user mode with a stack whose words are no frame. It must end by a signal; QEMU's emulation reads the program's stack
 * with the kernel's rights there, which SMAP refuses each time it is tried again.
 * gcc -O1 -static -o iret iret.c
 */
int main(void)
{
	__asm__ volatile("sub $64, %rsp; iretq");
	return 0;
}

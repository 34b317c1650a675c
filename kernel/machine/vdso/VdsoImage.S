# The finished vDSO among the kernel's constants, a page of its own.
	.intel_syntax noprefix

	.section .rodata.vdso, "a", @progbits
	.balign 4096
VdsoImageStart:
	.incbin "vdso.so"
	# The assembler refuses to go backwards, so a vDSO larger than its page ends the build.
	.org VdsoImageStart + 4096

	.text
	.global VdsoImage
	.type VdsoImage, @function
# byte* VdsoImage()
VdsoImage:
	lea rax, VdsoImageStart
	ret

# What the library's code needs of a process of the host in the place of what an image's has of the machine.
	.intel_syntax noprefix
	.text

	.macro Function name
	.align 16
	.global \name
	.type \name, @function
\name:
	.endm

# The linker makes the symbol: where the section of module headers begins.
Function ModuleHeaderAddress
	lea rax, [rip + __start___modules]
	mov rax, [rax]
	ret

# 64 KB for objects that belong to no node.
Function StaticsArena
	lea rax, [rip + Arena]
	ret

# void WriteError(byte* text, nuint length): write(2, text, length), past any C library.
Function WriteError
	mov rdx, rsi
	mov rsi, rdi
	mov edi, 2
	mov eax, 1
	syscall
	ret

# An invalid instruction: SIGILL, which a debugger shows and a test sees.
Function EndProcess
	ud2

Function StackCookieDamaged
	ud2

	.bss
	.align 16
Arena:
	.skip 65536

# What ilc's code calls by name, for a library in a process of the host (kernel/machine/Instructions.S has the images').
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

Function RhpReversePInvoke
	ret

Function RhpReversePInvokeReturn
	ret

# No garbage collector: reference stores are plain stores (rdi = destination, rsi = value).
Function RhpAssignRef
	mov [rdi], rsi
	ret

Function RhpCheckedAssignRef
	mov [rdi], rsi
	ret

Function RhpByRefAssignRef
	movsq
	ret

# Frames above a page touch each page of the new frame in order (r11 = new stack pointer, kept).
Function RhpStackProbe
	push rax
	lea rax, [rsp + 8]
1:	sub rax, 4096
	test [rax], eax
	cmp rax, r11
	ja 1b
	pop rax
	ret

# A damaged stack cookie (ilc emits the check around stackalloc).
Function RhpFallbackFailFast
	ud2

	.data
	.global __security_cookie
	.hidden __security_cookie
	.align 8
__security_cookie:
	.quad 0x2B992DDFA23249D6

	.bss
	.align 16
Arena:
	.skip 65536

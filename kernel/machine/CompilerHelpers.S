# What ilc's code calls by name; images and the network stack's library (tools/netstack) have the same.
	.intel_syntax noprefix
	.text

	.macro Function name
	.align 16
	.global \name
	.type \name, @function
\name:
	.endm

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

# Frames above a page touch each page of the new frame, so that a guard page is hit in order (r11 = new stack pointer, kept).
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
	jmp StackCookieDamaged

	.data
	.global __security_cookie
	.hidden __security_cookie
	.align 8
__security_cookie:
	.quad 0x2B992DDFA23249D6

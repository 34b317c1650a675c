# Entries from traps, interrupts and SYSCALL into C#, and the ways back. Every entry builds the same UserContext (UserContext.cs):
# the XMM registers that C# code uses (ilc cannot be told to leave SSE alone, but it touches only XMM0 and XMM8: boot/link.sh checks that), the
# general registers, vector, error code, and the CPU's IRETQ frame. The other XMM registers keep the program's values while the kernel runs.
# The System V ABI wants rsp % 16 == 0 at each call: the CPU aligns the stack before it pushes its five words (SDM vol. 3, 6.14.2), two more
# and 15 registers make 22 words, a multiple of 16 bytes. Kernel code uses no x87 and leaves MXCSR and the upper halves of YMM alone.
	.intel_syntax noprefix

	.equ UserDataSelector, 0x1B
	.equ UserCodeSelector, 0x23
	.equ SystemCallVector, 256
	.equ CpuKernelStack, 8			# CpuLocal.KernelStackTop
	.equ CpuUserStack, 16			# CpuLocal.UserStackPointer
	.equ CpuCurrent, 32			# CpuLocal.Current
	.equ XmmBytes, 32
	.equ ContextRip, XmmBytes + 17 * 8
	.equ ContextCs, ContextRip + 8

	.macro SaveVectors
	sub rsp, XmmBytes
	movups [rsp], xmm0
	movups [rsp + 16], xmm8
	.endm

	.macro RestoreVectors
	movups xmm0, [rsp]
	movups xmm8, [rsp + 16]
	add rsp, XmmBytes
	.endm

	.macro SaveGeneral
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	.endm

	.macro RestoreGeneral
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	.endm

	.text
# One stub per vector; the CPU pushes an error code for some (SDM vol. 3, table 6-1), the others push 0.
	.altmacro
	.macro Stub vector
	.align 16
	.if (\vector == 8) || (\vector == 10) || (\vector == 11) || (\vector == 12) || (\vector == 13) || (\vector == 14) || (\vector == 17) || (\vector == 21)
	.else
	push 0
	.endif
	push \vector
	jmp TrapCommon
	.endm
	.align 16
	.global TrapStubs
TrapStubs:
	.set vector, 0
	.rept 256
	Stub %vector
	.set vector, vector + 1
	.endr

TrapCommon:
	SaveGeneral
	test byte ptr [rsp + 18 * 8], 3		# cs: from ring 3?
	jz 1f
	swapgs
1:	cld
	# A program's AC flag would switch SMAP off in here. SYSCALL clears it by IA32_FMASK, interrupt gates do not; Processors.ClearAccessFlagInTraps
	# makes this no-operation a CLAC where the CPU has it.
	.global TrapAccessFlag
TrapAccessFlag:
	.byte 0x0F, 0x1F, 0x00
	SaveVectors
	mov rdi, rsp
	mov rsi, gs:[CpuCurrent]
	xor ebp, ebp
	call TrapEntry
	.global ReturnFromTrap
ReturnFromTrap:
	RestoreVectors
	test byte ptr [rsp + 18 * 8], 3
	jz 1f
	swapgs
1:	RestoreGeneral
	add rsp, 16
	iretq

# SYSCALL (SDM vol. 2): rcx = return address, r11 = rflags, rsp still the user's; IA32_FMASK has cleared IF, DF, TF and AC.
	.align 16
	.global SystemCallStub
SystemCallStub:
	swapgs
	mov gs:[CpuUserStack], rsp
	mov rsp, gs:[CpuKernelStack]
	push UserDataSelector
	push gs:[CpuUserStack]
	push r11
	push UserCodeSelector
	push rcx
	push 0
	push SystemCallVector
	SaveGeneral
	SaveVectors
	mov rdi, rsp
	mov rsi, gs:[CpuCurrent]
	xor ebp, ebp
	call SystemCallEntry
	RestoreVectors
	# SYSRET only when it restores exactly what IRETQ would: rcx and r11 as SYSCALL left them, and a canonical user rip (SYSRET with a
	# non-canonical rcx faults in ring 0 on Intel). A signal or exec changes them and takes the slow way.
	mov rcx, [rsp + 17 * 8]
	cmp rcx, [rsp + 13 * 8]
	jne 2f
	mov r11, [rsp + 19 * 8]
	cmp r11, [rsp + 4 * 8]
	jne 2f
	mov rdx, rcx
	shr rdx, 47
	jnz 2f
	RestoreGeneral
	mov rsp, [rsp + 5 * 8]
	swapgs
	sysretq
2:	swapgs
	RestoreGeneral
	add rsp, 16
	iretq

# void EnterUser(UserContext*): first entry of a thread into ring 3.
	.align 16
	.global EnterUser
EnterUser:
	mov rsp, rdi
	jmp ReturnFromTrap

# void SwitchStacks(ulong* saveStackPointer, ulong newStackPointer): the caller-saved registers are dead at a call, so six suffice.
	.align 16
	.global SwitchStacks
SwitchStacks:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

# Where a new thread starts: rbx = entry, r12 = argument (Scheduler.Spawn lays them out as SwitchStacks pops them).
	.align 16
	.global ThreadStart
ThreadStart:
	xor ebp, ebp
	mov rdi, r12
	call rbx
	call ThreadReturned
	ud2

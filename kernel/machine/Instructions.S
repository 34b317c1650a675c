# Instructions that C# cannot express, each a function of the System V ABI.
	.intel_syntax noprefix
	.text

	.macro Function name
	.align 16
	.global \name
	.type \name, @function
\name:
	.endm

Function ReadTimestamp
	rdtsc
	shl rdx, 32
	or rax, rdx
	ret

Function DisableInterrupts
	cli
	ret

# sti takes effect after the next instruction (SDM vol. 2), so no interrupt slips in between it and hlt.
Function HaltWithInterrupts
	sti
	hlt
	cli
	ret

Function AllowInterruptsOnce
	sti
	nop
	cli
	ret

Function HaltForever
	cli
1:	hlt
	jmp 1b

Function In8
	mov edx, edi
	xor eax, eax
	in al, dx
	ret

Function In16
	mov edx, edi
	xor eax, eax
	in ax, dx
	ret

Function In32
	mov edx, edi
	in eax, dx
	ret

Function Out8
	mov edx, edi
	mov eax, esi
	out dx, al
	ret

Function Out16
	mov edx, edi
	mov eax, esi
	out dx, ax
	ret

Function Out32
	mov edx, edi
	mov eax, esi
	out dx, eax
	ret

Function ReadMsr
	mov ecx, edi
	rdmsr
	shl rdx, 32
	or rax, rdx
	ret

Function WriteMsr
	mov ecx, edi
	mov eax, esi
	mov rdx, rsi
	shr rdx, 32
	wrmsr
	ret

# void Cpuid(uint leaf, uint subleaf, uint* results)
Function Cpuid
	push rbx
	mov r8, rdx
	mov eax, edi
	mov ecx, esi
	cpuid
	mov [r8], eax
	mov [r8 + 4], ebx
	mov [r8 + 8], ecx
	mov [r8 + 12], edx
	pop rbx
	ret

Function ReadCr2
	mov rax, cr2
	ret

Function ReadCr3
	mov rax, cr3
	ret

Function WriteCr3
	mov cr3, rdi
	ret

Function ReadCr4
	mov rax, cr4
	ret

Function WriteCr4
	mov cr4, rdi
	ret

Function InvalidatePage
	invlpg [rdi]
	ret

# void LoadTables(void* gdtPointer, void* idtPointer, ushort tssSelector)
Function LoadTables
	lgdt [rdi]
	lidt [rsi]
	mov eax, 16
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	ltr dx
	lea rax, [rip + 1f]
	push 8
	push rax
	retfq
1:	ret

Function CpuLocalPointer
	mov rax, gs:[0]
	ret

Function FramePointer
	mov rax, rbp
	ret

Function StoreFloatingPoint
	fxsave64 [rdi]
	ret

Function LoadFloatingPoint
	fxrstor64 [rdi]
	ret

# x87, SSE, and AVX unless all upper halves are zero, which they are in programs that have done VZEROUPPER: then the header says that AVX is in its initial
# state. A CPU that tracks this itself (XINUSE) would find out for XSAVEOPT; an emulated one says that everything is in use, and stores 340 ns longer.
Function StoreExtendedState
	sub rsp, 32
	vmovups [rsp], ymm0
	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vorps ymm0, ymm0, ymm\n
	.endr
	vextractf128 xmm0, ymm0, 1
	ptest xmm0, xmm0
	vmovups ymm0, [rsp]
	mov eax, 3
	mov ecx, 7
	cmovnz eax, ecx
	xor edx, edx
	mov [rdi + 512], rdx
	xsave64 [rdi]
	add rsp, 32
	ret

Function LoadExtendedState
	mov eax, -1
	mov edx, -1
	xrstor64 [rdi]
	ret

# void WriteExtendedControl(ulong value): XCR0
Function WriteExtendedControl
	mov eax, edi
	mov rdx, rdi
	shr rdx, 32
	xor ecx, ecx
	xsetbv
	ret

# Page routines: candidates that start-up measures (PageOperations.cs). void (void* destination, void* source, ulong lengthBytes / 8)
Function CopyWordsString
	mov rcx, rdx
	cld
	rep movsq
	ret

Function CopyBytesString
	lea rcx, [rdx * 8]
	cld
	rep movsb
	ret

# Eight words at a time, for machines where string instructions are slow; the count is a multiple of 8 words.
Function CopyWordsUnrolled
	shr rdx, 3
	jz 2f
1:	mov rax, [rsi]
	mov rcx, [rsi + 8]
	mov r8, [rsi + 16]
	mov r9, [rsi + 24]
	mov [rdi], rax
	mov [rdi + 8], rcx
	mov [rdi + 16], r8
	mov [rdi + 24], r9
	mov rax, [rsi + 32]
	mov rcx, [rsi + 40]
	mov r8, [rsi + 48]
	mov r9, [rsi + 56]
	mov [rdi + 32], rax
	mov [rdi + 40], rcx
	mov [rdi + 48], r8
	mov [rdi + 56], r9
	add rsi, 64
	add rdi, 64
	dec rdx
	jnz 1b
2:	ret

# void ClearWords(void* destination, ulong words)
Function ClearWordsString
	mov rcx, rsi
	xor eax, eax
	cld
	rep stosq
	ret

# Eight words at a time; the count is a multiple of 8.
Function ClearWordsUnrolled
	xor eax, eax
	shr rsi, 3
	jz 2f
1:	mov [rdi], rax
	mov [rdi + 8], rax
	mov [rdi + 16], rax
	mov [rdi + 24], rax
	mov [rdi + 32], rax
	mov [rdi + 40], rax
	mov [rdi + 48], rax
	mov [rdi + 56], rax
	add rdi, 64
	dec rsi
	jnz 1b
2:	ret

Function TrapStubsAddress
	lea rax, TrapStubs
	ret

Function TrapAccessFlagAddress
	lea rax, TrapAccessFlag
	ret

Function SystemCallStubAddress
	lea rax, SystemCallStub
	ret

Function ThreadStartAddress
	lea rax, ThreadStart
	ret

# void LinkerSymbols(ulong* six): image start, text end, constants end, image end, trampoline start, trampoline end
Function LinkerSymbols
	lea rax, ImageStart
	mov [rdi], rax
	lea rax, TextEnd
	mov [rdi + 8], rax
	lea rax, RodataEnd
	mov [rdi + 16], rax
	lea rax, ImageEnd
	mov [rdi + 24], rax
	mov eax, offset TrampolineStart
	mov [rdi + 32], rax
	mov eax, offset TrampolineEnd
	mov [rdi + 40], rax
	ret

# void TrampolineSlots(ulong* three): offsets of page table, stack, argument within the trampoline
Function TrampolineSlots
	mov eax, offset TrampolinePageTable
	sub eax, offset TrampolineStart
	mov [rdi], rax
	mov eax, offset TrampolineStack
	sub eax, offset TrampolineStart
	mov [rdi + 8], rax
	mov eax, offset TrampolineArgument
	sub eax, offset TrampolineStart
	mov [rdi + 16], rax
	ret

Function BootStackRange
	lea rax, BootKernelStack
	ret

Function ModuleHeaderAddress
	mov rax, ModuleHeaders
	ret

	.weak SymbolTable
Function SymbolTableAddress
	movabs rax, offset SymbolTable
	ret

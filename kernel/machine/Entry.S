# How an image comes to life: the PVH entry (Xen's x86/HVM direct boot ABI, which QEMU -kernel uses) in 32-bit mode, then long mode, then C#.
# Also where the other processors arrive (SDM vol. 3, 9.4 "MP initialization"): 16-bit code that is copied to a page below 1 MB.
	.intel_syntax noprefix

	.equ KernelBase, 0xFFFFFFFF80000000
	.equ Cr0ProtectPagingWrite, 0x80010033	# PG | WP | NE | ET | MP | PE
	.equ Cr4Boot, 0x620			# OSXMMEXCPT | OSFXSR | PAE
	.equ EferMsr, 0xC0000080
	.equ EferBoot, 0x901			# NXE | LME | SCE
	.equ CodeSelector, 8
	.equ DataSelector, 16

	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18				# XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long PvhEntry

	.section .boot.text, "ax", @progbits
	.code32
	.global PvhEntry
PvhEntry:				# ebx = physical address of hvm_start_info
	cli
	cld
	mov esp, offset BootStackEnd
	mov edi, offset BootPml4
	mov eax, offset BootPdptLow + 3
	mov [edi], eax			# identity, until start-up installs the real tables
	mov [edi + 256 * 8], eax	# direct map of the first gigabyte
	mov eax, offset BootPdptHigh + 3
	mov [edi + 511 * 8], eax	# the image
	mov eax, offset BootDirectory + 3
	mov [BootPdptLow], eax
	mov [BootPdptHigh + 510 * 8], eax
	mov edi, offset BootDirectory
	mov eax, 0x83			# present, writable, 2 MB
	mov ecx, 512
1:	mov [edi], eax
	add eax, 0x200000
	add edi, 8
	loop 1b

	mov eax, Cr4Boot
	mov cr4, eax
	mov eax, offset BootPml4
	mov cr3, eax
	mov ecx, EferMsr
	mov eax, EferBoot
	xor edx, edx
	wrmsr
	mov eax, Cr0ProtectPagingWrite
	mov cr0, eax
	lgdt [BootGdtPointer]
	ljmp CodeSelector, offset 1f
	.code64
1:	mov eax, DataSelector
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	movabs rsp, offset BootKernelStackEnd
	xor ebp, ebp			# ends every backtrace
	mov edi, ebx
	movabs rax, offset KernelEntry
	call rax
	ud2

# --- other processors -----------------------------------------------------------------------------------------------------------------
	.code16
	.align 16
	.global TrampolineStart
TrampolineStart:			# copied to physical 0x8000; cs = 0x800
	cli
	cld
	xor ax, ax
	mov ds, ax
	lgdt [TrampolineGdtPointer - TrampolineStart + 0x8000]
	mov eax, 1
	mov cr0, eax
	ljmp 24, 0x8000 + (TrampolineProtected - TrampolineStart)
	.code32
TrampolineProtected:
	mov ax, DataSelector
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, Cr4Boot
	mov cr4, eax
	mov eax, [0x8000 + TrampolinePageTable - TrampolineStart]
	mov cr3, eax
	mov ecx, EferMsr
	mov eax, EferBoot
	xor edx, edx
	wrmsr
	mov eax, Cr0ProtectPagingWrite
	mov cr0, eax
	ljmp CodeSelector, 0x8000 + (TrampolineLong - TrampolineStart)
	.code64
TrampolineLong:
	mov rsp, [0x8000 + TrampolineStack - TrampolineStart]
	mov rdi, [0x8000 + TrampolineArgument - TrampolineStart]
	xor ebp, ebp
	movabs rax, offset ProcessorEntry
	call rax
	ud2

	.align 8
	.global TrampolinePageTable, TrampolineStack, TrampolineArgument, TrampolineEnd
TrampolinePageTable:	.quad 0
TrampolineStack:	.quad 0
TrampolineArgument:	.quad 0
TrampolineGdt:
	.quad 0
	.quad 0x00AF9A000000FFFF	# 8: 64-bit code
	.quad 0x00CF92000000FFFF	# 16: data
	.quad 0x00CF9A000000FFFF	# 24: 32-bit code
TrampolineGdtPointer:
	.word 31
	.long 0x8000 + (TrampolineGdt - TrampolineStart)
TrampolineEnd:

	.section .boot.data, "aw", @progbits
	.align 8
BootGdt:
	.quad 0
	.quad 0x00AF9A000000FFFF
	.quad 0x00CF92000000FFFF
BootGdtPointer:
	.word 23
	.long BootGdt

	.section .boot.bss, "aw", @nobits
	.align 4096
BootPml4:	.skip 4096
BootPdptLow:	.skip 4096
BootPdptHigh:	.skip 4096
BootDirectory:	.skip 4096
	.skip 512
BootStackEnd:

	.section .bss
	.align 4096
	.global BootKernelStack, BootKernelStackEnd
BootKernelStack:
	.skip 65536
BootKernelStackEnd:

# The vDSO (vdso(7)): a small ELF library that every program finds mapped, through AT_SYSINFO_EHDR, and whose functions read clocks and the number
# of the CPU without entering the kernel. One page; the page below it, [vvar], holds what the functions read (VdsoData in Vdso.cs), which is
# settled at boot: there is nothing to wait for and no sequence lock.
#
# Each function computes exactly what the system call of the same name does (kernel/machine/Clock.cs, monitors/processor/linux/Time.cs), so
# that a program may mix the two ways and sees one clock. What only the kernel knows (clocks of processor time) is asked of the kernel.
# None has a frame or touches a register that a callee must keep.
	.intel_syntax noprefix

	.set PageSize, 4096
	.set BootTicks, 0
	.set NsPerTick, 8
	.set BootUnixNs, 16

	# clockid_t of clock_gettime(2), as bits
	.set RealTimeClocks, 1 << 0 | 1 << 5 | 1 << 11
	.set MonotonicClocks, 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7
	.set CoarseClocks, 1 << 5 | 1 << 6
	.set LastClock, 11
	.set CoarseNs, 4000000
	.set SecondNs, 1000000000

	.set ClockGetTime, 228
	.set ClockGetResolution, 229

	# DescriptorTables.cs: the segment whose limit is the number of the CPU
	.set CpuNumberSegment, 0x3B

	.text

	.macro Function name
	.align 16
	.global \name
	.type \name, @function
\name:
	.cfi_startproc
	.endm

	.macro End name
	.cfi_endproc
	.size \name, . - \name
	.endm

	# rax = nanoseconds since boot: ticks times a fraction of 32 bits. The fence keeps the counter from being read before what comes before the
	# call (SDM vol. 2, RDTSC). Uses rdx.
	.macro ReadNanoseconds
	lfence
	rdtsc
	shl rdx, 32
	or rax, rdx
	sub rax, [rip + VdsoStart - PageSize + BootTicks]
	mul qword ptr [rip + VdsoStart - PageSize + NsPerTick]
	shrd rax, rdx, 32
	.endm

	# rdx = seconds, rcx = nanoseconds of the second, out of rax. Division by 10^9 as a multiplication: 10^9 is 2^9 times 5^9, and the factor is
	# 2^75 / 5^9 rounded up, which is exact for every 64-bit number. Uses rax.
	.macro SplitSeconds
	mov rcx, rax
	shr rax, 9
	movabs rdx, 0x44B82FA09B5A53
	mul rdx
	shr rdx, 11
	imul rax, rdx, SecondNs
	sub rcx, rax
	.endm

# int clock_gettime(clockid_t clock, struct timespec* time)
Function __vdso_clock_gettime
	cmp edi, LastClock
	ja 2f
	mov ecx, RealTimeClocks | MonotonicClocks
	bt ecx, edi
	jnc 2f
	ReadNanoseconds
	mov ecx, RealTimeClocks
	bt ecx, edi
	jnc 1f
	add rax, [rip + VdsoStart - PageSize + BootUnixNs]
1:	SplitSeconds
	mov [rsi], rdx
	mov [rsi + 8], rcx
	xor eax, eax
	ret
2:	mov eax, ClockGetTime
	syscall
	ret
End __vdso_clock_gettime

# int clock_getres(clockid_t clock, struct timespec* resolution)
Function __vdso_clock_getres
	cmp edi, LastClock
	ja 3f
	mov ecx, RealTimeClocks | MonotonicClocks
	bt ecx, edi
	jnc 3f
	test rsi, rsi
	jz 2f
	mov eax, CoarseNs
	mov ecx, CoarseClocks
	bt ecx, edi
	jc 1f
	mov eax, 1
1:	mov qword ptr [rsi], 0
	mov [rsi + 8], rax
2:	xor eax, eax
	ret
3:	mov eax, ClockGetResolution
	syscall
	ret
End __vdso_clock_getres

# int gettimeofday(struct timeval* time, struct timezone* zone): the zone is UTC. A 32-bit number is divided by 1000 with 2^38 / 1000, rounded up.
Function __vdso_gettimeofday
	test rdi, rdi
	jz 1f
	ReadNanoseconds
	add rax, [rip + VdsoStart - PageSize + BootUnixNs]
	SplitSeconds
	imul rcx, rcx, 0x10624DD3
	shr rcx, 38
	mov [rdi], rdx
	mov [rdi + 8], rcx
1:	test rsi, rsi
	jz 2f
	mov qword ptr [rsi], 0
2:	xor eax, eax
	ret
End __vdso_gettimeofday

# time_t time(time_t* time)
Function __vdso_time
	ReadNanoseconds
	add rax, [rip + VdsoStart - PageSize + BootUnixNs]
	SplitSeconds
	mov rax, rdx
	test rdi, rdi
	jz 1f
	mov [rdi], rax
1:	ret
End __vdso_time

# int getcpu(unsigned* cpu, unsigned* node, void* unused): there is one node.
Function __vdso_getcpu
	mov ecx, CpuNumberSegment
	lsl eax, ecx
	test rdi, rdi
	jz 1f
	mov [rdi], eax
1:	test rsi, rsi
	jz 2f
	mov dword ptr [rsi], 0
2:	xor eax, eax
	ret
End __vdso_getcpu

	.section .note.GNU-stack, "", @progbits

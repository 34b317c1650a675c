// Cases about what the page tables forbid: each provokes a fault in kernel code and looks at how it ended (Traps.Provoke). A machine
// without SMEP and SMAP (CPUID.7:EBX bits 7 and 20) skips the cases about them.

using Lego.Kernel;

namespace Lego.Suites;

/// <summary>W^X, no-execute, supervisor protection, guard pages.</summary>
public static unsafe class ProtectionCases
{
    /// <summary>More pages than a kernel stack has.</summary>
    private const int MoreThanAStack = 16;

    /// <summary>A user address that nothing else maps.</summary>
    private const ulong UserAddress = 0x0000_1234_5678_9000;

    /// <summary>RET: what a page that may be executed would do.</summary>
    private const byte ReturnInstruction = 0xC3;

    private static FrameAllocator? s_frames;
    private static ulong s_sink;
    private static ulong s_userRoot;

    public static void Register(CaseList cases, FrameAllocator frames)
    {
        s_frames = frames;
        cases.Add("protection.null-is-not-mapped", &NullIsNotMapped);
        cases.Add("protection.code-cannot-be-written", &CodeCannotBeWritten);
        cases.Add("protection.constants-cannot-be-written", &ConstantsCannotBeWritten);
        cases.Add("protection.memory-cannot-be-executed", &MemoryCannotBeExecuted);
        cases.Add("protection.stacks-cannot-be-executed", &StacksCannotBeExecuted);
        cases.Add("protection.a-guard-page-lies-under-each-stack", &GuardPage);
        cases.Add("protection.the-kernel-cannot-read-user-memory", &UserMemoryCannotBeRead);
        cases.Add("protection.the-kernel-cannot-execute-user-memory", &UserMemoryCannotBeExecuted);
        cases.Add("protection.user-pages-map-and-unmap", &UserPagesMapAndUnmap);
    }

    private static void NullIsNotMapped(ref Check check) => Expect(ref check, &ReadWord, (void*)8, 8);

    private static void CodeCannotBeWritten(ref Check check)
    {
        void* code = (void*)(delegate*<void*, void>)&ReadWord;
        Expect(ref check, &WriteByte, code, (ulong)code);
    }

    private static void ConstantsCannotBeWritten(ref Check check)
    {
        System.ReadOnlySpan<byte> constant = "a constant of this image"u8;
        fixed (byte* address = constant)
        {
            Expect(ref check, &WriteByte, address, (ulong)address);
        }
    }

    private static void MemoryCannotBeExecuted(ref Check check)
    {
        byte* frame = (byte*)s_frames!.Allocate();
        *frame = ReturnInstruction;
        Expect(ref check, &Execute, frame, (ulong)frame);
        s_frames.Free(frame);
    }

    private static void StacksCannotBeExecuted(ref Check check)
    {
        byte code = ReturnInstruction;
        Expect(ref check, &Execute, &code, (ulong)&code);
    }

    private static void GuardPage(ref Check check)
    {
        bool faulted = Traps.Provoke(&WalkDownTheStack, null, out int vector, out _);
        check.That(faulted && vector == Traps.PageFault, "writing below a stack faults before another stack is reached");
    }

    private static void UserMemoryCannotBeRead(ref Check check) => ExpectInUserMemory(ref check, &ReadUserWord);

    private static void UserMemoryCannotBeExecuted(ref Check check) => ExpectInUserMemory(ref check, &ExecuteUser);

    private static void UserPagesMapAndUnmap(ref Check check)
    {
        ulong before = s_frames!.FreePages;
        ulong root = PageTable.CreateUser(s_frames);
        check.That(PageTable.Find(root, UserAddress) == null, "a new table has no entries");
        ulong* entry = PageTable.Entry(root, UserAddress, s_frames);
        check.That(entry != null && *entry == 0, "an entry is made empty");
        check.That(PageTable.Find(root, UserAddress) == entry, "the same entry is found again");
        PageTable.Free(root, s_frames);
        check.Equal(before, s_frames.FreePages, "frames after the table is freed");
    }

    /// <summary>The action must end in a page fault at the address.</summary>
    private static void Expect(ref Check check, delegate*<void*, void> action, void* argument, ulong wantedAddress)
    {
        bool faulted = Traps.Provoke(action, argument, out int vector, out ulong address);
        if (check.That(faulted, "the access is refused"))
        {
            check.Equal(Traps.PageFault, (ulong)vector, "the vector");
            check.Equal(wantedAddress, address, "the address");
        }
    }

    private static void ExpectInUserMemory(ref Check check, delegate*<void*, void> action)
    {
        if (!Processors.HasSupervisorProtection)
        {
            check.Skip("this CPU has no SMEP and SMAP");
            return;
        }

        s_userRoot = PageTable.CreateUser(s_frames!);
        byte* frame = (byte*)s_frames!.AllocateCleared();
        *frame = ReturnInstruction;
        *PageTable.Entry(s_userRoot, UserAddress, s_frames) =
            PhysicalAddress.Of(frame) | PageTable.Present | PageTable.Writable | PageTable.User;
        Expect(ref check, action, null, UserAddress);
        PageTable.Activate(PageTable.KernelRoot);
        PageTable.Free(s_userRoot, s_frames);
        s_frames.Free(frame);
    }

    private static void ReadWord(void* address) => s_sink += *(ulong*)address;

    private static void WriteByte(void* address) => *(byte*)address = ReturnInstruction;

    private static void Execute(void* address) => ((delegate*<void>)address)();

    private static void ReadUserWord(void* argument)
    {
        PageTable.Activate(s_userRoot);
        ReadWord((void*)UserAddress);
    }

    private static void ExecuteUser(void* argument)
    {
        PageTable.Activate(s_userRoot);
        Execute((void*)UserAddress);
    }

    private static void WalkDownTheStack(void* argument)
    {
        byte here = 0;
        byte* at = &here;
        for (int page = 1; page < MoreThanAStack; page++)
        {
            at[-page * PageOperations.PageSize] = 0;
        }
    }
}

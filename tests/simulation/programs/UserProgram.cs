// What a stand-in program can do: system calls through the processor monitor's own entry, and loads and stores that walk its page table and
// fault as the hardware would. After each entry the kernel may have changed where the program continues: at the call again (restart), at a
// signal handler, in another image (execve), or nowhere (its thread has ended).

using System;
using System.Text;
using Lego.Kernel;
using Lego.Processor;

namespace Lego.Simulation;

/// <summary>Thrown by a successful execve: the old program's stack is gone.</summary>
internal sealed class NewImage : Exception;

/// <summary>The CPU in user mode, as one thread of a program sees it.</summary>
internal sealed unsafe partial class UserProgram
{
    private const ulong SystemCallBytes = 2;
    private const ulong SignalReturn = 15;
    /// <summary>Where all calls and accesses are made from, as far as the kernel can see.</summary>
    private const ulong CallSite = 0x2002;
    private const ulong AccessSite = 0x3000;

    private readonly UserContext* _user;

    private UserProgram(UserContext* user)
    {
        _user = user;
    }

    internal Simulation Simulation => Simulation.Machine.Simulation;

    private static CodeSpace Code => Simulation.Machine.Simulation.Code;

    /// <summary>User mode of the current thread, from its registers on. Never returns.</summary>
    internal static void Run(UserContext* user)
    {
        UserProgram program = new(user);
        while (true)
        {
            try
            {
                program.Resume(null);
            }
            catch (NewImage)
            {
            }
        }
    }

    /// <summary>A system call; the result as the kernel gives it, -errno for errors.</summary>
    internal long Call(ulong number, ulong a0 = 0, ulong a1 = 0, ulong a2 = 0, ulong a3 = 0, ulong a4 = 0, ulong a5 = 0) =>
        CallAt(CallSite, number, a0, a1, a2, a3, a4, a5);

    /// <summary>Reads a byte; faults as a load does.</summary>
    internal byte Load(ulong address) => *Touch(address, false);

    /// <summary>Writes a byte.</summary>
    internal void Store(ulong address, byte value) => *Touch(address, true) = value;

    /// <summary>Writes bytes, page by page.</summary>
    internal void Store(ulong address, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int chunk = Math.Min(bytes.Length, PageOperations.PageSize - (int)(address % PageOperations.PageSize));
            bytes[..chunk].CopyTo(new Span<byte>(Touch(address, true), chunk));
            bytes = bytes[chunk..];
            address += (ulong)chunk;
        }
    }

    /// <summary>Reads bytes, page by page.</summary>
    internal byte[] LoadBytes(ulong address, int count)
    {
        byte[] bytes = new byte[count];
        for (int done = 0; done < count;)
        {
            int chunk = Math.Min(count - done, PageOperations.PageSize - (int)((address + (ulong)done) % PageOperations.PageSize));
            new ReadOnlySpan<byte>(Touch(address + (ulong)done, false), chunk).CopyTo(bytes.AsSpan(done));
            done += chunk;
        }

        return bytes;
    }

    private long CallAt(ulong site, ulong number, ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5)
    {
        _user->Rip = site;
        _user->Rax = number;
        _user->Rdi = a0;
        _user->Rsi = a1;
        _user->Rdx = a2;
        _user->R10 = a3;
        _user->R8 = a4;
        _user->R9 = a5;
        EnterCall();
        Resume(site);
        long result = (long)_user->Rax;
        Simulation.Choices.Note((number << 48) ^ (ulong)result);
        if (Simulation.Trace.IsOn)
        {
            string name = Encoding.ASCII.GetString(SystemCallNames.Of(number));
            Simulation.Trace.Say(Simulation, Simulation.Machine, $"process {ProcessId} {name}({a0:x}, {a1:x}, {a2:x}) = {result}");
        }

        return result;
    }

    private void EnterCall()
    {
        Thread* current = Scheduler.Current;
        UserMode.Leave(current, _user, UserMode.Handler.OnSystemCall(current, _user));
    }

    /// <summary>Goes on where the kernel says until that is <paramref name="site"/>; null: at the start of a program.</summary>
    private void Resume(ulong? site)
    {
        while (_user->Rip != site)
        {
            if (_user->Rip == site - SystemCallBytes)
            {
                // Registers hold the call again (signal(7), SA_RESTART).
                _user->Rip += SystemCallBytes;
                EnterCall();
                continue;
            }

            Action<UserProgram, int>? handler = Code.HandlerAt(_user->Rip);
            if (handler != null)
            {
                RunHandler(handler);
                continue;
            }

            if (site != null)
            {
                throw new NewImage();
            }

            Code.ProgramAt(_user->Rip)(this);
            Exit(0);
        }
    }

    private void RunHandler(Action<UserProgram, int> handler)
    {
        ulong stack = _user->Rsp;
        handler(this, (int)_user->Rdi);
        // RET takes the restorer's address from the stack; the restorer calls rt_sigreturn.
        _user->Rsp = stack + sizeof(ulong);
        _user->Rax = SignalReturn;
        _user->Rip = CallSite;
        EnterCall();
    }

    /// <summary>Makes an access; the address is good until the next entry into the kernel.</summary>
    private byte* Touch(ulong address, bool writes)
    {
        ulong allowed = PageTable.Present | PageTable.User | (writes ? PageTable.Writable : 0);
        while (true)
        {
            ulong* entry = PageTable.Find(Scheduler.Current->PageTableRoot, address);
            if (entry != null && (*entry & allowed) == allowed)
            {
                *entry |= writes ? PageTable.Accessed | PageTable.Dirty : PageTable.Accessed;
                return ExCache.PageOf(*entry) + (address % PageOperations.PageSize);
            }

            PageFaultCode code = PageFaultCode.User | (writes ? PageFaultCode.Write : PageFaultCode.None);
            if (entry != null && (*entry & PageTable.Present) != 0)
            {
                code |= PageFaultCode.Protection;
            }

            _user->Rip = AccessSite;
            _user->Rcx = address;
            Thread* current = Scheduler.Current;
            UserMode.Leave(current, _user, UserMode.Handler.OnPageFault(current, _user, address, code));
            Resume(AccessSite);
        }
    }
}

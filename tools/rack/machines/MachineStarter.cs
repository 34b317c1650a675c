// Starts QEMU processes that die with the tool. Each is started through setpriv --pdeathsig KILL: Linux kills it when the thread that
// started it ends (prctl(2), PR_SET_PDEATHSIG counts the thread, not the process), so all are started by one thread that lives as long as
// the rack, and even a SIGKILL of the tool leaves no machine behind. setsid keeps a Ctrl-C in the terminal from them: the program gets it,
// not QEMU.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>The thread that machines hang on.</summary>
internal sealed class MachineStarter : IDisposable
{
    // QEMU's own messages go to a file; the shell is replaced by QEMU, so the process id stays the same.
    private const string RedirectAndExec = "log=$1; shift; exec \"$@\" </dev/null >>\"$log\" 2>&1";

    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    public MachineStarter()
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "machines" };
        _thread.Start();
    }

    /// <summary>Starts a program with its messages appended to <paramref name="messagePath"/>.</summary>
    public Task<Process> StartAsync(string program, IReadOnlyList<string> arguments, string messagePath)
    {
        TaskCompletionSource<Process> started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                ProcessStartInfo info = new("setsid") { UseShellExecute = false };
                string[] wrapper = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", RedirectAndExec, "sh", messagePath, program];
                Array.ForEach(wrapper, info.ArgumentList.Add);
                foreach (string argument in arguments)
                {
                    info.ArgumentList.Add(argument);
                }

                started.SetResult(Process.Start(info)!);
            }
            catch (Exception error)
            {
                started.SetException(ToolException.Host($"cannot start {program}: {error.Message}"));
            }
        });
        return started.Task;
    }

    /// <summary>Ends the thread, and with it whatever still runs.</summary>
    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
    }

    private void Work()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }
}

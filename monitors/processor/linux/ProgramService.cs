// Group 6: what the manager asks of a processor component. Starting a program loads files and so runs in a worker; a signal is sent at
// once; what belongs to standard streams goes to linux/.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Serves group 6.</summary>
public sealed unsafe class ProgramService(FileSystem files) : RpcService
{
    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        switch (request.Opcode)
        {
            case Opcode.StartProcess:
                return RpcDisposition.Deferred;
            case Opcode.SignalProcess:
                SignalSession(ref request);
                return RpcDisposition.Done;
            case Opcode.StandardInput:
                StandardStreams.TakeInput(files, ref request);
                return RpcDisposition.Done;
            case Opcode.OutputCredit:
                StandardStreams.TakeCredit(files, ref request);
                return RpcDisposition.Done;
            case Opcode.WindowSize:
                StandardStreams.TakeWindowSize(files, ref request);
                return RpcDisposition.Done;
            default:
                request.Reply(Errno.EOPNOTSUPP);
                return RpcDisposition.Done;
        }
    }

    public override void Handle(ref RpcRequest request)
    {
        if (!request.TryReadHead(out StartProcessRequest start, out ReadOnlySpan<byte> text) || text.Length == 0)
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        Errno error = ProgramStart.Start(files.Processes, request.VNode, in start, text, out uint processId);
        StartProcessReply reply = new() { ProcessId = processId, Processes = (uint)files.Processes.Count };
        if (error == Errno.None)
        {
            request.Reply(error, in reply);
        }
        else
        {
            request.Reply(error);
        }
    }

    private void SignalSession(ref RpcRequest request)
    {
        if (!request.TryReadHead(out SignalRequest wanted, out _) || wanted.Signal == 0 || wanted.Signal > Signal.Count)
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        SignalInfo info = SignalInfo.FromKernel(wanted.Signal);
        bool found;
        if (wanted.Scope == SignalScope.Session)
        {
            found = Signals.SendToTerminalSession(files.Processes, wanted.Session, in info);
        }
        else
        {
            uint group = StandardStreams.ForegroundGroup(files, wanted.Session);
            found = group != 0 && Signals.SendToGroup(files.Processes, group, in info);
        }

        request.Reply(found ? Errno.None : Errno.ESRCH);
    }
}

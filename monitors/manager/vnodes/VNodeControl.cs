// The rack tool's commands about vNodes on the control channel: a VNode frame is words, a VNodeReply an errno and text. Each command
// runs in a thread of its own, because it waits for other components; the poller only takes the words.
//
//   create NAME MEMORYBYTES PROCESSES ROOT    the text is the number
//   find NAME                                 the text is the number
//   list                                      a line for each: number, name, processes, bytes of pages, those at m, limit, processor
//                                             time in ns, root
//   stop NAME                                 its processes are killed; answered when there are none any more. ETIMEDOUT
//   rm NAME                                   EBUSY: it has processes

using System;
using System.Buffers.Binary;
using Lego.Common.Control;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager.Sessions;

namespace Lego.Manager.VNodes;

/// <summary>A command that is under way.</summary>
internal unsafe struct VNodeCommand
{
    internal bool IsBusy;
    internal ushort Tag;
    internal int Length;
    /// <summary>A frame: the words, later the answer.</summary>
    internal byte* Text;
}

/// <summary>Commands about vNodes.</summary>
public sealed unsafe class VNodeControl : ThreadBody
{
    private const int MostCommands = 4;
    /// <summary>A list of as many vNodes as there may be, with the longest names and roots.</summary>
    private const int AnswerPages = 6;
    private const int MaxWords = 512;
    private const ulong StopPauseNs = 20_000_000;
    private const int StopPatience = 500;

    private readonly VNodeRegistry _registry;
    private readonly ControlTransmitter _transmitter;
    private readonly VNodeCommand* _commands;

    /// <summary>Boot time.</summary>
    public VNodeControl(VNodeRegistry registry, ControlTransmitter transmitter, FrameAllocator frames)
    {
        _registry = registry;
        _transmitter = transmitter;
        _commands = (VNodeCommand*)frames.AllocateCleared();
        for (int index = 0; index < MostCommands && _commands != null; index++)
        {
            _commands[index].Text = (byte*)frames.AllocateContiguous(AnswerPages);
            if (_commands[index].Text == null)
            {
                Panic.Because("VNodeControl: no memory at boot");
            }
        }

        if (_commands == null)
        {
            Panic.Because("VNodeControl: no memory at boot");
        }
    }

    /// <summary>Takes a command's words; a thread answers. When all threads are busy the frame waits.</summary>
    public ControlDisposition Take(scoped in ControlFrame frame)
    {
        int index = 0;
        while (index < MostCommands && _commands[index].IsBusy)
        {
            index++;
        }

        if (index == MostCommands)
        {
            return ControlDisposition.Again;
        }

        VNodeCommand* command = &_commands[index];
        command->Tag = frame.Session;
        command->Length = frame.Payload.Length <= MaxWords ? frame.Payload.Length : 0;
        frame.Payload.Slice(0, command->Length).CopyTo(new Span<byte>(command->Text, MaxWords));
        command->IsBusy = Scheduler.Spawn(this, command, "vnode"u8) != null;
        return command->IsBusy ? ControlDisposition.Done : ControlDisposition.Again;
    }

    /// <summary>Carries a command out. BLOCKS.</summary>
    public override void Run(void* argument)
    {
        VNodeCommand* command = (VNodeCommand*)argument;
        Span<byte> words = stackalloc byte[MaxWords];
        words = words.Slice(0, command->Length);
        new ReadOnlySpan<byte>(command->Text, command->Length).CopyTo(words);
        ListWriter text = new(new Span<byte>(command->Text, AnswerPages * PageOperations.PageSize));
        Errno error = Execute(words, ref text);
        Span<byte> head = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)error);
        _transmitter.Queue(ControlFrameType.VNodeReply, command->Tag, head, text.Text, ControlPriority.Answer);
        command->IsBusy = false;
    }

    private Errno Execute(scoped ReadOnlySpan<byte> words, ref ListWriter text)
    {
        _registry.AwaitLearned();
        ReadOnlySpan<byte> verb = TakeWord(ref words);
        if (verb.SequenceEqual("list"u8))
        {
            List(ref text);
            return Errno.None;
        }

        ReadOnlySpan<byte> name = TakeWord(ref words);
        if (verb.SequenceEqual("create"u8))
        {
            Errno created = Create(name, words);
            if (created != Errno.None)
            {
                return created;
            }
        }

        VNode? vnode = _registry.Find(name);
        if (vnode == null)
        {
            return Errno.ESRCH;
        }

        if (verb.SequenceEqual("stop"u8))
        {
            return Stop(vnode);
        }

        if (verb.SequenceEqual("rm"u8))
        {
            return _registry.Remove(vnode);
        }

        text.Line($"{(int)vnode.Number}");
        return verb.SequenceEqual("create"u8) || verb.SequenceEqual("find"u8) ? Errno.None : Errno.EINVAL;
    }

    private Errno Create(ReadOnlySpan<byte> name, ReadOnlySpan<byte> words)
    {
        bool areNumbers = TryNumber(TakeWord(ref words), out ulong memoryBytes) & TryNumber(TakeWord(ref words), out ulong processes);
        bool isSound = areNumbers && name.Length is > 0 and <= AdmitRequest.MaxName && processes <= uint.MaxValue
            && words.Length is > 0 and <= AdmitRequest.MaxRoot && words[0] == (byte)'/' && words.IndexOf((byte)0) < 0;
        return isSound ? _registry.Create(name, words, memoryBytes, (uint)processes) : Errno.EINVAL;
    }

    private Errno Stop(VNode vnode)
    {
        ushort number = vnode.Number;
        for (int tries = 0; tries < StopPatience && vnode.Number == number; tries++)
        {
            // Again and again: what was about to start when it was told to end has begun meanwhile.
            Errno error = _registry.End(vnode, out VNodeUsage left);
            if (error != Errno.None || left.Processes == 0)
            {
                return error;
            }

            Scheduler.Sleep(StopPauseNs);
        }

        return vnode.Number == number ? Errno.ETIMEDOUT : Errno.None;
    }

    private void List(ref ListWriter text)
    {
        for (int place = 0; place < Lego.Fabric.VNodeTable.Most; place++)
        {
            VNode vnode = _registry[place];
            ushort number = vnode.Number;
            VNodeUsage usage = default;
            if (number != 0)
            {
                // Of who does not answer there is nothing to add.
                _registry.UsageOf(vnode, out usage);
            }

            if (number != 0 && vnode.Number == number)
            {
                LogLine head = $"{(int)number} {vnode.Name} {usage.Processes} {usage.PageBytes} {usage.MemoryBytes} {vnode.MemoryBytes} ";
                head.AppendFormatted(usage.CpuNs);
                head.AppendLiteral(" ");
                text.Line(ref head, vnode.Root);
            }
        }
    }

    /// <summary>The next word; what follows its space stays.</summary>
    private static ReadOnlySpan<byte> TakeWord(scoped ref ReadOnlySpan<byte> words)
    {
        int space = words.IndexOf((byte)' ');
        ReadOnlySpan<byte> word = space < 0 ? words : words.Slice(0, space);
        words = space < 0 ? default : words.Slice(space + 1);
        return word;
    }

    private static bool TryNumber(ReadOnlySpan<byte> digits, out ulong number)
    {
        const int MostDigits = 18;
        number = 0;
        bool isNumber = digits.Length is > 0 and <= MostDigits;
        for (int index = 0; index < digits.Length && isNumber; index++)
        {
            isNumber = digits[index] is >= (byte)'0' and <= (byte)'9';
            number = (number * 10) + (ulong)(digits[index] - '0');
        }

        return isNumber;
    }
}

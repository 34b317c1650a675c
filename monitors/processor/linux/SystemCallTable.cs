// From a system call's number to its handler. Handlers live in one class per family in this folder and carry SystemCallAttribute; a unit
// test checks that this switch and the attributes agree. An unknown number is ENOSYS, with one log line per number and boot.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Dispatch of system calls.</summary>
public static partial class SystemCallTable
{
    /// <summary>Runs the handler; the result or -errno. May BLOCK.</summary>
    // Without the attribute the prologue would clear the locals of every handler that the compiler has inlined.
    [SkipLocalsInit]
    public static long Dispatch(ref SystemCall call)
    {
        switch (call.Number)
        {
            case 0: return FileIo.Read(ref call);
            case 1: return FileIo.Write(ref call);
            case 2: return DescriptorCalls.Open(ref call);
            case 3: return DescriptorCalls.Close(ref call);
            case 4: return StatusCalls.Stat(ref call);
            case 5: return StatusCalls.DescriptorStat(ref call);
            case 6: return StatusCalls.LinkStat(ref call);
            case 7: return Polling.Poll(ref call);
            case 8: return FileIo.Seek(ref call);
            case 9: return MemoryCalls.Map(ref call);
            case 10: return MemoryCalls.Protect(ref call);
            case 11: return MemoryCalls.Unmap(ref call);
            case 12: return MemoryCalls.Break(ref call);
            case 13: return SignalCalls.Action(ref call);
            case 14: return SignalCalls.ProcessMask(ref call);
            case 15: return SignalCalls.Return(ref call);
            case 16: return TerminalCalls.Control(ref call);
            case 17: return FileIo.PositionedRead(ref call);
            case 18: return FileIo.PositionedWrite(ref call);
            case 19: return FileIo.ReadVector(ref call);
            case 20: return FileIo.WriteVector(ref call);
            case 21: return StatusCalls.Access(ref call);
            case 22: return PipeCalls.Pipe(ref call);
            case 23: return Polling.Select(ref call);
            case 24: return SchedulingCalls.Yield(ref call);
            case 25: return MemoryCalls.Remap(ref call);
            case 26: return MemoryAdvice.Synchronize(ref call);
            case 27: return MemoryAdvice.InCore(ref call);
            case 28: return MemoryAdvice.Advise(ref call);
            case 29: return SharedSegmentCalls.Get(ref call);
            case 30: return SharedSegmentCalls.Attach(ref call);
            case 31: return SharedSegmentCalls.Control(ref call);
            case 32: return DescriptorCalls.Dup(ref call);
            case 33: return DescriptorCalls.Dup2(ref call);
            case 34: return SignalCalls.Pause(ref call);
            case 35: return Time.Sleep(ref call);
            case 36: return IntervalTimers.Get(ref call);
            case 37: return IntervalTimers.Alarm(ref call);
            case 38: return IntervalTimers.Set(ref call);
            case 39: return IdentityCalls.GetProcessId(ref call);
            case 40: return FileCopies.SendFile(ref call);
            case 41: return SocketCalls.Make(ref call);
            case 42: return SocketCalls.Use(ref call);
            case 43: return SocketCalls.Use(ref call);
            case 44: return SocketCalls.Use(ref call);
            case 45: return SocketCalls.Use(ref call);
            case 46: return SocketCalls.Use(ref call);
            case 47: return SocketCalls.Use(ref call);
            case 48: return SocketCalls.Use(ref call);
            case 49: return SocketCalls.Use(ref call);
            case 50: return SocketCalls.Use(ref call);
            case 51: return SocketCalls.Use(ref call);
            case 52: return SocketCalls.Use(ref call);
            case 53: return SocketCalls.Make(ref call);
            case 54: return SocketCalls.Use(ref call);
            case 55: return SocketCalls.Use(ref call);
            case 56: return ProcessCalls.Clone(ref call);
            case 57: return ProcessCalls.Fork(ref call);
            case 58: return ProcessCalls.VFork(ref call);
            case 59: return ProcessCalls.Execute(ref call);
            case 60: return ProcessCalls.Exit(ref call);
            case 61: return WaitCalls.Wait4(ref call);
            case 62: return SignalCalls.Kill(ref call);
            case 63: return SystemInformation.Name(ref call);
            case 64: return SemaphoreCalls.Get(ref call);
            case 65: return SemaphoreCalls.Operate(ref call);
            case 66: return SemaphoreCalls.Control(ref call);
            case 67: return SharedSegmentCalls.Detach(ref call);
            case 68: return MessageQueueCalls.Get(ref call);
            case 69: return MessageQueueCalls.Send(ref call);
            case 70: return MessageQueueCalls.Receive(ref call);
            case 71: return MessageQueueCalls.Control(ref call);
            case 72: return DescriptorCalls.Control(ref call);
            case 73: return LockCalls.Lock(ref call);
            case 74: return FileIo.Synchronize(ref call);
            case 75: return FileIo.SynchronizeData(ref call);
            case 76: return FileIo.Truncate(ref call);
            case 77: return FileIo.TruncateDescriptor(ref call);
            case 79: return Directories.GetCurrent(ref call);
            case 80: return Directories.Change(ref call);
            case 81: return Directories.ChangeToDescriptor(ref call);
            case 82: return Links.Rename(ref call);
            case 83: return Directories.Make(ref call);
            case 84: return Directories.Remove(ref call);
            case 85: return DescriptorCalls.Create(ref call);
            case 86: return Links.Link(ref call);
            case 87: return Links.Unlink(ref call);
            case 88: return Links.SymbolicLink(ref call);
            case 89: return Links.ReadLink(ref call);
            case 90: return Ownership.ChangeMode(ref call);
            case 91: return Ownership.ChangeModeOfDescriptor(ref call);
            case 92: return Ownership.ChangeOwner(ref call);
            case 93: return Ownership.ChangeOwnerOfDescriptor(ref call);
            case 94: return Ownership.ChangeOwnerOfLink(ref call);
            case 95: return Ownership.SetMask(ref call);
            case 96: return Time.GetTimeOfDay(ref call);
            case 97: return LimitCalls.Get(ref call);
            case 98: return LimitCalls.GetUsage(ref call);
            case 99: return SystemInformation.Information(ref call);
            case 100: return Time.GetProcessTimes(ref call);
            case 102: return IdentityCalls.GetUserId(ref call);
            case 103: return SystemInformation.Log(ref call);
            case 104: return IdentityCalls.GetGroupId(ref call);
            case 105: return IdentityCalls.SetUserId(ref call);
            case 106: return IdentityCalls.SetGroupId(ref call);
            case 107: return IdentityCalls.GetEffectiveUserId(ref call);
            case 108: return IdentityCalls.GetEffectiveGroupId(ref call);
            case 109: return IdentityCalls.SetProcessGroup(ref call);
            case 110: return IdentityCalls.GetParentProcessId(ref call);
            case 111: return IdentityCalls.GetOwnProcessGroup(ref call);
            case 112: return IdentityCalls.SetSession(ref call);
            case 113: return IdentityCalls.SetRealAndEffectiveUserId(ref call);
            case 114: return IdentityCalls.SetRealAndEffectiveGroupId(ref call);
            case 115: return IdentityCalls.GetGroups(ref call);
            case 116: return IdentityCalls.SetGroups(ref call);
            case 117: return IdentityCalls.SetAllUserIds(ref call);
            case 118: return IdentityCalls.GetAllUserIds(ref call);
            case 119: return IdentityCalls.SetAllGroupIds(ref call);
            case 120: return IdentityCalls.GetAllGroupIds(ref call);
            case 121: return IdentityCalls.GetProcessGroup(ref call);
            case 122: return IdentityCalls.SetFileSystemUserId(ref call);
            case 123: return IdentityCalls.SetFileSystemGroupId(ref call);
            case 124: return IdentityCalls.GetSession(ref call);
            case 127: return SignalCalls.Pending(ref call);
            case 128: return SignalCalls.TimedWait(ref call);
            case 129: return SignalCalls.QueueInformation(ref call);
            case 130: return SignalCalls.Suspend(ref call);
            case 131: return SignalCalls.AlternateStack(ref call);
            case 132: return Ownership.SetTimesInSeconds(ref call);
            case 133: return Links.MakeNode(ref call);
            case 135: return ThreadCalls.Personality(ref call);
            case 137: return StatusCalls.VolumeStatus(ref call);
            case 138: return StatusCalls.DescriptorVolumeStatus(ref call);
            case 140: return SchedulingCalls.GetPriority(ref call);
            case 141: return SchedulingCalls.SetPriority(ref call);
            case 142: return SchedulingCalls.SetParameters(ref call);
            case 143: return SchedulingCalls.GetParameters(ref call);
            case 144: return SchedulingCalls.SetScheduler(ref call);
            case 145: return SchedulingCalls.GetScheduler(ref call);
            case 146: return SchedulingCalls.MaximumPriority(ref call);
            case 147: return SchedulingCalls.MinimumPriority(ref call);
            case 148: return SchedulingCalls.GetInterval(ref call);
            case 149: return MemoryAdvice.Lock(ref call);
            case 150: return MemoryAdvice.Unlock(ref call);
            case 157: return ThreadCalls.ProcessControl(ref call);
            case 158: return ThreadCalls.ArchitectureControl(ref call);
            case 160: return LimitCalls.Set(ref call);
            case 161: return Directories.ChangeRoot(ref call);
            case 162: return FileIo.SynchronizeAll(ref call);
            case 164: return Time.SetTimeOfDay(ref call);
            case 170: return SystemInformation.SetHostName(ref call);
            case 171: return SystemInformation.SetDomainName(ref call);
            case 186: return IdentityCalls.GetThreadId(ref call);
            case 187: return FileIo.ReadAhead(ref call);
            case 188: return ExtendedAttributes.Set(ref call);
            case 189: return ExtendedAttributes.SetOfLink(ref call);
            case 190: return ExtendedAttributes.SetOfDescriptor(ref call);
            case 191: return ExtendedAttributes.Get(ref call);
            case 192: return ExtendedAttributes.GetOfLink(ref call);
            case 193: return ExtendedAttributes.GetOfDescriptor(ref call);
            case 194: return ExtendedAttributes.List(ref call);
            case 195: return ExtendedAttributes.ListOfLink(ref call);
            case 196: return ExtendedAttributes.ListOfDescriptor(ref call);
            case 197: return ExtendedAttributes.Remove(ref call);
            case 198: return ExtendedAttributes.RemoveOfLink(ref call);
            case 199: return ExtendedAttributes.RemoveOfDescriptor(ref call);
            case 200: return SignalCalls.ThreadKill(ref call);
            case 201: return Time.GetSeconds(ref call);
            case 202: return FutexCalls.Futex(ref call);
            case 203: return SchedulingCalls.SetAffinity(ref call);
            case 204: return SchedulingCalls.GetAffinity(ref call);
            case 217: return Directories.GetEntries(ref call);
            case 218: return ThreadCalls.SetThreadIdAddress(ref call);
            case 220: return SemaphoreCalls.OperateUntil(ref call);
            case 221: return FileIo.Advise(ref call);
            case 222: return PosixTimers.Create(ref call);
            case 223: return PosixTimers.Set(ref call);
            case 224: return PosixTimers.Get(ref call);
            case 225: return PosixTimers.GetOverruns(ref call);
            case 226: return PosixTimers.Delete(ref call);
            case 227: return Time.SetClock(ref call);
            case 228: return Time.GetClock(ref call);
            case 229: return Time.GetResolution(ref call);
            case 230: return Time.SleepOnClock(ref call);
            case 231: return ProcessCalls.ExitGroup(ref call);
            case 234: return SignalCalls.ThreadGroupKill(ref call);
            case 235: return Ownership.SetTimes(ref call);
            case 247: return WaitCalls.WaitId(ref call);
            case 257: return DescriptorCalls.OpenAt(ref call);
            case 258: return Directories.MakeAt(ref call);
            case 259: return Links.MakeNodeAt(ref call);
            case 260: return Ownership.ChangeOwnerAt(ref call);
            case 261: return Ownership.SetTimeValuesAt(ref call);
            case 262: return StatusCalls.StatAt(ref call);
            case 263: return Links.UnlinkAt(ref call);
            case 264: return Links.RenameAt(ref call);
            case 265: return Links.LinkAt(ref call);
            case 266: return Links.SymbolicLinkAt(ref call);
            case 267: return Links.ReadLinkAt(ref call);
            case 268: return Ownership.ChangeModeAt(ref call);
            case 269: return StatusCalls.AccessAt(ref call);
            case 270: return Polling.SelectWithMask(ref call);
            case 271: return Polling.PollWithMask(ref call);
            case 273: return ThreadCalls.SetRobustList(ref call);
            case 274: return ThreadCalls.GetRobustList(ref call);
            case 280: return Ownership.SetTimesAt(ref call);
            case 285: return FileIo.Allocate(ref call);
            case 288: return SocketCalls.Use(ref call);
            case 292: return DescriptorCalls.Dup3(ref call);
            case 293: return PipeCalls.Pipe2(ref call);
            case 295: return FileIo.PositionedReadVector(ref call);
            case 296: return FileIo.PositionedWriteVector(ref call);
            case 297: return SignalCalls.ThreadGroupQueueInformation(ref call);
            case 299: return SocketCalls.Use(ref call);
            case 302: return LimitCalls.Exchange(ref call);
            case 306: return FileIo.SynchronizeFileSystem(ref call);
            case 307: return SocketCalls.Use(ref call);
            case 309: return SchedulingCalls.GetCpu(ref call);
            case 315: return SchedulingCalls.GetAttributes(ref call);
            case 316: return Links.RenameAt2(ref call);
            case 318: return SystemInformation.GetRandom(ref call);
            case 319: return MemoryFileCalls.Create(ref call);
            case 322: return ProcessCalls.ExecuteAt(ref call);
            case 324: return ThreadCalls.MemoryBarrier(ref call);
            case 326: return FileCopies.CopyFileRange(ref call);
            case 327: return FileIo.PositionedReadVector2(ref call);
            case 328: return FileIo.PositionedWriteVector2(ref call);
            case 332: return StatusCalls.ExtendedStat(ref call);
            case 334: return ThreadCalls.RestartableSequences(ref call);
            case 435: return ProcessCalls.Clone3(ref call);
            case 436: return DescriptorCalls.CloseRange(ref call);
            case 439: return StatusCalls.AccessAt2(ref call);
            case 449: return FutexCalls.WaitForAny(ref call);
            case 452: return Ownership.ChangeModeAt2(ref call);
            case BenchCalls.Number when BenchCalls.Enabled: return BenchCalls.Run(ref call);
            default: return Unknown(ref call);
        }
    }

    private static unsafe long Unknown(ref SystemCall call)
    {
        if (call.Processor.Reported.IsFirst(call.Number))
        {
            Log.Warn($"system call {call.Number} ({SystemCallNames.Of(call.Number)}) is not implemented; first asked for by process {call.Process->Id}");
        }

        return SystemCall.Fail(Errno.ENOSYS);
    }
}

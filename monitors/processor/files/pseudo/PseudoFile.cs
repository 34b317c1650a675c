// The entries of /proc, /sys and /dev that this component answers itself. PseudoTree says where each is and what it is; PseudoTexts writes
// the texts. To add an entry: a name here, a row in PseudoTree, for a text its writer.

namespace Lego.Processor;

/// <summary>One entry, or one family of entries that differ by process or descriptor.</summary>
public enum PseudoFile : byte
{
    None = 0,
    Root,

    Proc,
    ProcSelf,
    ProcThreadSelf,
    ProcMounts,
    ProcCommandLine,
    ProcCpuInfo,
    ProcDevices,
    ProcFileSystems,
    ProcInterrupts,
    ProcLoadAverage,
    ProcMemInfo,
    ProcPartitions,
    ProcStat,
    ProcSwaps,
    ProcUptime,
    ProcVersion,
    ProcVmStat,
    ProcNet,
    ProcNetDev,
    ProcNetUnix,
    ProcNetTcp,
    ProcNetTcp6,
    ProcNetUdp,
    ProcNetUdp6,
    ProcNetRaw,
    ProcNetRaw6,
    ProcNetRoute,
    ProcNetInterfaces6,
    ProcNetCounters,
    ProcNetMoreCounters,
    ProcNetSockets,
    ProcSys,
    ProcSysKernel,
    ProcSysHostName,
    ProcSysDomainName,
    ProcSysOsRelease,
    ProcSysOsType,
    ProcSysVersion,
    ProcSysPidMax,
    ProcSysThreadsMax,
    ProcSysCorePattern,
    ProcSysRandom,
    ProcSysBootId,
    ProcSysUuid,
    ProcSysEntropy,
    ProcSysVm,
    ProcSysOvercommit,
    ProcSysMaxMapCount,
    ProcSysFs,
    ProcSysFileMax,
    ProcSysPipeMaxSize,
    ProcSysQueues,
    ProcSysQueuesMax,
    ProcSysQueueMessages,
    ProcSysQueueMessagesDefault,
    ProcSysQueueMessageBytes,
    ProcSysQueueMessageBytesDefault,
    ProcIpc,
    ProcIpcSegments,
    ProcIpcSemaphores,
    ProcIpcMessages,

    /// <summary>/proc/PID.</summary>
    Process,
    ProcessAuxiliary,
    ProcessControlGroup,
    ProcessCommandLine,
    ProcessComm,
    ProcessCwd,
    ProcessEnvironment,
    ProcessExe,
    ProcessFd,
    ProcessFdInfo,
    ProcessInputOutput,
    ProcessLimits,
    ProcessMaps,
    ProcessMemory,
    ProcessMountInfo,
    ProcessMounts,
    ProcessNamespaces,
    ProcessOomScore,
    ProcessOomScoreAdjust,
    ProcessRoot,
    ProcessSmaps,
    ProcessStat,
    ProcessStatm,
    ProcessStatus,
    ProcessTask,
    ProcessWaitChannel,
    /// <summary>/proc/PID/fd/N, a link to an open file.</summary>
    ProcessDescriptor,
    /// <summary>/proc/PID/fdinfo/N.</summary>
    ProcessDescriptorInfo,

    Sys,
    SysDevices,
    SysDevicesSystem,
    SysCpu,
    SysCpuOnline,
    SysCpuPossible,
    SysCpuPresent,
    SysKernel,
    SysClass,
    SysBlock,

    Dev,
    DevNull,
    DevZero,
    DevFull,
    DevRandom,
    DevURandom,
    DevTerminal,
    DevConsole,
    DevStandardInput,
    DevStandardOutput,
    DevStandardError,
    DevFd,
    DevPts,
    DevTerminal0,
    DevSharedMemory,
    /// <summary>A file in /dev/shm (SharedMemoryDirectory); Descriptor is its name's number.</summary>
    SharedMemoryFile,

    /// <summary>One more than the last entry.</summary>
    End,
}

/// <summary>What an entry is.</summary>
public enum PseudoType : byte
{
    Directory,
    Text,
    Link,
    Device,
}

/// <summary>A particular entry: with its process and thread, and its descriptor for ProcessDescriptor and ProcessDescriptorInfo.</summary>
public struct PseudoNode
{
    public PseudoFile File;
    public int Descriptor;
    public uint ProcessId;
    /// <summary>Not 0 at and below /proc/PID/task/TID, which looks like /proc/PID but has no task.</summary>
    public uint ThreadId;
}

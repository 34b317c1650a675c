// The table of what is served in /proc, /sys and /dev: each entry's name, directory and type. Never blocks.

using System;

namespace Lego.Processor;

/// <summary>A row for each entry.</summary>
internal static class PseudoRows
{
    /// <summary>The entry's name, empty for those that are named by a number; its directory and its type.</summary>
    public static ReadOnlySpan<byte> Of(PseudoFile file, out PseudoFile parent, out PseudoType type)
    {
        type = PseudoType.Text;
        parent = PseudoFile.Proc;
        switch (file)
        {
            case PseudoFile.Root: type = PseudoType.Directory; parent = PseudoFile.Root; return default;
            case PseudoFile.Proc: type = PseudoType.Directory; parent = PseudoFile.Root; return "proc"u8;
            case PseudoFile.ProcSelf: type = PseudoType.Link; return "self"u8;
            case PseudoFile.ProcThreadSelf: type = PseudoType.Link; return "thread-self"u8;
            case PseudoFile.ProcMounts: type = PseudoType.Link; return "mounts"u8;
            case PseudoFile.ProcCommandLine: return "cmdline"u8;
            case PseudoFile.ProcCpuInfo: return "cpuinfo"u8;
            case PseudoFile.ProcDevices: return "devices"u8;
            case PseudoFile.ProcFileSystems: return "filesystems"u8;
            case PseudoFile.ProcInterrupts: return "interrupts"u8;
            case PseudoFile.ProcLoadAverage: return "loadavg"u8;
            case PseudoFile.ProcMemInfo: return "meminfo"u8;
            case PseudoFile.ProcPartitions: return "partitions"u8;
            case PseudoFile.ProcStat: return "stat"u8;
            case PseudoFile.ProcSwaps: return "swaps"u8;
            case PseudoFile.ProcUptime: return "uptime"u8;
            case PseudoFile.ProcVersion: return "version"u8;
            case PseudoFile.ProcVmStat: return "vmstat"u8;
            case PseudoFile.ProcNet: type = PseudoType.Directory; return "net"u8;
            case PseudoFile.ProcNetDev: parent = PseudoFile.ProcNet; return "dev"u8;
            case PseudoFile.ProcNetUnix: parent = PseudoFile.ProcNet; return "unix"u8;
            case PseudoFile.ProcNetTcp: parent = PseudoFile.ProcNet; return "tcp"u8;
            case PseudoFile.ProcNetTcp6: parent = PseudoFile.ProcNet; return "tcp6"u8;
            case PseudoFile.ProcNetUdp: parent = PseudoFile.ProcNet; return "udp"u8;
            case PseudoFile.ProcNetUdp6: parent = PseudoFile.ProcNet; return "udp6"u8;
            case PseudoFile.ProcNetRaw: parent = PseudoFile.ProcNet; return "raw"u8;
            case PseudoFile.ProcNetRaw6: parent = PseudoFile.ProcNet; return "raw6"u8;
            case PseudoFile.ProcNetRoute: parent = PseudoFile.ProcNet; return "route"u8;
            case PseudoFile.ProcNetInterfaces6: parent = PseudoFile.ProcNet; return "if_inet6"u8;
            case PseudoFile.ProcNetCounters: parent = PseudoFile.ProcNet; return "snmp"u8;
            case PseudoFile.ProcNetMoreCounters: parent = PseudoFile.ProcNet; return "netstat"u8;
            case PseudoFile.ProcNetSockets: parent = PseudoFile.ProcNet; return "sockstat"u8;
            case PseudoFile.ProcSys: type = PseudoType.Directory; return "sys"u8;
            case PseudoFile.ProcSysKernel: type = PseudoType.Directory; parent = PseudoFile.ProcSys; return "kernel"u8;
            case PseudoFile.ProcSysHostName: parent = PseudoFile.ProcSysKernel; return "hostname"u8;
            case PseudoFile.ProcSysDomainName: parent = PseudoFile.ProcSysKernel; return "domainname"u8;
            case PseudoFile.ProcSysOsRelease: parent = PseudoFile.ProcSysKernel; return "osrelease"u8;
            case PseudoFile.ProcSysOsType: parent = PseudoFile.ProcSysKernel; return "ostype"u8;
            case PseudoFile.ProcSysVersion: parent = PseudoFile.ProcSysKernel; return "version"u8;
            case PseudoFile.ProcSysPidMax: parent = PseudoFile.ProcSysKernel; return "pid_max"u8;
            case PseudoFile.ProcSysThreadsMax: parent = PseudoFile.ProcSysKernel; return "threads-max"u8;
            case PseudoFile.ProcSysCorePattern: parent = PseudoFile.ProcSysKernel; return "core_pattern"u8;
            case PseudoFile.ProcSysRandom: type = PseudoType.Directory; parent = PseudoFile.ProcSysKernel; return "random"u8;
            case PseudoFile.ProcSysBootId: parent = PseudoFile.ProcSysRandom; return "boot_id"u8;
            case PseudoFile.ProcSysUuid: parent = PseudoFile.ProcSysRandom; return "uuid"u8;
            case PseudoFile.ProcSysEntropy: parent = PseudoFile.ProcSysRandom; return "entropy_avail"u8;
            case PseudoFile.ProcSysVm: type = PseudoType.Directory; parent = PseudoFile.ProcSys; return "vm"u8;
            case PseudoFile.ProcSysOvercommit: parent = PseudoFile.ProcSysVm; return "overcommit_memory"u8;
            case PseudoFile.ProcSysMaxMapCount: parent = PseudoFile.ProcSysVm; return "max_map_count"u8;
            case PseudoFile.ProcSysFs: type = PseudoType.Directory; parent = PseudoFile.ProcSys; return "fs"u8;
            case PseudoFile.ProcSysFileMax: parent = PseudoFile.ProcSysFs; return "file-max"u8;
            case PseudoFile.ProcSysPipeMaxSize: parent = PseudoFile.ProcSysFs; return "pipe-max-size"u8;
            case PseudoFile.ProcSysQueues: type = PseudoType.Directory; parent = PseudoFile.ProcSysFs; return "mqueue"u8;
            case PseudoFile.ProcSysQueuesMax: parent = PseudoFile.ProcSysQueues; return "queues_max"u8;
            case PseudoFile.ProcSysQueueMessages: parent = PseudoFile.ProcSysQueues; return "msg_max"u8;
            case PseudoFile.ProcSysQueueMessagesDefault: parent = PseudoFile.ProcSysQueues; return "msg_default"u8;
            case PseudoFile.ProcSysQueueMessageBytes: parent = PseudoFile.ProcSysQueues; return "msgsize_max"u8;
            case PseudoFile.ProcSysQueueMessageBytesDefault: parent = PseudoFile.ProcSysQueues; return "msgsize_default"u8;
            case PseudoFile.ProcIpc: type = PseudoType.Directory; return "sysvipc"u8;
            case PseudoFile.ProcIpcSegments: parent = PseudoFile.ProcIpc; return "shm"u8;
            case PseudoFile.ProcIpcSemaphores: parent = PseudoFile.ProcIpc; return "sem"u8;
            case PseudoFile.ProcIpcMessages: parent = PseudoFile.ProcIpc; return "msg"u8;
            case PseudoFile.Process: type = PseudoType.Directory; return default;
            case PseudoFile.ProcessAuxiliary: parent = PseudoFile.Process; return "auxv"u8;
            case PseudoFile.ProcessControlGroup: parent = PseudoFile.Process; return "cgroup"u8;
            case PseudoFile.ProcessEnvironment: parent = PseudoFile.Process; return "environ"u8;
            case PseudoFile.ProcessInputOutput: parent = PseudoFile.Process; return "io"u8;
            case PseudoFile.ProcessMemory: parent = PseudoFile.Process; return "mem"u8;
            case PseudoFile.ProcessNamespaces: type = PseudoType.Directory; parent = PseudoFile.Process; return "ns"u8;
            case PseudoFile.ProcessOomScore: parent = PseudoFile.Process; return "oom_score"u8;
            case PseudoFile.ProcessSmaps: parent = PseudoFile.Process; return "smaps"u8;
            case PseudoFile.ProcessWaitChannel: parent = PseudoFile.Process; return "wchan"u8;
            case PseudoFile.ProcessCommandLine: parent = PseudoFile.Process; return "cmdline"u8;
            case PseudoFile.ProcessComm: parent = PseudoFile.Process; return "comm"u8;
            case PseudoFile.ProcessCwd: type = PseudoType.Link; parent = PseudoFile.Process; return "cwd"u8;
            case PseudoFile.ProcessExe: type = PseudoType.Link; parent = PseudoFile.Process; return "exe"u8;
            case PseudoFile.ProcessFd: type = PseudoType.Directory; parent = PseudoFile.Process; return "fd"u8;
            case PseudoFile.ProcessFdInfo: type = PseudoType.Directory; parent = PseudoFile.Process; return "fdinfo"u8;
            case PseudoFile.ProcessLimits: parent = PseudoFile.Process; return "limits"u8;
            case PseudoFile.ProcessMaps: parent = PseudoFile.Process; return "maps"u8;
            case PseudoFile.ProcessMountInfo: parent = PseudoFile.Process; return "mountinfo"u8;
            case PseudoFile.ProcessMounts: parent = PseudoFile.Process; return "mounts"u8;
            case PseudoFile.ProcessOomScoreAdjust: parent = PseudoFile.Process; return "oom_score_adj"u8;
            case PseudoFile.ProcessRoot: type = PseudoType.Link; parent = PseudoFile.Process; return "root"u8;
            case PseudoFile.ProcessStat: parent = PseudoFile.Process; return "stat"u8;
            case PseudoFile.ProcessStatm: parent = PseudoFile.Process; return "statm"u8;
            case PseudoFile.ProcessStatus: parent = PseudoFile.Process; return "status"u8;
            case PseudoFile.ProcessTask: type = PseudoType.Directory; parent = PseudoFile.Process; return "task"u8;
            case PseudoFile.ProcessDescriptor: type = PseudoType.Link; parent = PseudoFile.ProcessFd; return default;
            case PseudoFile.ProcessDescriptorInfo: parent = PseudoFile.ProcessFdInfo; return default;
            case PseudoFile.Sys: type = PseudoType.Directory; parent = PseudoFile.Root; return "sys"u8;
            case PseudoFile.SysDevices: type = PseudoType.Directory; parent = PseudoFile.Sys; return "devices"u8;
            case PseudoFile.SysDevicesSystem: type = PseudoType.Directory; parent = PseudoFile.SysDevices; return "system"u8;
            case PseudoFile.SysCpu: type = PseudoType.Directory; parent = PseudoFile.SysDevicesSystem; return "cpu"u8;
            case PseudoFile.SysCpuOnline: parent = PseudoFile.SysCpu; return "online"u8;
            case PseudoFile.SysCpuPossible: parent = PseudoFile.SysCpu; return "possible"u8;
            case PseudoFile.SysCpuPresent: parent = PseudoFile.SysCpu; return "present"u8;
            case PseudoFile.SysKernel: type = PseudoType.Directory; parent = PseudoFile.Sys; return "kernel"u8;
            case PseudoFile.SysClass: type = PseudoType.Directory; parent = PseudoFile.Sys; return "class"u8;
            case PseudoFile.SysBlock: type = PseudoType.Directory; parent = PseudoFile.Sys; return "block"u8;
            case PseudoFile.Dev: type = PseudoType.Directory; parent = PseudoFile.Root; return "dev"u8;
            case PseudoFile.DevNull: type = PseudoType.Device; parent = PseudoFile.Dev; return "null"u8;
            case PseudoFile.DevZero: type = PseudoType.Device; parent = PseudoFile.Dev; return "zero"u8;
            case PseudoFile.DevFull: type = PseudoType.Device; parent = PseudoFile.Dev; return "full"u8;
            case PseudoFile.DevRandom: type = PseudoType.Device; parent = PseudoFile.Dev; return "random"u8;
            case PseudoFile.DevURandom: type = PseudoType.Device; parent = PseudoFile.Dev; return "urandom"u8;
            case PseudoFile.DevTerminal: type = PseudoType.Device; parent = PseudoFile.Dev; return "tty"u8;
            case PseudoFile.DevConsole: type = PseudoType.Device; parent = PseudoFile.Dev; return "console"u8;
            case PseudoFile.DevStandardInput: type = PseudoType.Link; parent = PseudoFile.Dev; return "stdin"u8;
            case PseudoFile.DevStandardOutput: type = PseudoType.Link; parent = PseudoFile.Dev; return "stdout"u8;
            case PseudoFile.DevStandardError: type = PseudoType.Link; parent = PseudoFile.Dev; return "stderr"u8;
            case PseudoFile.DevFd: type = PseudoType.Link; parent = PseudoFile.Dev; return "fd"u8;
            case PseudoFile.DevPts: type = PseudoType.Directory; parent = PseudoFile.Dev; return "pts"u8;
            case PseudoFile.DevTerminal0: type = PseudoType.Device; parent = PseudoFile.DevPts; return "0"u8;
            case PseudoFile.DevSharedMemory: type = PseudoType.Directory; parent = PseudoFile.Dev; return "shm"u8;
            case PseudoFile.SharedMemoryFile: parent = PseudoFile.DevSharedMemory; return default;
            default: parent = PseudoFile.None; return default;
        }
    }
}

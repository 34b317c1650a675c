// The tables of /proc, /sys and /dev: every entry can be found by its path, listings are complete and go on after their cookies.

using System;
using System.Collections.Generic;
using System.Text;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class PseudoTreeTests
{
    private static List<string> List(Processes processes, PseudoFile directory)
    {
        List<string> names = new();
        ulong cookie = 0;
        while (PseudoTree.TryNext(processes.Init, new PseudoNode { File = directory }, cookie, out PseudoNode child, out ulong next))
        {
            Assert.True(next > cookie);
            cookie = next;
            names.Add(Encoding.ASCII.GetString(PseudoTree.NameOf(child.File)));
        }

        return names;
    }

    [Fact]
    public void Every_entry_has_a_path_whose_last_component_is_its_name()
    {
        byte[] text = new byte[128];
        for (PseudoFile file = PseudoFile.Proc; file < PseudoFile.End; file++)
        {
            int length = PseudoTree.PathOf(new PseudoNode { File = file, ProcessId = 12, Descriptor = 3 }, text);
            ReadOnlySpan<byte> path = text.AsSpan(0, length);
            Assert.Equal(PathTree.Pseudo, PathText.TreeOf(path));
            string expected = file switch
            {
                PseudoFile.Process => "12",
                PseudoFile.ProcessDescriptor or PseudoFile.ProcessDescriptorInfo or PseudoFile.SharedMemoryFile => "3",
                _ => Encoding.ASCII.GetString(PseudoTree.NameOf(file)),
            };
            Assert.NotEmpty(expected);
            Assert.Equal(expected, Encoding.ASCII.GetString(PathText.LastComponent(path)));
        }
    }

    [Fact]
    public void Listings_hold_the_entries_of_their_directory_and_no_others()
    {
        using FileSystemFixture fixture = new();
        Assert.Equal(
            ["null", "zero", "full", "random", "urandom", "tty", "console", "stdin", "stdout", "stderr", "fd", "pts", "shm"],
            List(fixture.Files.Processes, PseudoFile.Dev));
        Assert.Equal(["online", "possible", "present"], List(fixture.Files.Processes, PseudoFile.SysCpu));
        Assert.Contains("meminfo", List(fixture.Files.Processes, PseudoFile.Proc));
        Assert.DoesNotContain("proc", List(fixture.Files.Processes, PseudoFile.Proc));
    }

    [Fact]
    public void A_threads_directory_has_no_task_so_that_the_tree_ends()
    {
        using FileSystemFixture fixture = new();
        Process* process = fixture.Files.Processes.Create();
        process->State = ProcessState.Running;
        PseudoNode directory = new() { File = PseudoFile.Process, ProcessId = process->Id };
        Assert.True(PseudoTree.TryFind(process, directory, "task"u8, out PseudoNode task));
        Assert.True(PseudoTree.TryFind(process, task, Encoding.ASCII.GetBytes(process->Id.ToString()), out PseudoNode thread));
        Assert.True(PseudoTree.TryFind(process, thread, "stat"u8, out PseudoNode stat));
        Assert.False(PseudoTree.TryFind(process, thread, "task"u8, out _));
        byte[] text = new byte[128];
        string path = Encoding.ASCII.GetString(text.AsSpan(0, PseudoTree.PathOf(stat, text)));
        Assert.Equal($"/proc/{process->Id}/task/{process->Id}/stat", path);
        ulong cookie = 0;
        while (PseudoTree.TryNext(process, thread, cookie, out PseudoNode child, out cookie))
        {
            Assert.NotEqual(PseudoFile.ProcessTask, child.File);
            Assert.Equal(process->Id, child.ThreadId);
        }
    }

    [Fact]
    public void Inode_numbers_of_a_directory_differ()
    {
        HashSet<uint> seen = new();
        for (PseudoFile file = PseudoFile.Root; file < PseudoFile.End; file++)
        {
            Assert.True(seen.Add(PseudoTree.InodeOf(new PseudoNode { File = file })));
        }
    }

    [Fact]
    public void Device_numbers_lead_back_to_their_entries()
    {
        Assert.Equal(PseudoFile.DevNull, PseudoTree.FindDevice(DeviceNumber.Null));
        Assert.Equal(PseudoFile.DevTerminal, PseudoTree.FindDevice(DeviceNumber.Terminal));
        Assert.Equal(PseudoFile.None, PseudoTree.FindDevice(0x801));
        Assert.Equal(PseudoFile.None, PseudoTree.FindDevice(0));
    }
}

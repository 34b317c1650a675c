// Descriptors: lowest free number, limits, close-on-exec, sharing by fork, and that everything is given back.

using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class FileTableTests
{
    private static OpenFile* NewFile(FileSystemFixture fixture) => OpenFile.Create(fixture.Files, FileKind.Null, OpenFlags.ReadWrite);

    private static int Install(FileSystemFixture fixture, FileTable* table, ulong lowest = 0, bool closeOnExec = false)
    {
        Errno error = table->Install(NewFile(fixture), closeOnExec, lowest, FileTable.MaxDescriptors, out int descriptor);
        Assert.Equal(Errno.None, error);
        return descriptor;
    }

    [Fact]
    public void The_lowest_free_descriptor_is_given_out()
    {
        using FileSystemFixture fixture = new();
        FileTable* table = FileTable.Create(fixture.Files);
        for (int expected = 0; expected < 1500; expected++)
        {
            Assert.Equal(expected, Install(fixture, table));
        }

        table->Close(700);
        table->Close(3);
        Assert.Equal(3, Install(fixture, table));
        Assert.Equal(700, Install(fixture, table));
        Assert.Equal(1500, Install(fixture, table));
        Assert.Equal(2000, Install(fixture, table, 2000));
        Assert.Equal(2001, Install(fixture, table, 2000));
        Assert.Equal(1501, Install(fixture, table));
        FileTable.Release(table);
        Assert.Equal(0UL, fixture.Files.OpenFiles.InUse);
    }

    [Fact]
    public void A_limit_is_EMFILE_and_takes_nothing()
    {
        using FileSystemFixture fixture = new();
        FileTable* table = FileTable.Create(fixture.Files);
        Install(fixture, table);
        Install(fixture, table);
        OpenFile* file = NewFile(fixture);
        Assert.False(table->HasFree(2));
        Assert.Equal(Errno.EMFILE, table->Install(file, false, 0, 2, out _));
        Assert.Equal(1U, file->References);
        OpenFile.Release(file);
        FileTable.Release(table);
    }

    [Fact]
    public void Fork_shares_open_files_and_exec_closes_marked_descriptors()
    {
        using FileSystemFixture fixture = new();
        ulong before = fixture.Frames.FreePages;
        FileTable* parent = FileTable.Create(fixture.Files);
        Install(fixture, parent);
        Install(fixture, parent, closeOnExec: true);
        FileTable* child = FileTable.Fork(parent);
        Assert.Equal((nuint)parent->Find(0), (nuint)child->Find(0));
        Assert.Equal(2U, parent->Find(0)->References);
        child->CloseOnExec();
        Assert.Equal((nuint)0, (nuint)child->Find(1));
        Assert.NotEqual((nuint)0, (nuint)parent->Find(1));
        Assert.True(parent->IsCloseOnExec(1));
        FileTable.Release(parent);
        Assert.Equal(1UL, fixture.Files.OpenFiles.InUse);
        FileTable.Release(child);
        Assert.Equal(0UL, fixture.Files.OpenFiles.InUse);
        Assert.InRange(before - fixture.Frames.FreePages, 0UL, 2UL);
    }

    [Fact]
    public void Replacing_a_descriptor_closes_what_it_named()
    {
        using FileSystemFixture fixture = new();
        FileTable* table = FileTable.Create(fixture.Files);
        int number = Install(fixture, table);
        OpenFile* other = NewFile(fixture);
        Assert.Equal(Errno.None, table->Replace((ulong)number, other, true));
        Assert.Equal((nuint)other, (nuint)table->Find((ulong)number));
        Assert.Equal(1UL, fixture.Files.OpenFiles.InUse);
        Assert.Equal(Errno.None, table->Replace(5000, NewFile(fixture), false));
        Assert.Equal(5000, table->NextOpen(1));
        Assert.Equal(Errno.EBADF, table->Close(1));
        Assert.Equal((nuint)0, (nuint)table->Find(ulong.MaxValue));
        FileTable.Release(table);
        Assert.Equal(0UL, fixture.Files.OpenFiles.InUse);
    }
}

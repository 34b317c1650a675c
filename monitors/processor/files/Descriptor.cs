// A descriptor that a system call works with, its own or another process's: the open file with a reference of the call's own, so that a
// close by its owner or by somebody who shares the table, while the call blocks, does not take it away.

namespace Lego.Processor;

/// <summary>An open file held for the length of a system call.</summary>
public readonly unsafe ref struct Descriptor
{
    private Descriptor(OpenFile* file)
    {
        File = file;
        if (file != null)
        {
            file->References++;
        }
    }

    /// <summary>The open file; null: EBADF.</summary>
    public OpenFile* File { get; }

    public bool IsBad => File == null;

    public FileOperations Operations => File->Operations;

    /// <summary>Looks a descriptor argument up; only its low 32 bits count.</summary>
    public static Descriptor Of(Process* process, ulong number) => new(FileTable.Of(process)->Find((uint)number));

    /// <summary>The open file behind /proc/PID/fd/N.</summary>
    public static Descriptor Of(Processes processes, PseudoNode link) => new(PseudoTree.DescriptorFile(processes, link));

    public void Dispose()
    {
        if (File != null)
        {
            OpenFile.Release(File);
        }
    }
}

// What a process has of the file system: its descriptors and where it is. In a slab; hangs on Process.Resources from birth to end.

namespace Lego.Processor;

/// <summary>Files of one process.</summary>
public unsafe struct ProcessFiles
{
    public FileTable* Table;
    public WorkingDirectory Cwd;
}

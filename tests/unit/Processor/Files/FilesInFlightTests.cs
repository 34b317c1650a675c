// Files that messages carry: what they may take of the kernel's memory.

using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class FilesInFlightTests
{
    [Fact]
    public void Files_on_the_way_are_bounded_for_root_as_well()
    {
        const ulong Plenty = 1_000_000;
        using FileSystemFixture fixture = new();
        FilesInFlight inFlight = fixture.Files.UnixSockets.InFlight;
        Process* root = fixture.Files.Processes.Create();
        OpenFile* file = EventFile.Open(fixture.Files, 0, isSemaphore: false, OpenFlags.ReadOnly);
        ulong free = fixture.Frames.FreePages;
        Errno error = Errno.None;
        ulong count = 0;
        while (error == Errno.None && count < Plenty)
        {
            PassedFiles* chain = null;
            for (int index = 0; index < PassedFiles.MostOfMessage && error == Errno.None; index++)
            {
                error = inFlight.Add(root, ref chain, file);
                count++;
            }
        }

        Assert.Equal(Errno.ENOMEM, error);
        Assert.True(count < Plenty);
        Assert.True(fixture.Frames.FreePages > free / 2);
    }
}

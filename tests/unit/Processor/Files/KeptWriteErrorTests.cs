// Who is told that writes which were kept here are lost (fsync(2), EIO): each open file once, as Linux's errseq_t does.

using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class KeptWriteErrorTests
{
    [Fact]
    public void Each_open_file_is_told_of_a_lost_write_once()
    {
        FileNode node = default;
        OpenFile one = new() { Node = &node };
        OpenFile other = new() { Node = &node };
        KeptWrites.Open(&one);
        KeptWrites.Open(&other);
        Assert.Equal(Errno.None, KeptWrites.TakeError(&one));
        KeptWrites.Fail(&node, Errno.ENOSPC);
        Assert.Equal(Errno.ENOSPC, KeptWrites.TakeError(&one));
        Assert.Equal(Errno.None, KeptWrites.TakeError(&one));
        Assert.Equal(Errno.ENOSPC, KeptWrites.TakeError(&other));
        Assert.Equal(Errno.None, KeptWrites.TakeError(&other));
    }

    [Fact]
    public void Who_opens_a_file_later_is_told_only_of_what_nobody_has_heard_of()
    {
        FileNode node = default;
        OpenFile first = new() { Node = &node };
        OpenFile second = new() { Node = &node };
        KeptWrites.Fail(&node, Errno.EIO);
        KeptWrites.Open(&first);
        Assert.Equal(Errno.EIO, KeptWrites.TakeError(&first));
        KeptWrites.Open(&second);
        Assert.Equal(Errno.None, KeptWrites.TakeError(&second));
    }
}

// What the simulation's judge of files accepts: open(O_TRUNC) empties what it has looked up in a second step, and nothing else comes in
// two.

using Lego.Kernel;
using Lego.Simulation;
using Xunit;

namespace Lego.Tests.Simulations;

public sealed class FileModelTests
{
    private const int Opener = 0;
    private const int Writer = 1;
    private const int WrittenBytes = FileModel.GranuleBytes;

    private readonly History _history = new();

    [Fact]
    public void What_is_written_between_look_up_and_truncation_of_an_open_may_be_lost()
    {
        Call(Writer, FileStep.OpenCreate, 0);
        HistoryCall open = Begin(Opener, FileStep.OpenTruncate);
        Call(Writer, FileStep.Write, WrittenBytes);
        End(open, 0);
        Call(Opener, FileStep.Size, 0);
        Judge();
    }

    [Fact]
    public void The_truncation_of_an_open_hits_the_file_that_was_looked_up_although_its_name_has_gone()
    {
        Call(Writer, FileStep.OpenCreate, 0);
        HistoryCall open = Begin(Opener, FileStep.OpenTruncate);
        Call(Writer, FileStep.Unlink, 0);
        Call(Writer, FileStep.Write, WrittenBytes);
        End(open, 0);
        Call(Opener, FileStep.Size, 0);
        Judge();
    }

    [Fact]
    public void What_is_written_after_the_end_of_a_truncating_open_stays()
    {
        Call(Writer, FileStep.OpenCreate, 0);
        Call(Opener, FileStep.OpenTruncate, 0);
        Call(Writer, FileStep.Write, WrittenBytes);
        Call(Opener, FileStep.Size, 0);
        Assert.Throws<CheckFailed>(Judge);
    }

    [Fact]
    public void A_truncating_open_that_has_made_the_file_loses_nothing_of_it()
    {
        HistoryCall open = Begin(Opener, FileStep.OpenTruncate);
        Call(Writer, FileStep.Open, 0);
        Call(Writer, FileStep.Write, WrittenBytes);
        End(open, 0);
        Call(Opener, FileStep.Size, 0);
        Assert.Throws<CheckFailed>(Judge);
    }

    [Fact]
    public void An_open_that_is_refused_truncates_nothing()
    {
        Call(Opener, FileStep.OpenCreate, 0);
        Call(Opener, FileStep.Write, WrittenBytes);
        Call(Opener, FileStep.OpenTruncate, -(long)Errno.EBUSY);
        Call(Opener, FileStep.Size, 0);
        Assert.Throws<CheckFailed>(Judge);
    }

    [Theory]
    [InlineData((int)FileStep.Truncate)]
    [InlineData((int)FileStep.Unlink)]
    public void Other_calls_are_one_step(int step) => Assert.Single(FileModel.PiecesOf(Begin(Opener, (FileStep)step)));

    /// <summary>A step on descriptor 0, name 0, of one granule.</summary>
    private HistoryCall Begin(int program, FileStep step) => _history.Begin(program, new Step((int)step, 0, 0, 0), step.ToString());

    private void End(HistoryCall call, long result)
    {
        call.Result = result;
        _history.End(call);
    }

    private void Call(int program, FileStep step, long result) => End(Begin(program, step), result);

    private void Judge() => _history.Check(new FileModel(2));
}

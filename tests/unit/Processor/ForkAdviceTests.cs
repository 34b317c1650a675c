// What madvise says about forks follows its pages, against a model that keeps a flag for each page.

using System;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Unit.Processor;

public sealed unsafe class ForkAdviceTests : IDisposable
{
    private const int Pages = 24;

    private readonly HostFrames _memory = new(megabytes: 1);
    private readonly ForkAdvices _advices;
    private readonly AddressSpace* _space = (AddressSpace*)NativeMemory.AllocZeroed((nuint)sizeof(AddressSpace));

    public ForkAdviceTests() => _advices = new ForkAdvices(_memory.Allocator);

    public void Dispose()
    {
        NativeMemory.Free(_space);
        _memory.Dispose();
    }

    [Fact]
    public void Advice_is_that_of_each_page_whatever_is_mapped_and_moved()
    {
        Random random = new(5);
        for (int round = 0; round < 300; round++)
        {
            bool[,] model = new bool[2, Pages];
            for (int step = 0; step < 12; step++)
            {
                int start = random.Next(Pages);
                int end = random.Next(start + 1, Pages + 1);
                Change(random, model, start, end);
                for (int page = 0; page < Pages; page++)
                {
                    Assert.Equal((model[0, page], model[1, page]), (Has(ForkAdvice.Without, page), Has(ForkAdvice.Wiped, page)));
                }
            }

            _advices.Clear(_space);
            Assert.Equal(0UL, _advices.Count);
        }
    }

    [Fact]
    public void A_child_has_its_parents_advice()
    {
        AddressSpace* child = (AddressSpace*)NativeMemory.AllocZeroed((nuint)sizeof(AddressSpace));
        _advices.Set(_space, 2, 9, ForkAdvice.Wiped, isOn: true);
        Assert.Equal(Errno.None, _advices.Copy(_space, child));
        AdvisedRange* copy = ForkAdvices.Find(child->Advised, ForkAdvice.Wiped);
        Assert.Equal((2UL, 9UL), (copy->Start, copy->End));
        _advices.Clear(child);
        Assert.Equal(1UL, _advices.Count);
        NativeMemory.Free(child);
    }

    private void Change(Random random, bool[,] model, int start, int end)
    {
        int kind = random.Next(2);
        switch (random.Next(4))
        {
            case 0 or 1:
                bool isOn = random.Next(3) != 0;
                Assert.Equal(Errno.None, _advices.Set(_space, (ulong)start, (ulong)end, (ForkAdvice)kind, isOn));
                Enumerable.Range(start, end - start).ToList().ForEach(page => model[kind, page] = isOn);
                break;
            case 2:
                Assert.Equal(Errno.None, _advices.Reserve(_space, ForkAdvices.ToForget, out AdvisedRange* spare));
                _advices.Forget(_space, (ulong)start, (ulong)end, ref spare);
                _advices.GiveBack(ref spare);
                Enumerable.Range(start, end - start).ToList().ForEach(page => model[0, page] = model[1, page] = false);
                break;
            default:
                int length = end - start;
                int to = random.Next(Pages - length + 1);
                if (to < end && start < to + length)
                {
                    return;
                }

                Assert.Equal(Errno.None, _advices.Reserve(_space, ForkAdvices.ToMove, out AdvisedRange* reserve));
                _advices.Move(_space, (ulong)start, (ulong)length, (ulong)to, (ulong)length, ref reserve);
                _advices.GiveBack(ref reserve);
                for (int page = 0; page < length; page++)
                {
                    (model[0, to + page], model[1, to + page]) = (model[0, start + page], model[1, start + page]);
                    model[0, start + page] = model[1, start + page] = false;
                }

                break;
        }
    }

    private bool Has(ForkAdvice advice, int page)
    {
        AdvisedRange* range = _space->Advised;
        while (range != null && !(range->Advice == advice && range->Overlaps((ulong)page, (ulong)page + 1)))
        {
            range = range->Next;
        }

        return range != null;
    }
}

// Adds up the results of several test runs.

using System.Collections.Generic;

namespace Lego.Tool;

/// <summary>Counts of tests, and a line for each failure.</summary>
internal sealed class TestCount
{
    private readonly List<string> _failures = [];

    public TestCount()
    {
    }

    public TestCount(int passed, int skipped, IEnumerable<string> failures)
    {
        Passed = passed;
        Skipped = skipped;
        _failures.AddRange(failures);
    }

    public int Passed { get; private set; }

    public int Skipped { get; private set; }

    public int Failed => _failures.Count;

    public IReadOnlyList<string> Failures => _failures;

    public void Add(TestCount other)
    {
        Passed += other.Passed;
        Skipped += other.Skipped;
        _failures.AddRange(other._failures);
    }
}

using System;
using System.Diagnostics;
using Lego.Simulation;

Scenario scenario = new FirstSteps();
ulong first = args.Length > 0 ? ulong.Parse(args[0]) : 1;
ulong count = args.Length > 1 ? ulong.Parse(args[1]) : 1;
bool trace = args.Length > 2;
for (ulong seed = first; seed < first + count; seed++)
{
    long start = Stopwatch.GetTimestamp();
    RunResult one = Runner.Run(scenario, seed, trace ? 10000 : 0);
    double ms = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    RunResult two = Runner.Run(scenario, seed);
    if (trace) foreach (string line in one.Trace.Lines) Console.WriteLine(line);
    Console.WriteLine($"seed {seed}: {one.Failure ?? "ok"} digest {one.Digest:x} {two.Digest:x} choices {one.Choices} sim {one.SimulatedNs/1e6:0.0} ms host {ms:0.0} ms");
}

// What a check or a program's expectation throws: the run has failed for this reason.

using System;

namespace Lego.Simulation;

/// <summary>Something is not as it must be.</summary>
internal sealed class CheckFailed(string what) : Exception(what);

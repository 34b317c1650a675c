// Something that happens at a time: a message arrives, a timer runs out.

using System;

namespace Lego.Simulation;

/// <summary>What happens, and on which machine.</summary>
internal sealed record SimEvent(SimMachine Machine, Action Action);

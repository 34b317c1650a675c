// What a component adds to the generic control channel: its counters, its readiness, its way to shut down, and (manager) further frames.
// Registered at boot with ControlServer.Add. One image may hold several: solo has one for each of its monitors.

using System;
using Lego.Kernel;

namespace Lego.Common.Control;

/// <summary>What a service did with a frame.</summary>
public enum ControlDisposition
{
    /// <summary>Another service may know it.</summary>
    NotMine,
    Done,
    /// <summary>Its answer finds no room now: nothing has happened, the frame comes again after the tool has read something.</summary>
    Again,
}

/// <summary>Base of a component's part of the control channel; everything is optional.</summary>
public abstract class ControlService
{
    /// <summary>False holds back the answer to Hello.</summary>
    public virtual bool IsReady => true;

    /// <summary>Handles a frame that is not generic. Must not block. The payload is only valid during the call.</summary>
    public virtual ControlDisposition TryHandle(scoped in ControlFrame frame) => ControlDisposition.NotMine;

    /// <summary>Hands what waits to the transmitter, which may have room again; true when anything went. Must not block.</summary>
    public virtual bool Send() => false;

    /// <summary>Adds counters. Must not block.</summary>
    public virtual void Report(ref StatisticsWriter writer)
    {
    }

    /// <summary>The tool went away (its end of the channel closed). Must not block.</summary>
    public virtual void Disconnected()
    {
    }

    /// <summary>
    /// Writes back what is volatile before the machine ends. Any error: bytes are lost, and the log says which. May BLOCK.
    /// </summary>
    public virtual Errno Shutdown() => Errno.None;
}

// The slots for sessions. All memory is taken at boot, but for the strings of a Start. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

/// <summary>Finds sessions by either of their names.</summary>
public sealed unsafe class SessionTable
{
    /// <summary>Programs that the tool can have running at a time.</summary>
    public const int MaxSessions = 32;

    private readonly Session* _slots;
    private readonly uint[] _generations = new uint[MaxSessions];

    public SessionTable(FrameAllocator frames)
    {
        ulong slotPages = ((ulong)(MaxSessions * sizeof(Session)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        _slots = (Session*)frames.AllocateContiguous(slotPages);
        byte* input = (byte*)frames.AllocateContiguous(MaxSessions * Session.InputPages);
        if (_slots == null || input == null)
        {
            Panic.Because("SessionTable: no memory for sessions at boot");
        }

        for (int slot = 0; slot < MaxSessions; slot++)
        {
            _slots[slot] = default;
            _slots[slot].Input = input + (slot * Session.InputBytes);
        }
    }

    /// <summary>The session in a slot from 0 to MaxSessions - 1, whatever its state.</summary>
    public Session* At(int slot) => _slots + slot;

    /// <summary>Sessions that are not free.</summary>
    public int InUse
    {
        get
        {
            int count = 0;
            for (int slot = 0; slot < MaxSessions; slot++)
            {
                count += _slots[slot].State == SessionState.Free ? 0 : 1;
            }

            return count;
        }
    }

    /// <summary>A new session in state Starting, or null when all slots are taken.</summary>
    public Session* Allocate(ushort tag)
    {
        for (int slot = 0; slot < MaxSessions; slot++)
        {
            Session* session = _slots + slot;
            if (session->State == SessionState.Free)
            {
                byte* input = session->Input;
                *session = default;
                session->Input = input;
                session->State = SessionState.Starting;
                session->Tag = tag;
                session->Id = (++_generations[slot] * MaxSessions) + (uint)slot;
                return session;
            }
        }

        return null;
    }

    /// <summary>Makes the slot free; its id names nothing from now on.</summary>
    public void Free(Session* session) => session->State = SessionState.Free;

    /// <summary>By the id that processor components use; null when there is none (any more).</summary>
    public Session* Find(uint id)
    {
        Session* session = _slots + (id % MaxSessions);
        return session->State != SessionState.Free && session->Id == id ? session : null;
    }

    /// <summary>By the tool's number, among sessions that the present tool started; null when there is none.</summary>
    public Session* FindTag(ushort tag)
    {
        for (int slot = 0; slot < MaxSessions; slot++)
        {
            Session* session = _slots + slot;
            if (session->State != SessionState.Free && session->Tag == tag && !session->Abandoned)
            {
                return session;
            }
        }

        return null;
    }
}

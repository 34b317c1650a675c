// The slots for sessions; what a session buffers is taken when it starts and given back at its end. Never blocks.

using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

/// <summary>Finds sessions by either of their names.</summary>
public sealed unsafe class SessionTable
{
    /// <summary>Programs that the tool can have running at a time.</summary>
    public const int MaxSessions = 32;

    private readonly FrameAllocator _frames;
    private readonly Session* _slots;
    /// <summary>Of an incarnation's 32 bits so many begin the generations of a life.</summary>
    private const int LifeBits = 20;

    private readonly uint[] _generations = new uint[MaxSessions];

    /// <summary>
    /// No session; <paramref name="incarnation"/> keeps the names apart from those of a former manager, whose programs may still run.
    /// </summary>
    public SessionTable(FrameAllocator frames, uint incarnation)
    {
        for (int slot = 0; slot < MaxSessions; slot++)
        {
            _generations[slot] = incarnation >> (32 - LifeBits);
        }

        ulong slotPages = ((ulong)(MaxSessions * sizeof(Session)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        _slots = (Session*)frames.AllocateContiguous(slotPages);
        if (_slots == null)
        {
            Panic.Because("SessionTable: no memory for sessions at boot");
        }

        _frames = frames;
        for (int slot = 0; slot < MaxSessions; slot++)
        {
            _slots[slot] = default;
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

    /// <summary>A new session in state Starting. EAGAIN: all slots are taken, ENOMEM.</summary>
    public Errno Allocate(ushort tag, out Session* allocated)
    {
        allocated = null;
        for (int slot = 0; slot < MaxSessions; slot++)
        {
            Session* session = _slots + slot;
            if (session->State == SessionState.Free)
            {
                byte* buffers = (byte*)_frames.AllocateContiguous(Session.BufferPages);
                if (buffers == null)
                {
                    return Errno.ENOMEM;
                }

                *session = default;
                session->Buffers = buffers;
                session->Input = new FixedRing(buffers, Session.InputBytes);
                session->Output = new FrameRing(buffers + Session.InputBytes, Session.OutputBytes);
                session->State = SessionState.Starting;
                session->Tag = tag;
                session->Id = (++_generations[slot] * MaxSessions) + (uint)slot;
                allocated = session;
                return Errno.None;
            }
        }

        return Errno.EAGAIN;
    }

    /// <summary>Makes the slot free; its id names nothing from now on.</summary>
    public void Free(Session* session)
    {
        _frames.FreeContiguous(session->Buffers, Session.BufferPages);
        session->Buffers = null;
        session->Input = default;
        session->Output = default;
        session->State = SessionState.Free;
    }

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

// Open files that a message carries to another process (SCM_RIGHTS, unix(7)), each with a reference. A message has a chain of these. What a
// user has on the way is counted against his RLIMIT_NOFILE, as Linux does (ETOOMANYREFS): sockets are no place to hold more files than
// descriptors could. Releasing may BLOCK and may close sockets that carry files themselves, so it goes by a list and not by recursion.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Some of the files of a message.</summary>
public unsafe struct PassedFiles
{
    /// <summary>Most files of a message (SCM_MAX_FD).</summary>
    public const int MostOfMessage = 253;

    private const int Capacity = 13;

    public PassedFiles* Next;
    public int Count;
    public uint UserId;
    private fixed ulong _files[Capacity];

    public readonly bool IsFull => Count == Capacity;

    public readonly OpenFile* this[int index] => (OpenFile*)_files[index];

    /// <summary>Adds a file, whose reference passes to the message.</summary>
    public void Add(OpenFile* file) => _files[Count++] = (ulong)file;
}

/// <summary>All files that are on the way.</summary>
public sealed unsafe class FilesInFlight(FileSystem files)
{
    /// <summary>Bounds the memory that root's messages take, whom no limit of descriptors binds: files of many in one message.</summary>
    private const ulong MostPieces = 16_384;

    private readonly Slab<PassedFiles> _passed = new(files.Frames, MostPieces);
    private readonly Slab<UserCount> _users = new(files.Frames);
    private UserCount* _firstUser;
    private PassedFiles* _released;
    private bool _isReleasing;

    private struct UserCount
    {
        internal UserCount* Next;
        internal uint UserId;
        internal ulong Count;
    }

    /// <summary>Sockets among them: without any there is no garbage.</summary>
    public ulong Sockets { get; private set; }

    /// <summary>Adds an open file with a reference of its own to a chain. ENOMEM, ETOOMANYREFS.</summary>
    public Errno Add(Process* process, ref PassedFiles* chain, OpenFile* file)
    {
        UserCount* user = CountOf(process->UserId);
        if (user == null)
        {
            return Errno.ENOMEM;
        }

        if (user->Count > process->Limits[2 * ResourceLimit.Files] && process->EffectiveUserId != 0)
        {
            return Errno.ETOOMANYREFS;
        }

        if (!TryAppend(ref chain, process->UserId, file))
        {
            return Errno.ENOMEM;
        }

        user->Count++;
        return Errno.None;
    }

    /// <summary>A second chain of the same files, for who looks at a message and leaves it; shorter when there is no memory.</summary>
    public PassedFiles* Copy(PassedFiles* chain)
    {
        PassedFiles* copy = null;
        for (PassedFiles* some = chain; some != null; some = some->Next)
        {
            UserCount* user = CountOf(some->UserId);
            for (int index = 0; index < some->Count && TryAppend(ref copy, some->UserId, (*some)[index]); index++)
            {
                user->Count++;
            }
        }

        return copy;
    }

    private bool TryAppend(ref PassedFiles* chain, uint userId, OpenFile* file)
    {
        PassedFiles* last = chain;
        while (last != null && last->Next != null)
        {
            last = last->Next;
        }

        if (last == null || last->IsFull)
        {
            PassedFiles* more = _passed.Allocate();
            if (more == null)
            {
                return false;
            }

            more->UserId = userId;
            if (last == null)
            {
                chain = more;
            }
            else
            {
                last->Next = more;
            }

            last = more;
        }

        file->References++;
        last->Add(file);
        Count(file, begins: true);
        return true;
    }

    private void Land(PassedFiles* chain)
    {
        for (PassedFiles* some = chain; some != null; some = some->Next)
        {
            CountOf(some->UserId)->Count -= (ulong)some->Count;
            for (int index = 0; index < some->Count; index++)
            {
                Count((*some)[index], begins: false);
            }
        }
    }

    /// <summary>A chain is on the way no more: its references to files are released. BLOCKS.</summary>
    public void Drop(PassedFiles* chain)
    {
        if (chain == null)
        {
            return;
        }

        Land(chain);
        while (chain != null)
        {
            PassedFiles* next = chain->Next;
            chain->Next = _released;
            _released = chain;
            chain = next;
        }

        if (_isReleasing)
        {
            return;
        }

        _isReleasing = true;
        while (_released != null)
        {
            PassedFiles* some = _released;
            _released = some->Next;
            for (int index = 0; index < some->Count; index++)
            {
                OpenFile.Release((*some)[index]);
            }

            _passed.Free(some);
        }

        _isReleasing = false;
    }

    private void Count(OpenFile* file, bool begins)
    {
        if (file->Kind != FileKind.Socket || file->Socket->Domain != AddressFamily.Unix)
        {
            return;
        }

        file->Socket->Unix.InFlight += begins ? 1u : uint.MaxValue;
        Sockets += begins ? 1UL : ulong.MaxValue;
    }

    /// <summary>The account of a user, made when he has none; accounts without files are used again. Null without memory.</summary>
    private UserCount* CountOf(uint userId)
    {
        UserCount* unused = null;
        for (UserCount* user = _firstUser; user != null; user = user->Next)
        {
            if (user->UserId == userId)
            {
                return user;
            }

            unused = user->Count == 0 ? user : unused;
        }

        if (unused == null)
        {
            unused = _users.Allocate();
            if (unused == null)
            {
                return null;
            }

            unused->Next = _firstUser;
            _firstUser = unused;
        }

        unused->UserId = userId;
        return unused;
    }
}

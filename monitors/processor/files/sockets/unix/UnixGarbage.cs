// Sockets that only messages refer to. A socket can be sent over itself, or two over each other, and all descriptors closed: then nobody
// can ever receive them. The search is Linux's (net/unix/garbage.c before 6.10), a trial deletion: suspects are sockets of which all
// references are on the way; what suspects' queues hold is taken off; a suspect that still has references is reachable from elsewhere, and
// so is all that its queue holds, and so on. The queues of the others are emptied, which ends them. BLOCKS where files are released.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Finds and ends unreachable sockets.</summary>
public sealed unsafe class UnixGarbage(UnixSockets sockets)
{
    private bool _isCollecting;
    private Socket* _spared;

    /// <summary>Ends all sockets that nobody can reach any more.</summary>
    public void Collect()
    {
        if (_isCollecting)
        {
            return;
        }

        _isCollecting = true;
        Mark();
        Socket* garbage = TakeGarbage();
        while (garbage != null)
        {
            Socket* next = garbage->Unix.NextSuspect;
            garbage->Unix.NextSuspect = null;
            sockets.Purge(garbage);
            for (Socket* pending = garbage->Unix.FirstPending; pending != null; pending = garbage->Unix.FirstPending)
            {
                sockets.Refuse(garbage);
            }

            Socket.Release(garbage);
            garbage = next;
        }

        _isCollecting = false;
    }

    private void Mark()
    {
        for (Socket* socket = sockets.First; socket != null; socket = socket->Next)
        {
            ref UnixEnd end = ref socket->Unix;
            end.IsSuspect = end.InFlight != 0 && socket->File != null && socket->File->References == end.InFlight;
            end.InFlightOfSuspects = 0;
        }

        for (Socket* socket = sockets.First; socket != null; socket = socket->Next)
        {
            if (socket->Unix.IsSuspect)
            {
                CountQueues(socket, 1);
            }
        }

        for (Socket* socket = sockets.First; socket != null; socket = socket->Next)
        {
            Judge(socket);
        }

        while (_spared != null)
        {
            Socket* socket = _spared;
            _spared = socket->Unix.NextSuspect;
            socket->Unix.NextSuspect = null;
            CountQueues(socket, -1);
        }
    }

    /// <summary>A suspect that something else refers to is none, and its queue is to be looked at.</summary>
    private void Judge(Socket* socket)
    {
        if (socket->Unix.IsSuspect && socket->Unix.InFlightOfSuspects < socket->Unix.InFlight)
        {
            socket->Unix.IsSuspect = false;
            socket->Unix.NextSuspect = _spared;
            _spared = socket;
        }
    }

    /// <summary>The references that the queues of a socket, and of those that wait to be accepted from it, hold to suspects.</summary>
    private void CountQueues(Socket* socket, int change)
    {
        CountQueue(socket, change);
        for (Socket* pending = socket->Unix.FirstPending; pending != null; pending = pending->Unix.NextPending)
        {
            CountQueue(pending, change);
        }
    }

    private void CountQueue(Socket* socket, int change)
    {
        for (UnixMessage* message = socket->Unix.FirstMessage; message != null; message = message->Next)
        {
            for (PassedFiles* some = message->Files; some != null; some = some->Next)
            {
                for (int index = 0; index < some->Count; index++)
                {
                    OpenFile* file = (*some)[index];
                    if (file->Kind != FileKind.Socket || !file->Socket->Unix.IsSuspect)
                    {
                        continue;
                    }

                    file->Socket->Unix.InFlightOfSuspects += (uint)change;
                    if (change < 0)
                    {
                        Judge(file->Socket);
                    }
                }
            }
        }
    }

    /// <summary>All suspects that are left, with a reference each.</summary>
    private Socket* TakeGarbage()
    {
        Socket* first = null;
        for (Socket* socket = sockets.First; socket != null; socket = socket->Next)
        {
            if (socket->Unix.IsSuspect)
            {
                socket->Unix.NextSuspect = first;
                first = Socket.Hold(socket);
            }
        }

        return first;
    }
}

// A node's sockets by number, from 0. A number that names none is refused (EBADF), never followed.

using Lego.Kernel;

namespace Lego.NetStack;

/// <summary>What a number stands for: a connection, or an endpoint of datagrams; neither: nothing.</summary>
public unsafe struct NumberedSocket
{
    public TcpConnection* Tcp;
    public DatagramEndpoint* Datagram;
}

/// <summary>The numbers.</summary>
public sealed unsafe class SocketTable
{
    /// <summary>Sockets, and connections of TCP, of one node.</summary>
    public const int Capacity = 4096;

    private readonly NumberedSocket* _sockets;

    public SocketTable(FrameAllocator frames)
    {
        ulong pages = ((ulong)(Capacity * sizeof(NumberedSocket)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        _sockets = (NumberedSocket*)frames.AllocateContiguous(pages);
        for (int number = 0; number < Capacity; number++)
        {
            _sockets[number] = default;
        }
    }

    /// <summary>The socket, or null.</summary>
    public NumberedSocket* Find(int number)
    {
        bool exists = (uint)number < Capacity && (_sockets[number].Tcp != null || _sockets[number].Datagram != null);
        return exists ? _sockets + number : null;
    }

    /// <summary>The smallest free number for a socket; negative: EMFILE.</summary>
    public int Add(TcpConnection* tcp, DatagramEndpoint* datagram)
    {
        for (int number = 0; number < Capacity; number++)
        {
            if (Find(number) == null)
            {
                _sockets[number].Tcp = tcp;
                _sockets[number].Datagram = datagram;
                return number;
            }
        }

        return -(int)Errno.EMFILE;
    }
}

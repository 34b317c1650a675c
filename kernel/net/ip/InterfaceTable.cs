// All interfaces of a stack, by index.

namespace Lego.Kernel;

/// <summary>The table; entry 0 is unused. Interfaces come at boot and stay.</summary>
public sealed class InterfaceTable
{
    public const int LoopbackIndex = 1;

    /// <summary>Entries, the unused one included.</summary>
    public const int Capacity = 8;

    private readonly NetworkInterface[] _interfaces = new NetworkInterface[Capacity];
    private int _count = LoopbackIndex;

    public InterfaceTable()
    {
        _interfaces[LoopbackIndex] = new NetworkInterface(InterfaceKind.Loopback, LoopbackIndex, 0, NetworkInterface.LoopbackMtuBytes);
    }

    /// <summary>The highest index that there is.</summary>
    public int LastIndex => _count;

    public ref NetworkInterface this[int index] => ref _interfaces[index];

    public bool Exists(int index) => index >= LoopbackIndex && index <= _count;

    /// <summary>Whether packets can be sent there.</summary>
    public bool IsRunning(int index) => Exists(index) && _interfaces[index].IsUp && _interfaces[index].HasCarrier;

    /// <summary>A new Ethernet interface's index; 0 when the table is full.</summary>
    public int AddEthernet(ulong hardwareAddress, int mtuBytes)
    {
        if (_count + 1 >= Capacity)
        {
            return 0;
        }

        _count++;
        _interfaces[_count] = new NetworkInterface(InterfaceKind.Ethernet, _count, hardwareAddress, mtuBytes);
        return _count;
    }
}

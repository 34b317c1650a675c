// Who says how many pages the spaces of a vNode may have. The ExCache asks before a space gets a page that it has not had.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A limit on pages.</summary>
public abstract unsafe class PageLimit
{
    /// <summary>False: the space may not have another page now.</summary>
    [NoBlock]
    public abstract bool MayTouch(AddressSpace* space);
}

// Nodes that nobody has open any more and that are kept all the same: their files are still held at the storage component, so that the next
// open of one needs no message. The one closed longest ago makes room. A node stays here only as long as its file is known to have names:
// a file whose last name another component takes away is called back (FileLeases.cs), and given back at once. Never blocks.

namespace Lego.Processor;

/// <summary>A list of nodes, the one closed last first.</summary>
public unsafe struct KeptNodes
{
    /// <summary>Most of them.</summary>
    private const uint Most = 256;

    public FileNode* Newest;
    private FileNode* _oldest;

    public uint Count { get; private set; }

    /// <summary>The one that has to go before another is kept, or null.</summary>
    public readonly FileNode* Surplus => Count >= Most ? _oldest : null;

    public void Add(FileNode* node)
    {
        node->NextKept = Newest;
        node->PreviousKept = null;
        if (Newest != null)
        {
            Newest->PreviousKept = node;
        }
        else
        {
            _oldest = node;
        }

        Newest = node;
        Count++;
    }

    public void Remove(FileNode* node)
    {
        if (node->PreviousKept != null)
        {
            node->PreviousKept->NextKept = node->NextKept;
        }
        else
        {
            Newest = node->NextKept;
        }

        if (node->NextKept != null)
        {
            node->NextKept->PreviousKept = node->PreviousKept;
        }
        else
        {
            _oldest = node->PreviousKept;
        }

        Count--;
    }
}

// A node held for the length of a piece of work that may block: whoever closes the file meanwhile does not take it away. Every use of a
// node after a message, a copy or another wait needs one, unless an open file that is held itself refers to the node.

namespace Lego.Processor;

/// <summary>A reference to a node, dropped by Dispose (which may BLOCK: it can be the last one).</summary>
public readonly unsafe ref struct NodeRef
{
    private NodeRef(FileNode* node)
    {
        Node = node;
    }

    /// <summary>The node; null: there is none.</summary>
    public FileNode* Node { get; }

    public bool IsNone => Node == null;

    /// <summary>One more reference to a node, which may be null, or a kept one.</summary>
    public static NodeRef To(FileNode* node)
    {
        if (node != null)
        {
            node->Table.Hold(node);
        }

        return new NodeRef(node);
    }

    /// <summary>Takes over a reference that the caller has (FileNodes.Acquire).</summary>
    public static NodeRef Adopt(FileNode* node) => new(node);

    /// <summary>Another reference, for an open file to keep.</summary>
    public FileNode* Share()
    {
        Node->References++;
        return Node;
    }

    public void Dispose()
    {
        if (Node != null)
        {
            Node->Table.Release(Node);
        }
    }
}

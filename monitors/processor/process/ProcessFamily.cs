// Parents and children: each process is in the list of one parent's children, oldest first. Never blocks.

namespace Lego.Processor;

/// <summary>Changes of the lists of children.</summary>
public static unsafe class ProcessFamily
{
    /// <summary>Makes a process the youngest child of another: the last of the list, so that wait finds older ones first.</summary>
    public static void Adopt(Process* parent, Process* child)
    {
        child->Parent = parent;
        child->YoungerSibling = null;
        child->OlderSibling = parent->LastChild;
        parent->LastChild = child;
        if (child->OlderSibling == null)
        {
            parent->FirstChild = child;
        }
        else
        {
            child->OlderSibling->YoungerSibling = child;
        }
    }

    /// <summary>Leaves the parent's list of children.</summary>
    public static void Disown(Process* child)
    {
        if (child->Parent == null)
        {
            return;
        }

        if (child->OlderSibling == null)
        {
            child->Parent->FirstChild = child->YoungerSibling;
        }
        else
        {
            child->OlderSibling->YoungerSibling = child->YoungerSibling;
        }

        if (child->YoungerSibling == null)
        {
            child->Parent->LastChild = child->OlderSibling;
        }
        else
        {
            child->YoungerSibling->OlderSibling = child->OlderSibling;
        }

        child->Parent = null;
        child->OlderSibling = null;
        child->YoungerSibling = null;
    }
}

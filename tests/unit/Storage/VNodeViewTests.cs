// What a vNode sees of a volume: its own tree under the same paths as every other one, no handle that it was not led to, no way out.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Storage;

public sealed class VNodeViewTests : IDisposable
{
    private const ushort A = 1;
    private const ushort B = 2;

    private readonly VolumeImage _image = new("16M");
    private readonly StorageFixture _storage;

    public VNodeViewTests()
    {
        _storage = new StorageFixture(_image);
        _storage.Admit(A);
        _storage.Admit(B);
        foreach ((ushort vnode, string root) in new[] { (A, "/a"), (B, "/b") })
        {
            Assert.Equal(Errno.None, _storage.MakeNode(root, FileMode.Directory | 0x1ED));
            Assert.Equal(Errno.None, AddRoot(vnode, root));
        }
    }

    public void Dispose()
    {
        _storage.Dispose();
        _image.Dispose();
    }

    [Fact]
    public void The_same_path_is_another_file_in_each_vNode_and_the_rack_sees_both()
    {
        FileHandle ofA = Make(A, "/same");
        FileHandle ofB = Make(B, "/same");
        Assert.NotEqual(ofA.Inode, ofB.Inode);
        Assert.Equal(ofA.Inode, Find(0, "/a/same").Inode);
        Assert.Equal(ofB.Inode, Find(0, "/b/same").Inode);
        _storage.VNode = A;
        Assert.Equal(Errno.None, _storage.Open("/../.././same", PathFlags.None, out FileAttributes again, out string canonical, out _));
        Assert.Equal((ofA.Inode, "/same"), (again.Handle.Inode, canonical));
        Assert.Equal(Errno.ENOENT, _storage.Open("/b/same", PathFlags.None, out _));
    }

    [Fact]
    public void A_handle_that_no_walk_of_the_vNode_has_led_to_is_refused_and_counted()
    {
        FileHandle ofA = Make(A, "/same");
        _storage.VNode = B;
        Assert.Equal(Errno.EPERM, _storage.OpenHandle(ofA, 0, out _));
        Assert.Equal(Errno.EPERM, _storage.Read("", ofA, 0, 10, out _));
        Assert.Equal(Errno.EPERM, _storage.OpenAt(ofA, "", "x", PathFlags.Create, out _, out _));
        _storage.VNode = A;
        Assert.Equal(Errno.None, _storage.OpenHandle(ofA, 0, out _));
        Assert.Equal(3UL, _storage.Monitor.VNodeViolations);
    }

    [Fact]
    public void A_freed_inode_that_another_vNode_gets_is_not_known_to_the_first()
    {
        FileHandle ofA = Make(A, "/same");
        _storage.VNode = A;
        Assert.Equal(Errno.None, _storage.Unlink("/same", PathFlags.None, out _));
        FileHandle ofB = Make(B, "/same");
        Assert.Equal(ofA.Inode, ofB.Inode);
        _storage.VNode = A;
        Assert.Equal(Errno.EPERM, _storage.OpenHandle(ofB, 0, out _));
    }

    [Fact]
    public void There_is_no_way_up_from_a_directory_that_was_moved_out_of_the_tree()
    {
        _storage.VNode = A;
        Assert.Equal(Errno.None, _storage.MakeNode("/d", FileMode.Directory | 0x1ED));
        Assert.Equal(Errno.None, _storage.Open("/d", PathFlags.None, out FileAttributes moved));
        _storage.VNode = 0;
        Assert.Equal(Errno.None, _storage.Rename("/a/d", "/b/d", PathFlags.None, out _));
        _storage.VNode = A;
        Assert.Equal(Errno.ENOENT, _storage.OpenAt(moved.Handle, "", "../d", PathFlags.None, out _, out _));
    }

    [Fact]
    public void A_vNode_that_is_forgotten_or_has_lost_its_root_sees_nothing()
    {
        Make(B, "/same");
        _storage.Monitor.ForgetRoot(B);
        _storage.VNode = B;
        Assert.Equal(Errno.EPERM, _storage.Open("/same", PathFlags.None, out _));
        _storage.VNode = 0;
        Assert.Equal(Errno.None, _storage.Unlink("/a", PathFlags.Directory, out _));
        _storage.VNode = A;
        Assert.Equal(Errno.EPERM, _storage.Open("/", PathFlags.None, out _));
    }

    [Fact]
    public void A_new_manager_hears_which_vNodes_there_are_with_their_limits()
    {
        Assert.Equal(["1 of1 /a 7", "2 of2 /b 7"], Known());
        Assert.Equal(Errno.None, AddRoot(B, "/b", processes: 9));
        Assert.Equal(["1 of1 /a 7", "2 of2 /b 9"], Known());
        _storage.Monitor.ForgetRoot(A);
        Assert.Equal(["2 of2 /b 9"], Known());
        Assert.Equal(Errno.EEXIST, AddRoot(B, "/a"));
        Assert.Equal(Errno.EEXIST, AddRoot(B + Lego.Fabric.VNodeTable.Most, "/b"));
    }

    private List<string> Known()
    {
        List<string> known = [];
        byte[] texts = new byte[AdmitRequest.MaxName + AdmitRequest.MaxRoot];
        ushort last = 0;
        while (_storage.Monitor.NextVNode(last, out AdmitRequest next, texts) == Errno.None)
        {
            last = next.VNode;
            string name = Encoding.UTF8.GetString(texts, 0, next.NameLength);
            known.Add($"{last} {name} {Encoding.UTF8.GetString(texts, next.NameLength, next.RootLength)} {next.Processes}");
        }

        return known;
    }

    private Errno AddRoot(int vnode, string root, uint processes = 7)
    {
        byte[] name = Encoding.UTF8.GetBytes($"of{vnode}");
        AdmitRequest request = new()
        {
            VNode = (ushort)vnode,
            NameLength = (ushort)name.Length,
            RootLength = (ushort)root.Length,
            Processes = processes,
        };
        return _storage.Monitor.AddRoot(in request, name, Encoding.UTF8.GetBytes(root));
    }

    private FileHandle Make(ushort vnode, string path)
    {
        _storage.VNode = vnode;
        Assert.Equal(Errno.None, _storage.Open(path, PathFlags.Create, out FileAttributes made));
        return made.Handle;
    }

    private FileHandle Find(ushort vnode, string path)
    {
        _storage.VNode = vnode;
        Assert.Equal(Errno.None, _storage.Open(path, PathFlags.None, out FileAttributes found));
        return found.Handle;
    }
}

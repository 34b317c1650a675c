// Who owns the vRegions of the spaces whose home this is, as counters: of each owner, by its node, runs of neighbours, spaces that have
// some, and bytes of addresses.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    /// <summary>What one owner has.</summary>
    private struct Share
    {
        public ulong Runs;
        public ulong Spaces;
        public ulong Bytes;
        /// <summary>The space that was counted last.</summary>
        public uint Number;
    }

    /// <summary>By node; for the time of a report.</summary>
    private readonly Share[] _shares = new Share[RpcEndpoint.MaxNode + 1];

    private void ReportOwners(ref StatisticsWriter writer)
    {
        Span<Share> shares = _shares;
        shares.Clear();
        for (ulong bucket = 0; bucket < BucketCount; bucket++)
        {
            for (AddressSpace* space = _buckets[bucket]; space != null; space = space->NextInBucket)
            {
                for (RegionRun* run = space->IsPart ? null : space->Regions; run != null; run = run->Next)
                {
                    ref Share share = ref shares[run->Owner];
                    share.Runs++;
                    share.Bytes += run->End - run->Start;
                    share.Spaces += share.Number == space->Number ? 0UL : 1;
                    share.Number = space->Number;
                }
            }
        }

        for (int owner = 0; owner < shares.Length; owner++)
        {
            if (shares[owner].Runs != 0)
            {
                Add(ref writer, owner, ".runs"u8, shares[owner].Runs);
                Add(ref writer, owner, ".spaces"u8, shares[owner].Spaces);
                Add(ref writer, owner, ".bytes"u8, shares[owner].Bytes);
            }
        }
    }

    private static void Add(ref StatisticsWriter writer, int owner, scoped ReadOnlySpan<byte> what, ulong value)
    {
        const int MostName = 16;
        Span<byte> name = stackalloc byte[DecimalDigits.MaxDigits + MostName];
        int length = DecimalDigits.Write(name, (ulong)owner);
        what.CopyTo(name.Slice(length));
        writer.Add("memory.regions."u8, name.Slice(0, length + what.Length), value);
    }
}

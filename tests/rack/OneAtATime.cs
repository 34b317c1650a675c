// Machines share the host's cores: one test at a time keeps their timing honest.

using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

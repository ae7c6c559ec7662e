using System.Buffers;
using System.Runtime.CompilerServices;
using SixLabors.ImageSharp.Memory;

namespace Cnn.Fluent;

/// <summary>Fresh zeroed arrays, of which no more than so many bytes are held at a time; belongs to one decode.</summary>
internal sealed class BoundedAllocator : MemoryAllocator
{
    private long held;

    /// <summary>Most bytes that are held at a time.</summary>
    public required long Budget { get; set; }

    protected override int GetBufferCapacityInBytes() => int.MaxValue;

    public override IMemoryOwner<T> Allocate<T>(int length, AllocationOptions options = AllocationOptions.None)
    {
        var bytes = (long)length * Unsafe.SizeOf<T>();
        if (bytes < 0 || bytes > Budget - held)
        {
            throw new InvalidMemoryOperationException($"{bytes} bytes beside {held} are more than {Budget}");
        }

        held += bytes;
        return new Owner<T>(this, bytes, new T[length]);
    }

    private sealed class Owner<T>(BoundedAllocator allocator, long bytes, T[] values) : IMemoryOwner<T>
    {
        private long owned = bytes;

        public Memory<T> Memory => values;

        public void Dispose()
        {
            allocator.held -= owned;
            owned = 0;
        }
    }
}

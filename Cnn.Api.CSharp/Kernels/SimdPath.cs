using System.Numerics;

namespace Cnn.Fluent.Kernels;

/// <summary>The kernels for one element type and one width of vectors; each file of this class holds one operation.</summary>
/// <remarks>Stateless and safe to share between threads.</remarks>
internal sealed unsafe partial class SimdPath<T, TVector, TSimd>(WinogradTile winograd) : IKernels<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TVector : unmanaged
    where TSimd : ISimd<TVector, T>
{
    /// <inheritdoc/>
    public string InstructionSet => winograd switch
    {
        WinogradTile.None => TSimd.Name + ", no tiles",
        WinogradTile.FourByFour => TSimd.Name + ", tiles 4×4",
        _ => TSimd.Name,
    };
}

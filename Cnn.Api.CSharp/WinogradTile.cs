namespace Cnn.Fluent;

/// <summary>Outputs that Winograd's algorithm computes together: more of them take fewer products and lose more digits.</summary>
public enum WinogradTile
{
    /// <summary>One by one, without transforms: as accurate as a sum of products is.</summary>
    None,

    /// <summary>F(2×2, 3×3): 2.25 times fewer products; in float off by a few 1e−6 of the results' root mean square.</summary>
    TwoByTwo,

    /// <summary>F(4×4, 3×3): 4 times fewer products; in float off by up to 1e−4 of the results' root mean square.</summary>
    FourByFour,
}

namespace Cnn.Fluent;

/// <summary>Measures of predictions against labels. A share of nothing is 0; classes by class are in <see cref="ConfusionMatrix"/>.</summary>
public static class Metrics
{
    /// <summary>Share of samples whose label is among the k most probable classes; equal ones rank by class, the first one first.</summary>
    /// <param name="predictions">What a model said, sample by sample.</param>
    /// <param name="labels">The true classes, from 0.</param>
    /// <param name="k">How many classes count as a hit.</param>
    /// <exception cref="ShapeException">There is not one prediction for each label.</exception>
    public static double TopKAccuracy(IReadOnlyList<Prediction> predictions, IReadOnlyList<int> labels, int k) =>
        FSharp.Metrics.topK(k, [.. labels], Rows(predictions));

    /// <summary>−mean log p[label], probabilities kept at 1e−25 or more.</summary>
    /// <param name="predictions">What a model said, sample by sample.</param>
    /// <param name="labels">The true classes, from 0.</param>
    /// <exception cref="ShapeException">There is not one prediction for each label.</exception>
    public static double LogLoss(IReadOnlyList<Prediction> predictions, IReadOnlyList<int> labels) =>
        FSharp.Metrics.logLoss([.. labels], Rows(predictions));

    /// <summary>Σ_m (|B_m|/n)·|acc(B_m) − conf(B_m)|, B_m being the samples whose largest probability lies in ((m−1)/M, m/M]: expected calibration error. Guo et al. 2017.</summary>
    /// <param name="predictions">What a model said, sample by sample.</param>
    /// <param name="labels">The true classes, from 0.</param>
    /// <param name="bins">Bins of equal width in [0, 1], default 15.</param>
    /// <exception cref="ShapeException">There is not one prediction for each label.</exception>
    public static double CalibrationError(IReadOnlyList<Prediction> predictions, IReadOnlyList<int> labels, int bins = 15) =>
        FSharp.Metrics.calibrationError(bins, [.. labels], Rows(predictions));

    private static Tensor<double> Rows(IReadOnlyList<Prediction> predictions)
    {
        ArgumentNullException.ThrowIfNull(predictions);
        var classes = predictions.Count == 0 ? 2 : predictions[0].Probabilities.Count;
        return Tensor<double>.Of(Shape.Of(predictions.Count, classes), [.. predictions.SelectMany(p => p.Probabilities)]);
    }
}

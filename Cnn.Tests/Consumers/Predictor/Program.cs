// A program that only predicts, small enough to be trimmed: classes and the bits of every probability.
using Cnn.Fluent;

foreach (var prediction in Model.Load(args[0]).Predict(SyntheticDigits.Create(20, 12, seed: 2)))
{
    Console.WriteLine($"{prediction.ClassName} {string.Join(' ', prediction.Probabilities.Select(p => BitConverter.DoubleToInt64Bits(p).ToString("x16")))}");
}

// What a user of the package writes in C#: train, test, keep. The F# consumer trains the same network.
using System.Globalization;
using Cnn;
using Cnn.Fluent;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

var result = Network.Input(12, 12, 1)
    .Conv2D(6, kernel: 3, activation: Activation.ReLU)
    .MaxPool(2)
    .Flatten()
    .Dense(10, Activation.Softmax)
    .Build(seed: 42)
    .Fit(SyntheticDigits.Create(2000, 12, seed: 0), new FitOptions { Epochs = 12 });

var accuracy = result.Model.Evaluate(SyntheticDigits.Create(500, 12, seed: 1)).Accuracy;
result.Model.Save(args[0]);
Console.WriteLine($"test accuracy {accuracy:F3}, weights {result.Model.WeightHash}");
return accuracy > 0.8 ? 0 : 1;

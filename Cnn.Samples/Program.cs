using Cnn.Samples;

return CommandLine.Run(args);

module Library

// The library of this checkout, built with dotnet build -c Release. A script loads this file and names no assembly itself.
// .ci/consume runs each script twice, here and in a copy of the folder where this file says #r "nuget: Cnn.Api.CSharp" with a
// folder as source, and both must print the same: leave out times. The printers are those that come with the package.
#r "../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Core.FSharp.dll"
#r "../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Api.CSharp.dll"
#load "../../Cnn.Core.FSharp/Interactive/Cnn.Core.FSharp.fsx"
#load "../../Cnn.Api.CSharp/Interactive/Cnn.Api.CSharp.fsx"

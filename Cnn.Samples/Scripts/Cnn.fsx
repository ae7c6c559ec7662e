// The library of this checkout, built with dotnet build -c Release. A script loads this file and names no assembly itself.
// .ci/consume runs the scripts in a copy of their folder where this file says #r "nuget: Cnn.Api.CSharp", with a folder as source:
// so the same scripts hold for users of the package. Printers come with the package, and from the same files here.
#r "../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Core.FSharp.dll"
#r "../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Api.CSharp.dll"
#load "../../Cnn.Core.FSharp/Interactive/Cnn.Core.FSharp.fsx"
#load "../../Cnn.Api.CSharp/Interactive/Cnn.Api.CSharp.fsx"

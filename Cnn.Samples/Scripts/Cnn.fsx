// The library of this checkout, built with dotnet build -c Release. A script loads this file and names no assembly itself.
#r "../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Core.FSharp.dll"
#r "../../Cnn.Api.CSharp/bin/Release/net10.0/Cnn.Api.CSharp.dll"

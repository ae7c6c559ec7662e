/// Looks into the packages of a folder (first argument, then their version): what a user gets from them, that all of it is managed and reproducible, and its size.
open System
open System.IO
open System.IO.Compression
open System.Reflection.Metadata
open System.Reflection.PortableExecutable
open System.Text

let require claim holds =
    if not holds then
        failwith claim

let bytesOf (archive: ZipArchive) (entry: string) =
    match archive.GetEntry entry with
    | null -> failwith $"{entry} is missing"
    | entry ->
        use stream = entry.Open()
        use copy = new MemoryStream()
        stream.CopyTo copy
        copy.ToArray()

/// Entries but for those that the container itself needs.
let contents (archive: ZipArchive) =
    archive.Entries
    |> Seq.map _.FullName
    |> Seq.filter (fun name ->
        not (name.StartsWith "_rels/" || name.StartsWith "package/" || name = "[Content_Types].xml"))
    |> Set.ofSeq

let check (nupkg: string) =
    let id = Path.GetFileName(nupkg).Replace($".{fsi.CommandLineArgs[2]}.nupkg", "")
    use package = ZipFile.OpenRead nupkg
    use symbols = ZipFile.OpenRead(Path.ChangeExtension(nupkg, ".snupkg"))
    let library, documentation = $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml"

    // The whole list, so that neither a native file nor anything else comes along unseen.
    let expected =
        set [ $"{id}.nuspec"; "README.md"; "LICENSE"; $"content/{id}.fsx"; library; documentation ]

    let names = String.concat ", "
    let surplus, missing = contents package - expected, expected - contents package
    require $"{nupkg} holds {names surplus} and lacks {names missing}" (surplus.IsEmpty && missing.IsEmpty)

    let words = Encoding.UTF8.GetString(bytesOf package $"{id}.nuspec")

    for element in
        [
            "<license type=\"expression\">MIT<"
            "<readme>README.md<"
            "<description>Conv"
            "<tags>"
            "commit=\""
        ] do
        require $"{id}.nuspec lacks {element}" (words.Contains element)

    let documented = Encoding.UTF8.GetString(bytesOf package documentation)
    require $"{documentation} is empty" (documented.Contains "<summary>")

    use image = new PEReader(new MemoryStream(bytesOf package library))
    require $"{library} is not pure IL" (image.PEHeaders.CorHeader.Flags.HasFlag CorFlags.ILOnly)
    let debug = image.ReadDebugDirectory()

    require
        $"{library} is not reproducible"
        (debug |> Seq.exists (fun entry -> entry.Type = DebugDirectoryEntryType.Reproducible))

    use provider =
        MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(bytesOf symbols $"lib/net10.0/{id}.pdb"))

    let pdb = provider.GetMetadataReader()

    let codeView =
        debug
        |> Seq.find (fun entry -> entry.Type = DebugDirectoryEntryType.CodeView)
        |> image.ReadCodeViewDebugDirectoryData

    require
        $"the symbols of {id} are of another build"
        (Guid(Seq.toArray (Seq.take 16 pdb.DebugMetadataHeader.Id)) = codeView.Guid)

    for document in pdb.Documents do
        let name = pdb.GetString(pdb.GetDocument(document).Name)
        require $"{name} is a path of this machine" (name.StartsWith "/_/" || not (Path.IsPathRooted name))

    for file in [ nupkg; Path.ChangeExtension(nupkg, ".snupkg") ] do
        printfn "%-32s %6d KB" (Path.GetFileName file) (FileInfo(file).Length / 1024L)

let packages = Directory.GetFiles(fsi.CommandLineArgs[1], "*.nupkg")
require "two packages" (packages.Length = 2)
Array.iter check packages

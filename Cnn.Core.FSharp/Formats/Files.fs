namespace Cnn.FSharp

open System
open System.IO
open System.Threading
open Cnn

/// The files of data sets on disk: the one place where readers meet them.
module internal Files =

    /// What a reader finds in a file; it is read from front to back, and never held as a whole.
    let read (path: string) (cancellation: CancellationToken) (reader: ByteSource -> 'R) : 'R =
        use stream =
            new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 65536, FileOptions.SequentialScan)

        use source = new ByteSource(path, stream, cancellation)
        reader source

    /// What a reader finds in a stream, which stays open.
    let readStream (file: string) (stream: Stream) (cancellation: CancellationToken) (reader: ByteSource -> 'R) : 'R =
        ArgumentNullException.ThrowIfNull(file, nameof file)
        ArgumentNullException.ThrowIfNull(stream, nameof stream)
        use source = new ByteSource(file, stream, cancellation)
        reader source

    /// What a reader finds in the bytes of a file.
    let readBytes (file: string) (bytes: byte[]) (reader: ByteSource -> 'R) : 'R =
        ArgumentNullException.ThrowIfNull(file, nameof file)
        ArgumentNullException.ThrowIfNull(bytes, nameof bytes)
        use source = new ByteSource(file, bytes)
        reader source

    /// A file in one of the folders, as it is or with .gz.
    let tryFind (folders: string list) (name: string) : string option =
        folders
        |> List.collect (fun folder -> [ Path.Combine(folder, name); Path.Combine(folder, name + ".gz") ])
        |> List.tryFind File.Exists

    /// The same file, or the error that says which is missing and what belongs there.
    let find (set: string) (belongs: string) (folders: string list) (name: string) : string =
        match tryFind folders name with
        | Some path -> path
        | None ->
            let path = Path.Combine(folders.Head, name)
            let message = set + " needs " + path + " (or the same with .gz). Put " + belongs + " into that folder."
            raise (FileNotFoundException(message, path))

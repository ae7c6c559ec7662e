namespace Cnn.FSharp

open System
open System.IO

/// Files that are there as a whole or not at all.
module internal AtomicFile =

    /// What the temporary files of a file begin with.
    let temporaryPrefix (name: string) = "." + name + "."

    /// Writes beside the file, flushes to disk and renames: whoever looks, whenever, finds the old bytes or the new.
    let write (path: string) (bytes: ReadOnlySpan<byte>) =
        let path = Path.GetFullPath path
        let folder = nonNull (Path.GetDirectoryName path)
        let name = temporaryPrefix (nonNull (Path.GetFileName path)) + Guid.NewGuid().ToString "N"
        let temporary = Path.Combine(folder, name)

        try
            (use stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0)
             stream.Write bytes
             stream.Flush true)

            File.Move(temporary, path, true)
        finally
            File.Delete temporary

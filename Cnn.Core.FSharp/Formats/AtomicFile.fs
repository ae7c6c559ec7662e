namespace Cnn.FSharp

open System
open System.IO

/// Files that are replaced as a whole or not at all.
module internal AtomicFile =

    /// Writes beside the path, flushes to disk, then renames.
    let write (path: string) (bytes: byte[]) =
        let path = Path.GetFullPath path
        let temporary = path + "." + Guid.NewGuid().ToString "N" + ".tmp"

        try
            (use file = new FileStream(temporary, FileMode.CreateNew)
             file.Write(bytes, 0, bytes.Length)
             file.Flush true)

            File.Move(temporary, path, true)
        finally
            File.Delete temporary

using System.CommandLine;
using Cnn.Fluent;

namespace Cnn.Samples.Rendering;

/// <summary>The folder of --out; each file is there as a whole or not at all.</summary>
internal sealed class OutFolder
{
    private readonly string _folder;

    /// <summary>Makes the folder, so that it fails before the work, if it must.</summary>
    public OutFolder(string folder)
    {
        _ = Directory.CreateDirectory(folder);
        _folder = folder;
    }

    public static Option<string?> Option(string description) => new("--out") { HelpName = "DIR", Description = description };

    /// <summary>The folder, or null where none is given.</summary>
    public static OutFolder? Of(string? folder) => folder is null ? null : new OutFolder(folder);

    public string PathOf(string name) => Path.Combine(_folder, name);

    public void Save(string name, Image picture) => picture.Save(PathOf(name));

    public void Write(string name, string text)
    {
        var temporary = PathOf($".{name}.{Guid.NewGuid():N}");
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, PathOf(name), overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}

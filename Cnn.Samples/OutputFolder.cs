using System.CommandLine;
using Cnn.Fluent;

namespace Cnn.Samples;

/// <summary>A folder of results; each file is there as a whole or not at all.</summary>
internal sealed class OutputFolder
{
    private readonly List<string> _files = [];
    private readonly string _path;

    /// <summary>Makes the folder, so that it fails before the work, if it must.</summary>
    public OutputFolder(string path)
    {
        _ = Directory.CreateDirectory(path);
        _path = path;
    }

    /// <summary>The option that names it.</summary>
    public static Option<string?> Option(string description) => new("--out") { HelpName = "DIR", Description = description };

    /// <summary>The folder, or null where none is given.</summary>
    public static OutputFolder? Of(string? path) => path is null ? null : new OutputFolder(path);

    /// <summary>The names of the files, in the order in which they were written.</summary>
    public IReadOnlyList<string> Files => _files;

    public string PathOf(string name) => Path.Combine(_path, name);

    public void Write(string name, Image picture)
    {
        picture.Save(PathOf(name));
        _files.Add(name);
    }

    public void Write(string name, string text)
    {
        var temporary = Path.Combine(_path, $".{name}.{Guid.NewGuid():N}");
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, Path.Combine(_path, name), overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }

        _files.Add(name);
    }
}

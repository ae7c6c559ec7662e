namespace Cnn.Samples;

/// <summary>A folder for results.</summary>
internal sealed class OutputFolder
{
    private readonly string _path;

    /// <summary>Makes the folder, so that it fails before the work, if it must.</summary>
    public OutputFolder(string path)
    {
        _ = Directory.CreateDirectory(path);
        _path = path;
    }

    /// <summary>Writes a file that is there as a whole or not at all.</summary>
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
    }
}

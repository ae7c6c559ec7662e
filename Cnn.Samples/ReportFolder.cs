namespace Cnn.Samples;

/// <summary>A folder for results; each file in it is there as a whole or not at all.</summary>
internal sealed class ReportFolder
{
    private readonly string _path;

    /// <summary>Makes the folder, so that it fails before the work, if it must.</summary>
    public ReportFolder(string path)
    {
        _ = Directory.CreateDirectory(path);
        _path = path;
    }

    public void Write(string name, string text)
    {
        var path = Path.Combine(_path, name);
        var temporary = Path.Combine(_path, $".{name}.{Guid.NewGuid():N}");
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}

namespace Cnn.Fluent;

/// <summary>Folders of pictures with a sub-folder for each class, decoded when they are read.</summary>
/// <remarks>
/// The classes are the sub-folders, in the order of their names' code units, and the pictures of each are its files, likewise.
/// A file's ending says nothing: its first bytes tell the format, one of <see cref="ImageFormats.All"/> where the options name
/// none. Hidden files and folders (whose names begin with a dot), files beside the sub-folders and folders below them are not
/// looked at; every other file must be a picture. Links are followed.
/// </remarks>
public static class ImageFolder
{
    /// <summary>The pictures of a folder; pixels become v/255, after resampling to whole bytes.</summary>
    /// <param name="directory">Holds a sub-folder for each class.</param>
    /// <param name="options">Size, colours, checks and cache.</param>
    /// <param name="threads">Check the pictures; default null: as many as the machine has processors.</param>
    /// <param name="cancellationToken">Ends the listing and the checks; what is decoded later is not under it.</param>
    /// <exception cref="IOException">The folder is missing, has no sub-folders or no pictures in them, or a file cannot be read.</exception>
    /// <exception cref="DataFormatException">The first picture that is unreadable, now or later, when it is needed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Dataset Load(string directory, ImageFolderOptions options, int? threads = null, CancellationToken cancellationToken = default) =>
        FSharp.ImageFolder.load(SyntheticData.Scheduler(threads), Readable(options), directory, cancellationToken);

    /// <summary>The pictures of a folder's sub-folders train and test, each a folder with a sub-folder for each class.</summary>
    /// <param name="directory">Holds train and test.</param>
    /// <param name="options">Size, colours, checks and cache, which both parts have by themselves.</param>
    /// <param name="threads">Check the pictures; default null: as many as the machine has processors.</param>
    /// <param name="cancellationToken">Ends the listing and the checks; what is decoded later is not under it.</param>
    /// <exception cref="IOException">A folder is missing, has no sub-folders or no pictures in them, or a file cannot be read.</exception>
    /// <exception cref="DataFormatException">The first picture that is unreadable, now or later, when it is needed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ArgumentException">The parts have different classes.</exception>
    public static DatasetSplit LoadSplit(string directory, ImageFolderOptions options, int? threads = null, CancellationToken cancellationToken = default) =>
        FSharp.ImageFolder.loadSplit(SyntheticData.Scheduler(threads), Readable(options), directory, cancellationToken);

    private static ImageFolderOptions Readable(ImageFolderOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.WithDefault(ImageFormats.All);
    }
}

/// The theories, in the order in which a reader learns them, and the program that runs them.
module Cnn.Tests.Main

open Expecto
open Cnn.Tests

/// What a network computes, and how it learns.
let private laws = [
    Laws.ShapeLaws.tests
    Laws.CorrelationLaws.tests
    Laws.LayerLaws.tests
    Laws.GradientLaws.tests
    Laws.PoolingLaws.tests
    Laws.SymmetryLaws.tests
    Laws.ActivationLaws.tests
    Laws.BatchNormLaws.tests
    Laws.DropoutLaws.tests
    Laws.InitializerLaws.tests
    Laws.KeyLaws.tests
    Laws.DrawLaws.tests
    Laws.FrozenLaws.tests
    Laws.LossLaws.tests
    Laws.OptimizerLaws.tests
    Laws.OptimizerOptionLaws.tests
    Laws.RefinementLaws.tests
    Laws.BlockLaws.tests
    Laws.WinogradLaws.tests
    Laws.TrainingLaws.tests
    Laws.ThreadLaws.tests
    Laws.RewritingLaws.tests
    Laws.ScheduleLaws.tests
    Laws.HandTrainingLaws.tests
    Laws.WatchLaws.tests
    Laws.OwnLossLaws.tests
    Laws.WholeSetLaws.tests
    Laws.MetricsLaws.tests
    Laws.EdgeLaws.tests
    Laws.FilterLaws.tests
    Laws.FixedFilterLaws.tests
    Laws.VanillaLaws.tests
    Laws.SaliencyLaws.tests
    Laws.ReceptiveFieldLaws.tests
    Laws.InspectLaws.tests
    Laws.InspectImageLaws.tests
    Laws.IOrQLaws.tests
    Laws.DatasetLaws.tests
    Laws.PreprocessingLaws.tests
    Laws.ResamplingLaws.tests
    Laws.AugmentationLaws.tests
    Laws.AugmentationDrawLaws.tests
    Laws.SyntheticLaws.tests
    Laws.CustomLayerLaws.tests
    Laws.FacadeLaws.tests
    Laws.ClassifierLaws.tests
    Laws.RefusalLaws.tests
    Laws.MisfitLaws.tests
    Laws.ChoiceLaws.tests
    Laws.SummaryLaws.tests
    Laws.ValueLaws.tests
    Laws.PreparedLaws.tests
    Laws.SchedulerLaws.tests
    Laws.MemoryLaws.tests
    Laws.RentedLaws.tests
    Laws.ReportLaws.tests
    Laws.PrinterLaws.tests
    Laws.SearchLaws.tests
    Laws.ContactSheetLaws.tests
    Laws.ComparisonLaws.tests
    Laws.VerifyLaws.tests
    Laws.SettingLaws.tests
]

/// The same numbers as an outside oracle's.
let private golden = [
    Golden.LayerVectors.tests
    Golden.TrainingVectors.tests
    Golden.WorkedNumbers.tests
    Golden.ArchitectureNumbers.tests
    Golden.PublishedConstants.tests
]

/// What readers and writers do with sound and damaged files.
let private formats = [
    Formats.IdxLaws.tests
    Formats.SafetensorsLaws.tests
    Formats.ModelFileLaws.tests
    Formats.CheckpointLaws.tests
    Formats.CheckpointSettingLaws.tests
    Formats.SearchLogLaws.tests
    Formats.PngLaws.tests
    Formats.NetpbmLaws.tests
    Formats.ImageLaws.tests
    Formats.FolderLaws.tests
    Formats.JpegLaws.tests
    Formats.JpegRefusalLaws.tests
    Formats.OtherPictureLaws.tests
    Formats.CifarLaws.tests
    Formats.MatFileLaws.tests
    Formats.CsvLaws.tests
    Formats.BoundLaws.tests
    Formats.DownloadLaws.tests
    Formats.OnnxLaws.tests
    Formats.NumPyLaws.tests
    Formats.NumPyDataLaws.tests
    Formats.WeightImportLaws.tests
]

/// What users see: the command line, its pages, the public API.
let private doors = [
    Laws.CancellationLaws.tests
    CommandLine.CommandLineLaws.tests
    Browser.Pages.tests
    Browser.Experiments.tests
    Laws.ApiLaws.tests
]

let private all =
    testList "Cnn" [
        testList "laws" laws
        testList "golden" golden
        testList "formats" formats
        testList "doors" doors
        Laws.LawsPage.tests (laws @ golden @ formats @ doors)
    ]

[<EntryPoint>]
let main arguments =
    match arguments with
    // A process to be ended by the test that starts it.
    | [| "train-for-ever"; folder |] ->
        Formats.CheckpointLaws.trainForEver folder
        0
    | _ when TestingPlatform.isCalled arguments -> (TestingPlatform.run all arguments).GetAwaiter().GetResult()
    | _ -> runTestsWithCLIArgs [] arguments all

/// What users see of the libraries: approved as text, and free of F# where C# looks.
module Cnn.Tests.Laws.ApiLaws

open System
open System.IO
open System.Reflection
open System.Runtime.CompilerServices
open Microsoft.FSharp.Reflection
open PublicApiGenerator
open Expecto
open Cnn
open Cnn.Fluent
open Cnn.Tests.Golden
open Cnn.Tests.Laws.Closeness
open Cnn.Tests.Laws.Law

let private core, private facade = typeof<Shape>.Assembly, typeof<NetworkBuilder>.Assembly

/// Set to 1, the approved texts are written anew.
[<Literal>]
let private Approve = "CNN_APPROVE"

let private declared =
    BindingFlags.Public ||| BindingFlags.Instance ||| BindingFlags.Static ||| BindingFlags.DeclaredOnly

/// Made by a compiler: equality and accessors of records, members of unions, what extension blocks become.
let private isHidden (m: MemberInfo) = m.IsDefined(typeof<CompilerGeneratedAttribute>, false) || m.Name.Contains '<'

/// Types that a user can name; what becomes of the cases of a union is told by the cases.
let private typesOf (assembly: Assembly) =
    assembly.GetExportedTypes()
    |> List.ofArray
    |> List.filter (fun t ->
        not (isHidden t)
        && (match t.DeclaringType with
            | null -> true
            | outer -> not (isHidden outer || FSharpType.IsUnion outer)))

/// What F# callers see and the generator does not tell: records, cases of unions, brackets of several arguments, and arguments
/// that may be left out but have no default.
let private untold (assembly: Assembly) =
    List.sort [
        for t in typesOf assembly do
            if FSharpType.IsRecord t then
                $"record {t}"

            if FSharpType.IsUnion t then
                for case in FSharpType.GetUnionCases t do
                    let fields = [ for field in case.GetFields() -> $" ({field.Name}: {field.PropertyType})" ]
                    $"case {t}.{case.Name}" + String.concat "" fields

            for m in
                [ yield! Seq.cast<MethodBase>(t.GetMethods declared); yield! Seq.cast (t.GetConstructors declared) ] do
                let arguments = m.GetParameters()

                let brackets =
                    match m.GetCustomAttribute<CompilationArgumentCountsAttribute>() with
                    | null -> [ arguments.Length ]
                    | curried -> List.ofSeq curried.Counts

                if FSharpType.IsModule t && List.exists (fun n -> n > 1) brackets then
                    $"brackets {t}.{m.Name} %A{brackets}"

                for argument in arguments do
                    if argument.IsOptional && not argument.HasDefaultValue then
                        $"optional {t}: {m} {argument.Name}"
    ]

/// The public API of an assembly, less the attributes that tell compilers and debuggers something.
let private describe (assembly: Assembly) =
    let options =
        ApiGeneratorOptions(
            IncludeAssemblyAttributes = false,
            ExcludeAttributes = [|
                "Microsoft.FSharp.Core.CompilationArgumentCountsAttribute"
                "Microsoft.FSharp.Core.CompilationMappingAttribute"
                "Microsoft.FSharp.Core.CompilationSourceNameAttribute"
                "System.Diagnostics.DebuggerBrowsableAttribute"
                "System.Diagnostics.DebuggerDisplayAttribute"
                "System.Diagnostics.DebuggerNonUserCodeAttribute"
                "System.Runtime.CompilerServices.CompilerGeneratedAttribute"
                "System.Diagnostics.CodeAnalysis.DynamicDependencyAttribute"
                "System.Diagnostics.DebuggerTypeProxyAttribute"
            |]
        )

    (assembly.GeneratePublicApi options).ReplaceLineEndings("\n").Split '\n'
    |> List.ofArray
    |> List.filter (fun line -> line.Trim() <> "[System.Serializable]" && line <> "")
    |> fun told -> told @ untold assembly

/// Members with the type that they are of before them.
let private qualified (lines: string list) =
    ("", lines)
    ||> List.mapFold (fun heading line ->
        if line.StartsWith "        " then heading + " / " + line.Trim(), heading
        elif line.StartsWith "    public" then line, line.Trim()
        else line, heading)
    |> fst

/// Types that a C# caller should not meet: F# functions, lists, options, references, tuples, and unions.
let rec private isFSharp (t: Type) =
    (match t.FullName with
     | null -> false
     | name -> name.StartsWith "Microsoft.FSharp" || name.StartsWith "System.Tuple")
    || FSharpType.IsUnion t
    || (t.IsGenericType && t.GetGenericArguments() |> Array.exists isFSharp)
    || (t.HasElementType && isFSharp (nonNull (t.GetElementType())))

/// Tuples whose elements C# knows as Item1 and Item2.
let private isNameless (t: Type) (named: ICustomAttributeProvider) =
    let rec holdsTuple (t: Type) =
        (t.IsValueType && FSharpType.IsTuple t)
        || (t.IsGenericType && t.GetGenericArguments() |> Array.exists holdsTuple)
        || (t.HasElementType && holdsTuple (nonNull (t.GetElementType())))

    holdsTuple t && not (named.IsDefined(typeof<TupleElementNamesAttribute>, false))

/// What every public member of a type shows, with what names the elements of its tuples.
let private shown (t: Type) : (string * Type * ICustomAttributeProvider) list = [
    let constraints (arguments: Type[]) =
        arguments |> Seq.filter _.IsGenericParameter |> Seq.collect _.GetGenericParameterConstraints()

    let methods = t.GetMethods declared |> Array.filter (fun m -> not (isHidden m || m.IsSpecialName))

    for m in methods do
        m.Name, m.ReturnType, m.ReturnParameter

        for bound in constraints (m.GetGenericArguments()) do
            m.Name, bound, m

    for m in [ yield! Seq.cast<MethodBase> methods; yield! Seq.cast<MethodBase>(t.GetConstructors declared) ] do
        for p in m.GetParameters() do
            m.Name, p.ParameterType, p

    for p in t.GetProperties declared do
        p.Name, p.PropertyType, p

        for index in p.GetIndexParameters() do
            p.Name, index.ParameterType, index

    for f in t.GetFields declared do
        f.Name, f.FieldType, f

    for i in t.GetInterfaces() do
        "interface", i, t

    for bound in constraints (t.GetGenericArguments()) do
        "type parameter", bound, t

    match t.BaseType with
    | null -> ()
    | b -> "base", b, t
]

let private visible =
    [ core; facade ]
    |> List.collect typesOf
    |> List.filter (fun t -> t.Namespace = "Cnn" || t.Namespace = "Cnn.Fluent")

/// Members that show F# where C# looks, each with its reason.
let private exceptions =
    dict [
        "Cnn.Geometry.Correlation", "geometries are made by layers; C# kernels are handed them"
        "Cnn.Geometry.Pooling", "as above"
    ]

let tests =
    testList "API" [
        // The public API is the one that Approved/NAME.txt holds, so that each change of it is a visible one.
        testTheory "the public API is as approved" [ "Cnn.Core.FSharp"; "Cnn.Api.CSharp" ] (fun name ->
            match Vectors.repository () with
            | None -> Assert.Ignore "The sources are not here."
            | Some folder ->
                let found = describe (if name = "Cnn.Core.FSharp" then core else facade)
                let file = Path.Combine(folder, "Cnn.Tests", "Approved", name + ".txt")

                if Environment.GetEnvironmentVariable Approve = "1" then
                    File.WriteAllText(file, String.Join("\n", found) + "\n")

                let approved = if File.Exists file then List.ofArray (File.ReadAllLines file) else []

                if found <> approved then
                    let changes =
                        [ for line in List.except (qualified found) (qualified approved) -> "- " + line ]
                        @ [ for line in List.except (qualified approved) (qualified found) -> "+ " + line ]

                    Assert.Fail(
                        $"The public API of {name} is not the approved one. If that is meant, run this test with {Approve}=1 in the "
                        + $"environment and commit Cnn.Tests/Approved/{name}.txt.\n"
                        + String.Join("\n", changes)
                    ))

        // ARCHITECTURE: outside Cnn.FSharp no public member shows an F# function, list, option, tuple or union.
        testCase "no F# type is visible outside Cnn.FSharp" (fun () ->
            let found = [
                for t in visible do
                    if FSharpType.IsUnion t then
                        t.Name, t

                    for name, seen, named in shown t do
                        if isFSharp seen || isNameless seen named then
                            $"{t.FullName}.{name}", seen
            ]

            let excused, offences = found |> List.partition (fun (name, _) -> exceptions.ContainsKey name)

            Assert.That(visible.Length, greaterThan 100)
            Assert.That(offences, isEmpty)
            Assert.That(excused |> List.map fst |> set, equalTo (set exceptions.Keys)))

        // Every public type lives in one of the three namespaces.
        testCase "there are three namespaces" (fun () ->
            let namespaces =
                [ core; facade ] |> List.collect (fun a -> [ for t in a.GetExportedTypes() -> string t.Namespace ])

            Assert.That(set namespaces, equalTo (set [ "Cnn"; "Cnn.FSharp"; "Cnn.Fluent" ])))
    ]

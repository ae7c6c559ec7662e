/// What an assembly shows of itself, as text: a line for each type and for each of its members, sorted.
module Cnn.Tests.Laws.ApiText

open System
open System.Globalization
open System.Reflection
open System.Runtime.CompilerServices
open Microsoft.FSharp.Core
open Microsoft.FSharp.Reflection

let private declared =
    BindingFlags.Public ||| BindingFlags.Instance ||| BindingFlags.Static ||| BindingFlags.DeclaredOnly

/// Made by a compiler: equality and accessors of records, members of unions, what extension blocks become.
let isHidden (m: MemberInfo) = m.IsDefined(typeof<CompilerGeneratedAttribute>, false) || m.Name.Contains '<'

let private keywords =
    dict [
        typeof<Void>, "void"
        typeof<unit>, "unit"
        typeof<obj>, "object"
        typeof<bool>, "bool"
        typeof<byte>, "byte"
        typeof<char>, "char"
        typeof<string>, "string"
        typeof<int>, "int"
        typeof<uint32>, "uint"
        typeof<int64>, "long"
        typeof<uint64>, "ulong"
        typeof<float32>, "float"
        typeof<float>, "double"
    ]

/// None is null, but not to a reader.
let private isOption (t: Type) = t.IsGenericType && t.GetGenericTypeDefinition() = typedefof<_ option>

/// The name of a type as a reader of either language knows it, with ? where null may stand.
let rec private spell (t: Type) (nullability: NullabilityInfo | null) : string =
    let part i =
        match nullability with
        | null -> null
        | known when i < known.GenericTypeArguments.Length -> known.GenericTypeArguments[i]
        | _ -> null

    let named =
        match keywords.TryGetValue t with
        | true, keyword -> keyword
        | _ when t.HasElementType ->
            let element =
                match nullability with
                | null -> null
                | known when t.IsByRef -> known
                | known -> known.ElementType

            spell (nonNull (t.GetElementType())) element
            + (if t.IsArray then "[" + String(',', t.GetArrayRank() - 1) + "]"
               elif t.IsByRef then "&"
               else "*")
        | _ when t.IsGenericType ->
            let arguments = t.GetGenericArguments() |> Array.mapi (fun i a -> spell a (part i))
            let definition = t.GetGenericTypeDefinition()

            if definition = typedefof<_ -> _> then
                "(" + String.Join(" -> ", arguments) + ")"
            elif definition = typedefof<_ list> then
                arguments[0] + " list"
            elif isOption t then
                arguments[0] + " option"
            elif definition = typedefof<Nullable<_>> then
                arguments[0] + "?"
            elif FSharpType.IsTuple t then
                (if t.IsValueType then "struct " else "") + "(" + String.Join(" * ", arguments) + ")"
            else
                t.Name.Split('`')[0] + "<" + String.Join(", ", arguments) + ">"
        | _ -> t.Name

    match nullability with
    | null -> named
    | known when known.ReadState <> NullabilityState.Nullable || t.IsValueType || t.IsByRef || isOption t -> named
    | _ -> named + "?"

let private context = NullabilityInfoContext()

let private constant (value: obj | null) =
    match value with
    | null -> "null"
    | :? string as text -> "\"" + text + "\""
    | :? bool as truth -> if truth then "true" else "false"
    | value -> nonNull (Convert.ToString(value, CultureInfo.InvariantCulture))

let private parameter (p: ParameterInfo) =
    let before =
        if p.IsDefined(typeof<ParamArrayAttribute>, false) then "params "
        elif p.IsOut then "out "
        else ""

    let optional =
        if p.HasDefaultValue && isNull p.DefaultValue && p.ParameterType.IsValueType then
            " = default"
        elif p.HasDefaultValue then
            " = " + constant p.DefaultValue
        elif p.IsOptional then
            " = default"
        else
            ""

    before + p.Name + ": " + spell p.ParameterType (context.Create p) + optional

/// Type parameters, each with what it must be.
let private generics (arguments: Type[]) =
    let constraints (t: Type) =
        let attributes = t.GenericParameterAttributes

        let bounds = [
            if attributes.HasFlag GenericParameterAttributes.NotNullableValueTypeConstraint then
                "struct"
            if attributes.HasFlag GenericParameterAttributes.ReferenceTypeConstraint then
                "class"
            for bound in t.GetGenericParameterConstraints() do
                if bound <> typeof<ValueType> then
                    spell bound null
        ]

        t.Name + (if bounds.IsEmpty then "" else ": " + String.Join(" & ", bounds))

    if arguments.Length = 0 then
        ""
    else
        "<" + String.Join(", ", Array.map constraints arguments) + ">"

/// Parameters in brackets, curried ones each in their own.
let private parameters (m: MethodBase) =
    let all = m.GetParameters() |> Array.map parameter |> List.ofArray

    let groups =
        match m.GetCustomAttribute<CompilationArgumentCountsAttribute>() with
        | null -> [ all ]
        | counts ->
            (all, counts.Counts)
            ||> Seq.mapFold (fun rest count -> List.splitAt count rest)
            |> fst
            |> List.ofSeq

    String.Join(" ", groups |> List.map (fun group -> "(" + String.Join(", ", group) + ")"))

let private modifiers (m: MethodBase) =
    if m.IsStatic then (if m.IsAbstract then "static abstract " else "static ")
    elif m.IsAbstract then "abstract "
    else ""

let private membersOf (t: Type) : string list =
    let isUnion = FSharpType.IsUnion t

    [
        if t.IsEnum then
            for name in Enum.GetNames t do
                name + " = " + string (Convert.ToInt64(Enum.Parse(t, name)))
        elif typeof<Delegate>.IsAssignableFrom t then
            "Invoke" + parameters (nonNull (t.GetMethod "Invoke"))
        else
            if isUnion then
                for case in FSharpType.GetUnionCases t do
                    let fields =
                        case.GetFields()
                        |> Array.map (fun field -> field.Name + ": " + spell field.PropertyType (context.Create field))

                    "case " + case.Name + (if fields.Length = 0 then "" else " of " + String.Join(" * ", fields))

            for c in t.GetConstructors declared do
                if not (isHidden c || isUnion) then
                    "new" + parameters c

            for m in t.GetMethods declared do
                if not (isHidden m || m.IsSpecialName && not (m.Name.StartsWith "op_")) then
                    modifiers m
                    + m.Name
                    + generics (m.GetGenericArguments())
                    + (if m.IsDefined(typeof<ExtensionAttribute>, false) then " this" else "")
                    + parameters m
                    + ": "
                    + spell m.ReturnType (context.Create m.ReturnParameter)

            for p in t.GetProperties declared do
                if not (isUnion && isHidden p) then
                    let index = p.GetIndexParameters() |> Array.map parameter

                    match p.GetMethod with
                    | null -> ()
                    | getter ->
                        modifiers getter
                        + p.Name
                        + (if index.Length = 0 then "" else "[" + String.Join(", ", index) + "]")
                        + ": "
                        + spell p.PropertyType (context.Create p)
                        + (match p.GetSetMethod() with
                           | null -> ""
                           | _ -> " { init }")

            for f in t.GetFields declared do
                if not (isHidden f) then
                    (if f.IsLiteral then "const "
                     elif f.IsStatic then "static "
                     else "")
                    + f.Name
                    + ": "
                    + spell f.FieldType (context.Create f)
                    + (if f.IsLiteral then " = " + constant (f.GetRawConstantValue()) else "")
    ]

let private heading (t: Type) =
    let kind =
        if t.IsEnum then "enum"
        elif t.IsInterface then "interface"
        elif typeof<Delegate>.IsAssignableFrom t then "delegate"
        elif FSharpType.IsModule t then "module"
        elif FSharpType.IsUnion t then "union"
        elif FSharpType.IsRecord t then "record"
        elif t.IsValueType then "struct"
        elif t.IsAbstract && t.IsSealed then "static class"
        elif t.IsAbstract then "abstract class"
        elif t.IsSealed then "sealed class"
        else "class"

    let bases = [
        match t.BaseType with
        | null -> ()
        | b when b.Namespace = "System" && (b.Name = "Object" || b.Name = "ValueType" || b.Name = "Enum") -> ()
        | b -> spell b null

        if not t.IsEnum then
            yield! t.GetInterfaces() |> Seq.filter _.IsVisible |> Seq.map (fun i -> spell i null) |> Seq.sort
    ]

    let name = (nonNull t.FullName).Split('`')[0]
    let its = if t.IsGenericType then generics (t.GetGenericArguments()) else ""
    kind + " " + name + its + (if bases.IsEmpty then "" else " : " + String.Join(", ", bases))

/// Types that a user can name; what becomes of the cases of a union is told by the cases.
let typesOf (assembly: Assembly) =
    assembly.GetExportedTypes()
    |> Array.filter (fun t ->
        not (isHidden t)
        && (match t.DeclaringType with
            | null -> true
            | outer -> not (isHidden outer || FSharpType.IsUnion outer)))
    |> Array.sortWith (fun a b -> String.CompareOrdinal(a.FullName, b.FullName))

/// The public API of an assembly.
let describe (assembly: Assembly) : string list = [
    for t in typesOf assembly do
        heading t

        for line in membersOf t |> List.sortWith (fun a b -> String.CompareOrdinal(a, b)) do
            "    " + line
]

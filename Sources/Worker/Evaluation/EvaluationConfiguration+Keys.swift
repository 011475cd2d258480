import Core
import Foundation

extension EvaluationConfiguration {
    /// Every key of `eval.yaml`; those of a benchmark are `BenchmarkSource.keys`.
    package static let keys = ConfigurationKeys<EvaluationConfiguration>(
        [
            .seed(\.seed, "keys the resampling, and draws of answers"),
            .path("output", \.output, standard: "`runs/<config name>`", "where answers and results go"),
            .optional("run", \.run, "a run.yaml: the model that it trains answers"),
            .bool("base", \.base, "whether the run's model answers as it was before training"),
            checkpoint,
            .int("resamples", \.rounds, from: 0, to: 1_000_000, "rounds of the bootstrap, for intervals"),
            .int("threads", \.threads, from: 1, to: 4096, "threads of a rank, at the least"),
        ]
            + RunConfiguration.Model.keys.map { key in
                key.within("model", \.model) { RunConfiguration.Model(path: $0) }
            }
            + [
                ConfigurationKey<Self>.optional(
                    "transparency", \.transparency, "what becomes of an alpha channel: laid on white, or dropped",
                    standard: "the run's own, else white"
                ).within("data", \.self)
            ]
            + SamplingChoice.keys.map { $0.within("answers", \.sampling) }
            + [
                ConfigurationKey<Self>.optional(
                    "precision", \.precision, "what products round their inputs to",
                    standard: "the run's own, else float32"
                ).within("compute", \.self)
            ]
            + JudgeConfiguration.keys(kinds: BenchmarkKind.judged.map(\.rawValue)).map { key in
                key.within("judge", \.judge) { _ in JudgeConfiguration() }
            } + [benchmarkList])

    private static let checkpoint = ConfigurationKey<Self>(
        "checkpoint", "`best`, `step-000100`, or a folder", "what the run had trained by then, in place of its result",
        read: { section, root throws(MISPError) in
            let field = section["checkpoint"]
            root.checkpoint = try field.fileURL()
            // A bare name is that of one of the run's own, unless there is such a folder.
            if let name = try field.string(), !name.contains("/"), let place = root.checkpoint,
                !FileManager.default.fileExists(atPath: place.path)
            {
                root.checkpoint = URL(filePath: name)
            }
            guard root.checkpoint != nil, root.run == nil || root.base else { return }
            throw field.failure(
                root.base ? "is given beside base" : "is given without a run",
                remedy: root.base ? "keep one of the two" : "set run to the configuration that it was trained with")
        },
        write: { root in root.checkpoint.map { .string($0.path) } ?? .null })

    private static let benchmarkList = ConfigurationKey<Self>(
        "benchmarks", "a list", "the benchmarks, each with keys of its own", standard: "required",
        read: { section, root throws(MISPError) in
            let field = section["benchmarks"]
            guard let list = try field.list(), !list.isEmpty else {
                throw field.failure("is missing", remedy: "list the benchmarks, each with its kind")
            }
            for item in list {
                try item.checkKeys(BenchmarkSource.keys.map(\.name))
                let source = try BenchmarkSource(item)
                guard !root.benchmarks.contains(where: { $0.name == source.name }) else {
                    throw item["name"].failure(
                        "'\(source.name)' names two benchmarks", remedy: "give each its own name")
                }
                root.benchmarks.append(source)
            }
        },
        write: { root in
            .array(
                root.benchmarks.map { source in
                    .object(JSON.Object(BenchmarkSource.keys.map { ($0.name, $0.write(source)) }))
                })
        })
}

extension BenchmarkSource {
    /// - Throws: `MISPError` that names file, line and key
    fileprivate init(_ item: ConfigurationField) throws(MISPError) {
        // Required keys have no value before they are read.
        self.init(kind: .pope, name: "", questions: [], images: item.places.folder)
        for key in Self.keys { try key.read(item, &self) }
    }

    /// Every key of a benchmark in eval.yaml.
    package static let keys: [ConfigurationKey<Self>] = [
        ConfigurationKey(
            "kind", BenchmarkKind.allCases.map(\.rawValue).joined(separator: ", "), "which benchmark it is",
            standard: "required",
            read: { item, root throws(MISPError) in
                guard let kind = try item["kind"].string().flatMap({ BenchmarkKind(rawValue: $0) }) else {
                    let known = BenchmarkKind.allCases.map(\.rawValue)
                    throw item["kind"].failure(
                        "is not a benchmark",
                        remedy: NearestName.remedy((try? item["kind"].string()) ?? "", among: known))
                }
                root.kind = kind
            },
            write: { .string($0.kind.rawValue) }),
        ConfigurationKey(
            "name", "text", "a folder of the output", standard: "the kind",
            read: { item, root throws(MISPError) in
                let name = try item["name"].string() ?? root.kind.rawValue
                guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else {
                    throw item["name"].failure("'\(name)' cannot name a folder")
                }
                root.name = name
            },
            write: { .string($0.name) }),
        ConfigurationKey(
            "questions", "path, or a list of paths", "the benchmark's files of questions", standard: "required",
            read: { item, root throws(MISPError) in
                root.questions = try item["questions"].fileURLs()
                guard root.questions.isEmpty else { return }
                throw item["questions"].failure("is missing", remedy: "give the benchmark's file of questions")
            },
            write: { .array($0.questions.map { .string($0.path) }) }),
        .path("images", \.images, standard: "the configuration's folder", "the folder of the pictures"),
        ConfigurationKey(
            "annotations", "path, or a list of paths", "the benchmark's files of right answers (`amber`, `chair`)",
            standard: "none",
            read: { item, root throws(MISPError) in root.annotations = try item["annotations"].fileURLs() },
            write: { .array($0.annotations.map { .string($0.path) }) }),
        .optional("ratings", \.ratings, "a judge's ratings that are there already (`mmhal`, `wildvision`)"),
        .optional("baseline", \.baseline, "the answers that a judge compares with (`wildvision`)"),
        .optional("answers", \.answers, "answers that were made elsewhere, which need no model"),
        ConfigurationKey(
            "prompt", "text", "the question of a benchmark that has none (`chair`)",
            read: { item, root throws(MISPError) in root.prompt = try item["prompt"].string() },
            write: { root in root.prompt.map(JSON.string) ?? .null }),
        ConfigurationKey(
            "suffix", "text", "what is put behind each question", standard: "none",
            read: { item, root throws(MISPError) in root.suffix = try item["suffix"].string() ?? "" },
            write: { .string($0.suffix) }),
        .optional(
            "limit", \.limit, from: 1, to: 1_000_000_000, "takes this many questions, the first ones", standard: "all"),
    ]
}

extension SamplingChoice {
    /// Of the section `answers`; what is left out is as generation_config.json of the model says.
    fileprivate static let keys: [ConfigurationKey<Self>] = [
        .optional(
            "max_tokens", \.maxTokens, from: GenerationConfiguration.counts.lowerBound,
            to: GenerationConfiguration.counts.upperBound, "tokens of an answer at the most",
            standard: "as the model says, else \(defaultTokens)"),
        .optional(
            "temperature", \.temperature, "0 or more", "0 takes the most probable token always",
            standard: "as the model says, else 0"
        ) { $0 >= 0 },
        .optional(
            "top_k", \.topK, from: 0, to: GenerationConfiguration.counts.upperBound,
            "draws from so many of the most probable tokens; 0 from all", standard: "as the model says, else 0"),
        .optional(
            "top_p", \.topP, "greater than 0 and at most 1",
            "draws from the most probable tokens that together have this probability",
            standard: "as the model says, else 1"
        ) { $0 > 0 && $0 <= 1 },
        .optional(
            "repetition_penalty", \.repetitionPenalty, "greater than 0",
            "above 1 makes tokens that occurred less likely", standard: "as the model says, else 1"
        ) { $0 > 0 },
        .bool(
            "generation_config", \.followsFile,
            "whether generation_config.json decides what is left out here; what ends an answer it decides always"),
    ]
}

extension ConfigurationField {
    /// One path or a list of them.
    func fileURLs() throws(MISPError) -> [URL] {
        guard isPresent else { return [] }
        guard case .sequence? = node else { return [try fileURL()].compactMap { $0 } }
        var paths: [URL] = []
        for item in try list() ?? [] { if let path = try item.fileURL() { paths.append(path) } }
        return paths
    }
}

import Core
import Foundation

/// A set of questions about pictures, and how answers to them are scored (docs/evaluation.md).
protocol Benchmark {
    var questions: [Question] { get }
    /// Ids of questions in the benchmark's files that are not asked, and to which a file of answers may hold some.
    var unasked: Set<String> { get }
    /// - Parameter answers: one for each question; nil says that there is none yet
    func score(_ answers: [String]) throws(MISPError) -> Scorecard?
    /// What its truth says of an answer to the question at `index`, and of the answer's words.
    func mark(_ answer: String, at index: Int) -> MarkedAnswer
    /// Files for a judge or another scorer, by name.
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)]
}

extension Benchmark {
    var unasked: Set<String> { [] }
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] { [] }
}

/// The benchmarks there are, under the names of a configuration.
enum BenchmarkKind: String, CaseIterable {
    case pope, hallusionbench, mmvp, amber, chair, mmhal, wildvision
    case easyVQA = "easy-vqa"

    /// Those that a judge can rate.
    static var judged: [BenchmarkKind] { allCases.filter { $0.judgePrompt != nil } }

    /// Reads the benchmark's files.
    ///
    /// - Throws: `MISPError` with file, line or record, and field: what is malformed, unknown or repeated; with the
    ///   model or a judge to be shown them also pictures that do not exist
    func open(_ source: BenchmarkSource) throws(MISPError) -> any Benchmark {
        let benchmark = try read(source)
        var seen: Set<String> = []
        for question in benchmark.questions where !seen.insert(question.id).inserted {
            throw MISPError(
                "the question \(question.id) occurs twice", at: question.place, remedy: "give each its own id")
        }
        if source.answers == nil || source.isJudged && isArena { try Self.checkImages(benchmark.questions) }
        return benchmark
    }

    private static func checkImages(_ questions: [Question]) throws(MISPError) {
        var checked: Set<String> = []
        let missing = questions.filter { question in
            guard let image = question.image, checked.insert(image).inserted else { return false }
            return !FileManager.default.fileExists(atPath: image)
        }
        guard let first = missing.first else { return }
        throw MISPError(
            "the image \(first.image ?? "") does not exist (missing in all: \(missing.count) of \(checked.count))",
            at: first.place, remedy: "set the benchmark's images to their folder")
    }

    private func read(_ source: BenchmarkSource) throws(MISPError) -> any Benchmark {
        switch self {
        case .pope: try PopeBenchmark(source)
        case .hallusionbench: try HallusionBenchmark(source)
        case .mmvp: try PairBenchmark(source)
        case .amber: try AmberBenchmark(source)
        case .chair: try CaptionBenchmark(source)
        case .mmhal: try RatedBenchmark(source)
        case .wildvision: try ArenaBenchmark(source)
        case .easyVQA: try ShapeBenchmark(source)
        }
    }
}

/// Where a benchmark's files are, and how it is asked.
package struct BenchmarkSource: Equatable, Sendable {
    var kind: BenchmarkKind
    var name: String
    var questions: [URL]
    var images: URL
    var annotations: [URL] = []
    var ratings: URL?
    /// Whether a judge is asked for the ratings.
    var isJudged = false
    /// The answers that a judge compares with (wildvision).
    var baseline: URL?
    /// Answers that were made elsewhere; nil asks the model.
    var answers: URL?
    /// The prompt of a benchmark whose questions have none (chair).
    var prompt: String?
    /// Put behind each question.
    var suffix = ""
    /// Only the first questions; nil for all.
    var limit: Int?

    func image(_ name: String) -> String { name.hasPrefix("/") ? name : images.appending(path: name).path }

    func question(_ id: String, _ text: String, image: String?, at place: String) -> Question {
        Question(id: id, prompt: text + suffix, image: image.map(self.image), place: place)
    }

    /// Keeps what the limit allows.
    func limited<Row>(_ rows: [Row], at file: URL) throws(MISPError) -> [Row] {
        guard !rows.isEmpty else { throw MISPError("has no question", at: file.relativePath) }
        return limit.map { Array(rows.prefix($0)) } ?? rows
    }

    /// The annotation file of a benchmark that has one.
    func annotation() throws(MISPError) -> URL {
        guard let file = annotations.first else {
            throw MISPError("has no annotations", at: name, remedy: "set annotations to the benchmark's file")
        }
        return file
    }

    /// The only file of questions of a benchmark that has one.
    func file() throws(MISPError) -> URL {
        guard questions.count == 1 else {
            throw MISPError("has \(questions.count) files of questions, not 1", at: name)
        }
        return questions[0]
    }

    /// Rows of a file that is a JSON array or JSON lines, whichever it is.
    static func rows(_ file: URL) throws(MISPError) -> [JSONField] {
        let data: Data
        do {
            data = try Data(contentsOf: file)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: file.relativePath)
        }
        if data.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "[") {
            return try JSONField(contentsOf: file).array()
        }
        var rows: [JSONField] = []
        for (line, value) in try JSON.lines(contentsOf: file) {
            rows.append(JSONField(value, file: "\(file.relativePath):\(line)"))
        }
        return rows
    }
}

extension JSONField {
    /// A string, or a number as it is written: benchmarks use both for ids.
    func name() throws(MISPError) -> String {
        if let string = value?.string { return string }
        return "\(try int())"
    }

    /// One of the names, whatever its case and the space around it; a number counts as it is written.
    func label(_ known: [String]) throws(MISPError) -> String {
        let text = try name()
        let plain = text.trimmingCharacters(in: .whitespacesAndNewlines).lowercased()
        guard let label = known.first(where: { $0.lowercased() == plain }) else {
            throw failure("is '\(text.prefix(40))', but must be one of \(known.joined(separator: ", "))")
        }
        return label
    }
}

/// Counts of yes and no, and the measures of them with either as the positive.
enum YesNoCounts {
    static func measures(_ prefix: String = "", named suffix: String = "") -> [Measure] {
        let (tp, fp, tn, fn) = ("\(prefix)tp", "\(prefix)fp", "\(prefix)tn", "\(prefix)fn")
        let all = [tp: 1.0, fp: 1, tn: 1, fn: 1]
        return [
            Measure("accuracy\(suffix)", [tp: 1, tn: 1], per: all),
            Measure("precision\(suffix)", [tp: 1], per: [tp: 1, fp: 1]),
            Measure("recall\(suffix)", [tp: 1], per: [tp: 1, fn: 1]),
            Measure("f1\(suffix)", [tp: 2], per: [tp: 2, fp: 1, fn: 1]),
            Measure("yes_ratio\(suffix)", [tp: 1, fp: 1], per: all),
        ]
    }

    /// The count that a prediction adds to, yes being positive.
    static func count(_ said: Bool, truth: Bool) -> String {
        switch (said, truth) {
        case (true, true): "tp"
        case (true, false): "fp"
        case (false, false): "tn"
        case (false, true): "fn"
        }
    }
}

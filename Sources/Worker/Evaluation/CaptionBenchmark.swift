import Core
import Foundation

/// CHAIR: how many of the objects that a caption mentions are in the picture (Rohrbach et al., 2018).
///
/// Questions are JSON lines `{image_id, image}`. An object is in the picture if COCO's instances or a person's caption
/// say so: `annotations` lists instances and captions (COCO's JSON) and CHAIR's `synonyms.txt`.
struct CaptionBenchmark: Benchmark {
    let questions: [Question]
    private let words: CaptionWords
    /// By question.
    private let present: [Set<String>]

    init(_ source: BenchmarkSource) throws(MISPError) {
        let file = try source.file()
        var questions: [Question] = []
        for row in try source.limited(try BenchmarkSource.rows(file), at: file) {
            questions.append(
                source.question(
                    try row["image_id"].name(), source.prompt ?? "Please describe this image in detail.",
                    image: try row["image"].string(), at: row.place))
        }
        guard let list = source.annotations.first(where: { $0.pathExtension == "txt" }) else {
            throw MISPError(
                "has no list of synonyms", at: source.name, remedy: "add CHAIR's synonyms.txt to annotations")
        }
        do {
            words = CaptionWords(synonyms: try String(contentsOf: list, encoding: .utf8))
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: list.relativePath)
        }
        var objects: [String: Set<String>] = [:]
        for question in questions { objects[question.id] = [] }
        var known: Set<String> = []
        for file in source.annotations where file.pathExtension != "txt" {
            known.formUnion(try Self.add(file, words, to: &objects))
        }
        if let stranger = questions.first(where: { !known.contains($0.id) }) {
            throw MISPError(
                "the image_id \(stranger.id) is not in the annotations", at: stranger.place,
                remedy: "name COCO's files of the same split, and the picture's id as they have it")
        }
        self.questions = questions
        present = questions.map { objects[$0.id] ?? [] }
    }

    /// Adds the objects of a file of instances or captions to those of its pictures, and returns which pictures it
    /// knows.
    private static func add(
        _ file: URL, _ words: CaptionWords, to objects: inout [String: Set<String>]
    ) throws(MISPError) -> Set<String> {
        let root = try JSONField(contentsOf: file)
        var known: Set<String> = []
        if root["images"].isPresent {
            for image in try root["images"].array() { known.insert(try image["id"].name()) }
        }
        var names: [Int: String] = [:]
        if root["categories"].isPresent {
            for category in try root["categories"].array() {
                let name = try category["name"].string()
                guard let object = words.object(named: name) else {
                    throw category.failure("the category \(name) is not among the synonyms")
                }
                names[try category["id"].int()] = object
            }
        }
        for annotation in try root["annotations"].array() {
            let image = try annotation["image_id"].name()
            guard objects[image] != nil else { continue }
            known.insert(image)
            if annotation["caption"].isPresent {
                objects[image]?.formUnion(words.objects(in: try annotation["caption"].string()))
            } else {
                guard let object = names[try annotation["category_id"].int()] else {
                    throw annotation.failure("its category is not among the file's categories")
                }
                objects[image]?.insert(object)
            }
        }
        return known
    }

    func score(_ answers: [String]) -> Scorecard? {
        var card = Scorecard([
            Measure("CHAIRs", "hallucinating captions", per: "captions"),
            Measure("CHAIRi", "hallucinated objects", per: "objects"), Measure("recall", "recalled", per: "present"),
        ])
        for (index, answer) in answers.enumerated() {
            let said = words.objects(in: answer)
            let wrong = said.count { !present[index].contains($0) }
            let unit = questions[index].id
            card.add("captions", to: unit)
            card.add("hallucinating captions", wrong > 0 ? 1 : 0, to: unit)
            card.add("objects", Double(said.count), to: unit)
            card.add("hallucinated objects", Double(wrong), to: unit)
            card.add("present", Double(present[index].count), to: unit)
            card.add("recalled", Double(present[index].intersection(said).count), to: unit)
        }
        return card
    }

    /// The objects that a caption mentions: those in the picture are right, all others hallucinated.
    func mark(_ answer: String, at index: Int) -> MarkedAnswer {
        let mentions = words.mentions(in: answer)
        let isRight = mentions.allSatisfy { present[index].contains($0.object) }
        return MarkedAnswer(
            answer, truth: present[index].sorted().joined(separator: ", "), verdict: isRight ? .right : .wrong,
            marks: mentions.compactMap { mention in
                mention.range.map { ($0, present[index].contains(mention.object)) }
            })
    }

    /// Captions as the official scorer reads them.
    func files(_ answers: [Answer], model: String) -> [(name: String, text: String)] {
        let lines = zip(questions, answers).map { question, answer -> String in
            let id: JSON = Int(question.id).map { .integer($0) } ?? .string(question.id)
            let line: JSON = ["image_id": id, "caption": .string(answer.text)]
            return line.description
        }
        return [("chair_captions.jsonl", lines.joined(separator: "\n") + "\n")]
    }
}

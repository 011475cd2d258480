import Coordinator
import Core
import Foundation

/// Benchmarks on held-out scenes in the formats of the published ones; the same for every seed.
///
/// MMVP is not among them: its pictures are JPEG and its options letters, which this small language does not have. Its
/// measure, pairs of pictures both of which are answered right, is HallusionBench's qAcc.
struct ReproductionBenchmarks {
    /// Questions of each POPE split, of AMBER, pairs of HallusionBench, captions.
    let size: Int
    let folder: URL

    private static let splits: [DemoQuestion.Kind] = [.random, .popular, .adversarial]

    /// Collective. Draws the pictures and writes the files.
    func write(_ communicator: any Communicator) throws {
        var pictures: [(path: String, scene: Scene, strokes: UInt64)] = []
        var files: [(name: String, text: String)] = []
        func lines(_ rows: [JSON]) -> String { rows.map { "\($0)\n" }.joined() }
        func array(_ rows: [JSON]) -> String { "\(JSON.array(rows))\n" }
        func truth(_ question: DemoQuestion) -> JSON { .string(question.answers[0]) }

        for split in Self.splits {
            let asked = questions("pope", [.present, split])
            files.append(
                (
                    "pope-\(split.rawValue).json",
                    lines(
                        asked.enumerated().map { index, question in
                            [
                                "question_id": .integer(index + 1), "image": .string("\(split.rawValue)-\(index).png"),
                                "text": .string(question.prompt), "label": truth(question),
                            ]
                        })
                ))
            pictures += asked.enumerated().map { ("pope/\(split.rawValue)-\($0).png", $1.scene, $1.strokes) }
        }

        let amber = questions("amber", [.present, .random, .present, .adversarial])
        let types = ["discriminative-hallucination", "discriminative-attribute-state"]
        files.append(
            (
                "query_discriminative.json",
                array(
                    amber.enumerated().map {
                        ["id": .integer($0 + 1), "image": .string("\($0).png"), "query": .string($1.prompt)]
                    })
            ))
        files.append(
            (
                "annotations.json",
                array(
                    amber.enumerated().map {
                        ["id": .integer($0 + 1), "type": .string(types[$0 / 2 % 2]), "truth": truth($1)]
                    })
            ))
        pictures += amber.enumerated().map { ("amber/\($0).png", $1.scene, $1.strokes) }

        let (twins, twinPictures) = twins()
        files.append(("HallusionBench.json", array(twins)))
        pictures += twinPictures

        let captions = questions("chair", [.caption])
        files.append(
            (
                "captions.jsonl",
                lines(captions.indices.map { ["image_id": .integer($0), "image": .string("\($0).png")] })
            ))
        files.append(("instances.json", "\(instances(captions))\n"))
        files.append(("synonyms.txt", Self.objects.map { "\($0)\n" }.joined()))
        pictures += captions.enumerated().map { ("chair/\($0).png", $1.scene, $1.strokes) }

        try communicator.agree {
            for index in communicator.share(of: pictures.count) {
                let (path, scene, strokes) = pictures[index]
                let file = folder.appending(path: path)
                try OutputFolder.make(file.deletingLastPathComponent())
                let png = try scene.picture(strokes: strokes).pngData()
                if (try? Data(contentsOf: file)) == png { continue }
                try FileOutput.create(file, isDurable: false) { output in
                    try png.withUnsafeBytes { try output.write($0) }
                }
            }
            guard communicator.rank == 0 else { return }
            for (name, text) in files { try FileOutput.write(text, to: folder.appending(path: name)) }
        }
    }

    private func questions(_ set: String, _ kinds: [DemoQuestion.Kind]) -> [DemoQuestion] {
        (0..<size).map {
            DemoQuestion(kinds[$0 % kinds.count], seed: 0, set: "benchmark \(set)", index: $0, isHeldOut: true)
        }
    }

    /// A scene and its twin, in which one thing has another colour: the same question, yes for one and no for the
    /// other.
    private func twins() -> (rows: [JSON], pictures: [(path: String, scene: Scene, strokes: UInt64)]) {
        var rows: [JSON] = []
        var pictures: [(path: String, scene: Scene, strokes: UInt64)] = []
        for index in 0..<size / 2 {
            var random = KeyedRandom(0, "benchmark twins", String(index))
            let scene = Scene.random(&random, usual: 33, isHeldOut: true)
            let strokes = random.next()
            let thing = random.pick(scene.things)
            let others = Colour.allCases.map { Look(shape: thing.look.shape, colour: $0) }.filter {
                !scene.looks.contains($0)
            }
            let twin = scene.replacing(thing, by: Thing(look: random.pick(others), cell: thing.cell))
            for (figure, (seen, isThere)) in [(scene, true), (twin, false)].enumerated() {
                rows.append([
                    "category": "VD", "subcategory": "twin", "visual_input": .string("\(figure + 1)"),
                    "set_id": .string("\(index)"), "figure_id": .string("\(figure + 1)"), "question_id": "0",
                    "question": .string(DemoLanguage.question(thing.look)), "gt_answer": isThere ? "1" : "0",
                ])
                pictures.append(("hallusion/VD/twin/\(index)_\(figure + 1).png", seen, strokes))
            }
        }
        return (rows, pictures)
    }

    /// What CHAIR looks for in captions: shapes and colours, as words.
    private static let objects = Shape.allCases.map { "\($0)" } + Colour.allCases.map { "\($0)" }

    private func instances(_ captions: [DemoQuestion]) -> JSON {
        var annotations: [JSON] = []
        for (image, question) in captions.enumerated() {
            let words = Set(question.scene.things.flatMap { ["\($0.look.shape)", "\($0.look.colour)"] })
            for (id, object) in Self.objects.enumerated() where words.contains(object) {
                annotations.append(["image_id": .integer(image), "category_id": .integer(id)])
            }
        }
        return [
            "images": .array(captions.indices.map { ["id": .integer($0)] }), "annotations": .array(annotations),
            "categories": .array(Self.objects.enumerated().map { ["id": .integer($0), "name": .string($1)] }),
        ]
    }

    /// What `evaluate` is to ask a model.
    ///
    /// - Parameter adapter: over the warmed-up model; paths as the file of the configuration sees them
    func yaml(adapter: String?, output: String) -> String {
        let files = folder.path
        return """
            output: \(output)
            model: {path: warmup/model, prompt: "\(DemoRuns.template)"\(adapter.map { ", adapter: \($0)" } ?? "")}
            answers: {max_tokens: 24}
            resamples: 0
            benchmarks:
              - kind: pope
                questions: [\(Self.splits.map { "\"\(files)/pope-\($0.rawValue).json\"" }.joined(separator: ", "))]
                images: "\(files)/pope"
              - {kind: amber, questions: "\(files)/query_discriminative.json", images: "\(files)/amber", \
            annotations: "\(files)/annotations.json"}
              - {kind: hallusionbench, questions: "\(files)/HallusionBench.json", images: "\(files)/hallusion"}
              - {kind: chair, questions: "\(files)/captions.jsonl", images: "\(files)/chair", prompt: \
            "\(DemoLanguage.captionPrompt)", annotations: ["\(files)/instances.json", "\(files)/synonyms.txt"]}

            """
    }

    /// What tables show: benchmark, measure, and whether more is better.
    static let measures: [(benchmark: String, measure: String, title: String, isBetterHigh: Bool)] = [
        ("pope", "accuracy", "POPE accuracy", true), ("pope", "precision", "POPE precision", true),
        ("pope", "recall", "POPE recall", true),
        ("amber", "accuracy", "AMBER accuracy", true), ("hallusionbench", "aAcc", "twins aAcc", true),
        ("hallusionbench", "qAcc", "twins qAcc", true), ("chair", "CHAIRi", "CHAIRi", false),
        ("chair", "recall", "caption recall", true),
    ]
}

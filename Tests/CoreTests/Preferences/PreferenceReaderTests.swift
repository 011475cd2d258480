import Core
import Foundation
import Testing

/// A folder with a preference file and images, removed at the end.
private final class Folder {
    let url = FileManager.default.temporaryDirectory.appending(path: "misp-groups-\(UUID().uuidString)")
    var file: URL { url.appending(path: "groups.jsonl") }

    init(_ text: String, images: [String] = ["a.jpg", "b.jpg", "c.jpg"]) throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for image in images { try Data().write(to: url.appending(path: image)) }
        try Data(text.utf8).write(to: file)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func read() throws -> [PreferenceGroup] { try PreferenceGroup.read(contentsOf: file, images: url) }
    func path(_ name: String) -> String { "\(url.path)/\(name)" }
}

private let line = #"{"id": "g0", "prompt": "What?", "chosen": "A.", "rejected": "B.", "image": "a.jpg"}"#

@Suite struct PreferenceReaderTests {
    @Test func readsGroups() throws {
        let folder = try Folder(
            #"""
            {"id": "g000", "prompt": "What?", "chosen": "An apple.", "rejected": "A pear.", "image": "a.jpg", \#
            "negatives": [{"image": "b.jpg", "score": 1.5}, {"image": "c.jpg", "score": 1}]}

            {"prompt": "Wer?", "chosen": "Ä", "image": "b.jpg", "source": {"any": [1]}, \#
            "negatives": null, "rejected": null}
            {"id": 7, "prompt": "Who?", "chosen": "I", "image": "b.jpg", "negatives": [{"image": "c.jpg"}]}
            """#)
        let groups = try folder.read()
        #expect(
            groups == [
                PreferenceGroup(
                    id: "g000", prompt: "What?", chosen: "An apple.", rejected: "A pear.", image: folder.path("a.jpg"),
                    negatives: [
                        .init(image: folder.path("b.jpg"), score: 1.5), .init(image: folder.path("c.jpg"), score: 1),
                    ]),
                PreferenceGroup(
                    id: "line-3", prompt: "Wer?", chosen: "Ä", rejected: nil, image: folder.path("b.jpg")),
                PreferenceGroup(
                    id: "7", prompt: "Who?", chosen: "I", rejected: nil, image: folder.path("b.jpg"),
                    negatives: [.init(image: folder.path("c.jpg"))]),
            ])
    }

    @Test func readsTheRowsOfTRL() throws {
        let folder = try Folder(
            #"""
            {"images": ["a.jpg"], \#
            "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}], \#
            "chosen": [{"role": "assistant", "content": [{"type": "text", "text": "A."}]}], \#
            "rejected": [{"role": "assistant", "content": "B."}]}
            {"images": ["/dev/null"], "prompt": "What?", "chosen": "A.", "rejected": "B."}
            """#)
        let groups = try folder.read()
        #expect(groups.map(\.image) == [folder.path("a.jpg"), "/dev/null"])
        for group in groups {
            #expect([group.prompt, group.chosen, group.rejected] == ["What?", "A.", "B."])
        }
    }

    /// Each case replaces a piece of a good line, which stands second in its file.
    @Test(arguments: [
        (#""chosen": "A.""#, #""chosen": "A."#, "groups.jsonl:2: line 1, byte offset"),
        (line, "[1]", "groups.jsonl:2: is an array, not an object"),
        (#""prompt": "What?", "#, "", "groups.jsonl:2: prompt: is missing"),
        (#""chosen": "A.", "#, "", "groups.jsonl:2: chosen: is missing"),
        (#", "image": "a.jpg""#, "", "groups.jsonl:2: image: is missing"),
        (#""A.""#, #""""#, "groups.jsonl:2: chosen: is empty"),
        (#""A.""#, #"" \n""#, "groups.jsonl:2: chosen: is empty"),
        (#""B.""#, #""""#, "groups.jsonl:2: rejected: is empty"),
        (#""What?""#, "12", "groups.jsonl:2: prompt: is a number, not a string"),
        (#""What?""#, #""<image>\nWhat?""#, "groups.jsonl:2: prompt: holds <image>; remove it"),
        (#""A.""#, "[]", "groups.jsonl:2: chosen: holds 0 messages"),
        (#""A.""#, #"[{"role": "user", "content": "A."}]"#, "chosen[0].role: is 'user', expected 'assistant'"),
        (#""A.""#, #"[{"role": "assistant", "content": [{"type": "audio"}]}]"#, "content[0].type: is 'audio'"),
        (#""g0""#, #""""#, "groups.jsonl:2: id: is empty"),
        (#""g0""#, "true", "groups.jsonl:2: id: is a boolean"),
        (#""g0""#, #""first""#, "groups.jsonl:2: id: 'first' is the id of line 1 too"),
        (#""image": "a.jpg""#, #""images": ["a.jpg", "b.jpg"]"#, "groups.jsonl:2: images: holds 2 images"),
        (#""image": "a.jpg""#, #""image": "a.jpg", "images": ["a.jpg"]"#, "images: stands beside 'image'"),
        (#""a.jpg""#, #""a.jpg", "negatives": {}"#, "groups.jsonl:2: negatives: is an object, not an array"),
        (#""a.jpg""#, #""a.jpg", "negatives": ["b.jpg"]"#, "negatives[0]: is a string, not an object"),
        (#""a.jpg""#, #""a.jpg", "negatives": [{}]"#, "groups.jsonl:2: negatives[0].image: is missing"),
        (#""a.jpg""#, #""a.jpg", "negatives": [{"image": "b.jpg", "score": NaN}]"#, "score: is nan, not a finite"),
        (
            #""a.jpg""#, #""a.jpg", "negatives": [{"image": "b.jpg", "score": 1}, {"image": "c.jpg"}]"#,
            "negatives[1].score: is missing"
        ),
    ])
    func refuses(piece: String, replacement: String, message: String) throws {
        let broken = line.replacing(piece, with: replacement)
        #expect(broken != line)
        let folder = try Folder(line.replacing("g0", with: "first") + "\n" + broken + "\n")
        let error = #expect(throws: MISPError.self) { try folder.read() }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func countsMissingImages() throws {
        let folder = try Folder(
            line + "\n" + #"{"prompt": "?", "chosen": "A", "image": "x.jpg", "negatives": [{"image": "y.jpg"}]}"#)
        let error = #expect(throws: MISPError.self) { try folder.read() }
        let message = error?.description ?? ""
        #expect(message.contains("groups.jsonl:2: the image \(folder.path("x.jpg")) does not exist"))
        #expect(message.contains("2 of 3"))
        #expect(message.contains("data.images"))
    }

    @Test func refusesAFileWithoutGroups() throws {
        let folder = try Folder("\n \n")
        let error = #expect(throws: MISPError.self) { try folder.read() }
        #expect(error?.description.contains("holds no preference groups") == true)
        #expect(throws: MISPError.self) {
            try PreferenceGroup.read(contentsOf: folder.url.appending(path: "none.jsonl"), images: folder.url)
        }
    }

    /// Bytes are replaced, removed, doubled and inserted: the reader answers with groups or with an error, whatever
    /// it is given.
    @Test func mutatedLinesNeverCrash() throws {
        let seeds = [
            line,
            #"""
            {"images": ["a.jpg"], \#
            "prompt": [{"role": "user", "content": \#
            [{"type": "image"}, {"type": "text", "text": "é\u00e9\ud83d\ude00"}]}], \#
            "chosen": [{"role": "assistant", "content": "A."}]}
            """#,
            #"{"prompt": "?", "chosen": "A", "image": "a.jpg", "negatives": [{"image": "b.jpg", "score": -1.5e3}]}"#,
        ].map { Array($0.utf8) }
        let spice = Array(#"{}[],:"\0123456789.eE+-ntfuN "#.utf8) + [0, 0x0D, 0x80, 0xC3, 0xED, 0xFF]
        var random = KeyedRandom(0, "mutations")
        var (read, refused) = (0, 0)
        for _ in 0..<20_000 {
            var bytes = seeds[random.below(seeds.count)]
            for _ in 0...random.below(3) {
                let place = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[place] = spice[random.below(spice.count)]
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(spice[random.below(spice.count)], at: place)
                default: bytes.insert(contentsOf: bytes[place..<min(place + 9, bytes.count)], at: place)
                }
            }
            do {
                let value = try JSON(parsing: bytes)
                _ = try PreferenceGroup(value, file: "groups.jsonl", line: 1, images: "/")
                read += 1
            } catch {
                refused += 1
            }
        }
        #expect(read > 1000)
        #expect(refused > 1000)
    }
}

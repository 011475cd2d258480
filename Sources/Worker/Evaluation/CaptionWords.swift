import Foundation

/// Finds COCO's objects in captions, as CHAIR's official scorer does (Rohrbach et al., Object Hallucination in Image
/// Captioning, 2018), its peculiarities included: it makes "bus" into "bu" and does not count it.
package struct CaptionWords {
    /// Two words that are one.
    private static let pairs = [
        "motor bike", "motor cycle", "air plane", "traffic light", "street light", "traffic signal", "stop light",
        "fire hydrant", "stop sign", "parking meter", "suit case", "sports ball", "baseball bat", "baseball glove",
        "tennis racket", "wine glass", "hot dog", "cell phone", "mobile phone", "teddy bear", "hair drier",
        "potted plant", "laptop computer", "stove top oven", "home plate", "train track",
    ]
    /// A baby bird is a bird, not a person.
    private static let animals = [
        "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal", "cub",
    ]
    private static let vehicles = ["jet", "train"]

    /// The object that a word stands for.
    private let objects: [String: String]
    private let joined: [String: String]

    /// - Parameter synonyms: a line for each object: its name and words for it, between commas
    package init(synonyms: String) {
        var objects: [String: String] = [:]
        for line in synonyms.split(whereSeparator: \.isNewline) {
            let words = line.trimmingCharacters(in: .whitespaces).components(separatedBy: ", ")
            for word in words { objects[word] = words[0] }
        }
        self.objects = objects
        var joined = Dictionary(uniqueKeysWithValues: Self.pairs.map { ($0, $0) })
        for animal in Self.animals { for age in ["baby", "adult"] { joined["\(age) \(animal)"] = animal } }
        for vehicle in Self.vehicles { joined["passenger \(vehicle)"] = vehicle }
        joined["bow tie"] = "tie"
        joined["toilet seat"] = "toilet"
        joined["wine glas"] = "wine glass"
        self.joined = joined
    }

    /// The object of a category's name; nil for a name that is not COCO's.
    func object(named name: String) -> String? { objects[name] }

    /// The objects of a caption in their order, as often as they are mentioned.
    package func objects(in caption: String) -> [String] {
        objects(Self.tokens(caption.lowercased())).map(\.object)
    }

    /// The same with where in the caption each stands: nil where letters change their number in lower case.
    package func mentions(in caption: String) -> [(object: String, range: Range<String.Index>?)] {
        let tokens = Self.tokens(caption.lowercased())
        let places = Self.places(of: tokens, in: caption)
        return objects(tokens).map { object, span in
            guard let first = places[span.lowerBound], let last = places[span.upperBound - 1] else {
                return (object, nil)
            }
            return (object, first.lowerBound..<last.upperBound)
        }
    }

    /// The objects with the tokens that name them.
    private func objects(_ tokens: [String]) -> [(object: String, span: Range<Int>)] {
        let singles = tokens.map(Self.singular)
        var words: [(text: String, span: Range<Int>)] = []
        var index = 0
        while index < singles.count {
            if index + 1 < singles.count, let pair = joined["\(singles[index]) \(singles[index + 1])"] {
                words.append((pair, index..<index + 2))
                index += 2
            } else {
                words.append((singles[index], index..<index + 1))
                index += 1
            }
        }
        // The seat of a toilet is no chair.
        if words.contains(where: { $0.text == "toilet" }) { words.removeAll { $0.text == "seat" } }
        return words.compactMap { word in objects[word.text].map { ($0, word.span) } }
    }

    /// Where each token stands, one after the other.
    private static func places(of tokens: [String], in caption: String) -> [Range<String.Index>?] {
        var cursor = caption.startIndex
        return tokens.map { token in
            let range = caption.range(
                of: token, options: [.caseInsensitive, .literal], range: cursor..<caption.endIndex)
            if let range { cursor = range.upperBound }
            return range
        }
    }

    /// Words and punctuation apart, as in the Penn Treebank.
    static func tokens(_ text: String) -> [String] {
        let marks: Set<Character> = [",", ";", ":", "?", "!", "(", ")", "[", "]", "{", "}", "<", ">", "\"", "…"]
        var tokens: [String] = []
        for part in text.split(whereSeparator: \.isWhitespace) {
            var word = ""
            func end() {
                if !word.isEmpty { tokens.append(contentsOf: Self.parts(of: word)) }
                word = ""
            }
            for character in part {
                if marks.contains(character) {
                    end()
                    tokens.append(String(character))
                } else {
                    word.append(character)
                }
            }
            end()
        }
        return tokens
    }

    /// A word without the full stops and quotes at its ends and without its clitic.
    private static func parts(of word: String) -> [String] {
        var (before, word, after) = ([String](), Substring(word), [String]())
        while let last = word.last, last == "." || last == "'", word.count > 1 {
            after.insert(String(last), at: 0)
            word.removeLast()
        }
        while let first = word.first, first == "'" || first == "`", word.count > 1 {
            before.append(String(first))
            word.removeFirst()
        }
        for clitic in ["'s", "'m", "'d", "'ll", "'re", "'ve", "n't"] where word.hasSuffix(clitic) {
            guard word.count > clitic.count else { break }
            after.insert(clitic, at: 0)
            word.removeLast(clitic.count)
            break
        }
        return before + [String(word)] + after
    }

    /// The singular by rule, right or wrong, as far as it can make one of CHAIR's words.
    static func singular(_ word: String) -> String {
        if unchanged.contains(where: { $0.hasSuffix(word) }) { return word }
        for (plural, single) in irregular where word.hasSuffix(plural) { return word.dropLast(plural.count) + single }
        for (suffix, replacement, isRuled) in rules where word.hasSuffix(suffix) {
            let stem = word.dropLast(suffix.count)
            if isRuled(stem) { return stem + replacement }
        }
        return word
    }

    private static let unchanged = [
        "bison", "breeches", "britches", "chassis", "christmas", "clippers", "corps", "debris", "diabetes",
        "gallows", "headquarters", "herpes", "high-jinks", "innings", "jackanapes", "measles", "mews", "mumps",
        "news", "pincers", "pliers", "proceedings", "rabies", "scissors", "series", "shears", "species", "swiss",
        "contretemps", "happiness", "mathematics", "progress", "rice", "doggies", "collies", "cookies",
    ]
    private static let irregular = [
        ("children", "child"), ("people", "person"), ("geese", "goose"), ("oxen", "ox"), ("feet", "foot"),
        ("teeth", "tooth"), ("leaves", "leaf"), ("loaves", "loaf"), ("moves", "move"), ("axes", "axe"),
        ("kine", "cow"), ("men", "man"),
    ]
    /// Endings with what takes their place, and which stems they are for; the first that fits.
    private static let rules: [(suffix: String, replacement: String, isRuled: @Sendable (Substring) -> Bool)] = [
        ("shoes", "shoe", { _ in true }), ("oes", "o", { _ in true }), ("buses", "bus", { _ in true }),
        ("mice", "mouse", { _ in true }), ("lice", "louse", { _ in true }),
        ("xes", "x", { _ in true }), ("ches", "ch", { _ in true }), ("sses", "ss", { _ in true }),
        ("shes", "sh", { _ in true }), ("movies", "movie", { _ in true }), ("ombies", "ombie", { !$0.isEmpty }),
        ("quies", "quy", { _ in true }), ("ies", "y", { $0.last.map { !"aeiouy".contains($0) } ?? false }),
        ("lves", "lf", { $0.last.map { "aeo".contains($0) } ?? false }),
        ("eaves", "eaf", { $0.last.map { $0 != "d" } ?? false }), ("arves", "arf", { _ in true }),
        ("erves", "erve", { _ in true }), ("ives", "ife", { $0.last.map { "nlw".contains($0) } ?? false }),
        ("ves", "f", { $0.last.map { "lr".contains($0) } ?? false }),
        ("ves", "ve", { $0.last.map { "aeo".contains($0) } ?? false }),
        ("ives", "ive", { $0.last.map { "sth".contains($0) } ?? false }),
        ("ves", "fe", { $0.last.map { $0 != "f" } ?? false }), ("ases", "asis", { $0.last == "b" }),
        ("s", "", { _ in true }),
    ]
}

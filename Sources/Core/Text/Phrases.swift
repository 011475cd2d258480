/// A text in phrases and what stands between them.
///
/// Phrases end at punctuation, line ends and English conjunctions (`conjunctions`, as whole words, whatever their
/// case), which belong to none. Full stops, commas and colons between two digits end nothing (3.5; 1,000; 12:30), nor
/// do hyphens and apostrophes. Space around a phrase is not of it, and what holds neither letter nor digit is none.
public enum Phrases {
    /// A piece of a text; all pieces together are the text.
    public struct Piece: Codable, Sendable, Equatable {
        /// Of a phrase without the space around it, which belongs to its neighbours.
        public let text: String
        /// False for what stands between phrases.
        public let isPhrase: Bool

        /// A piece of a text that was cut before.
        public init(_ text: String, isPhrase: Bool) { (self.text, self.isPhrase) = (text, isPhrase) }
    }

    /// In lower case; each ends a phrase and belongs to none.
    public static let conjunctions: Set<String> = [
        "and", "or", "but", "nor", "yet", "while", "whereas", "because", "although", "though",
    ]
    private static let marks: Set<Character> = [
        ".", ",", ";", ":", "!", "?", "(", ")", "[", "]", "{", "}", "\"", "“", "”", "„", "«", "»",
        "–", "—", "…", "/", "。", "，", "、", "；", "：", "！", "？",
    ]

    /// In the order of the text, none of them empty.
    public static func pieces(of text: String) -> [Piece] {
        let characters = Array(text)
        let ends = ends(characters)
        var (pieces, start) = ([Piece](), 0)
        func add(_ range: Range<Int>, isPhrase: Bool) {
            if !range.isEmpty { pieces.append(Piece(String(characters[range]), isPhrase: isPhrase)) }
        }
        var index = 0
        while index < characters.count {
            guard !ends[index] else {
                index += 1
                continue
            }
            let stop = ends[index...].firstIndex(of: true) ?? characters.count
            let first = characters[index..<stop].firstIndex { !$0.isWhitespace } ?? stop
            let last = characters[first..<stop].lastIndex { !$0.isWhitespace } ?? first
            if characters[first..<stop].contains(where: { $0.isLetter || $0.isNumber }) {
                add(start..<first, isPhrase: false)
                add(first..<last + 1, isPhrase: true)
                start = last + 1
            }
            index = stop
        }
        add(start..<characters.count, isPhrase: false)
        return pieces
    }

    /// Which characters are of no phrase, whatever stands around them.
    private static func ends(_ characters: [Character]) -> [Bool] {
        var ends = characters.indices.map { index -> Bool in
            let character = characters[index]
            if character.isNewline { return true }
            guard marks.contains(character) else { return false }
            let isInNumber =
                [".", ",", ":"].contains(character) && index > 0 && index + 1 < characters.count
                && characters[index - 1].isNumber && characters[index + 1].isNumber
            return !isInNumber
        }
        func isOfWord(_ index: Int) -> Bool {
            let character = characters[index]
            return character.isLetter || character.isNumber || ["'", "’", "-"].contains(character)
        }
        var index = 0
        while index < characters.count {
            guard isOfWord(index) else {
                index += 1
                continue
            }
            let stop = (index..<characters.count).first { !isOfWord($0) } ?? characters.count
            if conjunctions.contains(String(characters[index..<stop]).lowercased()) {
                for place in index..<stop { ends[place] = true }
            }
            index = stop
        }
        return ends
    }
}

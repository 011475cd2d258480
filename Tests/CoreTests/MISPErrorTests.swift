import Core
import Foundation
import Testing

@Test func errorIsOneLine() {
    #expect(
        MISPError("bad\nvalue", at: "run.yaml: seed", remedy: "give a number").description
            == "run.yaml: seed: bad value; give a number")
}

@Test(arguments: ["\u{1B}]0;title\u{7}", "\u{9B}31m", "\u{202E}gnp", "a\u{2066}b", "\u{0}", "\r\u{8}\u{7F}"])
func errorsCommandNoTerminal(text: String) {
    let message = MISPError("is '\(text)'", at: "images/\(text).png", remedy: "rename \(text)").description
    let forbidden = message.unicodeScalars.filter {
        $0.properties.generalCategory == .control || (0x202A...0x202E).contains($0.value)
            || (0x2066...0x2069).contains($0.value)
    }
    #expect(forbidden.isEmpty && message.contains("images/"), "\(message)")
}

@Test func whatPeopleWriteIsShownAsItIs() {
    for text in ["Ä größer é e\u{301}", "猫 👩‍👩‍👧", "שלום", "a\tb\nc", "\u{200D}"] {
        #expect(text.shown == text)
    }
    #expect("a\u{1B}[31m".shown == #"a\u{1B}[31m"#)
}

@Test func errorsAreAFewLinesAtMost() {
    let long = String(repeating: "x", count: 300_000)
    for error in [MISPError(long), MISPError("w", at: long), MISPError(long, at: long, remedy: long)] {
        #expect(error.description.count < 1400)
    }
    let path = MISPError("w", at: "\(long)/groups.jsonl:17").description
    #expect(path.hasSuffix("/groups.jsonl:17: w"), "the end of a place tells most: \(path.suffix(40))")
}

/// In the system's own words, however deep Foundation hides them.
@Test func systemReasonsAreNamed() {
    func reason(_ body: () throws -> Void) -> String {
        do { try body() } catch { return SystemReason.text(error) }
        return "no error"
    }
    let nowhere = URL(filePath: "/nowhere/at all")
    #expect(reason { _ = try Data(contentsOf: nowhere) } == "No such file or directory")
    #expect(reason { _ = try String(contentsOf: nowhere, encoding: .utf8) } == "No such file or directory")
    #expect(reason { _ = try FileHandle(forReadingFrom: nowhere) } == "No such file or directory")
    #expect(
        reason { _ = try FileManager.default.contentsOfDirectory(atPath: nowhere.path) } == "No such file or directory")
    #expect(reason { throw MISPError("is odd") } == "is odd")
    let denied = reason {
        try FileManager.default.createDirectory(at: URL(filePath: "/dev/null/x"), withIntermediateDirectories: true)
    }
    #expect(denied == "Not a directory", "\(denied)")
}

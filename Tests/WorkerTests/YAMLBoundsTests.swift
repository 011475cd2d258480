import Core
import Testing
import Worker

/// What would take all memory or the stack, and what is merely not read.
@Test func hostileYAMLIsRefused() throws {
    let laughs = (1...30).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }.joined(separator: "\n")
    for (text, part) in [
        ("a0: &a0 x\n\(laughs)\n", "&a0 is an anchor"),
        (minimalConfiguration + "lora: &l {r: 4}\noptimizer: *l\n", "run.yaml:3: &l is an anchor"),
        // Behind a tag, in a key, and behind what only looks like an open quote.
        (keyLaughs { "? k\($0)\n: !t &a\($0) \($1)\n" } + "? *a30\n: 3\n", "&a0 is an anchor"),
        (keyLaughs { "? !!seq &a\($0) \($1)\n: 3\n" }, "&a0 is an anchor"),
        (keyLaughs { "k-\"\($0): &a\($0) \($1)\n" }, "&a0 is an anchor"),
        (String(repeating: "[", count: 100_000), "nests lists or sections too deep"),
        (String(repeating: "{a: ", count: 100_000), "nests lists or sections too deep"),
        (String(repeating: "- ", count: 100_000) + "x", "nests lists or sections too deep"),
        (
            (0..<1000).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
            "nests lists or sections"
        ),
        ("# " + String(repeating: "x", count: 1 << 20), "a configuration at most"),
    ] {
        let message = try configurationError(text)
        #expect(message.contains(part) && message.count < 600, "\(message)")
    }
}

/// Thirty values of which each holds the one before twice.
private func keyLaughs(_ entry: (Int, String) -> String) -> String {
    entry(0, "[x, x]") + (1...30).map { entry($0, "[*a\($0 - 1), *a\($0 - 1)]") }.joined()
}

@Test func ampersandsOfTextsAreNoAnchors() throws {
    for prompt in ["|\n    &nbsp <image>\n    {prompt}", "\"<image>&nbsp;{prompt} *and*\"", "'R&D: <image>{prompt}'"] {
        let text = minimalConfiguration.replacing(
            "model: {path: model}", with: "model:\n  path: model\n  prompt: \(prompt)")
        #expect(text != minimalConfiguration)
        #expect(try ConfigurationFile(text).read().model.prompt.source.contains("&"), "\(prompt)")
    }
    #expect(try ConfigurationFile(minimalConfiguration + "seed: &s 3\n").read().seed == 3)
}

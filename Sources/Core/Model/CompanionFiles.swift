import Foundation

/// The files of a model folder that its tokenizer, its processor and `generate` read.
enum CompanionFiles {
    private static let names: Set<String> = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "vocab.txt",
        "merges.txt", "tekken.json", "chat_template.json", "preprocessor_config.json", "video_preprocessor_config.json",
        "processor_config.json", "generation_config.json",
    ]
    /// SentencePiece's and tiktoken's vocabularies, and chat templates.
    private static let suffixes = [".model", ".tiktoken", ".jinja"]
    private static let templates = "additional_chat_templates"

    private static func isOne(_ name: String) -> Bool {
        names.contains(name) || name.contains("tokenizer.model.") || suffixes.contains(where: name.hasSuffix)
    }

    private static func list(_ folder: URL) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter(isOne).sorted()
    }

    /// Copies them, and removes those of an earlier model, which would add tokens of their own.
    static func copy(from source: URL, to folder: URL) throws {
        let copied = list(source)
        for name in list(folder) where !copied.contains(name) {
            try FileManager.default.removeItem(at: folder.appending(path: name))
        }
        for name in copied { try copy(source.appending(path: name), to: folder.appending(path: name)) }
        let (own, others) = (folder.appending(path: templates), list(source.appending(path: templates)))
        guard !others.isEmpty else { return }
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        for name in others {
            try copy(source.appending(path: templates).appending(path: name), to: own.appending(path: name))
        }
    }

    private static func copy(_ file: URL, to target: URL) throws {
        let data: Data
        do { data = try Data(contentsOf: file) } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: file.relativePath)
        }
        try FileOutput.create(target) { output in try data.withUnsafeBytes { try output.write($0) } }
    }
}

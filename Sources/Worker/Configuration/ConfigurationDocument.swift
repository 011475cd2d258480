import Core
import Foundation
import Yams

/// A YAML file with the command line's overrides in it, each value with the place that an error names.
struct ConfigurationDocument {
    private(set) var root = Node.Mapping([])
    private(set) var places: Places

    /// Names places: `run.yaml:12: optimizer.betas`, or `--set optimizer.betas` for what the command line gave.
    struct Places: Sendable {
        let file: String
        /// Where relative paths start.
        let folder: URL
        var overridden: Set<String> = []

        func name(_ path: String, line: Int?) -> String {
            if overridden.contains(path) { return "--set \(path)" }
            return "\(file)\(line.map { ":\($0)" } ?? ""): \(path)"
        }
    }

    /// The file's, without its extension.
    let name: String

    /// - Parameter overrides: such as `optimizer.learning_rate=1e-6`, put over what the file says
    init(contentsOf url: URL, overrides: [String]) throws(MISPError) {
        try self.init(contentsOf: url)
        for assignment in overrides { try override(assignment) }
    }

    init(contentsOf url: URL) throws(MISPError) {
        name = url.deletingPathExtension().lastPathComponent
        places = Places(
            file: url.relativePath,
            folder: URL(filePath: url.absoluteURL.deletingLastPathComponent().path, directoryHint: .notDirectory))
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: places.file)
        }
        guard let node = try Self.parse(text, at: places.file) else { return }
        guard case .mapping(let mapping) = node else {
            throw MISPError("is not a mapping of keys to values", at: places.file)
        }
        root = mapping
    }

    var field: ConfigurationField { ConfigurationField(node: .mapping(root), path: "", places: places) }

    /// Applies `optimizer.learning_rate=1e-6`. A value that opens a bracket or a quote is read as YAML, any other is
    /// taken as it stands.
    mutating func override(_ assignment: String) throws(MISPError) {
        guard let equals = assignment.firstIndex(of: "=") else {
            throw MISPError("has no value", at: "--set \(assignment)", remedy: "write --set key=value")
        }
        let path = assignment[..<equals].trimmingCharacters(in: .whitespaces)
        let text = assignment[assignment.index(after: equals)...].trimmingCharacters(in: .whitespaces)
        let keys = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !keys.contains("") else { throw MISPError("is not a key", at: "--set \(path)") }
        var value = Node(text, .implicit, .plain)
        if let first = text.first, "{[\"'".contains(first) {
            value = try Self.parse(text, at: "--set \(path)") ?? value
        }
        try Self.set(value, at: keys[...], in: &root, path: "", places: &places)
    }

    private static func set(
        _ value: Node, at keys: ArraySlice<String>, in mapping: inout Node.Mapping, path: String, places: inout Places
    ) throws(MISPError) {
        guard let key = keys.first else { return }
        let path = path.isEmpty ? key : "\(path).\(key)"
        guard keys.count > 1 else {
            mapping[Node(key)] = value
            places.overridden.formUnion([path] + paths(in: value, under: path))
            return
        }
        var section = Node.Mapping([])
        switch mapping[Node(key)] {
        case .mapping(let found)?: section = found
        case nil: places.overridden.insert(path)
        case let other? where ConfigurationField.isNull(other): break
        default:
            throw MISPError(
                "is a value, not a section with keys", at: "--set \(path).\(keys.dropFirst().joined(separator: "."))")
        }
        try set(value, at: keys.dropFirst(), in: &section, path: path, places: &places)
        mapping[Node(key)] = .mapping(section)
    }

    private static func paths(in node: Node, under path: String) -> [String] {
        switch node {
        case .mapping(let mapping):
            mapping.flatMap { key, value in
                let inner = "\(path).\(key.scalar?.string ?? "?")"
                return [inner] + paths(in: value, under: inner)
            }
        case .sequence(let sequence):
            sequence.enumerated().flatMap { index, value in
                ["\(path)[\(index)]"] + paths(in: value, under: "\(path)[\(index)]")
            }
        case .scalar, .alias: []
        }
    }

    /// Refuses keys that `known`, a configuration with every key, has not.
    func checkKeys(against known: JSON) throws(MISPError) {
        try check(root, path: "", known: known, top: known)
    }

    private func check(_ mapping: Node.Mapping, path: String, known: JSON, top: JSON) throws(MISPError) {
        for (node, value) in mapping {
            let key = node.scalar?.string ?? "?"
            let inner = path.isEmpty ? key : "\(path).\(key)"
            guard let expected = known[key] else {
                throw MISPError(
                    "unknown key", at: places.name(inner, line: node.mark?.line),
                    remedy: Self.remedy(key, siblings: known.object?.keys ?? [], path: path, top: top))
            }
            if case .mapping(let section) = value, expected.object?.count ?? 0 > 0 {
                try check(section, path: inner, known: expected, top: top)
            }
        }
    }

    /// The nearest key of the section, else the same key in another section.
    private static func remedy(_ key: String, siblings: [String], path: String, top: JSON) -> String {
        if let name = others[key], siblings.contains(name) { return "did you mean \(name)?" }
        // A key of one or two letters is near every other such one.
        if key.count > 2, NearestName.find(key, among: siblings) == nil {
            for (name, section) in top.object?.members ?? [] where name != path {
                guard let near = NearestName.find(key, among: section.object?.keys ?? []) else { continue }
                return "did you mean \(name).\(near)?"
            }
        }
        return NearestName.remedy(key, among: siblings)
    }

    /// What keys are called elsewhere.
    private static let others = [
        "lr": "learning_rate", "batch_size": "groups_per_step", "wd": "weight_decay", "lr_scheduler_type": "schedule",
        "num_epochs": "epochs", "max_steps": "steps", "save_steps": "every", "eval_steps": "every", "rank": "r",
        "target_modules": "targets", "name": "path", "K": "count",
    ]

    private static func parse(_ text: String, at place: String) throws(MISPError) -> Node? {
        try YAMLBounds.check(text, at: place)
        try YAMLBounds.checkAnchors(text, at: place)
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw failure(error, at: place)
        } catch {
            throw MISPError("\(error)", at: place)
        }
        return node
    }

    private static func failure(_ error: YamlError, at place: String) -> MISPError {
        func at(_ mark: Mark) -> String { place.hasPrefix("--set") ? place : "\(place):\(mark.line)" }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let context = context.map { "\($0.text): " } ?? ""
            return MISPError("is not YAML: \(context)\(problem)", at: at(mark))
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.sorted().joined(separator: ", ")
            return MISPError("\(keys): is given more than once", at: at(context.mark))
        default:
            return MISPError("is not YAML: \(error)", at: place)
        }
    }
}

import Core
import Foundation
import Yams

/// A value of a configuration, if there is one, with its place. Nothing and `null` both mean the default.
///
/// Scalars are read by what is expected, not by YAML 1.1's guesses: `1e-5` is a number although it has no dot, and
/// `no` is a string where a string is wanted.
struct ConfigurationField {
    let node: Node?
    let path: String
    let places: ConfigurationDocument.Places

    static func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The node, nil for null.
    private var value: Node? { node.flatMap { Self.isNull($0) ? nil : $0 } }

    var isPresent: Bool { value != nil }

    subscript(key: String) -> ConfigurationField {
        var inner: Node?
        if case .mapping(let mapping)? = value { inner = mapping[Node(key)] }
        return ConfigurationField(node: inner, path: path.isEmpty ? key : "\(path).\(key)", places: places)
    }

    func failure(_ what: String, remedy: String? = nil) -> MISPError {
        MISPError(what, at: places.name(path, line: node?.mark?.line), remedy: remedy)
    }

    /// Refuses a value where a section with keys is wanted.
    func checkSection() throws(MISPError) {
        guard let value else { return }
        guard case .mapping = value else { throw failure("is \(kind), not a section with keys") }
    }

    /// Refuses keys of a section that are not `known`.
    func checkKeys(_ known: [String]) throws(MISPError) {
        try checkSection()
        for key in keys where !known.contains(key) {
            throw self[key].failure("unknown key", remedy: NearestName.remedy(key, among: known))
        }
    }

    private var keys: [String] {
        guard case .mapping(let mapping)? = node else { return [] }
        return mapping.keys.map { $0.scalar?.string ?? "?" }
    }

    // MARK: Values

    func string() throws(MISPError) -> String? {
        guard let value else { return nil }
        guard case .scalar(let scalar) = value else { throw failure("is \(kind), not a string") }
        return scalar.string
    }

    func bool(default standard: Bool) throws(MISPError) -> Bool {
        guard isPresent else { return standard }
        switch plainText {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: throw failure("is \(kind), not true or false")
        }
    }

    /// - Parameter range: the rule that the number keeps, in words: `must be \(range)`.
    func number(
        default standard: Double, _ range: String, where isValid: (Double) -> Bool
    ) throws(MISPError) -> Double {
        guard isPresent else { return standard }
        guard let number = plainNumber else { throw failure("is \(kind), not a number") }
        guard number.isFinite, isValid(number) else { throw failure("is \(plainText ?? ""), but must be \(range)") }
        return number
    }

    /// - Parameter maximum: far above all use, so that no product of such numbers leaves 64 bits or any memory
    func int(default standard: Int, from minimum: Int, to maximum: Int = Int.max) throws(MISPError) -> Int {
        guard isPresent else { return standard }
        guard let number = plainNumber else { throw failure("is \(kind), not a whole number") }
        guard let int = plainText.flatMap({ Int($0) }) ?? Int(exactly: number) else {
            let isWhole = number.rounded() == number
            throw failure("is \(plainText ?? ""), \(isWhole ? "beyond 64 bits" : "not a whole number")")
        }
        guard int >= minimum else { throw failure("is \(int), but must be \(minimum) or more") }
        guard int <= maximum else { throw failure("is \(int), but must be \(maximum) or less") }
        return int
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(default standard: Choice) throws(MISPError) -> Choice {
        guard let name = try string() else { return standard }
        guard let choice = Choice(rawValue: name) else {
            let known = Choice.allCases.map(\.rawValue)
            let nearest = NearestName.find(name, among: known).map { "did you mean \($0)? " } ?? ""
            throw failure("unknown value '\(name)'", remedy: "\(nearest)known: \(known.joined(separator: ", "))")
        }
        return choice
    }

    /// The elements of a list, each with its place; nil for none.
    func list() throws(MISPError) -> [ConfigurationField]? {
        guard let value else { return nil }
        guard case .sequence(let sequence) = value else { throw failure("is \(kind), not a list") }
        return sequence.enumerated().map { ConfigurationField(node: $1, path: "\(path)[\($0)]", places: places) }
    }

    /// A file or folder; `~` is the home folder, and a relative path starts from the configuration's folder.
    func fileURL() throws(MISPError) -> URL? {
        guard let text = try string() else { return nil }
        guard !text.isEmpty else { throw failure("is empty, not a path") }
        return Self.resolve(text, from: places.folder)
    }

    static func resolve(_ path: String, from folder: URL) -> URL {
        var path = path
        if path == "~" || path.hasPrefix("~/") { path = NSHomeDirectory() + path.dropFirst() }
        if !path.hasPrefix("/") { path = "\(folder.path)/\(path)" }
        return URL(filePath: path, directoryHint: .notDirectory).standardizedFileURL
    }

    // MARK: Scalars

    /// The text of a scalar without quotes.
    private var plainText: String? {
        guard case .scalar(let scalar)? = value, scalar.style == .plain || scalar.style == .any else { return nil }
        return scalar.string
    }

    private var plainNumber: Double? {
        guard let text = plainText else { return nil }
        if [".inf", "-.inf", "+.inf", ".nan"].contains(text.lowercased()) { return .nan }
        return text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) } ? Double(text) : nil
    }

    private var kind: String {
        switch value {
        case nil: "null"
        case .scalar(let scalar)?: plainText == nil ? "a string in quotes" : "'\(scalar.string.shortened(to: 60))'"
        case .sequence?: "a list"
        case .mapping?: "a section with keys"
        case .alias?: "an alias"
        }
    }
}

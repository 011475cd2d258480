import Foundation

/// A place in a JSON file: the value there, if any, and the words that name the place in an error.
///
///     let config = try JSONField(contentsOf: url)
///     let width = try config["text_config"]["hidden_size"].int()
///     // config.json: text_config.hidden_size: is missing
public struct JSONField: Sendable {
    /// nil when the key is absent.
    public let value: JSON?
    /// As errors name it.
    public let file: String
    /// Keys and indices from the file's root: `text_config.layers[3]`.
    public let path: String

    /// A place whose value is known already.
    ///
    /// - Parameter path: keys and indices from the file's root; empty for the root itself
    public init(_ value: JSON?, file: String, path: String = "") {
        self.value = value
        self.file = file
        self.path = path
    }

    /// The root of a file.
    ///
    /// - Throws: `MISPError` for a file that cannot be read or is no JSON
    public init(contentsOf url: URL) throws(MISPError) {
        self.init(try JSON(contentsOf: url), file: url.relativePath)
    }

    /// `file: path`
    public var place: String { path.isEmpty ? file : "\(file): \(path)" }

    /// Whether there is a value other than null.
    public var isPresent: Bool { value.map { !$0.isNull } ?? false }

    /// The place of a member, whether there is such a member or not.
    public subscript(key: String) -> JSONField {
        JSONField(value?[key], file: file, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// The place of an element, whether there is such an element or not.
    public subscript(index: Int) -> JSONField {
        JSONField(value?[index], file: file, path: "\(path)[\(index)]")
    }

    /// - Throws: `MISPError` at this place where it is missing, or no whole number that fits 64 bits (`2.0` is one)
    public func int() throws(MISPError) -> Int { try require("an integer", \.int) }
    /// - Throws: `MISPError` at this place where it is missing or no number
    public func double() throws(MISPError) -> Double { try require("a number", \.double) }
    /// - Throws: `MISPError` at this place where it is missing or no boolean
    public func bool() throws(MISPError) -> Bool { try require("a boolean", \.bool) }
    /// - Throws: `MISPError` at this place where it is missing or no string
    public func string() throws(MISPError) -> String { try require("a string", \.string) }
    /// - Throws: `MISPError` at this place where it is missing or no object
    public func object() throws(MISPError) -> JSON.Object { try require("an object", \.object) }

    /// The elements of an array, each with its place.
    public func array() throws(MISPError) -> [JSONField] {
        try require("an array", \.array).enumerated().map { JSONField($1, file: file, path: "\(path)[\($0)]") }
    }

    /// The default stands for an absent key and for null; a value of another kind remains an error.
    public func int(default value: Int) throws(MISPError) -> Int { isPresent ? try int() : value }
    /// The default stands for an absent key and for null.
    public func double(default value: Double) throws(MISPError) -> Double { isPresent ? try double() : value }
    /// The default stands for an absent key and for null.
    public func bool(default value: Bool) throws(MISPError) -> Bool { isPresent ? try bool() : value }
    /// The default stands for an absent key and for null.
    public func string(default value: String) throws(MISPError) -> String { isPresent ? try string() : value }

    /// An error at this place.
    public func failure(_ what: String, remedy: String? = nil) -> MISPError {
        MISPError(what, at: place, remedy: remedy)
    }

    private func require<Value>(_ expected: String, _ read: (JSON) -> Value?) throws(MISPError) -> Value {
        guard let value else { throw failure("is missing; expected \(expected)") }
        guard let result = read(value) else { throw failure("is \(value.kind), not \(expected)") }
        return result
    }
}

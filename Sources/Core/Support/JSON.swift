import Foundation

/// A JSON value (RFC 8259) that keeps what Foundation's readers lose: the order of an object's members, and strings
/// byte by byte (keys that are canonically equivalent but differ in bytes stay apart).
///
/// Besides the standard it reads `NaN`, `Infinity` and `-Infinity`, which Python writes into model configurations.
public enum JSON: Sendable {
    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A number without fraction and exponent that fits 64 bits.
    case integer(Int)
    /// Any other number.
    case number(Double)
    /// Without the quotes and escapes of the text.
    case string(String)
    /// Elements in the order of the text.
    case array([JSON])
    /// Members in the order of the text.
    case object(Object)

    /// Arrays and objects may nest this deep; beyond it the reader refuses, so that no input exhausts the stack.
    public static let maximumDepth = 128

    /// - Parameters:
    ///   - bytes: one JSON text in UTF-8, with white space around it at most.
    ///   - place: what an error names, such as a file.
    public init(parsing bytes: some Sequence<UInt8>, at place: String = "JSON") throws(MISPError) {
        let parsed = bytes.withContiguousStorageIfAvailable { Result(parsing: $0, at: place) }
        if let parsed {
            self = try parsed.get()
        } else {
            self = try Array(bytes).withUnsafeBufferPointer { Result(parsing: $0, at: place) }.get()
        }
    }

    /// One JSON text, with white space around it at most.
    ///
    /// - Throws: `MISPError` with what was expected, and where
    public init(parsing text: String, at place: String = "JSON") throws(MISPError) {
        try self.init(parsing: text.utf8, at: place)
    }

    /// A file that is one JSON text.
    ///
    /// - Throws: `MISPError` for a file that cannot be read, is a git-LFS pointer or no JSON
    public init(contentsOf url: URL) throws(MISPError) {
        try self.init(parsing: Self.read(url), at: url.relativePath)
    }

    /// The values of a file of JSON lines with their line numbers, counted from 1; blank lines are skipped.
    public static func lines(contentsOf url: URL) throws(MISPError) -> [(line: Int, value: JSON)] {
        var values: [(line: Int, value: JSON)] = []
        for (line, value) in try lineResults(contentsOf: url) { values.append((line, try value.get())) }
        return values
    }

    /// As `lines`, but a malformed line spoils only itself.
    package static func lineResults(
        contentsOf url: URL
    ) throws(MISPError) -> [(line: Int, value: Result<JSON, MISPError>)] {
        let bytes = [UInt8](try read(url))
        var values: [(line: Int, value: Result<JSON, MISPError>)] = []
        var number = 0
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let line = bytes[start..<end]
            number += 1
            start = end + 1
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            let place = "\(url.relativePath):\(number)"
            values.append((number, Result { () throws(MISPError) in try JSON(parsing: line, at: place) }))
        }
        return values
    }

    private static func read(_ url: URL) throws(MISPError) -> Data {
        let data: Data
        do {
            data = try Data(contentsOf: url)
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: url.relativePath)
        }
        guard !data.withUnsafeBytes(LargeFilePointer.isStart) else {
            throw LargeFilePointer.failure(at: url.relativePath)
        }
        return data
    }
}

extension JSON {
    /// Members in the order of the text. A repeated key keeps its first place and its last value.
    public struct Object: Sendable {
        /// A key and its value.
        public typealias Member = (key: String, value: JSON)

        /// Up to this many members a scan is quicker than a hash table.
        private static let scanLimit = 12

        /// In the order of their first appearance.
        public private(set) var members: [Member] = []
        private var positions: [UTF8Key: Int] = [:]

        /// Without members.
        public init() {}

        /// Members in order; a repeated key keeps its first place and its last value.
        public init(_ members: some Sequence<(String, JSON)>) {
            for (key, value) in members { self[key] = value }
        }

        /// Members.
        public var count: Int { members.count }
        /// In the order of the members.
        public var keys: [String] { members.map(\.key) }

        /// The value of `key`, nil when there is none; assigning nil changes nothing.
        public subscript(key: String) -> JSON? {
            get { position(of: key).map { members[$0].value } }
            set {
                guard let newValue else { return }
                if let position = position(of: key) {
                    members[position].value = newValue
                } else {
                    append(key, newValue)
                }
            }
        }

        private func position(of key: String) -> Int? {
            if members.count > Self.scanLimit { return positions[UTF8Key(key)] }
            return members.firstIndex { $0.key.hasSameBytes(as: key) }
        }

        private mutating func append(_ key: String, _ value: JSON) {
            members.append((key, value))
            if members.count == Self.scanLimit + 1 {
                for (position, member) in members.enumerated() { positions[UTF8Key(member.key)] = position }
            } else if members.count > Self.scanLimit {
                positions[UTF8Key(key)] = members.count - 1
            }
        }
    }
}

/// What a value is, nil when it is of another kind.
extension JSON {
    /// Whether it is `null`.
    public var isNull: Bool { if case .null = self { true } else { false } }
    /// A boolean.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// A string.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// An array's elements.
    public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    /// An object.
    public var object: Object? { if case .object(let value) = self { value } else { nil } }

    /// An integer, also one written with a fraction or exponent (`2.0`, `1e5`).
    public var int: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// Any number; an integer beyond 2⁵³ is rounded.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The member `key` of an object; nil for an absent key and for values that are no objects.
    public subscript(key: String) -> JSON? { object?[key] }

    /// The element of an array; nil outside its bounds and for values that are no arrays.
    public subscript(index: Int) -> JSON? {
        guard let array, array.indices.contains(index) else { return nil }
        return array[index]
    }

    /// The kind with its article, for messages: "a string".
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: Equatable {
    /// Strings and keys by bytes, numbers by value, members in any order.
    public static func == (a: JSON, b: JSON) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.bool(let x), .bool(let y)): x == y
        case (.integer(let x), .integer(let y)): x == y
        case (.integer, .number), (.number, .integer), (.number, .number): a.double == b.double
        case (.string(let x), .string(let y)): x.hasSameBytes(as: y)
        case (.array(let x), .array(let y)): x == y
        case (.object(let x), .object(let y)): x.count == y.count && x.members.allSatisfy { y[$0.key] == $0.value }
        default: false
        }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// `nil` is null.
    public init(nilLiteral: ()) { self = .null }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int) { self = .integer(value) }
    /// A number, whole or not.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An array.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// An object, with its members in the order of the source.
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(Object(elements)) }
}

/// What the program makes of each key of an object that others wrote: config.json and its like.
///
/// A key is read (its values are checked where it is read), harmless (no value of it can change a number), or fixed:
/// known, not implemented, and accepted with the listed values alone, which are its class's defaults. Any other key is
/// refused by name, unless its value says nothing: null, false, or an empty string, list or object.
public struct KeyTable: Sendable {
    /// Keys that are read, and checked where they are read.
    public let read: Set<String>
    /// Keys of which no value changes a number.
    public let harmless: Set<String>
    /// The values with which a key that is not implemented changes nothing. null always does.
    public let fixed: [String: [JSON]]

    /// Unless told otherwise, every key but those of `read` is unknown.
    public init(read: Set<String>, harmless: Set<String> = [], fixed: [String: [JSON]] = [:]) {
        self.read = read
        self.harmless = harmless
        self.fixed = fixed
    }

    /// Adds what another table knows; this table's own entries stand.
    public func adding(_ other: KeyTable) -> KeyTable {
        KeyTable(
            read: read.union(other.read), harmless: harmless.union(other.harmless),
            fixed: fixed.merging(other.fixed) { own, _ in own })
    }

    /// Refuses the first key of `field` that is not implemented. An absent object has none.
    ///
    /// - Parameter remedy: what to do about any of them.
    /// - Throws: `MISPError` with file, key and value.
    public func check(_ field: JSONField, remedy: String? = nil) throws(MISPError) {
        guard field.isPresent else { return }
        for (key, value) in try field.object().members where !read.contains(key) && !harmless.contains(key) {
            if let accepted = fixed[key] {
                guard !value.isNull, !accepted.contains(where: { $0.isSame(as: value) }) else { continue }
                let values = accepted.map(\.description).joined(separator: " or ")
                throw field[key].failure(
                    "is \(value.shortDescription), which is not implemented\(values.isEmpty ? "" : "; \(values) is")",
                    remedy: remedy)
            }
            guard !value.saysNothing else { continue }
            let near = NearestName.find(key, among: read.union(harmless).union(fixed.keys).sorted())
            throw field[key].failure(
                "is \(value.shortDescription), and what this key does is not known here",
                remedy: near.map { "did you mean \($0)?" } ?? remedy
                    ?? "remove it if it changes nothing that the model computes")
        }
    }
}

extension JSON {
    /// Whether a setting with this value is as good as absent.
    public var saysNothing: Bool {
        switch self {
        case .null: true
        case .bool(let flag): !flag
        case .integer, .number: false
        case .string(let text): text.isEmpty
        case .array(let elements): elements.isEmpty
        case .object(let object): object.count == 0
        }
    }

    /// Whether two values mean the same: 1 and 1.0 do, and so do objects whose members stand in another order.
    public func isSame(as other: JSON) -> Bool {
        switch (self, other) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.string(let a), .string(let b)): a.hasSameBytes(as: b)
        case (.integer, .number), (.number, .integer), (.number, .number): double == other.double
        case (.array(let a), .array(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.isSame(as: $1) }
        case (.object(let a), .object(let b)):
            a.count == b.count && a.members.allSatisfy { key, value in b[key].map { value.isSame(as: $0) } ?? false }
        default: false
        }
    }

    /// The value as an error shows it: a long one is cut.
    public var shortDescription: String {
        let text = description
        return text.count <= 60 ? text : "\(text.prefix(57))…"
    }
}

/// Keeps regular expressions of others from taking for ever: Swift's engine backtracks, as Python's does.
enum RegexCost {
    /// Of a module's path, in bytes.
    static let longestPath = 300
    private static let longestPattern = 10_000
    /// Repetitions one after the other: time grows with the path's length to this power.
    private static let mostRepetitions = 4
    private static let deepest = 32

    /// Repetitions of the alternative at hand, the most of those before it, and whether text can match in several ways.
    private struct Group {
        var current = 0
        var most = 0
        var hasChoice = false
        var repetitions: Int { max(current, most) }
    }

    /// Whether no group that can match in several ways is repeated, and few repetitions follow each other.
    static func isBounded(_ pattern: String) -> Bool {
        let bytes = Array(pattern.utf8)
        guard bytes.count <= longestPattern else { return false }
        var groups = [Group()]
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\"):
                index += 1
                if bytes.dropFirst(index).first == UInt8(ascii: "Q") { return false }
            case UInt8(ascii: "#"): return false  // may begin a comment, in which nothing counts
            case UInt8(ascii: "["):
                guard let end = Self.end(ofSet: bytes[index...]) else { return false }
                index = end
            case UInt8(ascii: "("):
                groups.append(Group())
                guard groups.count <= deepest else { return false }
                if bytes.dropFirst(index + 1).first == UInt8(ascii: "?") { index += 1 }
            case UInt8(ascii: ")"):
                guard let inner = groups.popLast(), !groups.isEmpty else { return false }
                let isRepeated = bytes.dropFirst(index + 1).first.map(repeats) ?? false
                if isRepeated, inner.hasChoice || inner.repetitions > 0 { return false }
                groups[groups.count - 1].current += inner.repetitions
                if inner.hasChoice { groups[groups.count - 1].hasChoice = true }
            case UInt8(ascii: "|"):
                groups[groups.count - 1].most = groups[groups.count - 1].repetitions
                groups[groups.count - 1].current = 0
                groups[groups.count - 1].hasChoice = true
            case UInt8(ascii: "?"): groups[groups.count - 1].hasChoice = true
            case let byte where repeats(byte):
                groups[groups.count - 1].current += 1
                groups[groups.count - 1].hasChoice = true
            default: break
            }
            index += 1
        }
        return groups.count == 1 && groups[0].repetitions <= mostRepetitions
    }

    /// The index of the bracket that closes a set; nil for a set that engines read differently, or that none closes.
    private static func end(ofSet bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.startIndex + 1
        if bytes.dropFirst().first == UInt8(ascii: "^") { index += 1 }
        let first = index
        while index < bytes.endIndex {
            switch bytes[index] {
            case UInt8(ascii: "]"): return index == first ? nil : index
            case UInt8(ascii: "["): return nil
            case UInt8(ascii: "\\"): index += 2
            default: index += 1
            }
        }
        return nil
    }

    private static func repeats(_ byte: UInt8) -> Bool { "*+{".utf8.contains(byte) }
}

/// Which modules adapter_config.json says are adapted: `check_target_module_exists` of PEFT.
struct AdapterTargets {
    private enum Names {
        case pattern(Regex<AnyRegexOutput>)
        case ends([String])
        /// All, as far as is known here: `all-linear`, an absent key, or a pattern that is not tried: Swift reads it
        /// otherwise than Python, or it could take for ever.
        case unknown

        func contain(_ path: String) -> Bool? {
            switch self {
            case .pattern(let pattern):
                path.utf8.count > RegexCost.longestPath ? nil : (try? pattern.wholeMatch(in: path)) != nil
            case .ends(let names): names.contains { path == $0 || path.hasSuffix("." + $0) }
            case .unknown: nil
            }
        }
    }

    private let targets, excluded: Names
    /// nil: all layers. Counts for a list of targets alone.
    private let layers: [Int]?
    private let hasLayerPattern: Bool

    init(_ config: JSONField) throws(MISPError) {
        targets = try Self.names(config["target_modules"])
        excluded = try Self.names(config["exclude_modules"])
        let listed = config["layers_to_transform"]
        if listed.value?.array == nil {
            layers = listed.isPresent ? [try listed.int()] : nil
        } else {
            var numbers: [Int] = []
            for item in try listed.array() { numbers.append(try item.int()) }
            layers = numbers.isEmpty ? nil : numbers
        }
        hasLayerPattern = try !Self.strings(config["layers_pattern"]).allSatisfy(\.isEmpty)
    }

    private static func names(_ field: JSONField) throws(MISPError) -> Names {
        guard field.isPresent else { return .unknown }
        guard let text = field.value?.string else { return .ends(try strings(field)) }
        guard text != "all-linear", RegexCost.isBounded(text), let pattern = try? Regex("(?:\(text))") else {
            return .unknown
        }
        return .pattern(pattern)
    }

    private static func strings(_ field: JSONField) throws(MISPError) -> [String] {
        guard field.isPresent else { return [] }
        if let text = field.value?.string { return [text] }
        var texts: [String] = []
        for item in try field.array() { texts.append(try item.string()) }
        return texts
    }

    /// nil where the configuration does not tell.
    ///
    /// - Parameter path: as the adapter's file has it
    func contain(_ path: String) -> Bool? {
        if excluded.contain(path) == true { return false }
        guard let isTarget = targets.contain(path) else { return nil }
        guard case .ends = targets, isTarget, let layers else { return isTarget }
        if hasLayerPattern { return nil }
        guard let match = path.firstMatch(of: #/^.*?\.[^.]*\.(\d+)\./#), let layer = Int(match.output.1) else {
            return false
        }
        return layers.contains(layer)
    }
}

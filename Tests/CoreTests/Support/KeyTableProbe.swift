import Core

/// Tries a reader of a JSON file with every key of its table, and with keys that are in none.
struct KeyTableProbe {
    let table: KeyTable
    /// What no key that is read may hold.
    var wrong: JSON = ["strange": 1]
    /// The error of a file that is this object, if there is one.
    let read: (JSON) -> MISPError?

    /// What a key may hold that is not one of its accepted values.
    private static let values: [JSON] = [.bool(true), 7, 0.37, "words", ["words"], ["key": 1]]

    /// What is wrong with the reader, in words: a value not implemented that is not refused by name, an accepted one
    /// that is refused, and likewise for `count` random keys.
    func faults(randomKeys count: Int = 1000) -> [String] {
        var faults: [String] = []
        for (key, accepted) in table.fixed {
            for value in Self.values where !accepted.contains(where: { $0.isSame(as: value) }) {
                if !isRefused(key, value) { faults.append("\(key): \(value) is not refused") }
            }
            for value in accepted + [.null] {
                if let error = read(.object(.init([(key, value)]))) { faults.append("\(key): \(value): \(error)") }
            }
        }
        for key in table.read where !isRefused(key, wrong) {
            faults.append("\(key): \(wrong) is not refused")
        }
        for key in table.harmless {
            for value in Self.values + [.null] {
                if let error = read(.object(.init([(key, value)]))) { faults.append("\(key): \(value): \(error)") }
            }
        }
        var random = KeyedRandom(14, "keys")
        for _ in 0..<count {
            let key = String(
                (0..<3 + random.below(18)).map { _ in Array("abcdefghijklmnopqrstuvwxyz_")[random.below(27)] })
            guard !table.read.contains(key), !table.harmless.contains(key), table.fixed[key] == nil else { continue }
            if !isRefused(key, Self.values[random.below(3)]) { faults.append("\(key) is not refused") }
            for value: JSON in [.null, .bool(false), "", [], [:]] {
                if let error = read(.object(.init([(key, value)]))) { faults.append("\(key): \(value): \(error)") }
            }
        }
        return faults
    }

    private func isRefused(_ key: String, _ value: JSON) -> Bool {
        read(.object(.init([(key, value)])))?.place?.contains(": \(key)") ?? false
    }
}

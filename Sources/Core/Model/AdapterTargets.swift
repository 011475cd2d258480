/// Which modules adapter_config.json says are adapted: `check_target_module_exists` of PEFT.
struct AdapterTargets {
    private enum Names {
        case pattern(Regex<AnyRegexOutput>)
        case ends([String])
        /// All, as far as is known here: `all-linear`, an absent key, or a pattern that Swift reads otherwise than Python.
        case unknown

        func contain(_ path: String) -> Bool? {
            switch self {
            case .pattern(let pattern): (try? pattern.wholeMatch(in: path)) != nil
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
        guard text != "all-linear", let pattern = try? Regex("(?:\(text))") else { return .unknown }
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

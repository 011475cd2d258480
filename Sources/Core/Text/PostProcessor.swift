/// The section `post_processor` of tokenizer.json: the special tokens around a sequence.
struct PostProcessor: Sendable {
    private enum Element {
        case sequence
        case special([Int32])
    }

    /// Applied one after the other.
    private var templates: [[Element]] = []

    init(_ field: JSONField) throws(MISPError) {
        if field.isPresent { try append(field) }
    }

    private mutating func append(_ field: JSONField) throws(MISPError) {
        let type = try field["type"].string()
        switch type {
        case "Sequence":
            try field.checkKeys("processors")
            for processor in try field["processors"].array() { try append(processor) }
        case "ByteLevel":
            // It concerns offsets only.
            try field.checkKeys("add_prefix_space", "trim_offsets", "use_regex")
        case "RobertaProcessing", "BertProcessing":
            try field.checkKeys("cls", "sep", "trim_offsets", "add_prefix_space")
            let first = try Self.id(field["cls"][1])
            templates.append([.special([first]), .sequence, .special([try Self.id(field["sep"][1])])])
        case "TemplateProcessing":
            try field.checkKeys("single", "pair", "special_tokens")
            var template: [Element] = []
            for piece in try field["single"].array() {
                if piece["Sequence"].isPresent {
                    guard try piece["Sequence"]["id"].string() == "A" else {
                        throw piece["Sequence"].failure("a template for one sequence names another one")
                    }
                    template.append(.sequence)
                } else {
                    let name = try piece["SpecialToken"]["id"].string()
                    var ids: [Int32] = []
                    for id in try field["special_tokens"][name]["ids"].array() { ids.append(try Self.id(id)) }
                    template.append(.special(ids))
                }
            }
            templates.append(template)
        default:
            throw field["type"].failure("post-processor \(type) is not supported")
        }
    }

    private static func id(_ field: JSONField) throws(MISPError) -> Int32 {
        guard let id = Int32(exactly: try field.int()), id >= 0 else { throw field.failure("is not a token id") }
        return id
    }

    func process(_ ids: [Int32], addSpecialTokens: Bool) -> [Int32] {
        templates.reduce(ids) { ids, template in
            template.flatMap { element in
                switch element {
                case .sequence: ids
                case .special(let special): addSpecialTokens ? special : []
                }
            }
        }
    }
}

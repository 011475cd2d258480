import Core
import Foundation

/// The prompts of a mining as tokens, each once.
struct PromptTable {
    /// Distinct prompts, in the order of the groups.
    let tokens: [[Int32]]
    /// By group its prompt's place in `tokens`.
    let places: [Int]
    /// Ids of groups whose prompts were cut.
    let cut: [String]

    /// - Throws: for prompts longer than the embedder reads, unless they are to be cut.
    init(
        _ groups: [MiningInput.Group], _ configuration: MineConfiguration, _ embedder: any Embedder
    ) throws(MISPError) {
        var (tokens, places, cut) = ([[Int32]](), [Int](), [String]())
        var placeOf: [[Int32]: Int] = [:]
        var longest: (id: String, count: Int)?
        for group in groups {
            var own = try embedder.tokens(of: group.prompt)
            if let limit = embedder.longestPrompt, own.count > limit {
                if longest == nil { longest = (group.id, own.count) }
                cut.append(group.id)
                own = embedder.cut(own)
            }
            let place = placeOf[own] ?? tokens.count
            if place == tokens.count {
                tokens.append(own)
                placeOf[own] = place
            }
            places.append(place)
        }
        (self.tokens, self.places, self.cut) = (tokens, places, cut)
        guard configuration.longPrompts == .error, let longest, let limit = embedder.longestPrompt else { return }
        throw MISPError(
            "the prompt has \(longest.count) tokens, but the embedder reads at most \(limit) "
                + "(too long in all: \(cut.count) of \(groups.count))",
            at: "\(configuration.data.prompts.relativePath): \(longest.id)",
            remedy: "shorten such prompts, or set long_prompts: truncate, which cuts their ends off and lists them")
    }
}

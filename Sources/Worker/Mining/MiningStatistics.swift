import Core
import Foundation

/// What a mining has to tell: what was read and left out, how the autoencoder came out, and how the negatives differ
/// from random ones. Nothing in it depends on the clock or the number of ranks.
struct MiningStatistics {
    private let configuration: MineConfiguration
    private let input: MiningInput
    private let groups: Int
    private let pictures: PictureTable
    private let table: PromptTable
    private let training: AutoencoderSummary?
    private let picks: [PickStatistics]
    private let factors: LatentFactors
    private let phrases: PhraseTable?
    private let entries: [GalleryEntry]

    init(
        _ configuration: MineConfiguration, input: MiningInput, groups: Int, pictures: PictureTable,
        table: PromptTable, training: AutoencoderSummary?, picks: [PickStatistics], factors: LatentFactors,
        phrases: PhraseTable?, entries: [GalleryEntry]
    ) {
        (self.configuration, self.input, self.groups, self.pictures) = (configuration, input, groups, pictures)
        (self.table, self.training, self.picks) = (table, training, picks)
        (self.factors, self.phrases, self.entries) = (factors, phrases, entries)
    }

    private var withoutPicture: [String] {
        input.groups.filter { pictures.row(of: $0.image) == nil }.map(\.id)
    }

    private var cut: [String] { table.cut }

    private func mean(_ value: (PickStatistics) -> Double?) -> Double? {
        let values = picks.compactMap(value)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    /// How the strategy's picks spread over the gallery, and how random ones do; nil where none were drawn.
    var hubs: (own: Hubs, random: Hubs?) {
        let hasRandom = training != nil && configuration.strategy != .random
        return (Hubs(picks.flatMap(\.rows)), hasRandom ? Hubs(picks.flatMap(\.randomRows)) : nil)
    }

    private var nearDuplicates: Int { picks.reduce(0) { $0 + $1.nearDuplicates } }
    private var sameAnswer: Int { picks.reduce(0) { $0 + $1.sameAnswer } }

    var json: JSON {
        var object = JSON.Object()
        object["groups"] = [
            "read": .integer(input.groups.count), "written": .integer(groups),
            "without_picture": .array(withoutPicture.map(JSON.string)),
        ]
        object["pictures"] = [
            "files": .integer(pictures.galleryFiles), "different": .integer(pictures.paths.count),
            "same_content": .integer(pictures.repeated), "excluded": .integer(pictures.excluded),
            "unreadable": .array(pictures.unreadable.map(\.json)),
        ]
        object["prompts"] = ["different": .integer(table.tokens.count), "cut": .array(cut.map(JSON.string))]
        object["autoencoder"] = training.map(Self.curve)
        var negatives = JSON.Object()
        negatives["strategy"] = .string(configuration.strategy.rawValue)
        negatives["pool"] = .integer(configuration.pool)
        negatives["candidates"] = number { Double($0.candidates) }
        negatives["near_duplicates"] = .integer(nearDuplicates)
        negatives["same_answer"] = .integer(sameAnswer)
        negatives["score"] = number(\.score)
        negatives["mutual_distance"] = number(\.distance)
        negatives["similarity"] = number(\.similarity)
        negatives["different"] = .integer(hubs.own.different)
        negatives["ten_commonest"] = .number(hubs.own.share)
        negatives["centered"] = .bool(configuration.isCentered)
        negatives["random"] = [
            "score": number(\.randomScore), "mutual_distance": number(\.randomDistance),
            "similarity": number(\.randomSimilarity),
            "different": .integer(Hubs(picks.flatMap(\.randomRows)).different),
            "ten_commonest": .number(Hubs(picks.flatMap(\.randomRows)).share),
        ]
        object["negatives"] = .object(negatives)
        if training != nil { object["latents"] = factors.json }
        object["phrases"] = phrases?.json(entries)
        return .object(object)
    }

    private func number(_ value: (PickStatistics) -> Double?) -> JSON { mean(value).map { .number($0) } ?? .null }

    private static func curve(_ training: AutoencoderSummary) -> JSON {
        let steps = training.steps.map { step in
            JSON.Object(
                (step.json.object?.members ?? []).filter { !$0.key.hasPrefix("time/") }.map { ($0.key, $0.value) })
        }
        return [
            "latents": .integer(training.latents), "dead_latents": .integer(training.deadLatents),
            "target": .number(training.sparsity), "steps": .array(steps.map(JSON.object)),
        ]
    }

    /// The table for people.
    var lines: [String] {
        var lines = [
            "groups        \(groups) of \(input.groups.count)"
                + Self.listed(withoutPicture, ", without a readable picture: "),
            "pictures      \(pictures.galleryFiles) files: \(pictures.repeated) with the content of another, "
                + "\(pictures.unreadable.count) unreadable" + Self.listed(pictures.unreadable.map(\.image), ": "),
            "              \(pictures.excluded) excluded; \(nearDuplicates) left out as nearly their group's own "
                + "picture (cosine above \(configuration.duplicateCosine))",
            "              \(sameAnswer) left out as pictures of groups with the same prompt and chosen response",
            "prompts       \(table.tokens.count) different" + Self.listed(cut, ", cut: "),
        ]
        if let phrases, !phrases.cut.isEmpty {
            lines.append("phrases       \(phrases.different) different" + Self.listed(phrases.cut, ", cut in: "))
        }
        if let training { lines.append("autoencoder   \(training.line)") }
        lines.append(
            "                              score   mutual distance   cosine with the positive   different pictures"
                + "   ten commonest")
        let name = configuration.strategy.rawValue
        lines.append(Self.row(name, [mean(\.score), mean(\.distance), mean(\.similarity)], hubs.own))
        if let spread = hubs.random {
            let random = [mean(\.randomScore), mean(\.randomDistance), mean(\.randomSimilarity)]
            lines.append(Self.row("random", random, spread))
            if hubs.own.serveAll(beside: spread) {
                lines.append(
                    "few pictures serve all: the ten commonest are \(hubs.own.percent) of all negatives (at random "
                        + "\(spread.percent))"
                        + (configuration.isCentered ? "" : "; centered: true may spread them"))
            }
        }
        return lines
    }

    private static func row(_ name: String, _ values: [Double?], _ hubs: Hubs) -> String {
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(width - text.count, 0)) + text
        }
        let cells = zip(values, [21 - name.count, 18, 27]).map { value, width in
            right(value.map { String(format: "%.3f", $0) } ?? "–", width)
        }
        return String(repeating: " ", count: 14) + name + cells.joined() + right("\(hubs.different)", 21)
            + right(hubs.percent, 16)
    }

    /// The first few of a list.
    private static func listed(_ items: [String], _ lead: String) -> String {
        guard !items.isEmpty else { return "" }
        return lead + items.prefix(5).joined(separator: ", ") + (items.count > 5 ? " and \(items.count - 5) more" : "")
    }
}

/// How picks spread over a gallery: pictures that are negatives of very many groups are hubs.
package struct Hubs: Equatable {
    /// Pictures picked at all.
    package let different: Int
    /// The share of all picks that the ten commonest pictures have; 0 without picks.
    package let share: Double

    package init(_ rows: [Int]) {
        var counts: [Int: Int] = [:]
        for row in rows { counts[row, default: 0] += 1 }
        different = counts.count
        let commonest = counts.values.sorted(by: >).prefix(10).reduce(0, +)
        share = rows.isEmpty ? 0 : Double(commonest) / Double(rows.count)
    }

    package var percent: String { String(format: "%.0f %%", 100 * share) }

    /// Whether ten pictures are most of all negatives, where at random they would be few.
    package func serveAll(beside random: Hubs) -> Bool { share >= 0.5 && share >= 3 * random.share }
}

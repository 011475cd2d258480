import Core
import Foundation

/// What the seeds' runs left behind, by arm and measure.
package struct ReproductionResult: Sendable {
    /// One arm over the seeds.
    package struct Values: Sendable {
        /// By measure's title, a value a seed.
        package var measures: [String: [Double]] = [:]
        /// Seconds of training and those of a group, a value a seed; empty for the warm-up.
        package var seconds: [Double] = []
        package var secondsOfGroup: [Double] = []

        package init() {}
    }

    package static let warmup = "warmup"

    package let seeds: [UInt64]
    /// By arm's key.
    package var arms: [String: Values] = [:]
    /// Seconds of CLIP's training and of each mining, a value a seed.
    package var clip: [Double] = []
    package var minings: [String: [Double]] = [:]

    package init(seeds: [UInt64]) { self.seeds = seeds }

    /// - Parameter folders: of the seeds, each whole
    init(seeds: [UInt64], folders: [URL]) throws {
        self.init(seeds: seeds)
        for folder in folders {
            for key in [Self.warmup] + ReproductionArm.all.map(\.key) {
                var values = arms[key] ?? Values()
                try Self.add(evaluation: folder.appending(path: "\(key)/evaluation/results.json"), to: &values)
                if key != Self.warmup {
                    let record = try RunRecord(folder.appending(path: key))
                    let seconds = record.sum("time/step") ?? .nan
                    values.seconds.append(seconds)
                    values.secondsOfGroup.append(seconds / Double(max(record.steps, 1) * ReproductionArm.groupsPerStep))
                }
                arms[key] = values
            }
            func seconds(_ place: String) throws -> Double {
                try JSONField(contentsOf: folder.appending(path: "\(place)/done.json"))["seconds"].double()
            }
            clip.append(try seconds("clip"))
            for strategy in ["misp", "random", "nearest", "logdet", "perturb"] {
                minings[strategy, default: []].append(try seconds("mining-\(strategy)"))
            }
        }
    }

    private static func add(evaluation: URL, to values: inout Values) throws {
        let found = try JSONField(contentsOf: evaluation)["benchmarks"].array()
        for (benchmark, measure, title, _) in ReproductionBenchmarks.measures {
            for field in found where try field["name"].string() == benchmark {
                for item in try field["measures"].array() where try item["name"].string() == measure {
                    // A share of nothing, such as the precision of a model that never says yes, has no value.
                    values.measures[title, default: []].append(
                        item["value"].isPresent ? try item["value"].double() : .nan)
                }
            }
        }
    }

    /// `0.713 ± 0.021`, mean over seeds and half of its 95 % interval; – where a seed has no value.
    package func text(_ key: String, _ title: String) -> String {
        let values = arms[key]?.measures[title] ?? []
        return values.contains(where: \.isNaN) || values.isEmpty ? "–" : Self.text(values)
    }

    static func text(_ values: [Double], digits: Int = 3, sign: Bool = false) -> String {
        let (mean, halfWidth) = StudentT.mean(values)
        let format = "%\(sign ? "+" : "").\(digits)f"
        return String(format: format, mean)
            + (halfWidth.map { " ± " + String(format: "%.\(digits)f", $0) } ?? "")
    }

    /// Mean seconds before an arm's first step: CLIP's training and the mining of its negatives.
    func preparation(of arm: ReproductionArm) -> Double {
        switch arm.negatives {
        case .none, .random, .crop, .noise: 0
        case .nearest, .logdet: preparation(by: arm.negatives.rawValue)
        case .misp, .mixture: preparation(by: "misp")
        }
    }

    private func preparation(by strategy: String) -> Double {
        StudentT.mean(clip).value + StudentT.mean(minings[strategy] ?? []).value
    }

    // MARK: Pairs

    /// Two arms on the same seeds: what the second does not have.
    package struct Pair: Sendable {
        package let own, other: String
        /// In what they differ.
        package let difference: String
    }

    package static let pairs = [
        Pair(own: "dpo", other: warmup, difference: "preference training on two answers"),
        Pair(own: "random", other: "dpo", difference: "pictures at random"),
        Pair(own: "paper", other: "dpo", difference: "three pictures as mined"),
        Pair(own: "paper", other: "from-random", difference: "mined, not at random (K = 3, subset)"),
        Pair(own: "draw-uniform", other: "random", difference: "mined, not at random (3 of 16, uniform)"),
        Pair(own: "misp", other: "draw-uniform", difference: "drawn by importance, not uniformly"),
        Pair(own: "misp", other: "draw-exact", difference: "3 drawn of 16, not all 16"),
        Pair(own: "misp", other: "dpo", difference: "mined pictures, drawn by importance"),
        Pair(own: "dpo-anchor", other: "dpo", difference: "the anchor, without pictures"),
        Pair(own: "misp-anchor", other: "misp", difference: "the anchor, with pictures"),
        Pair(own: "misp-anchor", other: "dpo-anchor", difference: "mined pictures, both with the anchor"),
        Pair(own: "misp", other: "sft", difference: "MISP-DPO, not further supervised training"),
    ]

    /// The differences seed by seed, and p of the paired t test; nil where a value is missing, p nil for one seed.
    package func difference(_ pair: Pair, _ title: String) -> (values: [Double], p: Double?)? {
        guard let own = arms[pair.own]?.measures[title], let other = arms[pair.other]?.measures[title],
            own.count == other.count, !own.isEmpty
        else { return nil }
        let values = zip(own, other).map { $0 - $1 }
        guard values.allSatisfy(\.isFinite) else { return nil }
        guard values.count > 1 else { return (values, nil) }
        return (values, Self.pairedP(values))
    }

    /// Two-sided p that the mean of the values is 0 (Student's t).
    package static func pairedP(_ values: [Double]) -> Double {
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        if variance == 0 { return mean == 0 ? 1 : 0 }
        return 1 - StudentT.centralProbability(abs(mean) / (variance / n).squareRoot(), degrees: values.count - 1)
    }

    // MARK: Files

    package var json: JSON {
        func numbers(_ values: [Double]) -> JSON { .array(values.map { $0.isNaN ? .null : .number($0) }) }
        let arms = ([Self.warmup] + ReproductionArm.all.map(\.key)).map { key -> JSON in
            let values = self.arms[key] ?? Values()
            let measures = ReproductionBenchmarks.measures.map { ($0.title, numbers(values.measures[$0.title] ?? [])) }
            let arm = ReproductionArm.all.first { $0.key == key }
            return [
                "key": .string(key), "name": .string(arm?.name ?? "warm-up"),
                "measures": .object(JSON.Object(measures)), "seconds": numbers(values.seconds),
                "seconds_per_group": numbers(values.secondsOfGroup),
                "preparation_seconds": arm.map { .number(preparation(of: $0)) } ?? .null,
                "negatives": arm.map { .string($0.negatives.words) } ?? .null,
                "tables": .array((arm?.places ?? [.objectives]).compactMap(\.table).map(JSON.string)),
            ]
        }
        let pairs = Self.pairs.map { pair -> JSON in
            let tests = ReproductionBenchmarks.measures.compactMap { measure -> (String, JSON)? in
                guard let found = difference(pair, measure.title) else { return nil }
                return (
                    measure.title,
                    ["differences": numbers(found.values), "p": found.p.map(JSON.number) ?? .null]
                )
            }
            return [
                "arm": .string(pair.own), "beside": .string(pair.other), "difference": .string(pair.difference),
                "measures": .object(JSON.Object(tests)),
            ]
        }
        return [
            "seeds": .array(seeds.map { .integer(Int(clamping: $0)) }), "arms": .array(arms), "pairs": .array(pairs),
            "clip_seconds": numbers(clip),
            "mining_seconds": .object(JSON.Object(minings.sorted { $0.key < $1.key }.map { ($0, numbers($1)) })),
        ]
    }
}

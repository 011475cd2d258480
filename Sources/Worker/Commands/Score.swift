import ArgumentParser
import Coordinator
import Core
import Foundation

package struct Score: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "score", abstract: "Writes the log-probability of every sequence of every group.",
        discussion: """
            A line per group of data.train, in the order of the file: sums over the response's tokens under the policy \
            (the model with model.adapter, if one is given) and under the reference (the model without it).

            Where an adapter is given it also tells how well the mining scores of the negatives rank their advantages: \
            the mean over groups of Spearman's correlation.
            """)

    @OptionGroup package var options: RunOptions

    @Option(help: ArgumentHelp("The file to write (JSON lines).", valueName: "scores.jsonl"))
    package var out: String

    @Flag(help: "Replaces the file where it is there already.")
    var overwrite = false

    package init() {}

    package func run() throws {
        var configuration = try options.configuration()
        // The groups as the file has them, whatever the objective would put in the place of pictures and weights.
        configuration.objective = RunConfiguration.Objective()
        throw ExitCode(
            Communicators.run { communicator in
                Interruption.watch()
                try communicator.agree { if communicator.rank == 0 { try checkPlace() } }
                configuration.compute.precision.tell(communicator)
                try score(configuration, communicator, configuration.compute.precision.arithmetic)
                return 0
            })
    }

    /// Collective.
    private func score<A: VectorArithmetic>(
        _ configuration: RunConfiguration, _ communicator: any Communicator, _ arithmetic: A.Type
    ) throws {
        let run = try TrainingRun<A>(configuration, communicator: communicator)
        // Every sequence of every group is asked for.
        _ = try RunInput(
            run, pictures: run.train.groups.flatMap { group in ([group.image] + group.negatives).map(\.source) })
        let reference = try Self.scores(run)
        var policy = reference
        if let adapter = configuration.model.adapter {
            try communicator.agree { try LowRankAdapterFolder(adapter).load(into: run.model) }
            policy = try Self.scores(run)
        }
        try communicator.agree {
            guard communicator.rank == 0 else { return }
            let agreements = run.train.groups.indices.map {
                Self.agreement(run.train.groups[$0], policy[$0] - reference[$0])
            }
            try write(run.train.groups, policy, reference, agreements)
            if configuration.model.adapter != nil { print(Self.summary(agreements, run.train.groups)) }
        }
    }

    private func checkPlace() throws(MISPError) {
        guard !overwrite, FileManager.default.fileExists(atPath: out) else { return }
        throw MISPError("is there already", at: out, remedy: "name another --out, or replace it by --overwrite")
    }

    /// Collective. Every sequence of every group: chosen, rejected, and the whole pool.
    private static func scores(_ run: TrainingRun<some VectorArithmetic>) throws -> [GroupValues] {
        let groups = run.train.groups
        let pools = groups.map { Array($0.negatives.indices) }
        var table = LogProbabilityTable(groups, withRejected: true)
        try table.add(
            groups.indices.map { ($0, pools[$0]) }, scorer: run.gradient.policy, communicator: run.communicator)
        try run.communicator.agree { try Interruption.check("while log-probabilities were computed") }
        return groups.indices.map { table.values($0, negatives: pools[$0]) }
    }

    /// Spearman's correlation of the mining scores with the advantages a_i = β·(h(m_i) − h(m_p)) over a group's
    /// pool; nil where either has no order.
    private static func agreement(_ group: EncodedGroup, _ h: GroupValues) -> Double? {
        let scores = group.scores.compactMap(\.self)
        guard scores.count == h.negatives.count else { return nil }
        return RankCorrelation.spearman(scores, h.negatives.map { $0 - h.chosen })
    }

    private static func summary(_ agreements: [Double?], _ groups: [EncodedGroup]) -> String {
        let known = agreements.compactMap(\.self)
        let without = groups.count - known.count
        let rest = "\(without) \(without == 1 ? "group has" : "groups have") no scores or no order to compare"
        guard !known.isEmpty else { return "mining scores and advantages: \(rest)" }
        let mean = known.reduce(0, +) / Double(known.count)
        return String(format: "mining scores and advantages: mean Spearman %.4f over %d groups; ", mean, known.count)
            + rest
    }

    private func write(
        _ groups: [EncodedGroup], _ policy: [GroupValues], _ reference: [GroupValues], _ agreements: [Double?]
    ) throws {
        let writer = try MetricsWriter(URL(filePath: out))
        for (index, group) in groups.enumerated() {
            var tokens: JSON.Object = .init([("prompt", .integer(group.prompt.tokens(group.image.place).tokens.count))])
            tokens["chosen"] = .integer(group.chosen.count)
            tokens["rejected"] = group.rejected.map { .integer($0.count) }
            var line = JSON.Object([
                ("id", .string(group.id)), ("policy", Self.named(policy[index])),
                ("reference", Self.named(reference[index])), ("tokens", .object(tokens)),
            ])
            line["spearman"] = agreements[index].map { .number($0) }
            try writer.append(.object(line))
        }
    }

    private static func named(_ values: GroupValues) -> JSON {
        var object = JSON.Object([("chosen", .number(values.chosen))])
        object["rejected"] = values.rejected.map { .number($0) }
        for (place, value) in values.negatives.enumerated() { object["negative\(place)"] = .number(value) }
        return .object(object)
    }
}

import Coordinator
import Core
import Foundation

/// Errors of every draw's gradient on a run's groups, the ranks sharing the groups.
struct SamplingLaboratory {
    /// Of the policy.
    let adapter: URL
    let beta: Double
    let groups: Int
    let draws: Int
    let counts: [Int]

    private typealias Errors = EstimatorStudy.Errors
    private static let fields: [WritableKeyPath<Errors, Double> & Sendable] = [
        \.squaredBias, \.variance, \.squaredNorm, \.lossBias, \.effectiveSamples, \.largestShare, \.forwards,
        \.backwards,
    ]

    /// Collective. On the groups and the model of a run, in its precision.
    func result(_ configuration: RunConfiguration, _ communicator: any Communicator) throws -> SamplingResult {
        func result<A: VectorArithmetic>(_ arithmetic: A.Type) throws -> SamplingResult {
            try self.result(TrainingRun<A>(configuration, communicator: communicator))
        }
        return try result(configuration.compute.precision.arithmetic)
    }

    private func result(_ run: TrainingRun<some VectorArithmetic>) throws -> SamplingResult {
        let communicator = run.communicator
        let chosen = Array(run.train.groups.indices.filter { run.train.groups[$0].negatives.count > 1 }.prefix(groups))
        try communicator.agree {
            if chosen.isEmpty {
                throw MISPError(
                    "has no group with two negatives or more", at: run.configuration.data.train.relativePath,
                    remedy: "draws differ where there is a pool to draw from")
            }
        }
        let pools = run.train.groups.map { Array($0.negatives.indices) }
        var table = LogProbabilityTable(run.train.groups, withRejected: false)
        try table.add(chosen.map { ($0, pools[$0]) }, scorer: run.gradient.policy, communicator: communicator)
        try communicator.agree { try Interruption.check("while log-probabilities were computed") }
        try communicator.agree { try LowRankAdapterFolder(adapter).load(into: run.model) }
        let cells = NegativeSampler.Mode.allCases.flatMap { mode in counts.map { (mode, $0) } }
        let width = cells.count * Self.fields.count
        let mine = try communicator.agree {
            var flat = [Double](repeating: 0, count: chosen.count * width)
            for place in communicator.share(of: chosen.count) {
                let index = chosen[place]
                let found = try errors(run, index, reference: table.values(index, negatives: pools[index]), cells)
                let values = found.flatMap { errors in Self.fields.map { errors[keyPath: $0] } }
                flat.replaceSubrange(place * width..<(place + 1) * width, with: values)
                Pulse.note()
            }
            return flat
        }
        let flat = try communicator.mergeDisjoint(mine)
        let rows = cells.enumerated().map { number, cell in
            var sum = Errors()
            for place in chosen.indices {
                for (field, path) in Self.fields.enumerated() {
                    sum[keyPath: path] += flat[place * width + number * Self.fields.count + field]
                }
            }
            return SamplingResult.Row(mode: cell.0, count: cell.1, errors: sum, groups: chosen.count)
        }
        return SamplingResult(rows: rows, groups: chosen.count, draws: draws, adapter: adapter.relativePath)
    }

    /// One group: a pass forward and backward for each of its pictures, then the draws.
    private func errors(
        _ run: TrainingRun<some VectorArithmetic>, _ index: Int, reference: GroupValues,
        _ cells: [(NegativeSampler.Mode, Int)]
    ) throws -> [Errors] {
        let group = run.train.groups[index]
        let layout = GroupLayout(
            group, withRejected: false, negatives: Array(group.negatives.indices), isJoint: false)
        let gradients = Matrix<Float>(zeros: layout.batches.count, run.model.parameters.count)
        var policy = GroupValues(chosen: 0, negatives: group.negatives.map { _ in 0 })
        for (row, batch) in layout.batches.enumerated() {
            let pass = try run.gradient.forward(batch, of: group, keeping: true)
            policy[batch.sequences[0]] = pass.scores.logProbabilities[0]
            if let kept = pass.kept {
                run.model.backward([1], kept, Gradient(gradients.row(row), owner: gradients.owner))
            }
        }
        let products = Vector.product(gradients, transposed: gradients)
        let study = EstimatorStudy(
            group: group.id, scores: group.scores, policy: policy, reference: reference, beta: beta,
            gram: Matrix(products.rows, products.columns, products.elements.map(Double.init)))
        let negatives = run.configuration.negatives
        return cells.map { mode, count in
            study.errors(
                NegativeSampler(
                    mode, count: count, temperature: negatives.temperature, uniformMix: negatives.uniformMix),
                seed: run.configuration.seed, draws: draws)
        }
    }
}

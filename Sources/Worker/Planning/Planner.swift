import Coordinator
import Core
import Foundation

/// Measures one group of a run and predicts its steps.
struct Planner {
    /// Steps whose groups stand for all.
    private static let sampledSteps = 8

    private let configuration: RunConfiguration
    private let communicator: any Communicator
    private let subject: CheckSubject
    private let file: PreferenceFile
    private let facts: [GroupFacts]

    /// Collective. Reads model and groups.
    init(_ configuration: RunConfiguration, communicator: any Communicator) throws {
        (self.configuration, self.communicator) = (configuration, communicator)
        BLAS.setThreads(configuration.compute.threads)
        var subject = try communicator.agree { try CheckSubject(configuration) }
        let file = try communicator.agree {
            try PreferenceFile(contentsOf: configuration.data.train, images: configuration.data.images)
        }
        let sizes = try PictureSizes.read([file], for: subject.encoder.places, communicator)
        try communicator.agree { try subject.know(sizes) }
        let known = subject
        facts = try communicator.share(file.groups.count) { try known.facts(file.groups[$0].group, in: file) }
        (self.subject, self.file) = (subject, file)
        try communicator.agree {
            if let fault = file.malformed.first ?? facts.lazy.compactMap(\.fault.fault).first { throw fault }
            guard !facts.isEmpty else {
                throw MISPError("has no group", at: configuration.data.train.relativePath)
            }
            try CheckedFile(file, facts, subject.objective).sense.check()
            try StepOrder.check(groups: facts.count, configuration)
        }
    }

    /// Collective.
    ///
    /// - Parameters:
    ///   - room: ranks of a host that have cores of their own
    ///   - count: groups of the data, the file's over and over; nil: as many as it has, or one step takes
    func report(
        ranks: [Int], network: CostModel.Network, room: Int, ranksPerHost: Int, count: Int?
    ) throws -> PlanReport {
        let count = count ?? max(facts.count, configuration.optimizer.groupsPerStep)
        let order = StepOrder(groups: count, configuration)
        let groups = (0..<min(Self.sampledSteps, order.totalSteps)).map { step in
            order.groups(of: step).map { facts[$0 % facts.count].step }
        }
        let precision = configuration.compute.precision
        precision.tell(communicator)
        let model = CostModel(hosts: try measure(precision.arithmetic), network: network, room: room)
        let activations = facts.map(\.bytes.used).max() ?? 0
        return PlanReport(
            model, groups: groups, parameters: subject.parameters, totalSteps: order.totalSteps,
            ranks: ranks, ranksPerHost: ranksPerHost, repeating: count == facts.count ? nil : (facts.count, count)
        ) { ranks in
            MemoryEstimate(
                weights: subject.fileBytes, trained: subject.parameters, activations: activations,
                groupsPerStep: order.groupsPerStep, ranks: ranks)
        }
    }

    /// Times the gradient of the group of median cost.
    private func measure<A: VectorArithmetic>(_ arithmetic: A.Type) throws -> [CostModel.Host] {
        let index = facts.indices.sorted { facts[$0].step < facts[$1].step }[facts.count / 2]
        let (model, gradient, data) = try communicator.agree {
            let model = try subject.folder.model(trainable: subject.trainable, seed: configuration.seed, as: A.self)
            let encoded = try subject.encode(file.groups[index].group, in: file)
            let gradient = try GroupGradient(model, subject.folder, configuration)
            gradient.place(subject.encoder.places)
            let data = try PreparedData([encoded], configuration, encoder: subject.encoder)
            return (model, gradient, data.withoutReference)
        }
        if communicator.rank == 0 { Console.say("measuring the group \(data.groups[0].id)") }
        let buffer = Gradient(zerosFor: model.parameters)
        let pool = ScratchPool(elements: model.parameters.count)
        return try HostMeasurement(communicator).hosts(operations: facts[index].step) {
            let work = StepWork([0], epoch: 0, data: data, gradient.passes)
            let plan = ShardPlan(costs: work.pieces.map(\.cost), ranks: 1)
            var share = StepShare(gradient, work, plan, rank: 0, step: 0)
            let scores = try share.scoreMembers()
            _ = try share.addGradients(
                scores, into: .init(start: buffer.base, count: model.parameters.count), pool: pool)
        }
    }
}

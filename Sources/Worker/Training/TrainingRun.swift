import Coordinator
import Core
import Foundation

extension RunConfiguration {
    /// Collective. Trains as the configuration says, in its precision, and returns which groups its steps took.
    ///
    /// - Parameter benchmarks: that the model answers after some of the steps
    @discardableResult
    func train(
        _ start: RunStart = RunStart(), communicator: any Communicator, benchmarks: (any StepBenchmarks)? = nil
    ) throws -> StepOrder {
        func train<A: VectorArithmetic>(_ arithmetic: A.Type) throws -> StepOrder {
            var run = try TrainingRun<A>(self, communicator: communicator)
            try run.execute(start, benchmarks)
            return StepOrder(groups: run.train.groups.count, self)
        }
        return try train(compute.precision.arithmetic)
    }
}

/// A training run from its configuration to its results; the same on every rank.
struct TrainingRun<A: VectorArithmetic> {
    let configuration: RunConfiguration
    let communicator: any Communicator
    let folder: ModelFolder
    let model: VisionLanguageModel<A>
    let gradient: GroupGradient<A>
    private(set) var train: PreparedData
    private(set) var eval: PreparedData?
    private let answers: PictureAnswers

    /// Collective. Reads everything; an error on any rank is every rank's.
    init(_ configuration: RunConfiguration, communicator: any Communicator) throws {
        self.configuration = configuration
        self.communicator = communicator
        BLAS.setThreads(configuration.compute.threads)
        let loaded = try communicator.agree { try Loaded(configuration) }
        (folder, model, gradient) = (loaded.folder, loaded.model, loaded.gradient)
        let sizes = try PictureSizes.read(loaded.files, for: loaded.encoder.places, communicator)
        (train, eval, answers) = try communicator.agree { () throws -> (PreparedData, PreparedData?, PictureAnswers) in
            var encoder = loaded.encoder
            encoder.places = try encoder.places.knowing(sizes)
            loaded.gradient.place(encoder.places)
            let data = try loaded.files.map { try PreparedData($0, encoder: encoder, configuration) }
            let last = data.count - 1
            let answers = try PictureAnswers(
                loaded.files[last].groups.map(\.group), data[last].groups, count: configuration.evaluation.answers,
                loaded.folder)
            return (data[0], last > 0 ? data[1] : nil, answers)
        }
    }

    /// What is read before the sizes of pictures are asked for.
    private struct Loaded {
        let folder: ModelFolder
        let model: VisionLanguageModel<A>
        let gradient: GroupGradient<A>
        let encoder: GroupEncoder
        /// data.train, and data.eval if there is one.
        let files: [PreferenceFile]

        init(_ configuration: RunConfiguration) throws {
            folder = try configuration.modelFolder()
            model = try folder.model(
                trainable: configuration.resolvedTrainable(), seed: configuration.seed, as: A.self)
            guard model.parameters.count > 0 else {
                throw MISPError("nothing is trained", at: "trainable", remedy: "set language, projector or vision")
            }
            gradient = try GroupGradient(model, folder, configuration)
            encoder = try GroupEncoder(folder, template: configuration.model.prompt)
            let (data, images) = (configuration.data, configuration.data.images)
            files = try ([data.train] + [data.eval].compactMap { $0 }).map { file in
                let content = try PreferenceFile(contentsOf: file, images: images)
                try content.check(images: images)
                return content
            }
        }
    }
}

extension TrainingRun {
    /// Collective. Trains from the first step, or from the newest checkpoint, to the last and writes the results.
    mutating func execute(_ start: RunStart = RunStart(), _ benchmarks: (any StepBenchmarks)? = nil) throws {
        Interruption.watch()
        try communicator.agree {
            try train.sense?.check()
            try StepOrder.check(groups: train.groups.count, configuration)
        }
        let order = StepOrder(groups: train.groups.count, configuration)
        let epochs = order.epochs(from: 0)
        let pictures = train.images(epochs: epochs)
        let input = try Interruption.keeping(keptBefore(start)) { try RunInput(self, pictures: pictures) }
        let machineRate = try communicator.mergeDisjoint([MachineRate.measure(A.self)])[0]
        RunOutput.announce(self, order)
        let checkpoints = RunCheckpoints(self, input)
        defer { checkpoints.wait() }
        let saved = try checkpoints.begin(start, train)
        let first = saved?.step ?? 0
        Pulse.noteBeginning()
        Pulse.note(step: first)
        Pulse.note(saved: first)
        let output = try communicator.agree { try RunOutput(self, order: order, continuingAfter: first) }
        if communicator.rank == 0 { notes(order).forEach(Console.say) }
        let caches = try Interruption.keeping(kept(saved)) {
            let rest = first == 0 ? pictures : train.images(epochs: order.epochs(from: first))
            let caches = try openCaches(rest, input)
            try computeFirstReferences(order, first, caches, output)
            try communicator.agree { try testFirstStep(order, first) }
            return caches
        }
        // What the steps to come add is on the disk, however the run ends.
        defer { try? caches?.references?.flush() }
        // Only now: what was tested is the policy that is the reference.
        if let adapter = configuration.model.adapter {
            try communicator.agree { try LowRankAdapterFolder(adapter).load(into: model) }
        }
        let step = try TrainingStep(
            model.parameters, cause: gradient.policy.cause, communicator: communicator,
            settings: configuration.optimizer, totalSteps: order.totalSteps, machineRate: machineRate)
        if let saved { try checkpoints.restore(saved, into: step) }
        try train(from: first, order, step, checkpoints, caches?.references, benchmarks, output)
        try communicator.agree {
            try caches?.references?.flush()
            try output.finish(self)
        }
        try caches?.tellOfDamagedReferences()
        try checkpoints.settle()
        try step.close()
    }

    /// Collective. The steps, and the evaluations between them.
    private mutating func train(
        from first: Int, _ order: StepOrder, _ step: TrainingStep, _ checkpoints: RunCheckpoints,
        _ store: LogProbabilityStore?, _ benchmarks: (any StepBenchmarks)?, _ output: RunOutput
    ) throws {
        let total = order.totalSteps
        var heldOut = try eval.map {
            HeldOutEvaluation(
                $0, configuration.evaluation, lastStep: total,
                best: try configuration.evaluation.keepsBest ? checkpoints.best(of: output.evaluatedLosses) : nil)
        }
        /// Evaluates, or ends the run with a checkpoint from which the evaluation is made up for. Returns whether the
        /// model has done best now.
        func evaluate(after steps: Int) throws -> Bool {
            guard let evaluation = heldOut else { return false }
            let isUntrained = steps == 0 && configuration.model.adapter == nil
            guard let means = try evaluation(gradient, after: steps, isUntrained: isUntrained, communicator) else {
                try checkpoints.end(step, after: steps, of: total, best: evaluation.best?.step, output)
                return false
            }
            try communicator.agree { try output.reportEvaluation(means) }
            return heldOut?.isBest(means[.loss], after: steps) ?? false
        }
        /// Asks the model, or ends the run with a checkpoint from which that is made up for.
        func ask(after steps: Int, _ work: () throws -> Void) throws {
            do { try work() } catch let failure as AgreedFailure {
                try end(failure, after: steps, of: total, best: heldOut?.best?.step, step, checkpoints, output)
            }
        }
        func answerBenchmarks(after steps: Int) throws {
            guard let benchmarks, configuration.evaluation.isDue(after: steps, of: total) else { return }
            try ask(after: steps) {
                let measures = try benchmarks.measures(of: self, after: steps)
                try communicator.agree { try output.reportBenchmarks(measures, after: steps) }
            }
        }
        func answerPictures(after steps: Int) throws {
            guard answers.isDue(after: steps, of: total) else { return }
            try ask(after: steps) {
                let lines = try answers(gradient.policy, after: steps, communicator)
                try communicator.agree { try output.reportAnswers(lines) }
            }
        }
        // Those of the step at which a run was stopped, too.
        if heldOut?.isDue(after: first) == true, try !output.hasEvaluation(at: first, communicator),
            try evaluate(after: first)
        {
            try checkpoints.save(step, after: first, best: first)
        }
        if try !output.hasBenchmarks(at: first, communicator) { try answerBenchmarks(after: first) }
        if try !output.hasAnswers(at: first, communicator) { try answerPictures(after: first) }
        for index in first..<max(first, total) {
            let (groups, epoch) = (order.groups(of: index), order.epoch(of: index))
            let seconds = try computeReferences(of: groups, epoch: epoch, store)
            try checkpoints.endIfAsked(step, after: index, of: total, best: heldOut?.best?.step, output)
            var report = try step(index, groups, epoch: epoch, data: train, gradient)
            report.metrics[.timeReference] = seconds
            try communicator.agree {
                try step.checkParameters(after: index + 1)
                try checkpoints.check()
                try output.report(report)
            }
            Pulse.note(step: index + 1)
            // The checkpoint comes after the evaluation, so that a run that goes on from it has nothing to do again.
            let isBest = try heldOut?.isDue(after: index + 1) == true && evaluate(after: index + 1)
            try answerBenchmarks(after: index + 1)
            try answerPictures(after: index + 1)
            if isBest || index + 1 == total || checkpoints.isDue(after: index + 1) {
                try checkpoints.save(step, after: index + 1, best: heldOut?.best?.step)
            }
        }
    }

    /// Collective. Ends the run where the model could not be asked, with a checkpoint that stands before the questions.
    private func end(
        _ failure: AgreedFailure, after steps: Int, of total: Int, best: Int?, _ step: TrainingStep,
        _ checkpoints: RunCheckpoints, _ output: RunOutput
    ) throws {
        if failure.error.kind.isEnd { try checkpoints.end(step, after: steps, of: total, best: best, output) }
        if steps > 0 {
            try checkpoints.save(step, after: steps, best: best)
            try checkpoints.settle()
        }
        throw failure
    }

    /// What is there to go on with when a signal ends the run before its checkpoints were looked at.
    private func keptBefore(_ start: RunStart) -> MISPError? {
        let folder = configuration.output.appending(path: "checkpoints")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        guard start.origin != .anew, names.contains(where: { $0.hasPrefix("step-") }) else { return nil }
        return MISPError(
            "stopped before the first step; the checkpoints are as they were", at: folder.relativePath,
            remedy: "resume with --resume", kind: .interrupted)
    }

    /// What is there when a signal ends it before the first step.
    private func kept(_ saved: CheckpointStore.Saved?) -> MISPError? {
        let what = "stopped before the first step; "
        if let saved {
            return MISPError(
                what + "the checkpoint is as it was", at: saved.state.file, remedy: "resume with --resume",
                kind: .interrupted)
        }
        guard configuration.cache.isEnabled else { return nil }
        return MISPError(
            what + "the features and log-probabilities computed so far are kept",
            at: configuration.cache.folder.relativePath, remedy: "resume with the same command", kind: .interrupted)
    }

    /// What is worth a word before it starts, though it hinders nothing.
    private func notes(_ order: StepOrder) -> [String] {
        let notes = (train.sense?.notes ?? []) + (eval?.sense?.notes ?? [])
        guard let host = HostMemory.current else { return notes }
        // The longest groups stand for all.
        let groups = train.groups.indices.sorted { size(train.groups[$0]) > size(train.groups[$1]) }.prefix(4)
        let bytes = MemberBytes.largest(
            groups.map { gradient.passes.memberBytes(train.groups[$0], train.draw($0, epoch: 0)) })
        let weights = (try? TensorCatalog(folder: folder.url).bytes) ?? 0
        let estimate = MemoryEstimate(
            weights: weights, trained: model.parameters.count, activations: bytes.used,
            groupsPerStep: order.groupsPerStep, ranks: communicator.size)
        return notes
            + [
                estimate.warning(
                    communicator.localSize, on: host, recompute: bytes.recompute, streaming: bytes.streaming)
            ].compactMap { $0 }
    }

    /// Rows of a group, about.
    private func size(_ group: EncodedGroup) -> Int {
        group.longest * (1 + group.negatives.count) + (group.rejected?.count ?? 0)
    }

    /// Each rank one group of the first step to come.
    private func testFirstStep(_ order: StepOrder, _ first: Int) throws {
        let groups = first < order.totalSteps ? order.groups(of: first) : []
        guard groups.indices.contains(communicator.rank) else { return }
        try Interruption.check("before the first step")
        try SelfTest.run(
            gradient, train, group: groups[communicator.rank], epoch: order.epoch(of: first),
            member: communicator.rank, configuration.compute.precision)
    }

    /// Collective.
    /// - Parameter pictures: those of the training groups that the steps to come take
    private func openCaches(_ pictures: [ImageSource], _ input: RunInput) throws -> RunCaches? {
        guard configuration.cache.isEnabled else { return nil }
        var seen: Set<ImageSource> = []
        let images = (pictures + (eval?.images(epochs: onceEach(eval)) ?? [])).filter {
            seen.insert($0).inserted
        }
        return try RunCaches(self, images: images, input: input) { [communicator] line in
            if communicator.rank == 0 { Console.say(line) }
        }
    }

    /// Collective. Those of the next step, and of the held-out groups: others' are computed when steps come to them.
    private mutating func computeFirstReferences(
        _ order: StepOrder, _ first: Int, _ caches: RunCaches?, _ output: RunOutput
    ) throws {
        guard let scorer = gradient.reference else { return }
        let groups = first < order.totalSteps ? order.groups(of: first) : []
        let heldOut = Array((eval?.groups ?? []).indices)
        output.stage("reference log-probabilities", of: groups.count + heldOut.count)
        let (store, communicator, epoch) = (caches?.references, communicator, order.epoch(of: first))
        func compute() throws {
            try train.addReference(of: groups, epoch: epoch, scorer: scorer, store: store, communicator: communicator) {
                output.stageProgress($0)
            }
            try eval?.addReference(of: heldOut, epoch: 0, scorer: scorer, store: store, communicator: communicator) {
                output.stageProgress(groups.count + $0)
            }
        }
        if let store { try store.flushing(compute) } else { try compute() }
        try communicator.agree { try Interruption.check("while log-probabilities were computed") }
        try caches?.tellOfDamagedReferences()
    }

    /// Collective. Returns the seconds that it took.
    private mutating func computeReferences(
        of groups: [Int], epoch: Int, _ store: LogProbabilityStore?
    ) throws -> Double {
        guard let scorer = gradient.reference else { return 0 }
        var clock = Stopwatch()
        try train.addReference(of: groups, epoch: epoch, scorer: scorer, store: store, communicator: communicator)
        return clock.lap()
    }

    /// Held-out groups are evaluated with the draws of epoch 0.
    private func onceEach(_ data: PreparedData?) -> [[Int]] { [[Int]](repeating: [0], count: data?.groups.count ?? 0) }
}

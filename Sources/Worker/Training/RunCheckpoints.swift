import Coordinator
import Core
import Foundation

/// Where a run begins.
struct RunStart {
    enum Origin {
        /// At the first step.
        case anew
        /// At the newest whole checkpoint; without one the run is refused.
        case resuming
        /// At the newest whole checkpoint, or at the first step where there is none.
        case resumingIfAny
    }

    var origin = Origin.anew
    /// Whether a run that starts anew may replace what an earlier one left.
    var overwrites = false
    /// Whether a run may go on with other rows, pictures or weights than it began with.
    var acceptsOtherInput = false
}

/// When a run writes checkpoints, and what one must agree with to be resumed. Order, draws and learning rate are pure
/// functions of configuration and step, so besides parameters and moments there is nothing to keep. Calls are
/// collective.
final class RunCheckpoints {
    private let store: CheckpointStore
    private let configuration: RunConfiguration
    private let communicator: any Communicator
    private let input: RunInput
    /// What a run that goes on has to have in common with the one that wrote the checkpoint.
    private let state: JSON
    /// The step of the checkpoint taken or read last.
    private var latest: Int?

    init(_ run: TrainingRun<some VectorArithmetic>, _ input: RunInput) {
        communicator = run.communicator
        configuration = run.configuration
        self.input = input
        store = CheckpointStore(
            run.configuration.output.appending(path: "checkpoints"), communicator: run.communicator)
        let slots = run.model.parameters.slots.map { slot -> JSON in
            ["name": .string(slot.name), "shape": .array(slot.shape.map(JSON.integer))]
        }
        state = [
            "configuration": run.configuration.json.without(RunConfiguration.runKeys), "input": input.kept,
            "parameters": .array(slots),
        ]
    }

    /// The checkpoint to go on from; in a run that starts anew, none, and what an earlier run left is out of the way.
    ///
    /// - Parameter train: the groups that steps take
    func begin(_ start: RunStart, _ train: PreparedData) throws -> CheckpointStore.Saved? {
        var damaged: [String] = []
        defer { for line in damaged { Console.say(line) } }
        guard start.origin != .anew,
            let saved = try store.newest(buffers: TrainingStep.bufferNames, tell: { damaged.append($0) })
        else {
            try communicator.agree { if communicator.rank == 0 { try makeWay(for: start) } }
            return nil
        }
        try communicator.agree {
            guard communicator.rank == 0 else { return }
            try compare(with: saved, train, acceptsOtherInput: start.acceptsOtherInput)
            Console.say("resuming from \(saved.state.file)")
        }
        latest = saved.step
        return saved
    }

    private func makeWay(for start: RunStart) throws {
        if start.origin == .resuming {
            throw MISPError(
                "there is no whole checkpoint to resume from", at: store.folder.relativePath,
                remedy: "start the run without --resume, or with --resume-if-any")
        }
        let earlier = EarlierResults(configuration.output)
        guard !earlier.isEmpty else { return }
        guard start.origin == .resumingIfAny || start.overwrites else { throw earlier.refusal }
        let reason = start.overwrites ? "as --overwrite was given" : "as no checkpoint of it is whole"
        Console.say("replacing \(earlier.description) of an earlier run, \(reason)")
        try earlier.remove(sparing: [
            ("model.path", configuration.model.path), ("model.adapter", configuration.model.adapter),
            ("data.train", configuration.data.train), ("data.eval", configuration.data.eval),
            ("cache.folder", configuration.cache.folder),
        ])
    }

    func restore(_ saved: CheckpointStore.Saved, into step: TrainingStep) throws {
        try store.restore(saved, elements: step.elements, buffers: step.buffers)
        step.parameters.isUpdated = true
        try step.gatherParameters()
    }

    /// Collective. Of evaluations, as (loss, step): the best whose checkpoint is there, which from now on is `best`.
    func best(of evaluations: [(loss: Double, step: Int)]) throws -> (Double, Int)? {
        let best = evaluations.filter { store.has($0.step) }.min { ($0.loss, $0.step) < ($1.loss, $1.step) }
        let found = try communicator.mergeDisjoint([best == nil ? 0 : 1, best?.loss ?? 0, Double(best?.step ?? 0)])
        guard found[0] > 0 else { return nil }
        store.point(best: Int(found[2]))
        return (found[1], Int(found[2]))
    }

    func isDue(after steps: Int) -> Bool { steps % configuration.checkpoint.every == 0 }

    /// Takes the checkpoint of `steps` steps, unless it is there, and has it written while the run goes on.
    ///
    /// - Parameter best: the step of the one that stays as the best
    func save(_ step: TrainingStep, after steps: Int, best: Int? = nil) throws {
        guard latest != steps else {
            if best == steps { store.point(best: best) }
            return
        }
        try store.save(
            step: steps, state: state, elements: step.elements, buffers: step.buffers,
            keep: configuration.checkpoint.keep, best: best,
            written: { Pulse.note(saved: steps) })
        latest = steps
    }

    /// Returns when the last checkpoint taken is on the disk.
    func settle() throws { try store.settle() }

    /// Throws on rank 0 once a checkpoint could not be written. Not collective.
    func check() throws { try store.check() }

    /// Before a failed run ends: the checkpoint under way is finished. Not collective.
    func wait() { store.wait() }

    /// Ends the run with a checkpoint when any rank was asked to end.
    func endIfAsked(
        _ step: TrainingStep, after steps: Int, of total: Int, best: Int?, _ output: RunOutput
    ) throws {
        guard try communicator.max([Interruption.isAsked ? 1 : 0])[0] > 0 else { return }
        try end(step, after: steps, of: total, best: best, output)
    }

    /// Ends the run with a checkpoint.
    func end(_ step: TrainingStep, after steps: Int, of total: Int, best: Int?, _ output: RunOutput) throws {
        output.pause()
        try save(step, after: steps, best: best)
        try settle()
        try communicator.agree {
            throw MISPError(
                "stopped after step \(steps) of \(total), with a checkpoint", at: store.folder.relativePath,
                remedy: "resume with --resume", kind: .interrupted)
        }
    }

    private func compare(
        with checkpoint: CheckpointStore.Saved, _ train: PreparedData, acceptsOtherInput: Bool
    ) throws {
        let (saved, length) = (checkpoint.state, RunConfiguration.lengthKeys)
        let then = saved["configuration"].value?.withLaterKeys.without(RunConfiguration.runKeys.union(length))
        if let (key, now, then) = state["configuration"]?.without(length).firstDifference(from: then) {
            throw MISPError(
                "is \(now), but \(then) in \(saved.file)", at: key,
                remedy: "change it back, or start anew without --resume")
        }
        let before = try configuration.withLength(of: saved["configuration"])
        let groups = train.groups.count
        let note = try configuration.checkLength(before, groups: groups, taken: checkpoint.step, in: saved.file)
        if let note { Console.say(note) }
        let pictures = train.images(epochs: StepOrder(groups: groups, before).epochs(from: 0))
        let others = try input.differences(from: saved["input"], pictures: pictures)
        if let first = others.first, !acceptsOtherInput {
            throw MISPError(
                first.what, at: first.place,
                remedy: "put back what the run began with, or resume all the same with --resume-on-other-input")
        }
        for other in others.prefix(5) { Console.say("resuming although \(other.place) \(other.what)") }
        guard state["parameters"] == saved["parameters"].value else {
            throw MISPError(
                "trains other tensors than those in \(saved.file)", at: "model.path",
                remedy: "name the model that the run began with, or start anew without --resume")
        }
    }
}

extension JSON {
    /// A checkpoint's configuration with the keys that earlier versions did not have, as these computed.
    fileprivate var withLaterKeys: JSON {
        guard var object else { return self }
        if object["compute"] == nil { object["compute"] = ["precision": .string(Precision.float32.rawValue)] }
        if var lora = object["lora"]?.object, lora["dropout"] == nil {
            lora["dropout"] = .number(0)
            object["lora"] = .object(lora)
        }
        return .object(object)
    }
}

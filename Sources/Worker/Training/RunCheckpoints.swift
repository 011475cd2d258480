import Coordinator
import Core
import Foundation

/// Where a run begins.
enum RunStart {
    /// At the first step; checkpoints of an earlier run go.
    case anew
    /// At the newest whole checkpoint; without one the run is refused.
    case resuming
    /// At the newest whole checkpoint, or at the first step where there is none.
    case resumingIfAny
}

/// When a run writes checkpoints, and what one must agree with to be resumed. Order, draws and learning rate are pure
/// functions of configuration and step, so besides parameters and moments there is nothing to keep. Calls are collective.
final class RunCheckpoints {
    private let store: CheckpointStore
    private let settings: RunConfiguration.Checkpoint
    private let communicator: any Communicator
    /// On rank 0; null elsewhere.
    private let state: JSON
    /// The step of the checkpoint taken or read last.
    private var latest: Int?

    init(_ run: TrainingRun) throws {
        communicator = run.communicator
        settings = run.configuration.checkpoint
        store = CheckpointStore(
            run.configuration.output.appending(path: "checkpoints"), communicator: run.communicator)
        state = try run.communicator.agree { run.communicator.rank == 0 ? try Self.state(run) : nil }
    }

    /// The checkpoint to go on from; in a run that starts anew, none, and those of an earlier run are removed.
    func begin(_ start: RunStart) throws -> CheckpointStore.Saved? {
        var saved: CheckpointStore.Saved?
        if start != .anew { saved = try store.newest(tell: RunOutput.say) }
        guard let saved else {
            if start == .resuming {
                try communicator.agree {
                    throw MISPError(
                        "there is no whole checkpoint to go on from", at: store.folder.relativePath,
                        remedy: "start the run without --resume, or with --resume-if-any")
                }
            }
            if try store.removeAll() {
                let reason = start == .anew ? "as --resume was not given" : "as none is whole"
                RunOutput.say("removed the checkpoints of an earlier run, \(reason)")
            }
            return nil
        }
        try communicator.agree {
            guard communicator.rank == 0 else { return }
            try Self.compare(state, with: saved.state)
            RunOutput.say("going on from \(saved.state.file)")
        }
        latest = saved.step
        return saved
    }

    func restore(_ saved: CheckpointStore.Saved, into step: TrainingStep) throws {
        try store.restore(saved, elements: step.elements, buffers: step.buffers)
        step.parameters.isUpdated = true
        try step.gatherParameters()
    }

    func isDue(after steps: Int) -> Bool { steps % settings.every == 0 }

    /// Takes the checkpoint of `steps` steps, unless it is there, and has it written while the run goes on.
    func save(_ step: TrainingStep, after steps: Int) throws {
        guard latest != steps else { return }
        try store.save(
            step: steps, state: state, elements: step.elements, buffers: step.buffers, keep: settings.keep,
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
    func endIfAsked(_ step: TrainingStep, after steps: Int, of total: Int, _ output: RunOutput) throws {
        guard try communicator.max([Interruption.isAsked ? 1 : 0])[0] > 0 else { return }
        output.pause()
        try save(step, after: steps)
        try settle()
        try communicator.agree {
            throw MISPError(
                "stopped after step \(steps) of \(total), with a checkpoint", at: store.folder.relativePath,
                remedy: "go on with --resume", kind: .interrupted)
        }
    }
}

/// What a run that goes on has to have in common with the one that wrote the checkpoint.
extension RunCheckpoints {
    /// Not the output, nor how the work is done; of the data the content rather than the place.
    private static func state(_ run: TrainingRun) throws -> JSON {
        let all = run.configuration.json
        let keys = ["seed", "model", "objective", "negatives", "trainable", "lora", "optimizer"]
        var configuration = JSON.Object(keys.compactMap { key in all[key].map { (key, $0) } })
        configuration["data"] = [
            "shuffle": .bool(run.configuration.data.shuffle),
            "transparency": .string(run.configuration.data.transparency.rawValue),
            "train": .string("content \(try Checksum.of(MappedFile(run.configuration.data.train)))"),
        ]
        let slots = run.model.parameters.slots.map { slot -> JSON in
            ["name": .string(slot.name), "shape": .array(slot.shape.map(JSON.integer))]
        }
        return ["configuration": .object(configuration), "parameters": .array(slots)]
    }

    private static func compare(_ own: JSON, with saved: JSONField) throws {
        if let (key, now, then) = difference(own["configuration"], saved["configuration"].value) {
            throw MISPError(
                "is \(now), but \(then) in \(saved.file)", at: key,
                remedy: "change it back, or start anew without --resume")
        }
        guard own["parameters"] == saved["parameters"].value else {
            throw MISPError(
                "trains other tensors than those in \(saved.file)", at: "model.path",
                remedy: "name the model that the run began with, or start anew without --resume")
        }
    }

    /// The first key with different values.
    private static func difference(_ now: JSON?, _ then: JSON?) -> (key: String, now: String, then: String)? {
        guard now != then else { return nil }
        guard let members = now?.object?.members, let others = then?.object else {
            return ("", now?.description ?? "absent", then?.description ?? "absent")
        }
        let keys = members.map(\.key) + others.keys
        for key in keys {
            guard let found = difference(now?[key], then?[key]) else { continue }
            return (found.key.isEmpty ? key : "\(key).\(found.key)", found.now, found.then)
        }
        return nil
    }
}

import Core
import Foundation

/// What `check` prints where nothing is wrong.
struct CheckReport {
    let subject: CheckSubject
    let files: [CheckedFile]
    /// Different pictures of all files.
    let pictures: Int
    /// Of these, how many have a transparent pixel.
    let transparent: Int
    let ranks: Int
    /// Ranks of the first rank's host.
    let localRanks: Int
    let host: HostMemory?
    /// Operations per second of all ranks together.
    let machineRate: Double

    var lines: [String] { modelLines + files.flatMap(groupLines) + pictureLines + memoryLines + timeLines }

    private var modelLines: [String] {
        let text = subject.folder.configuration.text
        return [
            "model: \(subject.folder.url.relativePath)",
            "  \(Quantity.bytes(subject.fileBytes)) of weights, \(subject.parameters) trained parameters",
            "  reads at most \(text.maximumLength) tokens, \(pictureTokens) of them for the picture",
        ]
    }

    private var pictureTokens: String {
        let groups = files.flatMap(\.groups)
        let (least, most) = (groups.map(\.leastPicture).min() ?? 0, groups.map(\.mostPicture).max() ?? 0)
        return least == most ? "\(most)" : "\(least) to \(most)"
    }

    private func groupLines(_ file: CheckedFile) -> [String] {
        let groups = file.groups
        func line(_ name: String, _ has: (GroupFacts) -> Bool) -> String {
            let count = groups.count(where: has)
            return "  \(count) with \(name) term, \(groups.count - count) without"
        }
        var lines = ["groups: \(groups.count) in \(file.place)"]
        if subject.objective.needs.rejected { lines.append(line("a text", \.hasText)) }
        if subject.objective.needs.negatives != .none {
            lines.append(line("an image", \.hasImage))
            lines.append("  negatives in the pool: \(Quantity.spread(groups.map(\.pool)))")
        }
        lines.append("  tokens of the prompt: \(Quantity.spread(groups.map(\.prompt)))")
        lines.append("  tokens of the chosen response: \(Quantity.spread(groups.map(\.chosen)))")
        let rejected = groups.compactMap(\.rejected)
        if !rejected.isEmpty { lines.append("  tokens of the rejected response: \(Quantity.spread(rejected))") }
        let longest = groups.map(\.longest)
        lines.append("  tokens of a group's longest sequence: \(Quantity.spread(longest))")
        return lines + Quantity.histogram(longest).map { "    \($0)" }
    }

    private var pictureLines: [String] {
        let fate = subject.configuration.data.transparency == .white ? "laid over white" : "read without their alpha"
        return [
            "pictures: \(pictures), \(transparent) of them with transparent pixels"
                + (transparent > 0 ? ", which are \(fate) (data.transparency)" : "")
        ]
    }

    private var order: StepOrder { StepOrder(groups: files[0].groups.count, subject.configuration) }

    private var memoryLines: [String] {
        let groups = files.flatMap(\.groups)
        let bytes = MemberBytes.largest(groups.map(\.bytes))
        let memory = MemoryEstimate(
            weights: subject.fileBytes, trained: subject.parameters, activations: bytes.used,
            groupsPerStep: order.groupsPerStep, ranks: ranks)
        return [
            "memory: about \(Quantity.bytes(memory.firstRank)) a rank, and the mapped weights once a host",
            "  weights in files: \(Quantity.bytes(memory.weights))",
            "  trained parameters: \(Quantity.bytes(memory.parameters)); gradient: as much; moments: "
                + "\(Quantity.bytes(memory.moments)); partial sums: at most " + Quantity.bytes(memory.partialSums),
            "  activations: \(Quantity.bytes(bytes.joint)) with a group's members together, "
                + "\(Quantity.bytes(bytes.recompute)) where layers are run again, "
                + "\(Quantity.bytes(bytes.streaming)) one at a time; this run: \(Quantity.bytes(bytes.used))",
            "  the program, and freed memory that is kept: \(Quantity.bytes(memory.spare)); a checkpoint while it is "
                + "written: \(Quantity.bytes(memory.checkpoint)), on one rank alone",
            "  features of \(pictures) pictures: at most 2 GiB",
        ]
            + [
                host.flatMap {
                    memory.warning(localRanks, on: $0, recompute: bytes.recompute, streaming: bytes.streaming)
                }
            ].compactMap { $0 }
    }

    /// Operations of a pass of every picture; groups tell of theirs, which others may have too.
    private var vision: Double {
        let groups = files.flatMap(\.groups)
        let named = groups.reduce(0) { $0 + $1.pool + 1 }
        return groups.reduce(0) { $0 + $1.vision } * Double(pictures) / Double(max(named, 1))
    }

    private var trainsVision: Bool {
        subject.trainable.vision != .frozen || subject.trainable.projector == .full
    }

    private var timeLines: [String] {
        let groups = files[0].groups
        let perGroup = groups.reduce(0) { $0 + $1.step } / Double(groups.count)
        let step = perGroup * Double(order.groupsPerStep)
        let training = perGroup * trainedGroups
        // Of groups that a step takes, once, and of those held out.
        let taken = min(trainedGroups / Double(groups.count), 1)
        let reference = files.enumerated().reduce(0) { sum, file in
            sum + file.element.groups.reduce(0) { $0 + $1.forward } * (file.offset == 0 ? taken : 1)
        }
        func seconds(_ operations: Double) -> String { Quantity.seconds(operations / machineRate) }
        return [
            String(
                format: "time: at least, at %.0f GFLOP/s (%d %@, measured)", machineRate / 1e9, ranks,
                ranks == 1 ? "rank" : "ranks"),
            String(format: "  a step of %d groups: %.3g operations, ", order.groupsPerStep, step) + seconds(step),
            "  \(order.totalSteps) steps: \(seconds(training)); besides, reference: "
                + "\(seconds(subject.objective.needs.reference ? reference : 0)), vision encoder: \(seconds(vision))",
            "  the language model's products\(trainsVision ? " and the vision encoder's" : "") alone; before the steps "
                + "a pass of \(pictures) pictures through the vision encoder",
        ]
    }

    /// Groups of all steps; the last step of an epoch is smaller.
    private var trainedGroups: Double {
        let order = order
        let (epochs, rest) = order.totalSteps.quotientAndRemainder(dividingBy: order.stepsPerEpoch)
        return Double(epochs * order.groups + min(rest * order.groupsPerStep, order.groups))
    }
}

import Coordinator
import Core
import Foundation

/// All that a run reads, looked at before anything is computed; the ranks share the work.
///
/// Problems are told class by class, in the order in which they are mended: a picture is looked for only when all lines
/// can be read.
package struct InputCheck {
    private let communicator: any Communicator
    private let subject: CheckSubject

    /// Collective. Configuration, model, tokenizer and adapter; what is wrong there is the first class.
    init(_ configuration: RunConfiguration, communicator: any Communicator) throws {
        self.communicator = communicator
        subject = try communicator.agree { try CheckSubject(configuration) }
    }

    /// Collective. Returns the exit status: 0, or 2 where there are problems.
    func execute() throws -> Int32 {
        var subject = subject
        let files = try communicator.agree { try subject.readFiles() }
        if report("lines that are no group", files.flatMap(\.malformed)) { return MISPError.Kind.input.rawValue }
        if report("ids given more than once", files.flatMap(\.repeated)) { return MISPError.Kind.input.rawValue }

        let pictures = PictureCheck(files)
        let looks = try communicator.share(pictures.count) { pictures.look($0) }
        if report("pictures that cannot be read", looks.compactMap(\.fault.fault)) {
            return MISPError.Kind.input.rawValue
        }
        let sizes = try PictureSizes.read(files, for: subject.encoder.places, communicator)
        try communicator.agree { try subject.know(sizes) }
        var checked: [CheckedFile] = []
        for file in files {
            let facts = try communicator.share(file.groups.count) {
                try subject.facts(file.groups[$0].group, in: file)
            }
            checked.append(CheckedFile(file, facts, subject.objective))
        }
        if report("groups that the model cannot take", checked.flatMap(\.faults)) {
            return MISPError.Kind.input.rawValue
        }
        try communicator.agree {
            try checked.first?.sense.check()
            try StepOrder.check(groups: checked[0].groups.count, subject.configuration)
        }
        if communicator.rank == 0 { checked.flatMap(\.sense.notes).forEach(Console.say) }
        _ = report("groups that teach little or nothing", checked.flatMap(\.odd))
        let precision = subject.configuration.compute.precision
        precision.tell(communicator)
        BLAS.setThreads(subject.configuration.compute.threads)
        let rate = try communicator.mergeDisjoint([MachineRate.measure(precision.arithmetic)])[0]
        let summary = CheckReport(
            subject: subject, files: checked, pictures: pictures.count,
            transparent: looks.count(where: \.isTransparent),
            ranks: communicator.size, localRanks: communicator.localSize, host: HostMemory.current, machineRate: rate)
        if communicator.rank == 0 { Console.show(summary.lines) }
        return 0
    }

    /// Lists one class of problems; true if there are any.
    private func report(_ title: String, _ problems: [MISPError]) -> Bool {
        if problems.isEmpty { return false }
        if communicator.rank == 0 { Self.listing(title, problems).forEach(Console.say) }
        return true
    }

    /// A heading, at most 20 problems with a line each, and how many more there are.
    package static func listing(_ title: String, _ problems: [MISPError]) -> [String] {
        let shown = 20
        let more = problems.count - shown
        return ["misp: \(title): \(problems.count)"] + problems.prefix(shown).map { "misp: \($0)" }
            + (more > 0 ? ["misp: … and \(more) more"] : [])
    }
}

/// A problem, or none, on its way between ranks.
struct PossibleFault: Codable {
    private let what: String?
    private let place: String?
    private let remedy: String?

    init(_ error: MISPError?) { (what, place, remedy) = (error?.what, error?.place, error?.remedy) }

    var fault: MISPError? { what.map { MISPError($0, at: place, remedy: remedy) } }
}

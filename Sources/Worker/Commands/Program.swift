import ArgumentParser
import Core
import Foundation

/// The command line as a whole: `misp-worker` and its commands.
package struct Program: ParsableCommand {
    package static let name = Release.program
    package static let version = Release.version

    /// In help pages what works as it stands; what is installed, completions and manual pages, has the program's name.
    private static let commandName =
        CommandLine.arguments.contains { $0.hasPrefix("--generate-completion") || $0 == "--experimental-dump-help" }
        ? name : Typed.program

    package static let configuration = CommandConfiguration(
        commandName: commandName,
        abstract: "Trains vision-language models to look at the picture, with MISP-DPO, on CPUs.",
        usage: "\(commandName) [<command>] [<options>]",
        discussion: """
            Without arguments it runs the demonstration, which needs nothing but the program: minutes on two cores.

            Runs alone, or as one of many: \(Typed.ranks(8)) train --config run.yaml

            Exit status: 0 done; 2 the input is at fault; 3 interrupted after a complete checkpoint; anything else is \
            a defect.
            """,
        version: version,
        subcommands: [
            Train.self, Supervise.self, Check.self, Plan.self, Mine.self, Score.self, Generate.self, Evaluate.self,
            Report.self, CompareDraws.self, SweepTable.self, Export.self, Demo.self, Reproduce.self,
            Doctor.self, Bench.self,
        ],
        defaultSubcommand: Demo.self)

    package init() {}

    /// What the first rank tells a script of launch/ that set `MISP_ANNOUNCE`, and that keeps it to itself: from here
    /// on the launcher has ranks to hand signals on to.
    package static func announce() {
        let environment = ProcessInfo.processInfo.environment
        guard environment["MISP_ANNOUNCE"] != nil, environment["OMPI_COMM_WORLD_RANK"] == "0" else { return }
        StandardStreams.tell("misp: the first rank has started\n")
    }

    /// Runs what the arguments ask for and returns the exit status.
    package static func run(_ arguments: [String]) -> Int32 {
        let status = execute(arguments)
        guard status == 0 else { return status }
        do { try StandardStreams.finish() } catch {
            StandardStreams.tell("\(name): error: \(error)\n")
            return error.kind.rawValue
        }
        return 0
    }

    private static func execute(_ arguments: [String]) -> Int32 {
        do {
            try checkCommand(arguments)
            var command = try parseAsRoot(arguments)
            try command.run()
            return 0
        } catch {
            let (status, message) = outcome(of: error)
            if message.isEmpty { return status }
            if status == 0 {
                if isFirstRank { print(message) }
            } else {
                waitForFirstRank()
                StandardStreams.tell("\(name): error: \(message.shown)\n")
            }
            return status
        }
    }

    /// The exit status for an error, and what to print: help and version are errors with status 0 to the parser.
    package static func outcome(of error: any Error) -> (status: Int32, message: String) {
        if let error = error as? MISPError { return (error.kind.rawValue, error.description) }
        switch exitCode(for: error) {
        case .success: return (0, fullMessage(for: error))
        case .validationFailure: return (2, "\(message(for: error)); see \(Typed.program) --help")
        case let code: return (code.rawValue, message(for: error))
        }
    }

    /// With a default command the parser takes an unknown command for one argument too many.
    package static func checkCommand(_ arguments: [String]) throws(MISPError) {
        let known = configuration.subcommands.compactMap { $0.configuration.commandName }
        guard let command = arguments.first, !command.hasPrefix("-"), !(known + ["help"]).contains(command) else {
            return
        }
        throw MISPError("unknown command '\(command)'", remedy: NearestName.remedy(command, among: known))
    }

    /// What is wrong before MPI starts is wrong on all ranks, and the first one says so and ends the job. The others
    /// give it the time, and speak only if it had nothing to say.
    private static func waitForFirstRank() { if !isFirstRank { sleep(2) } }

    private static var isFirstRank: Bool {
        let environment = ProcessInfo.processInfo.environment
        let rank = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"].lazy.compactMap { environment[$0] }
        return (rank.first ?? "0") == "0"
    }
}

import ArgumentParser
import Core
import Foundation

package struct Supervise: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "supervise", abstract: "Starts a run by mpirun and sees that it ends.",
        discussion: """
            Starts the worker by a launcher, ends it when it hangs, and starts it again from its last whole \
            checkpoint when it was ended, or died. Usually called by \(Typed.launcher("supervise")), which knows the \
            launcher's options:

              \(Typed.program) supervise -n 8 -- train --config run.yaml

            Ends with the run's own status, and never restarts a run that ended with 0, 2 or 3.
            """)

    @Option(name: .customShort("n"), help: "Ranks.")
    package var ranks: Int

    @Option(help: ArgumentHelp("Hosts and their slots; those that do not answer are left out.", valueName: "file"))
    package var hostfile: String?

    @Option(help: "How often in a row to restart without a new checkpoint.")
    package var restarts = 5

    @Option(
        help: ArgumentHelp(
            "How long a rank may take for half a group before the run counts as hung; 0 for ever.", valueName: "seconds"
        ))
    package var hangAfter = 1800.0

    @Option(help: "The launcher and its options, but for hosts and number of ranks, separated by spaces.")
    package var launcher = "mpirun"

    @Option(help: "What runs a command on a host; by default what Open MPI uses, else ssh.")
    package var agent: String?

    @Flag(help: "Print the hosts of --hostfile and their slots, a line each, and start nothing.")
    package var listHosts = false

    @Argument(parsing: .postTerminator, help: "What the worker is to do, after --")
    package var arguments: [String] = []

    package init() {}

    package func run() throws {
        guard (1...Self.mostRanks).contains(ranks) else {
            throw MISPError("is not a number of ranks from 1 to \(Self.mostRanks)", at: "-n \(ranks)")
        }
        guard restarts >= 0, hangAfter >= 0 else { throw MISPError("is less than 0", at: "--restarts or --hang-after") }
        let hosts = try hostfile.map { try HostFile(contentsOf: URL(filePath: $0)) }
        try hosts?.checkRoom(for: ranks, file: hostfile ?? "")
        if listHosts { return StandardStreams.show(hosts?.text ?? "") }
        guard !arguments.isEmpty else {
            throw MISPError("there is nothing to start", at: "supervise", remedy: "add -- train --config run.yaml")
        }
        let environment = ProcessInfo.processInfo.environment
        // Of several that may be there Open MPI takes the first.
        let openMPIs = environment["OMPI_MCA_plm_rsh_agent"].map { String($0.prefix { $0 != ":" }) }
        let agent = agent ?? openMPIs ?? "ssh -o BatchMode=yes -o ConnectTimeout=10"
        func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }
        let launcher = words(launcher)
        try Self.checkProgram(launcher.first, at: "--launcher")
        if hosts != nil { try Self.checkProgram(words(agent).first, at: "--agent") }
        let supervisor = try Supervisor(
            .init(
                ranks: ranks, hosts: hosts, file: hostfile ?? "", restarts: restarts, hangAfter: hangAfter,
                launcher: launcher, agent: words(agent), arguments: arguments))
        throw ExitCode(try supervisor.execute())
    }

    private static let mostRanks = 1_000_000

    /// A program that is not there is not there the next time either.
    private static func checkProgram(_ name: String?, at option: String) throws(MISPError) {
        guard let name else { throw MISPError("names no program", at: option) }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let folders = name.contains("/") ? [""] : path.split(separator: ":").map { $0 + "/" }
        guard !folders.contains(where: { FileManager.default.isExecutableFile(atPath: $0 + name) }) else { return }
        throw MISPError(
            "there is no program '\(name)' to run", at: option, remedy: "install it, or put its folder on the PATH")
    }
}

import Core
import Foundation

/// Starting a run's ranks and ending them in good order.
public enum Communicators {
    /// The communicator for this process: MPI under a launcher, else one rank without MPI, which therefore runs where
    /// MPI could not start (no network, no `orted`). `MISP_NO_MPI=1` asks for the latter, `MISP_NO_MPI=0` for MPI.
    public static func start() throws -> any Communicator {
        let environment = LaunchEnvironment.current
        guard let choice = environment.variables["MISP_NO_MPI"] else {
            return environment.isLaunched ? try MPICommunicator() : SoloCommunicator()
        }
        guard choice == "1" else { return try MPICommunicator() }
        if let ranks = environment.ranks, ranks > 1 {
            throw MISPError(
                "\(ranks) ranks were started but MPI is switched off", at: "MISP_NO_MPI=1",
                remedy: "unset it, or start one rank")
        }
        return SoloCommunicator()
    }

    /// Runs `body` on this rank from start to finish and returns the process's exit status.
    ///
    /// An `AgreedFailure` is printed by rank 0 and ends every rank alike. Any other error is this rank's alone: it is
    /// printed here, and as the others may be waiting for this rank, the whole run is aborted.
    public static func run(
        start: () throws -> any Communicator = Communicators.start, _ body: (any Communicator) throws -> Int32
    ) -> Int32 {
        let heart = Heartbeat.begin()
        let status = outcome(start, body) { heart?.end(status: $0) }
        heart?.end(status: status)
        return status
    }

    /// - Parameter beforeAbort: called with the status before the launcher ends this process and all others
    private static func outcome(
        _ start: () throws -> any Communicator, _ body: (any Communicator) throws -> Int32,
        beforeAbort: (Int32) -> Void
    ) -> Int32 {
        var communicator: (any Communicator)?
        do {
            let ranks = try start()
            communicator = ranks
            let status = try body(ranks)
            try ranks.finish()
            return status
        } catch let failure as AgreedFailure {
            if failure.isMineToPrint { report(failure) }
            do { try communicator?.finish() } catch { report(error) }
            return failure.error.kind.rawValue
        } catch {
            // With others waiting it is worth knowing where to look.
            let others = communicator.flatMap { $0.size > 1 ? " (\($0.whereabouts))" : nil }
            report("\(error)\(others ?? "")")
            let status = (error as? MISPError)?.kind.rawValue ?? MISPError.Kind.defect.rawValue
            if let communicator, communicator.size > 1 {
                beforeAbort(status)
                communicator.abort(status: status)
            }
            return status
        }
    }

    private static func report(_ error: Any) {
        StandardStreams.tell("misp: \("\(error)".shown)\n")
    }
}

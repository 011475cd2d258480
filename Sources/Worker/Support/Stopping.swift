import Coordinator
import Core

extension Interruption {
    /// Throws where an end was asked for: between parts of a phase that needs no other rank, so that it ends within
    /// seconds. Launchers hand the signal to all ranks; the agreement at the phase's end brings them together.
    ///
    /// - Parameter phase: in words that follow `stopped `
    static func check(_ phase: String) throws(MISPError) {
        guard isAsked else { return }
        throw MISPError("stopped \(phase); nothing was kept", remedy: "start it again", kind: .stopped)
    }

    /// Work that a signal may stop, in whose place something is then kept: status 3 rather than that of a loss.
    ///
    /// - Parameter kept: whether there is something, and what is said of it
    static func keeping<Result>(
        _ kept: @autoclosure () -> MISPError?, _ work: () throws -> Result
    ) throws -> Result {
        do {
            return try work()
        } catch let failure {
            guard let agreed = failure as? AgreedFailure, agreed.error.kind == .stopped, let kept = kept() else {
                throw failure
            }
            throw agreed.saying(kept)
        }
    }
}

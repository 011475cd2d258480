/// Whether a run that ended is started again. Restarts count only as long as no new checkpoint comes of them.
package struct RestartPolicy {
    package enum Decision: Equatable, Sendable {
        case end
        /// It would end so again: a second crash of the same kind, and no checkpoint since the first.
        case endAsRepeated
        /// As the `number`th in a row without a new checkpoint, after a pause.
        case restart(number: Int, pause: Double)
    }

    private let limit: Int
    private let isLocal: Bool
    private var inVain = 0
    private var saved = 0
    private var lastCrash: Int32?

    /// - Parameter isLocal: whether all ranks are on one host. Between hosts a lost link looks like a rank's own
    ///   failure.
    package init(limit: Int, isLocal: Bool) { (self.limit, self.isLocal) = (limit, isLocal) }

    /// - Parameters:
    ///   - status: what the run ended with; nil when it was ended as hung, or could not be started
    ///   - wasAsked: whether somebody asked for the end
    ///   - saved: the step of the last checkpoint known of
    package mutating func decide(status: Int32?, wasAsked: Bool, saved: Int) -> Decision {
        if wasAsked { return .end }
        // Done; the input is at fault, and would be again; interrupted, with a checkpoint.
        if let status, [0, 2, 3].contains(status) { return .end }
        if saved > self.saved {
            self.saved = saved
            (inVain, lastCrash) = (0, nil)
        }
        guard inVain < limit else { return .end }
        let crash = status.flatMap { isCrash($0) ? $0 : nil }
        if let crash, crash == lastCrash { return .endAsRepeated }
        lastCrash = crash
        inVain += 1
        return .restart(number: inVain, pause: inVain == 1 ? 0 : Double(min(30, 1 << (inVain - 1))))
    }

    /// Whether the program ended by its own doing, which is the same each time, rather than being killed.
    private func isCrash(_ status: Int32) -> Bool {
        status == 1 ? isLocal : Self.faults.contains(status)
    }

    /// 128 and the signals of faults, as Linux numbers them: illegal instruction, trap, abort, bus error, arithmetic,
    /// segment, system call.
    private static let faults: Set<Int32> = [132, 133, 134, 135, 136, 139, 159]
}

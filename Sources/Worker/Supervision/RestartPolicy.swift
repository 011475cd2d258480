/// Whether a run that ended is started again. Restarts count only as long as no new checkpoint comes of them.
package struct RestartPolicy {
    package enum Decision: Equatable, Sendable {
        case end
        /// As the `number`th in a row without a new checkpoint, after a pause.
        case restart(number: Int, pause: Double)
    }

    private let limit: Int
    private var inVain = 0
    private var saved = 0

    package init(limit: Int) { self.limit = limit }

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
            inVain = 0
        }
        guard inVain < limit else { return .end }
        inVain += 1
        return .restart(number: inVain, pause: inVain == 1 ? 0 : Double(min(30, 1 << (inVain - 1))))
    }
}

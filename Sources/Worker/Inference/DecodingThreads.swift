import Coordinator
import Core
import Foundation

/// Threads with which a rank answers: its share of the cores that it may use. Answers do not depend on them.
enum DecodingThreads {
    static var available: Int {
        let environment = LaunchEnvironment(variables: ProcessInfo.processInfo.environment)
        return max(1, usableCores / max(1, environment.localRanks ?? 1))
    }

    /// - Parameter threads: what the configuration asks for at the least
    static func set(atLeast threads: Int) { BLAS.setThreads(max(threads, available)) }
}

import Foundation
import Synchronization

/// Whether this process was asked to end: by SIGTERM, or by SIGUSR1, which schedulers send as a warning and launchers
/// hand on to every rank.
enum Interruption {
    static var isAsked: Bool { interruptionAsked.load(ordering: .relaxed) }

    /// Signals that the parent process held back are let through: a child inherits that.
    ///
    /// From here on the two signals end nothing by themselves. An atomic store is all that a handler may do. A file that
    /// grows past the user's limit (`ulimit -f`) is an error to be told like a full disk, and no signal.
    static func watch() {
        signal(SIGXFSZ, SIG_IGN)
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGUSR1] { sigaddset(&signals, number) }
        for number in [SIGTERM, SIGUSR1] { signal(number) { _ in interruptionAsked.store(true, ordering: .relaxed) } }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}

/// Outside of the type, as a C function can capture nothing.
private let interruptionAsked = Atomic<Bool>(false)

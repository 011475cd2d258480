import Foundation
import Synchronization

/// Whether this process was asked to end: by SIGTERM, by SIGUSR1, which schedulers send as a warning and launchers hand
/// on to every rank, or by SIGHUP, as its terminal was closed.
enum Interruption {
    static var isAsked: Bool { interruptionAsked.load(ordering: .relaxed) }

    /// Signals that the parent process held back are let through: a child inherits that.
    ///
    /// From here on these signals end nothing by themselves. Under `nohup` SIGHUP stays without effect. An atomic store
    /// is all that a handler may do. A file that grows past the user's limit (`ulimit -f`) is an error to be told like
    /// a full disk, and no signal.
    static func watch() {
        signal(SIGXFSZ, SIG_IGN)
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGUSR1, SIGHUP] where !isIgnored(number) {
            sigaddset(&signals, number)
            signal(number) { _ in interruptionAsked.store(true, ordering: .relaxed) }
        }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    /// Whether the caller has a hangup ignored, as `nohup` does.
    static func isIgnored(_ number: Int32) -> Bool {
        guard number == SIGHUP else { return false }
        let before = signal(number, SIG_IGN)
        signal(number, before)
        return unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}

/// Outside of the type, as a C function can capture nothing.
private let interruptionAsked = Atomic<Bool>(false)

import Foundation
import Synchronization

/// Signals that a supervisor hands on to its launcher. After the first one, which asks for an end, nothing is started
/// again.
///
/// `mpirun` hands SIGUSR1 on to its ranks, which end with a checkpoint, and kills them on SIGTERM. So the first SIGTERM
/// becomes SIGUSR1.
final class PassedSignals {
    var isAsked: Bool { asked.load(ordering: .relaxed) > 0 }
    /// Seconds of `Supervisor`'s clock when an end was first asked for, and when it was to be at once, as far as `pass`
    /// saw.
    private(set) var askedSince: Double?
    private(set) var insistedSince: Double?
    private var passed = 0

    func watch() {
        for number in [SIGTERM, SIGUSR1, SIGHUP] where !Interruption.isIgnored(number) {
            signal(number) { number in
                asked.wrappingAdd(1, ordering: .relaxed)
                if number == SIGTERM, asked.load(ordering: .relaxed) > 1 { insisted.store(true, ordering: .relaxed) }
            }
        }
        signal(SIGINT) { _ in
            asked.wrappingAdd(1, ordering: .relaxed)
            insisted.store(true, ordering: .relaxed)
        }
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGUSR1, SIGHUP, SIGINT] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    func pass(to process: Int32) {
        let count = asked.load(ordering: .relaxed)
        guard count > passed else { return }
        passed = count
        let isInsisted = insisted.load(ordering: .relaxed)
        askedSince = askedSince ?? Supervisor.now
        if isInsisted { insistedSince = insistedSince ?? Supervisor.now }
        kill(process, isInsisted ? SIGTERM : SIGUSR1)
    }
}

// Outside of the type, as a C function can capture nothing.
private let asked = Atomic<Int>(0)
private let insisted = Atomic<Bool>(false)

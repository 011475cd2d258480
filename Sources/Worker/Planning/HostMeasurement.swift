import Coordinator
import Core

/// Measures on this machine what a `CostModel` asks for: 1, 2, … ranks of the first host are busy, the others wait.
struct HostMeasurement {
    private static let elements = 1 << 24
    private static let repeats = 3
    /// A round that takes so many seconds is told apart from noise by itself.
    private static let longRound = 10.0

    private let communicator: any Communicator
    private let vectors = (0..<4).map { _ in Matrix<Float>(zeros: 1, HostMeasurement.elements) }

    init(_ communicator: any Communicator) { self.communicator = communicator }

    /// Collective.
    /// - Parameters:
    ///   - operations: of one call of `gradient`
    ///   - gradient: a group's, as training computes it
    func hosts(operations: Double, gradient: () throws -> Void) throws -> [CostModel.Host] {
        let ranks = communicator.hosts.count { $0 == 0 }
        // What is made at the first use counts only where it makes no difference.
        let isOnFirstHost = communicator.hosts[communicator.rank] == 0
        let first = try round(isOnFirstHost, gradient)
        return try (1...ranks).map { busy in
            let isBusy = isOnFirstHost && communicator.localRank < busy
            let computing = busy == ranks && first >= Self.longRound ? first : try seconds(isBusy, gradient)
            let adding = try seconds(isBusy, add)
            let updating = try seconds(isBusy, update)
            return CostModel.Host(
                operations: operations / computing, bandwidth: Double(12 * Self.elements) / adding,
                latency: try latency(), updates: Double(Self.elements) / updating)
        }
    }

    /// Collective. The median over some rounds of the slowest busy rank's time.
    private func seconds(_ isBusy: Bool, _ work: () throws -> Void) throws -> Double {
        var rounds: [Double] = []
        // Every rank knows the same seconds, and so ends with the same round.
        while rounds.count < Self.repeats, (rounds.last ?? 0) < Self.longRound {
            rounds.append(try round(isBusy, work))
        }
        return rounds.sorted()[rounds.count / 2]
    }

    /// Collective. The slowest busy rank's seconds.
    private func round(_ isBusy: Bool, _ work: () throws -> Void) throws -> Double {
        try communicator.barrier()
        let own = try communicator.agree {
            var clock = Stopwatch()
            if isBusy { try work() }
            return isBusy ? clock.lap() : 0
        }
        return try communicator.max([own])[0]
    }

    private func add() { Vector.add(vectors[0].base, to: vectors[1].base, count: Self.elements) }

    private func update() {
        Vector.adamW(
            vectors[0].base, gradient: vectors[1].base, firstMoment: vectors[2].base, secondMoment: vectors[3].base,
            count: Self.elements,
            step: AdamWStep(
                learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1, weightDecay: 0, gradientScale: 1, count: 1))
    }

    /// Collective. The median seconds of a small collective call.
    private func latency() throws -> Double {
        try communicator.barrier()
        let calls = try (0..<51).map { _ in
            var clock = Stopwatch()
            _ = try communicator.max([0])
            return clock.lap()
        }
        return try communicator.max([calls.sorted()[calls.count / 2]])[0]
    }
}

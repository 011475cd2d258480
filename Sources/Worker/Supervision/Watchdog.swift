import Coordinator
import Core

/// Decides from the ranks' beats whether a run still moves, and if not, who holds it up. Knows no clock: it is told the
/// time.
package struct Watchdog {
    /// Why a run is taken for hung.
    package struct Verdict: Equatable, CustomStringConvertible, Sendable {
        package let description: String
    }

    private struct Rank {
        var beat: Beat
        var heard: Double
        /// When its counts changed last.
        var moved: Double
    }

    /// Seconds without a beat after which a rank counts as gone: its process stands still, or its host is cut off.
    package static let silence = 60.0

    /// A watcher that looks several times a second and finds that more seconds than this have passed stood still
    /// itself: it was stopped, or its machine was.
    package static let gap = 3.0

    private let ranks: Int
    private let hangAfter: Double
    private let silentAfter: Double
    private var seen: [Int: Rank] = [:]
    private var start: Double
    private var lastLook: Double

    /// - Parameters:
    ///   - hangAfter: seconds that a rank may take for a part of its work, or to start; 0 watches nothing
    package init(ranks: Int, hangAfter: Double, start: Double) {
        (self.ranks, self.hangAfter, self.start, lastLook) = (ranks, hangAfter, start, start)
        silentAfter = min(hangAfter, Self.silence)
    }

    /// The farthest that any rank has come.
    package var step: Int { seen.values.map(\.beat.step).max() ?? 0 }
    package var saved: Int { seen.values.map(\.beat.saved).max() ?? 0 }
    package var hasBegun: Bool { seen.values.contains { $0.beat.hasBegun } }
    package var beats: [Beat] { seen.keys.sorted().compactMap { seen[$0]?.beat } }

    package mutating func hear(_ beat: Beat, at time: Double) {
        guard (0..<ranks).contains(beat.rank) else { return }
        guard let known = seen[beat.rank] else {
            seen[beat.rank] = Rank(beat: beat, heard: time, moved: time)
            return
        }
        // Datagrams overtake each other.
        let isLate = beat.calls < known.beat.calls || beat.work < known.beat.work
        guard !known.beat.isLast, beat.isLast || !isLate else { return }
        let hasMoved =
            beat.work != known.beat.work || beat.calls != known.beat.calls || beat.isWaiting != known.beat.isWaiting
        seen[beat.rank] = Rank(beat: beat, heard: time, moved: hasMoved ? time : known.moved)
    }

    /// To be called often, before anything is heard: time in which nobody looked counts against no rank.
    package mutating func look(at time: Double) {
        let passed = time - lastLook
        lastLook = time
        guard passed > Self.gap else { return }
        start += passed
        for rank in seen.keys {
            seen[rank]?.heard += passed
            seen[rank]?.moved += passed
        }
    }

    /// Whether a rank has said that the input is at fault.
    package var foundInputFault: Bool { seen.values.contains { $0.beat.status == MISPError.Kind.input.rawValue } }

    /// Nil while the run moves.
    package func verdict(at time: Double) -> Verdict? {
        guard hangAfter > 0 else { return nil }
        let watched = seen.values.filter { !$0.beat.isLast }.sorted { $0.beat.rank < $1.beat.rank }
        let silent = watched.filter { time - $0.heard > silentAfter }
        if let longest = silent.map({ time - $0.heard }).max() {
            return told(silent, "not been heard of for \(Int(longest)) s: stopped, or cut off from here")
        }
        let missing = (0..<ranks).filter { seen[$0] == nil }
        if !missing.isEmpty, time - start > hangAfter {
            return Verdict(
                description: "\(Self.name(missing)) did not start within \(Int(hangAfter)) s; where UDP from the hosts "
                    + "to this one is closed, open it or set --hang-after 0")
        }
        let stuck = watched.filter { time - $0.moved > hangAfter }
        let busy = stuck.filter { !$0.beat.isWaiting }
        if !busy.isEmpty {
            return told(busy, "got no further for \(Int(hangAfter)) s; the others wait")
        }
        guard missing.isEmpty, !stuck.isEmpty, stuck.count == watched.count else { return nil }
        let fewest = stuck.map(\.beat.calls).min()
        let behind = stuck.filter { $0.beat.calls == fewest }
        let whom = behind.count < stuck.count ? behind : stuck
        return told(whom, "waited for others for \(Int(hangAfter)) s: a connection between hosts may be cut")
    }

    private func told(_ ranks: [Rank], _ what: String) -> Verdict {
        let numbers = ranks.map(\.beat.rank)
        var hosts: [String] = []
        for rank in ranks where !hosts.contains(rank.beat.host) { hosts.append(rank.beat.host) }
        let place = "\(hosts.count == 1 ? "host" : "hosts") \(hosts.joined(separator: ", "))"
        let process = ranks.count == 1 ? ", process \(ranks[0].beat.process)" : ""
        let after = "after step \(ranks.map(\.beat.step).min() ?? 0)"
        return Verdict(
            description: "\(Self.name(numbers)) (\(place)\(process)) \(numbers.count == 1 ? "has" : "have") \(what) "
                + "(\(after))")
    }

    /// `rank 3`, `ranks 0, 1, 2`, and no more than eight by number.
    private static func name(_ ranks: [Int]) -> String {
        let first = ranks.prefix(8).map(String.init).joined(separator: ", ")
        return ranks.count == 1 ? "rank \(first)" : "ranks \(first)\(ranks.count > 8 ? ", …" : "")"
    }
}

import Coordinator
import Core
import Foundation

/// What the tests start on several ranks: `RankProbe CHECK [name=value ...]`.
@main
struct RankProbe {
    static func main() {
        let options = Options(CommandLine.arguments.dropFirst(2))
        // With hosts of so many ranks, one machine stands for several.
        let start: () throws -> any Communicator = {
            try options["per-host"].map { try MPICommunicator(ranksPerHost: $0) } ?? Communicators.start()
        }
        exit(
            Communicators.run(start: start) { ranks in
                switch CommandLine.arguments.dropFirst().first {
                case "calls": try checkCalls(ranks)
                case "sums": try printSums(ranks, options)
                case "memory": try printMemory(ranks)
                case "environment": try printYielding(ranks)
                case "hang": if ranks.rank == 0 { sleep(600) } else { try ranks.barrier() }
                case "checkpoints": try checkCheckpoints(ranks, options)
                case "fail": try fail(ranks, options)
                case "bench": try benchmark(ranks, options)
                default: throw MISPError("no such check", at: "RankProbe")
                }
                return 0
            })
    }
}

/// `name=number` arguments.
struct Options {
    private var values: [String: Int] = [:]

    init(_ arguments: ArraySlice<String>) {
        for argument in arguments {
            let parts = argument.split(separator: "=")
            if parts.count == 2 { values[String(parts[0])] = Int(parts[1]) }
        }
    }

    subscript(_ name: String) -> Int? { values[name] }
}

/// A small random number generator with a seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

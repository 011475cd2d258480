import Foundation

/// Something that a run's speed or life depends on, as it is here.
package struct Finding: Equatable, Codable {
    package let name: String
    package let value: String
    /// What to fix; nil where all is well.
    package let remedy: String?

    package init(_ name: String, _ value: String, remedy: String? = nil) {
        (self.name, self.value, self.remedy) = (name, value, remedy)
    }

    var line: String {
        let head = name.padding(toLength: max(22, name.count), withPad: " ", startingAt: 0)
        return "\(remedy == nil ? " " : "!") \(head)  \(value)" + (remedy.map { "\n    \($0)" } ?? "")
    }
}

/// What each rank tells of itself.
package struct RankFacts: Codable, Equatable {
    package var host: String
    package var cores: Int
    package var threads: Int
    package var kernel: String
    /// How bfloat16 products are computed; nil where they are no faster than float32 ones.
    package var bfloat16: String?
    /// Operations per second of one rank alone, and while all ranks of its host compute.
    package var alone: Double
    package var together: Double
    /// Free MiB where ranks of a host share memory.
    package var sharedMemory: Int

    package init(
        host: String, cores: Int, threads: Int, kernel: String, bfloat16: String? = nil, alone: Double,
        together: Double, sharedMemory: Int
    ) {
        (self.host, self.cores, self.threads, self.kernel, self.bfloat16) = (host, cores, threads, kernel, bfloat16)
        (self.alone, self.together, self.sharedMemory) = (alone, together, sharedMemory)
    }
}

/// Conclusions from the ranks' facts, so that they can be tested without a machine for each.
package enum Diagnosis {
    /// - Parameters:
    ///   - ranks: by rank
    ///   - hosts: each rank's host
    package static func findings(_ ranks: [RankFacts], hosts: [Int]) -> [Finding] {
        let count = (hosts.max() ?? 0) + 1
        let local = hosts.count { $0 == 0 }
        let names = Set(ranks.map(\.host)).sorted().prefix(4).joined(separator: ", ")
        return [
            Finding(
                "ranks",
                "\(ranks.count) on \(count) \(count == 1 ? "host" : "hosts") (\(names)\(count > 4 ? ", …" : ""))"),
            cores(ranks, hosts), kernel(ranks), bfloat16(ranks), speed(ranks), evenness(ranks),
            memory(ranks, local: local),
        ]
    }

    /// Threads of all ranks of a host against the cores that they may use.
    private static func cores(_ ranks: [RankFacts], _ hosts: [Int]) -> Finding {
        var worst = (ratio: 0.0, text: "")
        for host in Set(hosts).sorted() {
            let own = ranks.indices.filter { hosts[$0] == host }
            let threads = own.reduce(0) { $0 + ranks[$1].threads }
            // Bound ranks see their own cores only.
            let seen = own.map { ranks[$0].cores }
            let isBound = own.count > 1 && (seen.max() ?? 0) * own.count <= ProcessInfo.processInfo.processorCount
            let cores = isBound ? seen.reduce(0, +) : seen.max() ?? 1
            let ratio = Double(threads) / Double(max(cores, 1))
            if ratio > worst.ratio {
                let threads = ranks[own[0]].threads
                worst = (
                    ratio, "\(own.count) ranks × \(threads) threads on \(cores) cores\(isBound ? ", bound" : "")"
                )
            }
        }
        return Finding(
            "threads and cores", worst.text,
            remedy: worst.ratio > 1
                ? "more threads than cores: start fewer ranks, or set OPENBLAS_NUM_THREADS lower" : nil)
    }

    private static func kernel(_ ranks: [RankFacts]) -> Finding {
        let kernels = Set(ranks.map(\.kernel)).sorted()
        // Our own kernels, AVX2 and AVX-512, give the same bits.
        let foreign = kernels.filter { $0.hasPrefix("OpenBLAS") }
        var remedy: String?
        if !foreign.isEmpty {
            remedy =
                kernels.count > 1
                ? "hosts differ: their results differ in last bits; set MISP_PRODUCT=OpenBLAS and OPENBLAS_CORETYPE "
                    + "to one kernel for all"
                : "the processor has no AVX2, or MISP_PRODUCT says OpenBLAS: its products are slower"
        }
        return Finding("matrix kernel", kernels.joined(separator: ", "), remedy: remedy)
    }

    private static func bfloat16(_ ranks: [RankFacts]) -> Finding {
        let kernels = Set(ranks.compactMap(\.bfloat16)).sorted().joined(separator: ", ")
        let without = ranks.count { $0.bfloat16 == nil }
        let value =
            switch without {
            case 0: kernels
            case ranks.count: "no faster than float32 ones here"
            default: "\(kernels), but no faster than float32 ones on \(without) of \(ranks.count) ranks"
            }
        return Finding("bfloat16 products", value)
    }

    private static func speed(_ ranks: [RankFacts]) -> Finding {
        let alone = ranks.map(\.alone).sorted()[ranks.count / 2]
        let together = ranks.map(\.together).sorted()[ranks.count / 2]
        let share = together / alone
        return Finding(
            "matrix products",
            String(format: "%.0f GFLOP/s a rank, %.0f with all at work", alone / 1e9, together / 1e9),
            remedy: share < 0.6
                ? String(
                    format: "ranks slow each other down to %.0f %%: start one for each physical core, and bind them",
                    100 * share) : nil)
    }

    private static func evenness(_ ranks: [RankFacts]) -> Finding {
        let rates = ranks.map(\.together)
        let (least, most) = (rates.min() ?? 0, rates.max() ?? 1)
        let slow = ranks.indices.filter { rates[$0] == least }.first ?? 0
        return Finding(
            "slowest of the ranks", String(format: "%.0f %% of the fastest (rank %d)", 100 * least / most, slow),
            remedy: least < 0.6 * most
                ? "every step waits for rank \(slow) on \(ranks[slow].host): look for other work there" : nil)
    }

    private static func memory(_ ranks: [RankFacts], local: Int) -> Finding {
        let free = ranks.map(\.sharedMemory).min() ?? 0
        return Finding(
            "free in /dev/shm", "\(free) MiB",
            remedy: local > 1 && free < 64 * local
                ? "too little for \(local) ranks to share gradients: give containers --shm-size, or mount it larger"
                : nil)
    }
}

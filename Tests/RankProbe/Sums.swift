import Coordinator
import Core
import Foundation

/// A few steps of gradient descent on made-up gradients; rank 0 prints a hash of parameters and norm for each.
///
/// Options: `elements`; `sharing=0` for messages alone.
func printSums(_ ranks: any Communicator, _ options: Options) throws {
    let elements = options["elements"] ?? 100_003
    let reduction = try OrderedReduction(
        elements: elements, communicator: ranks, sharingMemory: options["sharing"] != 0,
        sharingParameters: options["parameters"] == 1)
    let pool = ScratchPool(elements: elements)
    let own = UnsafeMutableBufferPointer<Float>.allocate(capacity: elements)
    defer { own.deallocate() }
    own.initialize(repeating: 1)
    let parameters = reduction.sharedParameters ?? own
    for index in reduction.slice { parameters[index] = 1 }
    try ranks.barrier()
    for (step, groups) in [13, 1, 3, 0, 32].enumerated() {
        var generator = SeededGenerator(1_000 * step)
        let costs = (0..<groups).map { _ in Double.random(in: 1...4, using: &generator) }
        let plan = ShardPlan(costs: costs, ranks: ranks.size)
        try plan.sumLocally(rank: ranks.rank, into: reduction.gradient, pool: pool) { group, gradient in
            addGradient(of: group, step: step, to: gradient)
        }
        let sum = try reduction.reduceScatter(plan)
        let error = step == 0 ? try ranks.max([worstError(sum, of: reduction.slice, groups: groups)])[0] : 0
        let norm = try reduction.squaredNorm(.init(sum))
        for (index, element) in reduction.slice.enumerated() { parameters[element] -= sum[index] * 0.001 }
        try reduction.gather(parameters)
        let hash = fingerprint(UnsafeRawBufferPointer(parameters))
        let hashes = try ranks.allGather(withUnsafeBytes(of: hash) { Data($0) })
        try require(Set(hashes).count == 1, "the ranks hold different parameters")
        if ranks.rank == 0 {
            print(
                "step \(step) parameters \(hash) norm \(norm.bitPattern) error \(error < 1e-6 ? "small" : "\(error)")")
        }
    }
    if options["parameters"] == 1 {
        try require((reduction.sharedParameters != nil) == reduction.sharesMemory, "parameters are not shared")
    }
    if ranks.rank == 0 { print("sharing \(reduction.sharesMemory)") }
    try reduction.close()
}

/// Ill-conditioned on purpose: magnitudes over 2^30, both signs, so that any other order shows.
private func addGradient(of group: Int, step: Int, to gradient: UnsafeMutableBufferPointer<Float>) {
    var generator = SeededGenerator(step * 100 + group + 7)
    for index in gradient.indices { gradient[index] += value(generator.next()) }
}

private func value(_ bits: UInt64) -> Float {
    let mantissa = 1 + Float(bits >> 41) / Float(1 << 23)
    let scale = Float(sign: bits & 1 == 0 ? .plus : .minus, exponent: Int(bits >> 1 & 31) - 20, significand: 1)
    return mantissa * scale
}

/// Against the sum in double precision, relative to the sum of magnitudes.
private func worstError(_ sum: UnsafeMutableBufferPointer<Float>, of slice: Range<Int>, groups: Int) -> Double {
    var exact = [Double](repeating: 0, count: sum.count)
    var magnitude = exact
    for group in 0..<groups {
        var generator = SeededGenerator(group + 7)
        for index in 0..<slice.upperBound {
            let value = Double(value(generator.next()))
            guard index >= slice.lowerBound else { continue }
            exact[index - slice.lowerBound] += value
            magnitude[index - slice.lowerBound] += abs(value)
        }
    }
    return sum.indices.map { abs(Double(sum[$0]) - exact[$0]) / magnitude[$0] }.max() ?? 0
}

/// FNV-1a over words of eight bytes.
private func fingerprint(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

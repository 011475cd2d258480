import Core
import Foundation

/// A sum of vectors along one balanced binary tree over a fixed number of leaves, whoever computes which leaf.
///
/// Each rank has a contiguous range of leaves, adds them up as far as whole subtrees go, and the ranks exchange those
/// sums; then every rank adds the rest. The additions are the same for any number of ranks, powers of two or not.
/// For vectors that every rank wants whole; a gradient whose parts have owners goes through `OrderedReduction`.
public struct LeafSum {
    /// Leaves of the tree.
    public let leaves: Int
    private let communicator: any Communicator

    /// - Parameter leaves: at least 1
    public init(leaves: Int, communicator: any Communicator) {
        (self.leaves, self.communicator) = (leaves, communicator)
    }

    /// The leaves that `rank` computes; none for some if there are more ranks than leaves.
    public func leaves(of rank: Int) -> Range<Int> {
        leaves * rank / communicator.size..<leaves * (rank + 1) / communicator.size
    }

    /// The leaves of this rank.
    public var mine: Range<Int> { leaves(of: communicator.rank) }

    /// The sum of `count` numbers over all leaves, on every rank.
    ///
    /// Collective; `leaf` must not make collective calls.
    /// - Parameter leaf: adds a leaf's vector to one that is zero; called once for each of `mine`, in order.
    public func callAsFunction(
        count: Int, leaf: (_ leaf: Int, _ into: UnsafeMutableBufferPointer<Double>) throws -> Void
    ) throws -> [Double] {
        let own = try communicator.agree {
            var sums: [Double] = []
            for node in nodes(of: communicator.rank) { sums += try sum(node, count, leaf) }
            return sums.withUnsafeBytes { Data($0) }
        }
        var sums: [Range<Int>: [Double]] = [:]
        for (rank, data) in try communicator.allGather(own).enumerated() {
            let values = data.withUnsafeBytes { Array($0.bindMemory(to: Double.self)) }
            for (place, node) in nodes(of: rank).enumerated() {
                sums[node] = Array(values[place * count..<(place + 1) * count])
            }
        }
        return join(0..<leaves, &sums)
    }

    /// The greatest subtrees among a rank's leaves, from left to right.
    private func nodes(of rank: Int) -> [Range<Int>] {
        let range = leaves(of: rank)
        func within(_ node: Range<Int>) -> [Range<Int>] {
            if range.lowerBound <= node.lowerBound && node.upperBound <= range.upperBound { return [node] }
            guard node.count > 1, node.overlaps(range) else { return [] }
            let (left, right) = Self.halves(node)
            return within(left) + within(right)
        }
        return within(0..<leaves)
    }

    private static func halves(_ node: Range<Int>) -> (Range<Int>, Range<Int>) {
        let middle = node.lowerBound + node.count / 2
        return (node.lowerBound..<middle, middle..<node.upperBound)
    }

    private func sum(
        _ node: Range<Int>, _ count: Int, _ leaf: (Int, UnsafeMutableBufferPointer<Double>) throws -> Void
    ) rethrows -> [Double] {
        if node.count == 1 {
            var vector = [Double](repeating: 0, count: count)
            try vector.withUnsafeMutableBufferPointer { try leaf(node.lowerBound, $0) }
            return vector
        }
        let (left, right) = Self.halves(node)
        return Self.added(try sum(left, count, leaf), try sum(right, count, leaf))
    }

    private func join(_ node: Range<Int>, _ sums: inout [Range<Int>: [Double]]) -> [Double] {
        if let known = sums.removeValue(forKey: node) { return known }
        let (left, right) = Self.halves(node)
        return Self.added(join(left, &sums), join(right, &sums))
    }

    private static func added(_ a: consuming [Double], _ b: [Double]) -> [Double] {
        for index in a.indices { a[index] += b[index] }
        return a
    }
}

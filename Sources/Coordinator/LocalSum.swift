import Core

/// Gradient-sized buffers that a rank's own sum borrows, kept from step to step.
public final class ScratchPool {
    /// Floats per buffer.
    public let elements: Int
    private var buffers: [UnsafeMutableBufferPointer<Float>] = []

    /// Without buffers; they are made when they are first needed.
    public init(elements: Int) { self.elements = elements }

    deinit { buffers.forEach { $0.deallocate() } }

    /// The buffers made so far.
    public var count: Int { buffers.count }

    fileprivate func buffer(_ number: Int) -> UnsafeMutableBufferPointer<Float> {
        while buffers.count <= number { buffers.append(.allocate(capacity: elements)) }
        return buffers[number]
    }
}

extension ShardPlan {
    /// The sum of the gradients of `rank`'s groups, added along its part of the tree.
    ///
    /// - Parameters:
    ///   - total: `pool.elements` floats, overwritten. Untouched if the rank has no groups: the reduction skips it.
    ///   - pool: at most log2 of the rank's number of groups buffers are drawn from it.
    ///   - compute: adds the gradient of one group to a buffer that is zero. Called once for each group.
    public func sumLocally(
        rank: Int, into total: UnsafeMutableBufferPointer<Float>, pool: ScratchPool,
        compute: (_ group: Int, _ into: UnsafeMutableBufferPointer<Float>) throws -> Void
    ) throws {
        guard total.count == pool.elements else {
            throw MISPError(
                "a gradient of \(total.count) floats, and partial sums of \(pool.elements)", at: "sumLocally",
                kind: .defect)
        }
        guard let tree = tree(of: rank) else { return }
        try Self.sum(tree, into: total, pool: pool, used: 0, compute)
    }

    /// The buffers of `pool` below `used` hold partial sums that are still wanted.
    private static func sum(
        _ tree: SumTree, into total: UnsafeMutableBufferPointer<Float>, pool: ScratchPool, used: Int,
        _ compute: (Int, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) throws {
        switch tree {
        case .leaf(let group):
            total.update(repeating: 0)
            try compute(group, total)
        case .sum(let left, let right):
            let leftFirst = left.partialBuffers >= right.partialBuffers
            try sum(leftFirst ? left : right, into: total, pool: pool, used: used, compute)
            let other = pool.buffer(used)
            try sum(leftFirst ? right : left, into: other, pool: pool, used: used + 1, compute)
            VectorSum.add(other, to: total)
        }
    }
}

/// The order in which a sum is taken: each inner node adds what its two sides gave.
///
/// Floating-point addition commutes but does not associate: two runs that add along the same tree get the same bits,
/// whoever does the adding and whichever side of a node comes first.
public indirect enum SumTree: Sendable, Equatable {
    /// What is added, by number.
    case leaf(Int)
    /// What the two sides gave, added.
    case sum(SumTree, SumTree)

    /// From left to right.
    public var leaves: [Int] {
        switch self {
        case .leaf(let index): [index]
        case .sum(let left, let right): left.leaves + right.leaves
        }
    }

    /// The buffers that taking the sum needs beside the one for its result, if of each node's sides the hungrier is
    /// taken first. At most log2 of the number of leaves, whatever the tree's shape: one more only where both sides
    /// need equally many, and hence twice the leaves.
    public var partialBuffers: Int {
        guard case .sum(let left, let right) = self else { return 0 }
        let (ofLeft, ofRight) = (left.partialBuffers, right.partialBuffers)
        return ofLeft == ofRight ? ofLeft + 1 : max(ofLeft, ofRight)
    }
}

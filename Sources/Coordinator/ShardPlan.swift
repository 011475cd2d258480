/// Which rank computes which groups of a step, and in which order their gradients are added.
///
/// A pure function of the groups' costs and the number of ranks: every rank forms the same plan without a word.
///
/// The groups are laid out as a binary tree. A node splits its groups into two parts of about equal cost; the ranks
/// are halved along with them until each rank has a subtree of its own. For 1, 2, 4, 8, … ranks it is the same tree,
/// so the sum has the same bits for all of them; other numbers split unevenly, and agree to rounding.
public struct ShardPlan: Sendable {
    /// The order of the step's sum over groups; nil for a step without groups.
    public let tree: SumTree?
    /// The order of the sum over the ranks' own sums. Ranks without groups are not in it.
    public let rankTree: SumTree?
    /// By rank, its part of `tree`.
    private let parts: [SumTree?]
    private let costs: [Double]

    /// - Parameters:
    ///   - costs: of each group, in any unit. What is no sensible cost (negative, NaN) counts as 0.
    ///   - ranks: at least 1.
    public init(costs: [Double], ranks: Int) {
        // In units of the dearest, so that sums stay finite.
        let sound = costs.map { $0 > 0 ? min($0, .greatestFiniteMagnitude) : 0 }
        let dearest = sound.max() ?? 0
        self.costs = dearest > 0 ? sound.map { $0 / dearest } : sound
        let weights = self.costs
        let order = costs.indices.sorted { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
        var parts = [SumTree?](repeating: nil, count: max(ranks, 1))
        let whole = order.isEmpty ? nil : Self.split(order, weights, over: 0..<parts.count, &parts)
        (tree, rankTree, self.parts) = (whole?.groups, whole?.ranks, parts)
    }

    /// Ranks that the plan is for, those without groups included.
    public var ranks: Int { parts.count }

    /// The groups that `rank` computes, in the order of the tree.
    public func groups(of rank: Int) -> [Int] { parts[rank]?.leaves ?? [] }

    /// The order of `rank`'s own sum; nil if it has no groups.
    public func tree(of rank: Int) -> SumTree? { parts[rank] }

    /// Mean over greatest cost of the ranks: the share of the step in which a rank has work. 1 if nothing costs.
    public var efficiency: Double {
        let loads = parts.indices.map { rank in groups(of: rank).reduce(0) { $0 + costs[$1] } }
        let greatest = loads.max() ?? 0
        return greatest > 0 ? loads.reduce(0, +) / Double(loads.count) / greatest : 1
    }

    /// The subtree over `groups` (dearest first, not empty) for `ranks`, and the tree over those ranks that have some.
    private static func split(
        _ groups: [Int], _ costs: [Double], over ranks: Range<Int>, _ parts: inout [SumTree?]
    ) -> (groups: SumTree, ranks: SumTree) {
        if groups.count == 1 {
            parts[ranks.lowerBound] = .leaf(groups[0])
            return (.leaf(groups[0]), .leaf(ranks.lowerBound))
        }
        if ranks.count == 1 {
            let (left, right) = halves(groups, costs, shares: (1, 1))
            let tree = SumTree.sum(
                split(left, costs, over: ranks, &parts).groups, split(right, costs, over: ranks, &parts).groups)
            parts[ranks.lowerBound] = tree
            return (tree, .leaf(ranks.lowerBound))
        }
        let half = ranks.count / 2
        let middle = ranks.lowerBound + half
        // Equal shares are 1 and 1 for any number of ranks, so that it makes no difference to the last bit.
        let even = ranks.count.isMultiple(of: 2)
        let (left, right) = halves(groups, costs, shares: even ? (1, 1) : (Double(half), Double(half + 1)))
        let below = split(left, costs, over: ranks.lowerBound..<middle, &parts)
        let above = split(right, costs, over: middle..<ranks.upperBound, &parts)
        return (.sum(below.groups, above.groups), .sum(below.ranks, above.ranks))
    }

    /// Longest processing time first: the dearest group goes where the load per share is then least; if equal, to
    /// the part with fewer groups per share; if that is equal, to the left. Two groups or more leave no part empty.
    private static func halves(
        _ groups: [Int], _ costs: [Double], shares: (Double, Double)
    ) -> (left: [Int], right: [Int]) {
        var (left, right): ([Int], [Int]) = ([], [])
        var (leftLoad, rightLoad) = (0.0, 0.0)
        for group in groups {
            let cost = costs[group]
            let loads = ((leftLoad + cost) / shares.0, (rightLoad + cost) / shares.1)
            let counts = (Double(left.count + 1) / shares.0, Double(right.count + 1) / shares.1)
            if loads.0 < loads.1 || (loads.0 == loads.1 && counts.0 <= counts.1) {
                left.append(group)
                leftLoad += cost
            } else {
                right.append(group)
                rightLoad += cost
            }
        }
        return (left, right)
    }
}

import Coordinator
import Core
import Testing

struct ShardPlanTests {
    /// Costs as no one would wish them: none, equal, wild, and broken.
    static func costs(_ count: Int, kind: Int, _ generator: inout Seeded) -> [Double] {
        let hostile = [0, -1, .nan, .infinity, -.infinity, 1e308, .leastNonzeroMagnitude, 1]
        return (0..<count).map { index in
            switch kind {
            case 0: 0
            case 1: 1
            case 2: Double.random(in: 1...4, using: &generator)
            case 3: (0..<index % 300).reduce(1e300) { cost, _ in cost / 3 }
            default: hostile[Int.random(in: 0..<hostile.count, using: &generator)]
            }
        }
    }

    @Test(arguments: 0..<5) func everyGroupOnceWhateverTheCosts(kind: Int) {
        var generator = Seeded(kind)
        for count in [0, 1, 2, 3, 5, 8, 13, 32, 57] {
            let costs = Self.costs(count, kind: kind, &generator)
            for ranks in [1, 2, 3, 4, 5, 7, 8, 16, 64] {
                let plan = ShardPlan(costs: costs, ranks: ranks)
                #expect((0..<ranks).flatMap { plan.groups(of: $0) }.sorted() == Array(0..<count))
                let present = (0..<ranks).filter { !plan.groups(of: $0).isEmpty }
                #expect((plan.rankTree?.leaves ?? []) == present)
                #expect(plan.rankTree?.replacingLeaves { plan.tree(of: $0) } == plan.tree)
                #expect(plan.efficiency > 0 && plan.efficiency <= 1)
            }
        }
    }

    @Test(arguments: 0..<5) func treeIsTheSameForPowersOfTwo(kind: Int) {
        var generator = Seeded(kind + 10)
        for count in [1, 2, 3, 7, 32, 50] {
            let costs = Self.costs(count, kind: kind, &generator)
            let alone = ShardPlan(costs: costs, ranks: 1).tree
            for ranks in [2, 4, 8, 16] {
                #expect(ShardPlan(costs: costs, ranks: ranks).tree == alone)
            }
        }
    }

    @Test func treeOfASmallStep() {
        let plan = ShardPlan(costs: [3, 1, 2, 2], ranks: 2)
        #expect(plan.tree == .sum(.sum(.leaf(0), .leaf(1)), .sum(.leaf(2), .leaf(3))))
        #expect(plan.groups(of: 0) == [0, 1])
        #expect(plan.groups(of: 1) == [2, 3])
        #expect(plan.efficiency == 1)
    }

    @Test func oddRanksShareInProportion() {
        let plan = ShardPlan(costs: Array(repeating: 2, count: 30), ranks: 3)
        #expect((0..<3).map { plan.groups(of: $0).count } == [10, 10, 10])
        #expect(plan.efficiency == 1)
    }

    @Test func moreRanksThanGroups() {
        let plan = ShardPlan(costs: [1, 1, 1], ranks: 8)
        #expect((0..<8).map { plan.groups(of: $0).count }.sorted() == [0, 0, 0, 0, 0, 1, 1, 1])
        #expect(plan.efficiency == 3.0 / 8)
        let nothing = ShardPlan(costs: [], ranks: 2)
        #expect(nothing.tree == nil && nothing.rankTree == nil && nothing.efficiency == 1)
    }

    @Test func costsAreBalanced() {
        var generator = Seeded(5)
        for _ in 0..<50 {
            let costs = Self.costs(64, kind: 2, &generator)
            #expect(ShardPlan(costs: costs, ranks: 2).efficiency > 0.98)
            #expect(ShardPlan(costs: costs, ranks: 3).efficiency > 0.95)
            #expect(ShardPlan(costs: costs, ranks: 8).efficiency > 0.9)
        }
    }
}

extension SumTree {
    /// Each leaf replaced by a tree; nil if one has none.
    func replacingLeaves(_ tree: (Int) -> SumTree?) -> SumTree? {
        switch self {
        case .leaf(let index): return tree(index)
        case .sum(let left, let right):
            guard let left = left.replacingLeaves(tree), let right = right.replacingLeaves(tree) else { return nil }
            return .sum(left, right)
        }
    }
}

/// A random number generator with a seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
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

import Coordinator
import Core
import Testing

struct LocalSumTests {
    static let elements = 37

    /// Gradients of which no two orders of addition agree.
    static func gradient(of group: Int) -> [Float] {
        var generator = Seeded(group)
        return (0..<elements).map { _ in
            Float.random(in: -1...1, using: &generator) * [1e-3, 1, 1e4, 1e7][Int.random(in: 0..<4, using: &generator)]
        }
    }

    static func localSum(_ plan: ShardPlan, rank: Int, pool: ScratchPool) throws -> [Float] {
        var total = [Float](repeating: .nan, count: elements)
        try total.withUnsafeMutableBufferPointer { total in
            try plan.sumLocally(rank: rank, into: total, pool: pool) { group, gradient in
                for (index, value) in Self.gradient(of: group).enumerated() { gradient[index] += value }
            }
        }
        return total
    }

    static func sum(_ tree: SumTree, _ value: (Int) -> [Float]) -> [Float] {
        switch tree {
        case .leaf(let index): value(index)
        case .sum(let left, let right): zip(sum(left, value), sum(right, value)).map { $0 + $1 }
        }
    }

    @Test(arguments: [1, 2, 3, 11, 32]) func sumOverRanksHasTheBitsOfOneRank(groups: Int) throws {
        var generator = Seeded(groups)
        let costs = (0..<groups).map { _ in Double.random(in: 1...9, using: &generator) }
        let alone = ShardPlan(costs: costs, ranks: 1)
        let expected = Self.sum(try #require(alone.tree)) { Self.gradient(of: $0) }
        for ranks in [1, 2, 4, 8] {
            let plan = ShardPlan(costs: costs, ranks: ranks)
            let parts = try (0..<ranks).map {
                try Self.localSum(plan, rank: $0, pool: ScratchPool(elements: Self.elements))
            }
            let total = Self.sum(try #require(plan.rankTree)) { parts[$0] }
            #expect(total.map(\.bitPattern) == expected.map(\.bitPattern))
        }
        if groups > 2 {
            let inTurn = (1..<groups).reduce(Self.gradient(of: 0)) { zip($0, Self.gradient(of: $1)).map { $0 + $1 } }
            #expect(inTurn != expected, "these gradients do not show the order of addition")
        }
    }

    /// Equal costs give a bushy tree, geometric ones a comb as deep as there are groups.
    @Test(arguments: [1.0, 3.0]) func partialSumsTakeAtMostLog2Buffers(ratio: Double) throws {
        var costs = [1e200]
        while costs.count < 64 { costs.append(costs[costs.count - 1] / ratio) }
        let plan = ShardPlan(costs: costs, ranks: 1)
        let pool = ScratchPool(elements: Self.elements)
        _ = try Self.localSum(plan, rank: 0, pool: pool)
        #expect(pool.count <= 6)
        #expect(pool.count == plan.tree?.partialBuffers)
    }

    @Test func eachGroupIsComputedOnceIntoZeros() throws {
        let plan = ShardPlan(costs: [5, 4, 3, 2, 1], ranks: 1)
        var seen: [Int] = []
        var total = [Float](repeating: 7, count: 3)
        let pool = ScratchPool(elements: 3)
        for _ in 0..<2 {
            try total.withUnsafeMutableBufferPointer { total in
                try plan.sumLocally(rank: 0, into: total, pool: pool) { group, gradient in
                    seen.append(group)
                    #expect(gradient.allSatisfy { $0 == 0 })
                    gradient[0] += 1
                }
            }
        }
        #expect(seen.sorted() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
        #expect(total == [5, 0, 0])
    }

    @Test func aRankWithoutGroupsComputesNothing() throws {
        let plan = ShardPlan(costs: [1], ranks: 2)
        #expect(plan.groups(of: 1).isEmpty)
        let untouched = try Self.localSum(plan, rank: 1, pool: ScratchPool(elements: Self.elements))
        #expect(untouched.allSatisfy { $0.isNaN })
    }

    @Test func errorsOfAGroupComeThrough() throws {
        let plan = ShardPlan(costs: [1, 1], ranks: 1)
        #expect(throws: MISPError("no image")) {
            var total = [Float](repeating: 0, count: 2)
            try total.withUnsafeMutableBufferPointer {
                try plan.sumLocally(rank: 0, into: $0, pool: ScratchPool(elements: 2)) { group, _ in
                    if group == 1 { throw MISPError("no image") }
                }
            }
        }
        #expect(throws: MISPError.self) {
            var total = [Float](repeating: 0, count: 2)
            try total.withUnsafeMutableBufferPointer {
                try plan.sumLocally(rank: 0, into: $0, pool: ScratchPool(elements: 3)) { _, _ in }
            }
        }
    }
}

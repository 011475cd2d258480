/// Where the parts of an ordered sum are taken, for ranks of which some read each other's memory.
///
/// A region is a set of ranks that share memory: a host, or a rank by itself. A region adds up what the tree lets it
/// add, its *forest*: the largest subtrees whose ranks are all its own (one subtree where the tree's halves follow the
/// hosts). The owner of a slice gets each foreign forest's sums from one rank of that region, its helper, and adds
/// them, and its own region's memory, along the rest of the tree.
struct ReductionRoutes {
    /// By rank, its region.
    let regions: [Int]
    /// By region, its ranks in order.
    let members: [[Int]]

    init(regions: [Int]) {
        self.regions = regions
        members = (0..<(regions.max() ?? -1) + 1).map { region in regions.indices.filter { regions[$0] == region } }
    }

    /// The rank of `region` that works for the slice of `owner`, a rank of another region.
    func helper(of owner: Int, in region: Int) -> Int {
        let position = members[regions[owner]].firstIndex(of: owner) ?? 0
        return members[region][position % members[region].count]
    }

    /// By region, its forest, from left to right.
    func forests(of tree: SumTree) -> [[SumTree]] {
        var forests = [[SumTree]](repeating: [], count: members.count)
        func visit(_ tree: SumTree) {
            if let home = home(of: tree) {
                forests[home].append(tree)
            } else if case .sum(let left, let right) = tree {
                visit(left)
                visit(right)
            }
        }
        visit(tree)
        return forests
    }

    /// The region that holds all ranks of `tree`, if one does.
    private func home(of tree: SumTree) -> Int? {
        let leaves = tree.leaves
        let home = regions[leaves[0]]
        return leaves.allSatisfy { regions[$0] == home } ? home : nil
    }

    /// Something that the owner of a slice adds: a rank's memory in its own region, or a sum that came from another.
    enum Source: Equatable {
        case rank(Int)
        /// The `place`-th tree of the forest of `region`.
        case region(Int, place: Int)
    }

    /// The tree as the owner of a slice in `region` takes it: its leaves are numbers of the sources.
    func ownersTree(_ tree: SumTree, in region: Int) -> (tree: SumTree, sources: [Source]) {
        var sources: [Source] = []
        var places = [Int](repeating: 0, count: members.count)
        func visit(_ tree: SumTree) -> SumTree {
            if let home = home(of: tree), home != region {
                sources.append(.region(home, place: places[home]))
                places[home] += 1
                return .leaf(sources.count - 1)
            }
            switch tree {
            case .leaf(let rank):
                sources.append(.rank(rank))
                return .leaf(sources.count - 1)
            case .sum(let left, let right):
                let below = visit(left)
                return .sum(below, visit(right))
            }
        }
        return (visit(tree), sources)
    }
}

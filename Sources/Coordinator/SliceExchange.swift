/// The messages of an ordered reduction: for every slice, the sums of each region's forest to the slice's owner.
final class SliceExchange {
    private let routes: ReductionRoutes
    private let communicator: any Communicator
    private let region: Int
    /// By region, its forest; and this rank's region's, ready to be summed.
    private let forests: [[SumTree]]
    private let sums: [TreeSum]
    /// Room for what leaves and for what arrives in one round.
    private let room: UnsafeMutablePointer<Float>

    /// - Parameter elements: of each slice, at most so many travel in a round.
    init(_ routes: ReductionRoutes, _ tree: SumTree, communicator: any Communicator, elements: Int) {
        self.routes = routes
        self.communicator = communicator
        let home = routes.regions[communicator.rank]
        let forests = routes.forests(of: tree)
        region = home
        self.forests = forests
        sums = forests[home].map { TreeSum($0) }
        let others = routes.members.indices.filter { $0 != home }
        let arriving = others.reduce(0) { $0 + forests[$1].count }
        let leaving = communicator.hosts.indices.count {
            routes.regions[$0] != home && routes.helper(of: $0, in: home) == communicator.rank
        }
        room = .allocate(capacity: (arriving + leaving * forests[home].count) * elements)
    }

    deinit { room.deallocate() }

    /// One round. Collective unless there is one region.
    /// - Parameters:
    ///   - part: of each rank's slice, what this round is about.
    ///   - gradient: of each rank of this region, in full.
    /// - Returns: by region, where the sums of its forest over this rank's part stand, one after the other.
    func round(
        part: (_ owner: Int) -> Range<Int>, gradient: (_ rank: Int) -> UnsafeMutablePointer<Float>
    ) throws -> [UnsafePointer<Float>] {
        guard routes.members.count > 1 else { return [] }
        let rank = communicator.rank
        var free = room
        let outgoing = routes.regions.indices.map { owner -> UnsafeBufferPointer<Float> in
            guard routes.regions[owner] != region, routes.helper(of: owner, in: region) == rank else {
                return .init(start: nil, count: 0)
            }
            let part = part(owner)
            if forests[region] == [.leaf(rank)] {
                return .init(start: gradient(rank) + part.lowerBound, count: part.count)
            }
            let message = free
            for sum in sums {
                sum(count: part.count, into: free) { UnsafePointer(gradient($0) + part.lowerBound) }
                free += part.count
            }
            return .init(start: message, count: free - message)
        }
        var incoming = [UnsafeMutableBufferPointer<Float>](
            repeating: .init(start: nil, count: 0), count: outgoing.count)
        let arrived = routes.members.indices.map { other in
            let count = other == region ? 0 : forests[other].count * part(rank).count
            defer { free += count }
            if count > 0 { incoming[routes.helper(of: rank, in: other)] = .init(start: free, count: count) }
            return UnsafePointer(free)
        }
        try communicator.exchange(outgoing, into: incoming)
        return arrived
    }
}

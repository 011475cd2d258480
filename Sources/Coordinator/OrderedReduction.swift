import Core

/// Adds the ranks' gradients in the order of a plan's tree, and spreads the parameters that come of it.
///
/// The gradient's `elements` floats are cut into blocks, and the blocks into one contiguous slice per rank. A step:
/// each rank fills `gradient`; `reduceScatter` leaves it the sum of its slice; the rank updates its slice of the
/// parameters; `gather` makes them whole on every rank. The bits depend on the plan's tree alone: not on whether the
/// ranks share memory or how they are spread over hosts.
///
/// Ranks of one host read each other's gradients in place; between hosts travel sums of subtrees, or, where there is
/// no shared memory, the slices themselves.
public final class OrderedReduction {
    /// Floats per block; slices are cut between blocks.
    public static let blockElements = 16_384

    /// Floats of the gradient, and of the parameters.
    public let elements: Int
    /// This rank's gradient, zero at first. The reduction holds it so that others can read it where it is.
    public let gradient: UnsafeMutableBufferPointer<Float>
    /// The elements that this rank reduces and updates.
    public let slice: Range<Int>
    /// Memory for the parameters that all ranks of this host share, where there is such and it was asked for. Each rank
    /// may change its own slice between `reduceScatter` and `gather`, which then copies nothing within the host.
    public let sharedParameters: UnsafeMutableBufferPointer<Float>?
    /// Whether ranks of a host read each other's memory.
    public var sharesMemory: Bool { memory != nil }

    private let communicator: any Communicator
    private let memory: (any SharedMemory)?
    private let parameterMemory: (any SharedMemory)?
    private let routes: ReductionRoutes
    /// The gradient of each rank of this region. Other ranks' cannot be read; this rank's own stands in their place.
    private let gradients: [UnsafeMutablePointer<Float>]
    /// Floats of each slice that travel in a round between regions; keeps the buffers near 16 MiB.
    private let roundElements: Int
    /// What the last tree asked for; the next step's is often the same.
    private var route: Route?

    private struct Route {
        let tree: SumTree
        /// This rank's slice is the sum of `sources`.
        let sum: TreeSum
        let sources: [ReductionRoutes.Source]
        let exchange: SliceExchange
    }

    /// Collective. Where a host has too little shared memory the ranks exchange messages instead.
    /// - Parameters:
    ///   - sharingMemory: false does without it from the start.
    ///   - sharingParameters: asks for `sharedParameters` too.
    public init(
        elements: Int, communicator: any Communicator, sharingMemory: Bool = true, sharingParameters: Bool = false
    ) throws {
        self.elements = elements
        self.communicator = communicator
        let (rank, size) = (communicator.rank, communicator.size)
        let memory = sharingMemory ? try communicator.sharedMemory(bytes: elements * MemoryLayout<Float>.stride) : nil
        let own: UnsafeMutablePointer<Float>
        if let shared = memory?.floats(of: rank) {
            own = shared
        } else {
            own = .allocate(capacity: elements)
            own.initialize(repeating: 0, count: elements)
        }
        self.memory = memory
        gradient = .init(start: own, count: elements)
        gradients = (0..<size).map { memory?.floats(of: $0) ?? own }
        routes = ReductionRoutes(regions: memory == nil ? Array(0..<size) : communicator.hosts)
        roundElements = max(Self.blockElements, (1 << 22) / routes.members.count)
        // The first rank of a host has the block for all of them.
        let leader = routes.members[routes.regions[rank]].first ?? rank
        let parameterBytes = rank == leader ? elements * MemoryLayout<Float>.stride : 0
        parameterMemory =
            sharingParameters && memory != nil ? try communicator.sharedMemory(bytes: parameterBytes) : nil
        sharedParameters = parameterMemory?.floats(of: leader).map { .init(start: $0, count: elements) }
        slice = Self.slice(of: rank, of: size, elements: elements)
    }

    deinit {
        if memory == nil { gradient.deallocate() }
    }

    /// Collective: gives shared memory back before the communicator's end does. `gradient` and `sharedParameters` are
    /// gone afterwards.
    public func close() throws {
        try parameterMemory?.free()
        try memory?.free()
    }

    /// The elements that `rank` owns among `ranks`.
    public static func slice(of rank: Int, of ranks: Int, elements: Int) -> Range<Int> {
        let blocks = (elements + blockElements - 1) / blockElements
        func start(_ rank: Int) -> Int { min(blocks * rank / ranks * blockElements, elements) }
        return start(rank)..<start(rank + 1)
    }

    private func slice(of rank: Int) -> Range<Int> {
        Self.slice(of: rank, of: communicator.size, elements: elements)
    }

    /// The sum over the ranks that have groups in `plan`, of this rank's slice, in the order of `plan.rankTree`.
    ///
    /// Collective. The gradients of ranks without groups are not looked at.
    /// - Returns: the part `slice` of `gradient`, which now holds the sum; the rest of `gradient` is as before.
    @discardableResult
    public func reduceScatter(_ plan: ShardPlan) throws -> UnsafeMutableBufferPointer<Float> {
        let (rank, size) = (communicator.rank, communicator.size)
        guard plan.ranks == size else {
            throw MISPError("a plan for \(plan.ranks) ranks among \(size)", at: "reduceScatter", kind: .defect)
        }
        let total = UnsafeMutableBufferPointer(rebasing: gradient[slice])
        guard let tree = plan.rankTree else {
            total.update(repeating: 0)
            return total
        }
        try memory?.synchronize()
        let route = prepare(tree)
        let longest = (0..<size).map { slice(of: $0).count }.max() ?? 0
        let count = routes.members.count == 1 ? max(longest, 1) : roundElements
        for start in stride(from: 0, to: longest, by: count) {
            func part(_ rank: Int) -> Range<Int> { slice(of: rank).dropFirst(start).prefix(count) }
            let arrived = try route.exchange.round(part: part) { gradients[$0] }
            let mine = part(rank)
            route.sum(count: mine.count, into: gradients[rank] + mine.lowerBound) { number in
                switch route.sources[number] {
                case .rank(let rank): UnsafePointer(gradients[rank] + mine.lowerBound)
                case .region(let region, let place): arrived[region] + place * mine.count
                }
            }
        }
        // Until here others may be reading this rank's gradient.
        try memory?.synchronize()
        return total
    }

    private func prepare(_ tree: SumTree) -> Route {
        if let route, route.tree == tree { return route }
        let owner = routes.ownersTree(tree, in: routes.regions[communicator.rank])
        let made = Route(
            tree: tree, sum: TreeSum(owner.tree), sources: owner.sources,
            exchange: SliceExchange(routes, tree, communicator: communicator, elements: roundElements))
        route = made
        return made
    }

    /// Makes `parameters`, of which each rank has brought its slice up to date, whole on every rank.
    ///
    /// Collective. `parameters` has `elements` floats, or is `sharedParameters`. What `gradient` holds is spent: it
    /// serves as the way through.
    public func gather(_ parameters: UnsafeMutableBufferPointer<Float>) throws {
        let (rank, size) = (communicator.rank, communicator.size)
        guard parameters.count == elements else {
            throw MISPError(
                "\(parameters.count) parameters, and a gradient of \(elements)", at: "gather", kind: .defect)
        }
        guard let base = parameters.baseAddress else { return }
        let home = routes.regions[rank]
        let isShared = base == sharedParameters?.baseAddress
        // Where the slice of a foreign owner arrives in this region: in the helper's gradient, or where it belongs.
        func landing(_ owner: Int) -> UnsafeMutablePointer<Float> {
            let start = slice(of: owner).lowerBound
            if memory == nil || isShared { return base + start }
            return gradients[routes.regions[owner] == home ? owner : routes.helper(of: owner, in: home)] + start
        }
        if memory != nil, !isShared { landing(rank).update(from: base + slice.lowerBound, count: slice.count) }
        if routes.members.count > 1 {
            let none = (
                UnsafeBufferPointer<Float>(start: nil, count: 0),
                UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
            )
            let outgoing = (0..<size).map { other in
                let region = routes.regions[other]
                guard region != home, routes.helper(of: rank, in: region) == other else { return none.0 }
                return UnsafeBufferPointer(start: base + slice.lowerBound, count: slice.count)
            }
            let incoming = (0..<size).map { owner in
                guard routes.regions[owner] != home, routes.helper(of: owner, in: home) == rank else { return none.1 }
                return UnsafeMutableBufferPointer(start: landing(owner), count: slice(of: owner).count)
            }
            try communicator.exchange(outgoing, into: incoming)
        }
        guard let memory else { return }
        try memory.synchronize()
        if isShared { return }
        for owner in 0..<size where owner != rank {
            let range = slice(of: owner)
            (base + range.lowerBound).update(from: landing(owner), count: range.count)
        }
        try memory.synchronize()
    }

    /// The sum of squares of all slices together, where `values` is this rank's slice of a vector of `elements`.
    ///
    /// Collective. In double precision, block by block, and the blocks in order: the same bits for any number of ranks.
    public func squaredNorm(_ values: UnsafeBufferPointer<Float>) throws -> Double {
        guard values.count == slice.count else {
            throw MISPError("\(values.count) floats of a slice of \(slice.count)", at: "squaredNorm", kind: .defect)
        }
        var blocks = [Double](repeating: 0, count: (elements + Self.blockElements - 1) / Self.blockElements)
        for start in stride(from: 0, to: values.count, by: Self.blockElements) {
            let block = UnsafeBufferPointer(rebasing: values.dropFirst(start).prefix(Self.blockElements))
            blocks[(slice.lowerBound + start) / Self.blockElements] = VectorSum.squares(block)
        }
        return try communicator.mergeDisjoint(blocks).reduce(0, +)
    }
}

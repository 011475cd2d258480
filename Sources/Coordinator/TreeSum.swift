/// A `SumTree` over vectors, made ready to run: adds its sources element by element in the tree's order.
///
/// Works block by block, so that partial sums stay in the first-level cache and each source is read from memory once.
struct TreeSum {
    /// Floats per block: a few blocks fit into 32 KiB.
    private static let blockElements = 2_048

    private enum Operand {
        case source(Int)
        case partial(Int)
    }

    private let root: Operand
    /// In order; each adds into the partial sum `into`.
    private var steps: [(left: Operand, right: Operand, into: Int)] = []
    private var partials = 0

    /// The leaves of `tree` are numbers of sources.
    init(_ tree: SumTree) {
        var steps: [(left: Operand, right: Operand, into: Int)] = []
        var partials = 0
        func compile(_ tree: SumTree, used: Int) -> Operand {
            switch tree {
            case .leaf(let source): return .source(source)
            case .sum(let left, let right):
                let leftFirst = left.partialBuffers >= right.partialBuffers
                let first = compile(leftFirst ? left : right, used: used)
                var now = used
                if case .partial = first { now += 1 }
                let second = compile(leftFirst ? right : left, used: now)
                steps.append((first, second, used))
                partials = max(partials, used + 1)
                return .partial(used)
            }
        }
        root = compile(tree, used: 0)
        self.steps = steps
        self.partials = partials
    }

    /// Writes the sum of `count` elements to `total`, which may be one of the sources.
    func callAsFunction(
        count: Int, into total: UnsafeMutablePointer<Float>, from source: (Int) -> UnsafePointer<Float>
    ) {
        if case .source(let only) = root {
            if source(only) != UnsafePointer(total) { total.update(from: source(only), count: count) }
            return
        }
        let block = Self.blockElements
        withUnsafeTemporaryAllocation(
            byteCount: partials * block * MemoryLayout<Float>.size, alignment: 64
        ) { memory in
            guard let scratch = memory.bindMemory(to: Float.self).baseAddress else { return }
            for offset in stride(from: 0, to: count, by: block) {
                func address(_ operand: Operand) -> UnsafePointer<Float> {
                    switch operand {
                    case .source(let number): source(number) + offset
                    case .partial(let number): UnsafePointer(scratch + number * block)
                    }
                }
                for (number, step) in steps.enumerated() {
                    // By the last step every other source of the block has been read.
                    let target = number == steps.count - 1 ? total + offset : scratch + step.into * block
                    VectorSum.add(
                        address(step.left), address(step.right), into: target, count: min(block, count - offset))
                }
            }
        }
    }
}

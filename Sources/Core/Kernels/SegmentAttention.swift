/// Rows of a stacked batch that attend together: to each other, and to the rows of a prefix that they continue.
public struct AttentionSegment: Sendable, Equatable {
    /// Where its own rows stand among the batch's, whose keys and values they have.
    public let rows: Range<Int>
    /// Rows of the segments that this one continues, outermost first; every row here sees all of them.
    public let prefix: [Range<Int>]
    /// How many of its rows, the last ones, ask: those that have a query and an output.
    public let asking: Int
    /// The first of their rows in the matrix of queries, which holds asking rows only.
    public let firstQuery: Int

    /// Unless told otherwise all rows ask, each in its own row.
    public init(rows: Range<Int>, prefix: [Range<Int>] = [], asking: Int? = nil, firstQuery: Int? = nil) {
        self.rows = rows
        self.prefix = prefix
        self.asking = asking ?? rows.count
        self.firstQuery = firstQuery ?? rows.lowerBound
    }
}

extension [AttentionSegment] {
    /// The same segments where only the listed rows ask: of each segment none, or some at its end.
    ///
    /// - Parameter rows: ascending, without repetition; row i asks in row i of the queries.
    func asking(_ rows: [Int]) -> [AttentionSegment] {
        var first = 0
        return map { segment in
            let count = rows[first...].prefix { $0 < segment.rows.upperBound }.count
            defer { first += count }
            return AttentionSegment(rows: segment.rows, prefix: segment.prefix, asking: count, firstQuery: first)
        }
    }
}

/// Scaled dot-product attention over a batch of segments, with grouped keys: query heads h·H/H_kv … share a key
/// head.
///
/// q: Q × (H·D) with a row for each row that asks; k, v: T × (H_kv·D). Scores exist for one block of query rows and
/// one head at a time; the backward pass makes them again from the stored log-sum-exp (Dao et al., FlashAttention,
/// arXiv 2205.14135, §3.1).
public struct SegmentAttention<A: Arithmetic>: Sendable {
    /// H, heads of the queries.
    public let heads: Int
    /// H_kv, heads of keys and values, which divides H.
    public let keyHeads: Int
    /// D
    public let headSize: Int
    /// Row i of a segment sees rows 0…i of it; otherwise all of it.
    public let isCausal: Bool
    /// Causal attention alone: a row sees so many keys, the last up to its own; nil for all of them.
    public let window: Int?

    /// `window` counts only where attention is causal.
    public init(heads: Int, keyHeads: Int, headSize: Int, isCausal: Bool, window: Int? = nil) {
        self.heads = heads
        self.keyHeads = keyHeads
        self.headSize = headSize
        self.isCausal = isCausal
        self.window = isCausal ? window : nil
    }

    /// Queries whose scores exist at once, for each of the heads that share a key head: whole strips of FloatProduct.
    static var blockRows: Int { 72 }

    /// What `backward` needs: q, k, v, the output, and a log-sum-exp per head and query.
    public struct Activations {
        let q: Matrix<A.Element>
        let k: Matrix<A.Element>
        let v: Matrix<A.Element>
        let output: Matrix<A.Element>
        /// H × Q
        let logSumExp: Matrix<A.Element>
    }

    /// Returns the output, Q × (H·D), and what `backward` needs.
    public func forward(
        q: Matrix<A.Element>, k: Matrix<A.Element>, v: Matrix<A.Element>, _ segments: [AttentionSegment]
    ) -> (Matrix<A.Element>, Activations) {
        let output = Matrix<A.Element>(uninitialized: q.rows, q.columns)
        let logSumExp = Matrix<A.Element>(uninitialized: heads, q.rows)
        let saved = Activations(q: q, k: k, v: v, output: output, logSumExp: logSumExp)
        let blocks = segments.flatMap(blocks)
        Parallel.forEach(blocks.count * keyHeads, threads: Parallel.threads) { part in
            forward(blocks[part / keyHeads], part % keyHeads, saved)
        }
        return (output, saved)
    }

    /// Sets the output and the log-sum-exp of one block's queries in the heads that share a key head.
    private func forward(_ block: Block, _ keyHead: Int, _ saved: Activations) {
        let key = columns(keyHead)
        let members = members(of: keyHead)
        let scores = scoreMatrices(block, members.count)
        setScores(scores, members.map { saved.q.rows(block.rows).columns(columns($0)) }, saved.k.columns(key), block)
        for (head, scores) in zip(members, scores) {
            let lse = saved.logSumExp.row(head) + block.rows.lowerBound
            A.softmax(scores, scale: scale, visible: block.visible, window: window, logSumExp: lse)
        }
        let outputs = members.map { saved.output.rows(block.rows).columns(columns($0)) }
        for (keys, at) in block.keys {
            A.setProducts(
                outputs, scores.map { $0.columns(at..<at + keys.count) }, saved.v.rows(keys).columns(key),
                transposeB: false, keep: at == 0 ? 0 : 1)
        }
    }

    /// With P the probabilities and δ = rowsum(dO∘O): dV = Pᵀ·dO, dS = P∘(dO·Vᵀ − δ), dQ = dS·K, dK =
    /// dSᵀ·Q.
    public func backward(
        _ dOutput: Matrix<A.Element>, _ saved: Activations, _ segments: [AttentionSegment]
    ) -> (dq: Matrix<A.Element>, dk: Matrix<A.Element>, dv: Matrix<A.Element>) {
        let dq = Matrix<A.Element>(uninitialized: saved.q.rows, saved.q.columns)
        let dk = Matrix<A.Element>(zeros: saved.k.rows, saved.k.columns)
        let dv = Matrix<A.Element>(zeros: saved.v.rows, saved.v.columns)
        let asking = segments.filter { $0.asking > 0 }
        // Segments at a time: enough parts for all threads.
        let some = (4 * Parallel.threads - 1) / keyHeads + 1
        for first in stride(from: 0, to: asking.count, by: some) {
            let parts = asking[first..<min(first + some, asking.count)].flatMap { segment in
                (0..<keyHeads).map { KeyGradients(segment, keyHead: $0, headSize: headSize) }
            }
            Parallel.forEach(parts.count, threads: Parallel.threads) { index in
                let part = parts[index]
                part.clear()
                for block in blocks(part.segment) { backward(block, part, dOutput, saved, dq: dq) }
            }
            // Segments add to rows that they share, in their order.
            for part in parts {
                for (keys, at) in part.keys {
                    let (span, key) = (at..<at + keys.count, columns(part.keyHead))
                    A.addTransposed(part.dKeys.columns(span), to: dk.rows(keys).columns(key))
                    A.addTransposed(part.dValues.columns(span), to: dv.rows(keys).columns(key))
                }
            }
        }
        return (dq, dk, dv)
    }

    /// What one segment's queries in the heads that share a key head add to its keys and values.
    private struct KeyGradients {
        let segment: AttentionSegment
        let keyHead: Int
        /// Ranges of key rows, and where each begins among the columns below.
        let keys: [(rows: Range<Int>, column: Int)]
        /// D × keys: sums over blocks and heads, turned once.
        let dKeys, dValues: Matrix<A.Element>

        init(_ segment: AttentionSegment, keyHead: Int, headSize: Int) {
            (self.segment, self.keyHead) = (segment, keyHead)
            let count: Int
            (keys, count) = SegmentAttention.placed(segment.prefix + [segment.rows])
            dKeys = Matrix(uninitialized: headSize, count)
            dValues = Matrix(uninitialized: headSize, count)
        }

        func clear() {
            dKeys.setZero()
            dValues.setZero()
        }
    }

    private func backward(
        _ block: Block, _ part: KeyGradients, _ dOutput: Matrix<A.Element>, _ saved: Activations, dq: Matrix<A.Element>
    ) {
        let members = members(of: part.keyHead)
        let key = columns(part.keyHead)
        let queries = members.map { saved.q.rows(block.rows).columns(columns($0)) }
        let dOutputs = members.map { dOutput.rows(block.rows).columns(columns($0)) }
        let probabilities = scoreMatrices(block, members.count)
        let dScores = scoreMatrices(block, members.count)
        setScores(probabilities, queries, saved.k.columns(key), block)
        setScores(dScores, dOutputs, saved.v.columns(key), block)
        let delta = Matrix<A.Element>(uninitialized: block.rows.count, 1)
        for (index, head) in members.enumerated() {
            let (p, dS) = (probabilities[index], dScores[index])
            A.rowDots(dOutputs[index], saved.output.rows(block.rows).columns(columns(head)), into: delta.base)
            let lse = saved.logSumExp.row(head) + block.rows.lowerBound
            A.softmaxAgain(p, scale: scale, visible: block.visible, window: window, logSumExp: lse)
            A.softmaxBackward(p, dP: dS, delta: delta.base, scale: scale)
            let span = block.hidden..<block.hidden + block.keyCount
            A.setProduct(part.dValues.columns(span), dOutputs[index], transposeA: true, p, keep: 1)
            A.setProduct(part.dKeys.columns(span), queries[index], transposeA: true, dS, keep: 1)
        }
        let dQueries = members.map { dq.rows(block.rows).columns(columns($0)) }
        for (keys, at) in block.keys {
            A.setProducts(
                dQueries, dScores.map { $0.columns(at..<at + keys.count) }, saved.k.rows(keys).columns(key),
                transposeB: false, keep: at == 0 ? 0 : 1)
        }
    }
}

extension SegmentAttention {
    /// A run of queries of one segment, with the key rows it may see.
    struct Block {
        /// Of the queries' matrix.
        let rows: Range<Int>
        /// Ranges of key rows, and where each begins among the block's score columns.
        let keys: [(rows: Range<Int>, column: Int)]
        let keyCount: Int
        /// Keys before these, which no row of the block sees.
        let hidden: Int
        /// Keys among these up to the first row's own; each further row has one more.
        let visible: Int
    }

    private func blocks(_ segment: AttentionSegment) -> [Block] {
        stride(from: 0, to: segment.asking, by: Self.blockRows).map { start in
            let end = min(start + Self.blockRows, segment.asking)
            let rows = segment.firstQuery + start..<segment.firstQuery + end
            let last = segment.rows.upperBound - (isCausal ? segment.asking - end : 0)
            let own = segment.rows.lowerBound..<last
            let ranges = segment.prefix + [own]
            let count = ranges.reduce(0) { $0 + $1.count }
            let visible = isCausal ? count - rows.count + 1 : count
            let hidden = window.map { max(0, visible - $0) } ?? 0
            let (keys, keyCount) = Self.placed(Self.dropping(hidden, of: ranges))
            return Block(rows: rows, keys: keys, keyCount: keyCount, hidden: hidden, visible: visible - hidden)
        }
    }

    /// Ranges of rows with the place of each among their columns, and how many columns there are.
    private static func placed(_ ranges: [Range<Int>]) -> (keys: [(rows: Range<Int>, column: Int)], count: Int) {
        var column = 0
        let keys = joined(ranges).map { range in
            defer { column += range.count }
            return (rows: range, column: column)
        }
        return (keys, column)
    }

    private static func dropping(_ count: Int, of ranges: [Range<Int>]) -> [Range<Int>] {
        var left = count
        return ranges.map { range in
            let dropped = min(left, range.count)
            left -= dropped
            return range.lowerBound + dropped..<range.upperBound
        }
    }

    /// Neighbouring ranges become one, so that each costs one product.
    private static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
        ranges.reduce(into: []) { result, range in
            if let last = result.last, last.upperBound == range.lowerBound {
                result[result.count - 1] = last.lowerBound..<range.upperBound
            } else if !range.isEmpty {
                result.append(range)
            }
        }
    }

    func columns(_ head: Int) -> Range<Int> { head * headSize..<(head + 1) * headSize }
    func keyHead(_ head: Int) -> Int { head * keyHeads / heads }
    var scale: A.Element { A.Element(1 / Double(headSize).squareRoot()) }

    /// The heads that share a key head.
    private func members(of keyHead: Int) -> [Int] { (0..<heads).filter { self.keyHead($0) == keyHead } }

    private func scoreMatrices(_ block: Block, _ count: Int) -> [Matrix<A.Element>] {
        (0..<count).map { _ in Matrix(uninitialized: block.rows.count, block.keyCount) }
    }

    /// scoresᵢ ← qᵢ·Kᵀ over the block's key ranges
    private func setScores(
        _ scores: [Matrix<A.Element>], _ q: [Matrix<A.Element>], _ k: Matrix<A.Element>, _ block: Block
    ) {
        for (keys, at) in block.keys {
            A.setProducts(
                scores.map { $0.columns(at..<at + keys.count) }, q, k.rows(keys), transposeB: true, keep: 0)
        }
    }
}

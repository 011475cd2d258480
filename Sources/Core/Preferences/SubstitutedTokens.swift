/// Where two sequences say different things: what stands in one in place of something else in the other.
///
/// Matching blocks are found as Python's difflib does without its heuristic for popular elements (Ratcliff and
/// Metzener, Pattern Matching: The Gestalt Approach, 1988): the longest common run, the earliest in `a` and then in `b`
/// among equals, and the same again on both sides of it. Runs shorter than `shortest` count as no match. What is
/// missing on one side without a substitute is not marked.
public struct SubstitutedTokens {
    /// Positions in either sequence, ascending.
    public private(set) var a: [Int] = []
    /// Likewise in `b`.
    public private(set) var b: [Int] = []

    /// Compares two sequences of token ids; a common run of at least `shortest` is a match.
    public init(_ a: [Int32], _ b: [Int32], shortest: Int = 3) {
        var places: [Int32: [Int]] = [:]
        for (index, token) in b.enumerated() { places[token, default: []].append(index) }
        var blocks: [Block] = []
        Self.match(a, places, 0..<a.count, 0..<b.count, into: &blocks)
        var (aEnd, bEnd) = (0, 0)
        let end = Block(a: a.count, b: b.count, count: 0)
        for block in Self.merged(blocks).filter({ $0.count >= shortest }) + [end] {
            let (aGap, bGap) = (aEnd..<block.a, bEnd..<block.b)
            if !aGap.isEmpty, !bGap.isEmpty {
                self.a += aGap
                self.b += bGap
            }
            (aEnd, bEnd) = (block.a + block.count, block.b + block.count)
        }
    }

    /// a[a..<a+count] == b[b..<b+count]
    private struct Block {
        var a, b, count: Int
    }

    private static func match(
        _ a: [Int32], _ places: [Int32: [Int]], _ aRange: Range<Int>, _ bRange: Range<Int>, into blocks: inout [Block]
    ) {
        guard let best = longest(a, places, aRange, bRange) else { return }
        match(a, places, aRange.lowerBound..<best.a, bRange.lowerBound..<best.b, into: &blocks)
        blocks.append(best)
        match(
            a, places, best.a + best.count..<aRange.upperBound, best.b + best.count..<bRange.upperBound, into: &blocks)
    }

    private static func longest(
        _ a: [Int32], _ places: [Int32: [Int]], _ aRange: Range<Int>, _ bRange: Range<Int>
    ) -> Block? {
        var best = Block(a: aRange.lowerBound, b: bRange.lowerBound, count: 0)
        // Lengths of the common runs that end at the row before, by their end in b.
        var lengths: [Int: Int] = [:]
        for i in aRange {
            var next: [Int: Int] = [:]
            for j in places[a[i]] ?? [] where bRange.contains(j) {
                let count = (lengths[j - 1] ?? 0) + 1
                next[j] = count
                if count > best.count { best = Block(a: i - count + 1, b: j - count + 1, count: count) }
            }
            lengths = next
        }
        return best.count > 0 ? best : nil
    }

    /// Blocks that touch in both sequences are one.
    private static func merged(_ blocks: [Block]) -> [Block] {
        var result: [Block] = []
        for block in blocks {
            if let last = result.last, last.a + last.count == block.a, last.b + last.count == block.b {
                result[result.count - 1].count += block.count
            } else {
                result.append(block)
            }
        }
        return result
    }
}

extension EncodedGroup {
    /// CHiP's weights: `weight` on the tokens of chosen and rejected response that were substituted, 1 on the others.
    ///
    /// The sequences are compared with their prompt, the picture being one token, as in CHiP's code: a response's first
    /// tokens then match as part of a longer run.
    public mutating func weightSubstitutedTokens(by weight: Double) {
        guard let rejected else { return }
        let prefix = prompt.before + [-1] + prompt.after
        let substituted = SubstitutedTokens(prefix + rejected.tokens, prefix + chosen.tokens)
        func weighted(_ tokens: [Int32], _ positions: [Int]) -> WeightedTokens {
            var weights = [Double](repeating: 1, count: tokens.count)
            for position in positions where position >= prefix.count { weights[position - prefix.count] = weight }
            return WeightedTokens(tokens, weights: weights)
        }
        self.rejected = weighted(rejected.tokens, substituted.a)
        chosen = weighted(chosen.tokens, substituted.b)
    }
}

import Core
import Testing

/// Sliding windows: a row sees its own key and those before it, so many in all.
@Suite struct AttentionWindowTests {
    private func input(_ rows: Int, _ columns: Int, _ name: String = "input") -> Matrix<Double> {
        var random = KeyedRandom(4, name)
        return Matrix(rows, columns, (0..<rows * columns).map { _ in random.normal() })
    }

    /// Row by row, key by key, over the rows that a segment and its prefixes list.
    private func plain(
        _ q: Matrix<Double>, _ k: Matrix<Double>, _ v: Matrix<Double>, _ segments: [AttentionSegment], window: Int
    ) -> Matrix<Double> {
        let width = q.columns
        let output = Matrix<Double>(zeros: q.rows, width)
        for segment in segments {
            for row in segment.rows {
                let before = segment.prefix.flatMap { Array($0) } + Array(segment.rows.lowerBound...row)
                let seen = before.suffix(window)
                let scores = seen.map { key in
                    (0..<width).reduce(0.0) { $0 + q[row, $1] * k[key, $1] } / Double(width).squareRoot()
                }
                let weights = scores.map { Double.exponential($0) }
                let sum = weights.reduce(0, +)
                for (key, weight) in zip(seen, weights) {
                    for column in 0..<width { output[row, column] += weight / sum * v[key, column] }
                }
            }
        }
        return output
    }

    @Test(arguments: [1, 2, 3, 4, 7, 50]) func everyTreeOfSegmentsAgreesWithThePlainSum(window: Int) {
        let part = SegmentAttention<DoublePrecision>(heads: 1, keyHeads: 1, headSize: 4, isCausal: true, window: window)
        let (q, k, v) = (input(10, 4, "q"), input(10, 4, "k"), input(10, 4, "v"))
        let expected = plain(q, k, v, LayerDerivativeTests.tree, window: window)
        let found = part.forward(q: q, k: k, v: v, LayerDerivativeTests.tree).0
        #expect((0..<found.count).allSatisfy { abs(found.base[$0] - expected.base[$0]) < 1e-13 })
    }

    /// Segments of several blocks of queries, whose first keys no row of a later block sees.
    @Test(arguments: [1, 5, 71, 72, 73, 200, 299, 300]) func longSegmentsAgreeWithThePlainSum(window: Int) {
        let part = SegmentAttention<DoublePrecision>(heads: 1, keyHeads: 1, headSize: 4, isCausal: true, window: window)
        let (q, k, v) = (input(300, 4, "q"), input(300, 4, "k"), input(300, 4, "v"))
        let segments = [AttentionSegment(rows: 0..<90), AttentionSegment(rows: 90..<300, prefix: [0..<90])]
        let expected = plain(q, k, v, segments, window: window)
        let found = part.forward(q: q, k: k, v: v, segments).0
        #expect((0..<found.count).allSatisfy { abs(found.base[$0] - expected.base[$0]) < 1e-13 })
    }

    @Test(arguments: [1, 2, 3, 5, 9]) func derivatives(window: Int) {
        let part = SegmentAttention<DoublePrecision>(heads: 4, keyHeads: 2, headSize: 2, isCausal: true, window: window)
        checkDerivatives(part, LayerDerivativeTests.tree, rows: 10)
    }

    @Test(arguments: [3, 60, 80]) func derivativesOfLongSegments(window: Int) {
        let part = SegmentAttention<DoublePrecision>(heads: 2, keyHeads: 1, headSize: 2, isCausal: true, window: window)
        checkDerivatives(
            part, [AttentionSegment(rows: 0..<40), AttentionSegment(rows: 40..<130, prefix: [0..<40])], rows: 130)
    }

    private func checkDerivatives(_ part: SegmentAttention<DoublePrecision>, _ segments: [AttentionSegment], rows: Int)
    {
        let (queries, keys) = (part.heads * part.headSize, part.keyHeads * part.headSize)
        let spans = [0..<queries, queries..<queries + keys, queries + keys..<queries + 2 * keys]
        let probe = LayerProbe(ParameterStore()) { x in
            let parts = spans.map { x.columns($0).copied() }
            let (y, saved) = part.forward(q: parts[0], k: parts[1], v: parts[2], segments)
            return (
                y,
                { dy, _ in
                    let (dq, dk, dv) = part.backward(dy, saved, segments)
                    let dx = Matrix<Double>(uninitialized: x.rows, x.columns)
                    for (span, d) in zip(spans, [dq, dk, dv]) { dx.columns(span).copyElements(of: d) }
                    return dx
                }
            )
        }
        probe.checkDerivatives(at: input(rows, queries + 2 * keys), "window", elementsPerTensor: 60)
    }

    @Test func vectorSoftmaxEqualsPlain() throws {
        var numbers = SeededNumbers(state: 6)
        for (rows, columns) in shapes where rows <= columns && rows > 0 {
            for window in [1, 3, max(1, columns / 2), columns] {
                let s = numbers.matrix(rows, columns, size: 20)
                let (fast, again, exact) = (s.copied(), s.copied(), doubled(s))
                let (total, exactTotal) = (Matrix<Float>(zeros: 1, rows), Matrix<Double>(zeros: 1, rows))
                let visible = columns - rows + 1
                Vector.softmax(fast, scale: 0.37, visible: visible, window: window, logSumExp: total.base)
                Plain.softmax(
                    exact, scale: Double(Float(0.37)), visible: visible, window: window, logSumExp: exactTotal.base)
                Vector.softmaxAgain(again, scale: 0.37, visible: visible, window: window, logSumExp: total.base)
                let name = "\(rows) × \(columns), window \(window)"
                try #require(difference(fast, exact) < 1e-6 && difference(total, exactTotal) < 3e-7, "\(name)")
                try #require(difference(again, exact) < 2e-6, "\(name)")
                for i in 0..<rows {
                    let end = visible + i
                    let unseen = Array(0..<max(0, end - window)) + Array(end..<columns)
                    try #require(unseen.allSatisfy { fast[i, $0] == 0 && again[i, $0] == 0 }, "\(name)")
                }
            }
        }
    }
}

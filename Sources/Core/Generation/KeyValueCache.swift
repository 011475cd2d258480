/// Keys and values of a sequence's rows so far, layer by layer, so that a further row costs one pass over the weights.
///
/// One thread at a time may use it. Memory grows by doubling; a row takes 2 · layers · H_kv · D elements.
public final class KeyValueCache<Element: Scalar>: @unchecked Sendable {
    /// Rows held.
    public private(set) var count = 0
    /// The position of the next row: behind a picture it may run behind the count of rows.
    public private(set) var position = 0
    private var capacity: Int
    private var keys: [Matrix<Element>]
    private var values: [Matrix<Element>]

    /// - Parameters:
    ///   - width: H_kv·D
    ///   - capacity: rows that fit before memory grows
    public init(layers: Int, width: Int, capacity: Int) {
        self.capacity = max(capacity, 1)
        keys = (0..<layers).map { _ in Matrix(uninitialized: max(capacity, 1), width) }
        values = (0..<layers).map { _ in Matrix(uninitialized: max(capacity, 1), width) }
    }

    /// Makes room for `rows` more; they count once every layer has stored them.
    func reserve(_ rows: Int) {
        guard count + rows > capacity else { return }
        capacity = max(2 * capacity, count + rows)
        func grown(_ matrix: Matrix<Element>) -> Matrix<Element> {
            let larger = Matrix<Element>(uninitialized: capacity, matrix.columns)
            larger.rows(0..<count).copyElements(of: matrix.rows(0..<count))
            return larger
        }
        keys = keys.map(grown)
        values = values.map(grown)
    }

    /// Puts a layer's keys and values of the next rows behind those that are there, and returns all of them.
    func store(
        _ k: Matrix<Element>, _ v: Matrix<Element>, layer: Int
    ) -> (keys: Matrix<Element>, values: Matrix<Element>) {
        let rows = count..<count + k.rows
        keys[layer].rows(rows).copyElements(of: k)
        values[layer].rows(rows).copyElements(of: v)
        return (keys[layer].rows(0..<rows.upperBound), values[layer].rows(0..<rows.upperBound))
    }

    func advance(_ rows: Int, to position: Int) {
        count += rows
        self.position = position
    }
}

extension SegmentAttention {
    /// Causal attention of `q`, the last rows of a sequence, to all its keys and values.
    ///
    /// q, output: n × (H·D); k, v: t × (H_kv·D), n ≤ t; row i sees the first t − n + i + 1 keys, or of these
    /// the window.
    func decode(q: Matrix<A.Element>, k: Matrix<A.Element>, v: Matrix<A.Element>, into output: Matrix<A.Element>) {
        for start in stride(from: 0, to: q.rows, by: Self.blockRows) {
            let rows = start..<min(start + Self.blockRows, q.rows)
            let end = k.rows - q.rows + rows.upperBound
            let hidden = window.map { max(0, end - rows.count + 1 - $0) } ?? 0
            let (keys, values) = (k.rows(hidden..<end), v.rows(hidden..<end))
            if q.rows == 1 { return decodeRow(q, keys, values, into: output) }
            let scores = Matrix<A.Element>(uninitialized: rows.count, keys.rows)
            let ignored = Matrix<A.Element>(uninitialized: 1, rows.count)
            for head in 0..<heads {
                let (query, key) = (columns(head), columns(keyHead(head)))
                A.setProduct(scores, q.rows(rows).columns(query), keys.columns(key), transposeB: true)
                A.softmax(
                    scores, scale: scale, visible: keys.rows - rows.count + 1, window: window,
                    logSumExp: ignored.base)
                A.setProduct(output.rows(rows).columns(query), scores, values.columns(key))
            }
        }
    }

    /// One row: the heads that share a key head are the rows of one product.
    private func decodeRow(
        _ q: Matrix<A.Element>, _ k: Matrix<A.Element>, _ v: Matrix<A.Element>, into output: Matrix<A.Element>
    ) {
        let group = heads / keyHeads
        let scores = Matrix<A.Element>(uninitialized: group, k.rows)
        let ignored = Matrix<A.Element>(uninitialized: 1, group)
        for key in 0..<keyHeads {
            let span = key * group * headSize..<(key + 1) * group * headSize
            let query = q.columns(span).reshaped(group, headSize)
            if let keys = StoredRows(k.columns(columns(key))) {
                A.fewRowsProduct(query, keys, rows: 0..<k.rows, into: scores)
            } else {
                A.setProduct(scores, query, k.columns(columns(key)), transposeB: true)
            }
            A.softmax(scores, scale: scale, visible: k.rows, window: nil, logSumExp: ignored.base)
            A.mixRows(scores, v.columns(columns(key)), into: output.columns(span).reshaped(group, headSize))
        }
    }
}

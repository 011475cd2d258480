extension Linear {
    /// Each of the layers as `forward`, of the same x, with the threads sharing all their rows.
    static func decode(_ layers: [Linear], _ x: Matrix<A.Element>, _ threads: Int) -> [Matrix<A.Element>] {
        let results = products(x, layers.map(\.weight), threads)
        for (layer, y) in zip(layers, results) {
            if let bias = layer.bias { A.addBias(bias.vector, to: y) }
            guard let adapter = layer.adapter else { continue }
            let low = products(x, [adapter.a], 1)[0]
            let added = products(low, [adapter.b], 1)[0]
            A.addScaled(adapter.scale, added.base, to: y.base, count: y.count)
        }
        return results
    }

    /// Up to so many rows of x go through the weights as these lie in memory; copying them first would not pay.
    private static var fewRows: Int { 16 }

    /// x·Wᵀ for several weights W. x: n × C; each result: n × rows of W. Every element is a sum over the columns
    /// in an order that depends neither on the threads nor, up to `fewRows`, on the other rows of x.
    static func products(
        _ x: Matrix<A.Element>, _ weights: [Weight<A.Element>], _ threads: Int
    ) -> [Matrix<A.Element>] {
        let results = weights.map { Matrix<A.Element>(uninitialized: x.rows, $0.rows) }
        let stored = weights.compactMap(\.stored)
        guard x.rows <= Self.fewRows, stored.count == weights.count else {
            for (weight, y) in zip(weights, results) {
                A.setSum(y, [ProductTerm(x, weight.factor, transposeB: true)])
            }
            return results
        }
        let blocks = weights.enumerated().flatMap { index, weight in
            let size = max(96, (weight.rows / 32 + 7) / 8 * 8)
            return stride(from: 0, to: weight.rows, by: size).map { start in
                (weight: index, rows: start..<min(start + size, weight.rows))
            }
        }
        Parallel.forEach(blocks.count, threads: threads) { number in
            let (index, rows) = blocks[number]
            A.fewRowsProduct(x, stored[index], rows: rows, into: results[index])
        }
        return results
    }
}

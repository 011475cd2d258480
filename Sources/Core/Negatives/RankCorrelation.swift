/// Spearman's rank correlation: Pearson's correlation of the ranks, equal values sharing the mean of theirs.
public enum RankCorrelation {
    /// −1 to 1; nil below two pairs and where all values of one side are equal.
    public static func spearman(_ x: [Double], _ y: [Double]) -> Double? {
        precondition(x.count == y.count, "pairs")
        let (a, b) = (ranks(x), ranks(y))
        let mean = Double(x.count - 1) / 2
        var (product, squareA, squareB) = (0.0, 0.0, 0.0)
        for (p, q) in zip(a, b) {
            product += (p - mean) * (q - mean)
            squareA += (p - mean) * (p - mean)
            squareB += (q - mean) * (q - mean)
        }
        guard squareA > 0, squareB > 0 else { return nil }
        return product / (squareA * squareB).squareRoot()
    }

    /// From 0; equal values share the mean of their places.
    static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
            for place in start..<end { ranks[order[place]] = Double(start + end - 1) / 2 }
            start = end
        }
        return ranks
    }
}

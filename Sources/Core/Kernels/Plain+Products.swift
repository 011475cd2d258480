extension Arithmetic {
    /// c[i, j] ← Σ_terms scale·Σ_k op(a)[i, k]·op(b)[k, j] + keep·c[i, j]
    public static func setCheckedSum(_ c: Matrix<Element>, _ terms: [ProductTerm<Element>], keep: Element) {
        let factors = terms.map(\.b.matrix)
        for i in 0..<c.rows {
            for j in 0..<c.columns {
                var sum = keep == 0 ? 0 : keep * c[i, j]
                for (term, b) in zip(terms, factors) {
                    var product: Element = 0
                    for k in 0..<term.inner {
                        product +=
                            (term.transposeA ? term.a[k, i] : term.a[i, k]) * (term.transposeB ? b[j, k] : b[k, j])
                    }
                    sum += term.scale * product
                }
                c[i, j] = sum
            }
        }
    }

    /// Read as it stands.
    public static func laid(_ x: Matrix<Element>) -> Matrix<Element>? { nil }

    /// One product after the other.
    public static func setProducts(
        _ c: [Matrix<Element>], _ a: [Matrix<Element>], _ b: Matrix<Element>, transposeB: Bool, keep: Element
    ) {
        for (c, a) in zip(c, a) { setProduct(c, a, b, transposeB: transposeB, keep: keep) }
    }

    /// y[i, j] += x[j, i]
    public static func addTransposed(_ x: Matrix<Element>, to y: Matrix<Element>) {
        for i in 0..<y.rows { for j in 0..<y.columns { y[i, j] += x[j, i] } }
    }

    /// y[i, r] ← Σₖ x[i, k]·W[r, k]; a row of W is widened whole.
    public static func fewRowsProduct(
        _ x: Matrix<Element>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Element>
    ) {
        let wide = Matrix<Element>(uninitialized: 1, weight.columns)
        for row in rows {
            Element.widen(weight.row(row), weight.format, into: wide.base, count: wide.columns)
            for i in 0..<x.rows {
                y[i, row] = (0..<wide.columns).reduce(0) { $0 + x[i, $1] * wide.base[$1] }
            }
        }
    }

    /// y[i, j] ← Σₜ shares[i, t]·values[t, j]
    public static func mixRows(_ shares: Matrix<Element>, _ values: Matrix<Element>, into y: Matrix<Element>) {
        for i in 0..<y.rows {
            for j in 0..<y.columns { y[i, j] = (0..<values.rows).reduce(0) { $0 + shares[i, $1] * values[$1, j] } }
        }
    }
}

/// Sums and products of matrices, which may be strided views, with their shapes checked.
extension Arithmetic {
    /// `c ← scale · op(a) · op(b) + keep · c`, where `op` transposes when asked to.
    ///
    /// Shapes: op(a) is rows × K, op(b) is K × columns. `keep` 0 overwrites whatever was there, NaN included.
    public static func setProduct(
        _ c: Matrix<Element>, _ a: Matrix<Element>, transposeA: Bool = false, _ b: Matrix<Element>,
        transposeB: Bool = false, scale: Element = 1, keep: Element = 0
    ) {
        setSum(c, [ProductTerm(a, transposeA: transposeA, b, transposeB: transposeB, scale: scale)], keep: keep)
    }

    /// `c ← Σ terms + keep · c`: one pass over `c`, however many terms there are.
    public static func setSum(_ c: Matrix<Element>, _ terms: [ProductTerm<Element>], keep: Element = 0) {
        for term in terms {
            precondition(
                term.rows == c.rows && term.columns == c.columns
                    && (term.transposeB ? term.b.columns : term.b.rows) == term.inner,
                "product of \(term.a.rows) × \(term.a.columns) and \(term.b.rows) × \(term.b.columns) into "
                    + "\(c.rows) × \(c.columns)"
            )
        }
        guard c.rows > 0, c.columns > 0 else { return }
        let terms = terms.filter { $0.inner > 0 }
        guard !terms.isEmpty else {
            if keep == 0 { c.setZero() }
            return
        }
        setCheckedSum(c, terms, keep: keep)
    }

    /// a · b
    public static func product(_ a: Matrix<Element>, _ b: Matrix<Element>) -> Matrix<Element> {
        let c = Matrix<Element>(uninitialized: a.rows, b.columns)
        setProduct(c, a, b)
        return c
    }

    /// scale · a · bᵀ
    public static func product(
        _ a: Matrix<Element>, transposed b: Matrix<Element>, scale: Element = 1
    ) -> Matrix<Element> {
        let c = Matrix<Element>(uninitialized: a.rows, b.rows)
        setProduct(c, a, b, transposeB: true, scale: scale)
        return c
    }

    /// y ← y + x
    public static func add(_ x: Matrix<Element>, to y: Matrix<Element>) {
        precondition(x.rows == y.rows && x.columns == y.columns, "shapes differ")
        if x.isContiguous && y.isContiguous {
            add(x.base, to: y.base, count: x.count)
        } else {
            for r in 0..<x.rows { add(x.row(r), to: y.row(r), count: x.columns) }
        }
    }

    /// Adds row `i` of x to row `indices[i]` of y.
    public static func addRows(_ x: Matrix<Element>, to y: Matrix<Element>, at indices: [Int]) {
        for (from, to) in indices.enumerated() { add(x.row(from), to: y.row(to), count: y.columns) }
    }

    /// x + y
    public static func sum(_ x: Matrix<Element>, _ y: Matrix<Element>) -> Matrix<Element> {
        let sum = x.copied()
        add(y, to: sum)
        return sum
    }
}

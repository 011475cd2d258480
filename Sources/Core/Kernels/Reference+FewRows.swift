extension Reference {
    package static func fewRowsProduct<S: Scalar>(
        _ x: Matrix<S>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<S>
    ) {
        let wide = Matrix<S>(uninitialized: 1, weight.columns)
        for row in rows {
            widen(weight.row(row), weight.format, into: wide.base, count: wide.columns)
            for i in 0..<x.rows {
                y[i, row] = (0..<wide.columns).reduce(0) { $0 + x[i, $1] * wide.base[$1] }
            }
        }
    }

    package static func mixRows<S: Scalar>(_ shares: Matrix<S>, _ values: Matrix<S>, into y: Matrix<S>) {
        for i in 0..<y.rows {
            for j in 0..<y.columns { y[i, j] = (0..<values.rows).reduce(0) { $0 + shares[i, $1] * values[$1, j] } }
        }
    }

    package static func firstLargest<S: Scalar>(_ x: S.Pointer, count: Int) -> Int {
        (0..<count).reduce(0) { x[$1] > x[$0] ? $1 : $0 }
    }
}

import CProduct
import CVector

/// Whether the processor has the wider kernel.
private let hasFourByFour = misp_has_four_by_four() != 0

extension VectorArithmetic {
    /// Eight rows of W at a time; 16-bit numbers are widened in registers. The bits of a row of y do not depend on the
    /// other rows of x.
    public static func fewRowsProduct(
        _ x: Matrix<Float>, _ weight: StoredRows, rows: Range<Int>, into y: Matrix<Float>
    ) {
        switch weight.format {
        case .float32:
            fewRows(x, weight, rows, y) { Float8($0.assumingMemoryBound(to: Float.self)) }
        case .float16: fewRows(x, weight, rows, y) { misp_half8($0) }
        case .bfloat16: fewRows(x, weight, rows, y) { misp_bfloat8($0) }
        }
    }

    /// y[i, j] ← Σₜ shares[i, t]·values[t, j], 64 columns at a time while there are so many, then eight.
    public static func mixRows(_ shares: Matrix<Float>, _ values: Matrix<Float>, into y: Matrix<Float>) {
        mix(shares, values, into: y) { $0 }
    }
}

/// As `mixRows`, of values as `input` changes them.
@inline(__always)
func mix(
    _ shares: Matrix<Float>, _ values: Matrix<Float>, into y: Matrix<Float>, _ input: (Float8) -> Float8
) {
    for i in 0..<y.rows {
        var column = 0
        while column + 64 <= y.columns {
            mixSixtyFour(shares.row(i), values.columns(column..<column + 64), y.row(i) + column, input)
            column += 64
        }
        while column < y.columns {
            let lanes = min(8, y.columns - column)
            var sum = Float8()
            for t in 0..<values.rows {
                sum = fma(input(Float8(values.row(t) + column, lanes)), shares[i, t], sum)
            }
            sum.store(y.row(i) + column, lanes)
            column += lanes
        }
    }
}

/// Eight rows of the weight at a time, which stay in the first cache while every row of x meets them. Each element of y
/// is one sum over the columns in order, eight lanes side by side, whatever the number of rows of x: a sequence has the
/// same bits in any batch.
@inline(__always)
private func fewRows(
    _ x: Matrix<Float>, _ weight: StoredRows, _ rows: Range<Int>, _ y: Matrix<Float>,
    _ load: (UnsafeRawPointer) -> Float8
) {
    let bytes = weight.format.bytes
    let (stride, whole) = (weight.distance, weight.columns / 8 * 8)
    for row in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: 8) {
        let w = weight.row(row)
        let count = min(8, rows.upperBound - row)
        var i = 0
        while count == 8, i + 4 <= x.rows {
            if hasFourByFour {
                for half in 0..<2 {
                    let r = 4 * half
                    misp_four_by_four(
                        weight.format.kernelNumber, x.row(i), x.stride, w + r * stride, stride, whole,
                        y.row(i) + row + r, y.stride)
                }
            } else {
                for pair in 0..<4 {
                    twoByFour(x, i, w + 2 * pair * stride, stride, bytes, whole, y, row + 2 * pair, load)
                }
            }
            i += 4
        }
        while i < x.rows {
            if count == 8 {
                eightByOne(x.row(i), w, stride, bytes, whole, y.row(i) + row, load)
            } else {
                for r in 0..<count { oneByOne(x.row(i), w + r * stride, bytes, whole, y.row(i) + row + r, load) }
            }
            i += 1
        }
    }
    if whole < weight.columns { addLastColumns(x, weight, rows, y, from: whole) }
}

@inline(__always)
private func mixSixtyFour(
    _ shares: UnsafePointer<Float>, _ values: Matrix<Float>, _ y: UnsafeMutablePointer<Float>,
    _ input: (Float8) -> Float8
) {
    var (a, b, c, d) = (Float8(), Float8(), Float8(), Float8())
    var (e, f, g, h) = (Float8(), Float8(), Float8(), Float8())
    for t in 0..<values.rows {
        let (v, share) = (values.row(t), shares[t])
        a = fma(input(Float8(v)), share, a)
        b = fma(input(Float8(v + 8)), share, b)
        c = fma(input(Float8(v + 16)), share, c)
        d = fma(input(Float8(v + 24)), share, d)
        e = fma(input(Float8(v + 32)), share, e)
        f = fma(input(Float8(v + 40)), share, f)
        g = fma(input(Float8(v + 48)), share, g)
        h = fma(input(Float8(v + 56)), share, h)
    }
    a.store(y)
    b.store(y + 8)
    c.store(y + 16)
    d.store(y + 24)
    e.store(y + 32)
    f.store(y + 40)
    g.store(y + 48)
    h.store(y + 56)
}

extension StoredFormat {
    fileprivate var kernelNumber: Int32 {
        switch self {
        case .float32: Int32(MISP_ROWS_F32)
        case .float16: Int32(MISP_ROWS_F16)
        case .bfloat16: Int32(MISP_ROWS_BF16)
        }
    }
}

@inline(__always)
private func oneByOne(
    _ x: UnsafePointer<Float>, _ w: UnsafeRawPointer, _ bytes: Int, _ whole: Int,
    _ y: UnsafeMutablePointer<Float>, _ load: (UnsafeRawPointer) -> Float8
) {
    var sum = Float8()
    var k = 0
    while k < whole {
        sum = fma(load(w + k &* bytes), Float8(x + k), sum)
        k &+= 8
    }
    y.pointee = sum.total
}

@inline(__always)
private func eightByOne(
    _ x: UnsafePointer<Float>, _ w: UnsafeRawPointer, _ stride: Int, _ bytes: Int, _ whole: Int,
    _ y: UnsafeMutablePointer<Float>, _ load: (UnsafeRawPointer) -> Float8
) {
    var (a, b, c, d) = (Float8(), Float8(), Float8(), Float8())
    var (e, f, g, h) = (Float8(), Float8(), Float8(), Float8())
    var k = 0
    while k < whole {
        let (v, p) = (Float8(x + k), w + k &* bytes)
        a = fma(load(p), v, a)
        b = fma(load(p + stride), v, b)
        c = fma(load(p + 2 &* stride), v, c)
        d = fma(load(p + 3 &* stride), v, d)
        e = fma(load(p + 4 &* stride), v, e)
        f = fma(load(p + 5 &* stride), v, f)
        g = fma(load(p + 6 &* stride), v, g)
        h = fma(load(p + 7 &* stride), v, h)
        k &+= 8
    }
    (y[0], y[1], y[2], y[3]) = (a.total, b.total, c.total, d.total)
    (y[4], y[5], y[6], y[7]) = (e.total, f.total, g.total, h.total)
}

/// Two rows of the weight and rows i…i+3 of x.
@inline(__always)
private func twoByFour(
    _ x: Matrix<Float>, _ i: Int, _ w: UnsafeRawPointer, _ stride: Int, _ bytes: Int, _ whole: Int, _ y: Matrix<Float>,
    _ row: Int, _ load: (UnsafeRawPointer) -> Float8
) {
    let (x0, x1, x2, x3) = (x.row(i), x.row(i + 1), x.row(i + 2), x.row(i + 3))
    var (a0, a1, a2, a3) = (Float8(), Float8(), Float8(), Float8())
    var (b0, b1, b2, b3) = (Float8(), Float8(), Float8(), Float8())
    var k = 0
    while k < whole {
        let (p, q) = (load(w + k &* bytes), load(w + stride + k &* bytes))
        let (v0, v1, v2, v3) = (Float8(x0 + k), Float8(x1 + k), Float8(x2 + k), Float8(x3 + k))
        a0 = fma(p, v0, a0)
        a1 = fma(p, v1, a1)
        a2 = fma(p, v2, a2)
        a3 = fma(p, v3, a3)
        b0 = fma(q, v0, b0)
        b1 = fma(q, v1, b1)
        b2 = fma(q, v2, b2)
        b3 = fma(q, v3, b3)
        k &+= 8
    }
    (y[i, row], y[i + 1, row], y[i + 2, row], y[i + 3, row]) = (a0.total, a1.total, a2.total, a3.total)
    (y[i, row + 1], y[i + 1, row + 1], y[i + 2, row + 1], y[i + 3, row + 1]) = (
        b0.total, b1.total, b2.total, b3.total
    )
}

/// The columns behind the last eight.
private func addLastColumns(
    _ x: Matrix<Float>, _ weight: StoredRows, _ rows: Range<Int>, _ y: Matrix<Float>, from whole: Int
) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 8) { wide in
        guard let last = wide.baseAddress else { return }
        let count = weight.columns - whole
        for row in rows {
            Float.widen(weight.row(row) + whole * weight.format.bytes, weight.format, into: last, count: count)
            for i in 0..<x.rows { y[i, row] += (Float8(x.row(i) + whole, count) * Float8(last, count)).total }
        }
    }
}

import CVector

/// Eight floats: what the fast kernels compute with. Any address will do; a row's last lanes may be fewer than eight.
typealias Float8 = SIMD8<Float>

extension SIMD8<Float> {
    @inline(__always)
    init(_ source: UnsafePointer<Float>) {
        self = UnsafeRawPointer(source).loadUnaligned(as: Float8.self)
    }

    /// The first `lanes` floats at `source`, zeros after them.
    @inline(__always)
    init(_ source: UnsafePointer<Float>, _ lanes: Int) {
        self = lanes == 8 ? Float8(source) : misp_load8(source, Int32(truncatingIfNeeded: lanes))
    }

    @inline(__always)
    func store(_ target: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(target).storeBytes(of: self, as: Float8.self)
    }

    @inline(__always)
    func store(_ target: UnsafeMutablePointer<Float>, _ lanes: Int) {
        if lanes == 8 { store(target) } else { misp_store8(self, target, Int32(truncatingIfNeeded: lanes)) }
    }

    /// The first `lanes` as they are, the others replaced.
    @inline(__always)
    func first(_ lanes: Int, else value: Float) -> Float8 {
        lanes == 8 ? self : misp_first8(Int32(truncatingIfNeeded: lanes), self, Float8(repeating: value))
    }

    /// ((x₀+x₄)+(x₂+x₆))+((x₁+x₅)+(x₃+x₇))
    @inline(__always)
    var total: Float {
        let four = lowHalf + highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }

    @inline(__always)
    var largest: Float { (0..<8).reduce(-Float.infinity) { self[$1] > $0 ? self[$1] : $0 } }
}

extension SIMD8<Double> {
    @inline(__always)
    var total: Double {
        let four = lowHalf + highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }
}

/// a·b + c
@inline(__always)
func fma(_ a: Float8, _ b: Float8, _ c: Float8) -> Float8 { misp_fma8(a, b, c) }

@inline(__always)
func fma(_ a: Float8, _ b: Float8, _ c: Float) -> Float8 { misp_fma8(a, b, Float8(repeating: c)) }

@inline(__always)
func fma(_ a: Float8, _ b: Float, _ c: Float8) -> Float8 { misp_fma8(a, Float8(repeating: b), c) }

/// Calls `body(start, lanes)` for every eight of `count` elements; only the last call may have fewer lanes.
///
/// Partial vectors go through the same instructions as whole ones, so that an element's bits do not depend on where
/// in a row it stands. Swift inlines a small closure by itself; a body with an exponential in it is a local
/// `@inline(__always)` function.
@inline(__always)
func forEachEight(_ count: Int, _ body: (_ start: Int, _ lanes: Int) -> Void) {
    var start = 0
    while start &+ 8 <= count {
        body(start, 8)
        start &+= 8
    }
    if start < count { body(start, count &- start) }
}

/// As `forEachEight`, in parts on all threads: for bodies whose elements have nothing to do with each other.
@inline(__always)
func forEachEightInParts(_ count: Int, _ body: (_ start: Int, _ lanes: Int) -> Void) {
    forEachPart(count) { part in
        let first = part.lowerBound
        forEachEight(part.count) { i, n in body(first &+ i, n) }
    }
}

/// Calls `body` for parts of `count` numbers, on all threads.
@inline(__always)
func forEachPart(_ count: Int, _ body: (_ part: Range<Int>) -> Void) {
    Parallel.ranges(count, unit: 8, elements: 1, body)
}

/// Calls `body` for each of a matrix's rows, in parts on all threads; `alone`, in order, where rows add to one sum.
@inline(__always)
func forEachRow(_ matrix: Matrix<Float>, alone: Bool = false, _ body: (_ row: Int) -> Void) {
    Parallel.ranges(matrix.rows, elements: alone ? 0 : matrix.columns) { part in
        for t in part { body(t) }
    }
}

/// Four sums that take turns, so that an addition need not wait for the last one; their order is fixed.
struct Sum8 {
    private var (a, b, c, d) = (Float8(), Float8(), Float8(), Float8())

    @inline(__always)
    init() {}

    /// Adds the first `lanes` of `term`.
    @inline(__always)
    mutating func add(_ term: Float8, _ lanes: Int) {
        (a, b, c, d) = (b, c, d, a + term.first(lanes, else: 0))
    }

    @inline(__always)
    var total: Float { ((a + c) + (b + d)).total }
}

/// The largest of factor·x; NaN among them may be passed over, as the exponentials that follow bring it back.
@inline(__always)
func largest(of x: UnsafePointer<Float>, times factor: Float, count: Int) -> Float {
    let lowest = Float8(repeating: -Float.infinity)
    var (a, b, c, d) = (lowest, lowest, lowest, lowest)
    forEachEight(count) { i, n in
        let v = factor * Float8(x + i, n)
        (a, b, c, d) = (b, c, d, misp_max8(v.first(n, else: -Float.infinity), a))
    }
    return misp_max8(misp_max8(a, b), misp_max8(c, d)).largest
}

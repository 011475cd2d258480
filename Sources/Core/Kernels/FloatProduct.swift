import CProduct

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Sums of matrix products in float32 or of inputs rounded to bfloat16, blocked for the caches around the kernels of
/// CProduct.
///
/// a is read where it stands; blocks of b are copied into the panels that the kernel reads, 16-bit ones widened on the
/// way (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008, with the roles of a's copy left
/// to the first-level cache). An element is a chain of fused multiply-adds over pieces of the inner index that depend
/// on its length alone, so it has the same bits in any block, with any kernel and for any number of threads.
///
/// Of bfloat16 inputs a, and each block of b, is laid in words first (CProduct's Words.h), and the inner index counts
/// those.
package struct FloatProduct: @unchecked Sendable {
    private let kernel: misp_product_kernel
    /// How bfloat16 inputs are laid; nil for float32 inputs.
    let words: misp_words?
    /// Columns of b that are packed at once: half the second-level cache.
    private let blockColumns: Int

    /// That of this processor, or of MISP_PRODUCT (`AVX-512`, `AVX2`, `OpenBLAS`); nil for OpenBLAS.
    package static let current: FloatProduct? = {
        let name = getenv("MISP_PRODUCT").map { String(cString: $0) }
        return name == "OpenBLAS" ? nil : FloatProduct(name)
    }()

    /// nil where the processor lacks the kernel of that name, or any.
    package init?(_ name: String? = nil) {
        guard let found = misp_find_product_kernel(name) else { return nil }
        self.init(found.pointee, nil)
    }

    init(_ kernel: misp_product_kernel, _ words: misp_words?) {
        (self.kernel, self.words) = (kernel, words)
        let cache = sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))
        let columns = cache > 0 ? cache / 2 / (Self.groupInner * 4) / 32 * 32 : 192
        blockColumns = min(max(columns, 96), 384)
    }

    package var name: String { String(cString: kernel.name) }

    /// The longest piece of the inner index, and the longest run of pieces that are packed together. Two words of one
    /// number count as one of two, so that pieces end at the same numbers.
    private static let pieceInner = 576
    private static let groupInner = 640
    /// Products with fewer rows than this read b where it stands: each of its elements is used too seldom to pay for a
    /// copy.
    private static let fewRows = 64
    private static let pieceOfFewRows = 64
    private var unit: Int { words == MISP_WORDS_OF_ONE ? 2 : 1 }

    /// c ← Σ terms + keep · c
    package func setSum(
        _ c: Matrix<Float>, _ terms: [ProductTerm<Float>], keep: Float, threads: Int = Parallel.threads
    ) {
        guard terms.contains(where: \.transposeA) else {
            let ready = terms.map { prepared($0, threads: threads) }
            return share(c, ready, among: threads) { setInGroups([$0], [$1], keep: keep) }
        }
        var keep = keep
        for term in terms {
            setSingle(c, term, keep: keep, threads: threads)
            keep = 1
        }
    }

    /// cᵢ ← aᵢ·op(b) + keep·cᵢ, all with the same shape of aᵢ: b is packed once for all.
    package func setProducts(
        _ c: [Matrix<Float>], _ a: [Matrix<Float>], _ b: Factor<Float>, transposeB: Bool, keep: Float,
        threads: Int = Parallel.threads
    ) {
        let terms = a.map { ProductTerm($0, b, transposeB: transposeB) }
        if threads > 1, c.count > 1 {
            Parallel.forEach(c.count, threads: threads) { setInGroups([c[$0]], [[prepared(terms[$0])]], keep: keep) }
        } else if !c.isEmpty {
            setInGroups(c, terms.map { [prepared($0)] }, keep: keep)
        }
    }

    /// Shares c out by rows, or by columns where it has few rows.
    private func share(
        _ c: Matrix<Float>, _ terms: [ProductTerm<Float>], among threads: Int,
        _ body: (Matrix<Float>, [ProductTerm<Float>]) -> Void
    ) {
        let work = terms.reduce(0) { $0 + $1.inner } * c.count
        guard threads > 1, work > 1 << 20 else { return body(c, terms) }
        func share(_ count: Int, _ unit: Int) -> Int { (count + threads * unit - 1) / (threads * unit) * unit }
        let (rows, columns) = (share(c.rows, kernel.rows), share(c.columns, kernel.columns))
        // To pack an element of b costs about as much as to multiply it by so many rows, and each share packs its own.
        let packing = 32
        let byRows = rows * c.columns + packing * c.columns <= columns * c.rows + packing * columns
        let count = byRows ? c.rows : c.columns
        let share = byRows ? rows : columns
        Parallel.forEach((count + share - 1) / share, threads: threads) { index in
            let range = index * share..<min((index + 1) * share, count)
            if byRows {
                body(c.rows(range), terms.map { $0.ofRows(range) })
            } else {
                body(c.columns(range), terms.map { $0.ofColumns(range) })
            }
        }
    }
}

// MARK: - Products with a as it stands

extension FloatProduct {
    private struct Piece {
        let term: Int
        let inner: Range<Int>
    }

    /// The terms' inner indices in pieces, and those in runs that are packed together: a tile of c then stays in the
    /// first-level cache from piece to piece.
    private func groups(_ terms: [ProductTerm<Float>]) -> [[Piece]] {
        var groups: [[Piece]] = []
        var length = unit * Self.groupInner
        for (index, term) in terms.enumerated() {
            for range in pieces(of: term.inner) {
                if length + range.count > unit * Self.groupInner {
                    groups.append([])
                    length = 0
                }
                groups[groups.count - 1].append(Piece(term: index, inner: range))
                length += range.count
            }
        }
        return groups
    }

    /// Pieces of about equal length.
    private func pieces(of inner: Int) -> [Range<Int>] {
        let (limit, eight) = (unit * Self.pieceInner, unit * 8)
        let count = (inner + limit - 1) / limit
        let length = ((inner + count - 1) / count + eight - 1) / eight * eight
        return stride(from: 0, to: inner, by: length).map { $0..<min($0 + length, inner) }
    }

    /// cᵢ ← Σ terms[i] + keep · cᵢ, where all lists of terms have the same right factors.
    private func setInGroups(_ targets: [Matrix<Float>], _ terms: [[ProductTerm<Float>]], keep: Float) {
        let (columnCount, shared) = (targets[0].columns, terms[0])
        let groups = groups(shared)
        let width = min(blockColumns, (columnCount + kernel.columns - 1) / kernel.columns * kernel.columns)
        let longest = groups.reduce(0) { max($0, $1.reduce(0) { $0 + $1.inner.count }) }
        let packed = Matrix<Float>(uninitialized: longest, width)
        for (order, group) in groups.enumerated() {
            for first in stride(from: 0, to: columnCount, by: width) {
                let columns = first..<min(first + width, columnCount)
                var places: [UnsafeMutablePointer<Float>] = []
                var place = packed.base
                for piece in group {
                    pack(shared[piece.term], piece.inner, columns, into: place)
                    places.append(place)
                    place += misp_packed_size(piece.inner.count, columns.count, kernel.columns, kernel.lanes)
                }
                for (c, terms) in zip(targets, terms) {
                    multiply(c, columns, terms, group, places, keep: order == 0 ? keep : 1)
                }
            }
        }
    }

    /// Adds the packed pieces' products to some columns of c, strip by strip.
    private func multiply(
        _ c: Matrix<Float>, _ columns: Range<Int>, _ terms: [ProductTerm<Float>], _ group: [Piece],
        _ places: [UnsafeMutablePointer<Float>], keep: Float
    ) {
        for row in stride(from: 0, to: c.rows, by: kernel.rows) {
            let rows = row..<min(row + kernel.rows, c.rows)
            for (index, piece) in group.enumerated() {
                var strip = strip(
                    c, rows, columns, terms[piece.term], piece.inner, keep: index == 0 ? keep : 1)
                strip.b = UnsafePointer(places[index])
                strip.b_panel = kernel.columns * piece.inner.count
                strip.next = min(kernel.rows, c.rows - rows.upperBound)
                kernel.strip(&strip)
            }
        }
    }

    private func strip(
        _ c: Matrix<Float>, _ rows: Range<Int>, _ columns: Range<Int>, _ term: ProductTerm<Float>, _ inner: Range<Int>,
        keep: Float
    ) -> misp_strip {
        let (down, along) = term.transposeA ? (1, term.a.stride) : (term.a.stride, 1)
        return misp_strip(
            rows: rows.count, columns: columns.count, inner: inner.count,
            a: term.a.base + rows.lowerBound * down + inner.lowerBound * along, a_row: down, a_inner: along, b: nil,
            b_inner: 0, b_panel: 0, c: c.row(rows.lowerBound) + columns.lowerBound, c_row: c.stride, scale: term.scale,
            keep: keep, next: 0)
    }

    private func pack(
        _ term: ProductTerm<Float>, _ inner: Range<Int>, _ columns: Range<Int>, into target: UnsafeMutablePointer<Float>
    ) {
        let block = block(term, inner, columns)
        let (byInner, byColumn) = term.transposeB ? (1, block.stride) : (block.stride, 1)
        misp_pack(inner.count, columns.count, block.base, byInner, byColumn, target, kernel.columns, kernel.lanes)
    }
}

// MARK: - Products with a transposed: gradients of weights

extension FloatProduct {
    private func setSingle(_ c: Matrix<Float>, _ term: ProductTerm<Float>, keep: Float, threads: Int) {
        if !term.transposeA {
            let ready = prepared(term, threads: threads)
            share(c, [ready], among: threads) { setInGroups([$0], [$1], keep: keep) }
        } else if !term.transposeB, c.rows <= Self.fewRows {
            let ready = prepared(term, threads: threads)
            share(c, [ready], among: threads) { setFewRows($0, $1[0], keep: keep) }
        } else if !term.transposeB, c.columns <= Self.fewRows, c.columns < c.rows, 4 * c.columns <= term.inner {
            // The gradient of an adapter's B: as the transpose of one with few rows.
            let transposed = Matrix<Float>(uninitialized: c.columns, c.rows)
            let other = ProductTerm(term.b.matrix, transposeA: true, term.a, scale: term.scale)
            let turned = prepared(other, threads: threads)
            share(transposed, [turned], among: threads) { setFewRows($0, $1[0], keep: 0) }
            misp_add_transposed(c.rows, c.columns, transposed.base, transposed.stride, c.base, c.stride, 1, keep)
        } else {
            let a = prepared(term, threads: threads).a
            let upright = Matrix<Float>(uninitialized: a.columns, a.rows)
            misp_transpose(upright.rows, upright.columns, a.base, a.stride, upright.base, upright.stride)
            let term = ProductTerm(upright, term.b, transposeB: term.transposeB, scale: term.scale)
            share(c, [term], among: threads) { setInGroups([$0], [$1], keep: keep) }
        }
    }

    /// aᵀ·b with so few rows that b is read where it stands, in short pieces, which keep to few pages.
    private func setFewRows(_ c: Matrix<Float>, _ term: ProductTerm<Float>, keep: Float) {
        let whole = c.columns / kernel.columns * kernel.columns
        let length = unit * Self.pieceOfFewRows
        let tail = Matrix<Float>(uninitialized: length, kernel.columns)
        for first in stride(from: 0, to: term.inner, by: length) {
            let inner = first..<min(first + length, term.inner)
            let b = block(term, inner, 0..<whole)
            let keep = first == 0 ? keep : 1
            let rest = whole..<c.columns
            if !rest.isEmpty { pack(term, inner, rest, into: tail.base) }
            for row in stride(from: 0, to: c.rows, by: kernel.rows) {
                let rows = row..<min(row + kernel.rows, c.rows)
                if whole > 0 {
                    var strip = strip(c, rows, 0..<whole, term, inner, keep: keep)
                    strip.b = UnsafePointer(b.base)
                    (strip.b_inner, strip.b_panel) = (b.stride, kernel.columns)
                    kernel.strip(&strip)
                }
                if !rest.isEmpty {
                    var strip = strip(c, rows, rest, term, inner, keep: keep)
                    strip.b = UnsafePointer(tail.base)
                    strip.b_panel = kernel.columns * inner.count
                    kernel.strip(&strip)
                }
            }
        }
    }
}

extension ProductTerm<Float> {
    /// The term's share of some rows of the product.
    fileprivate func ofRows(_ range: Range<Int>) -> ProductTerm {
        var part = self
        part.a = transposeA ? a.columns(range) : a.rows(range)
        return part
    }

    /// The term's share of some columns of the product.
    fileprivate func ofColumns(_ range: Range<Int>) -> ProductTerm {
        var part = self
        part.b = transposeB ? b.part(range, 0..<b.columns) : b.part(0..<b.rows, range)
        return part
    }
}

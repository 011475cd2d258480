import CProduct

/// The factors of a product as its kernel reads them.
extension FloatProduct {
    /// The term with its left factor laid in words, or as it is where the kernel takes floats.
    func prepared(_ term: ProductTerm<Float>, threads: Int = 1) -> ProductTerm<Float> {
        guard let words else { return term }
        var ready = term
        if let laid = term.laid, !term.transposeA {
            ready.a = laid
            return ready
        }
        let a = term.a
        let inner = wordCount(term.inner)
        let laid =
            term.transposeA
            ? Matrix<Float>(uninitialized: inner, a.columns) : Matrix<Float>(uninitialized: a.rows, inner)
        // An even number, so that a pair of rows stays together.
        let share = 64
        Parallel.forEach((a.rows + share - 1) / share, threads: a.count > 1 << 16 ? threads : 1) { index in
            let first = index * share
            let part = Numbers(a.rows(first..<min(first + share, a.rows)))
            if term.transposeA {
                part.layAcross(words, into: laid.row(wordCount(first)), stride: laid.stride)
            } else {
                part.layAlong(words, into: laid.row(first), stride: laid.stride)
            }
        }
        ready.a = laid
        return ready
    }

    /// A block of the right factor, as it stands: `inner` × `columns`, or turned where the term transposes it.
    ///
    /// - Parameter inner: of the kernel's own inner index
    func block(_ term: ProductTerm<Float>, _ inner: Range<Int>, _ columns: Range<Int>) -> Matrix<Float> {
        guard let words else {
            let (rows, across) = term.transposeB ? (columns, inner) : (inner, columns)
            return term.b.part(rows, across).matrix
        }
        let each = words == MISP_WORDS_OF_TWO ? 2 : 1
        let last = term.transposeB ? term.b.columns : term.b.rows
        let numbers = each * inner.lowerBound..<min(each * inner.upperBound, last)
        let (rows, across) = term.transposeB ? (columns, numbers) : (numbers, columns)
        let (part, owner) = term.b.part(rows, across).numbers
        let laid: Matrix<Float>
        if term.transposeB {
            laid = Matrix(uninitialized: columns.count, inner.count)
            part.layAlong(words, into: laid.base, stride: laid.stride)
        } else {
            laid = Matrix(uninitialized: inner.count, columns.count)
            part.layAcross(words, into: laid.base, stride: laid.stride)
        }
        withExtendedLifetime(owner) {}
        return laid
    }

    /// Words that so many numbers of the inner index take.
    private func wordCount(_ inner: Int) -> Int {
        words == MISP_WORDS_OF_TWO ? (inner + 1) / 2 : (inner + 1) / 2 * 2
    }
}

/// Rows of float32 or bfloat16 numbers, to be laid in words.
private struct Numbers: @unchecked Sendable {
    let rows, columns: Int
    let base: UnsafeRawPointer
    let isWide: Bool
    /// Numbers from row to row.
    let stride: Int

    init(_ matrix: Matrix<Float>) {
        (rows, columns, stride) = (matrix.rows, matrix.columns, matrix.stride)
        (base, isWide) = (UnsafeRawPointer(matrix.base), true)
    }

    /// Of a mapped file, in bfloat16.
    init(_ block: StoredBlock) {
        (rows, columns, stride) = (block.rows.count, block.columns.count, block.width)
        (base, isWide) = (block.start(row: 0), false)
    }

    func layAlong(_ words: misp_words, into target: UnsafeMutablePointer<Float>, stride next: Int) {
        misp_words_along(words, rows, columns, base, isWide ? 1 : 0, stride, target, next)
    }

    func layAcross(_ words: misp_words, into target: UnsafeMutablePointer<Float>, stride next: Int) {
        misp_words_across(words, rows, columns, base, isWide ? 1 : 0, stride, target, next)
    }
}

extension Factor<Float> {
    /// Its numbers as they lie in memory, with what keeps them there.
    fileprivate var numbers: (Numbers, owner: Matrix<Float>?) {
        if case .stored(let block) = self, block.tensor.format == .bfloat16 { return (Numbers(block), nil) }
        let matrix = matrix
        return (Numbers(matrix), matrix)
    }
}

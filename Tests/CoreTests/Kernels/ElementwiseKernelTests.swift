import Core
import Testing

/// Kernels that promise the plain loops' bits, over every tail.
@Suite struct ElementwiseKernelTests {
    var numbers = SeededNumbers(state: 1)

    @Test mutating func sums() throws {
        for (rows, columns) in shapes {
            let (x, y, vectors) = (
                numbers.matrix(rows, columns), numbers.matrix(rows, columns), numbers.matrix(2, columns)
            )
            let (fast, plain) = (y.copied(), y.copied())
            Vector.add(x.base, to: fast.base, count: x.count)
            Plain.add(x.base, to: plain.base, count: x.count)
            Vector.addScaled(0.3, x.base, to: fast.base, count: x.count)
            Plain.addScaled(0.3, x.base, to: plain.base, count: x.count)
            Vector.scale(fast.base, by: 1.7, count: x.count)
            Plain.scale(plain.base, by: 1.7, count: x.count)
            Vector.addBias(vectors.row(0), to: fast)
            Plain.addBias(vectors.row(0), to: plain)
            try #require(sameBits(fast, plain), "\(rows) × \(columns)")
            let (fastSums, plainSums) = (vectors.copied(), vectors.copied())
            Vector.addColumnSums(of: x, to: fastSums.row(0))
            Plain.addColumnSums(of: x, to: plainSums.row(0))
            Vector.addColumnSums(ofProduct: x, y, to: fastSums.row(1))
            Plain.addColumnSums(ofProduct: x, y, to: plainSums.row(1))
            try #require(sameBits(fastSums, plainSums), "\(rows) × \(columns)")
            Vector.scaleColumns(x, by: vectors.row(0), into: fast)
            Plain.scaleColumns(x, by: vectors.row(0), into: plain)
            try #require(sameBits(fast, plain), "\(rows) × \(columns)")
        }
    }

    @Test mutating func nothingBeyondTheEndIsTouched() throws {
        for count in 1...70 {
            let (x, y) = (numbers.matrix(1, count), numbers.matrix(1, count + 8))
            let before = y.copied()
            Vector.add(x.base, to: y.base, count: count)
            Vector.scale(y.base, by: 2, count: count)
            try #require(y.elements.suffix(8) == before.elements.suffix(8), "\(count)")
        }
    }

    @Test mutating func sumOfSquares() throws {
        for count in Array(0...70) + [576, 1_000_003] {
            let x = numbers.matrix(1, count, size: 100)
            let (fast, plain) = (
                Vector.sumOfSquares(x.base, count: count), Plain.sumOfSquares(x.base, count: count)
            )
            try #require(abs(fast - plain) <= 1e-12 * plain, "\(count)")
            // Other memory, the same numbers.
            let moved = Matrix<Float>(uninitialized: 1, count + 3)
            (moved.base + 3).update(from: x.base, count: count)
            try #require(Vector.sumOfSquares(moved.base + 3, count: count) == fast)
        }
        let large = Matrix<Float>(1, 3, [3e38, 0x1p-140, .nan])
        try #require(Vector.sumOfSquares(large.base, count: 2).isFinite)
        try #require(Vector.sumOfSquares(large.base, count: 3).isNaN)
    }

    @Test mutating func rotaryPositions() throws {
        for (rows, heads, half) in [(0, 1, 4), (1, 1, 1), (2, 3, 5), (5, 2, 16), (33, 9, 32), (4, 1, 33)] {
            let (cosines, sines) = (numbers.matrix(rows, half), numbers.matrix(rows, half))
            for inverse in [false, true] {
                let fast = numbers.matrix(rows, heads * 2 * half)
                let plain = fast.copied()
                Vector.rotate(fast, heads: heads, cosines: cosines, sines: sines, inverse: inverse)
                Plain.rotate(plain, heads: heads, cosines: cosines, sines: sines, inverse: inverse)
                try #require(sameBits(fast, plain), "\(rows) × \(heads) × \(half)")
            }
        }
    }

    @Test mutating func adamW() throws {
        for count in Array(0...70) + [1536] {
            let start = numbers.matrix(4, max(count, 1))
            for c in 0..<start.columns { start[3, c] = abs(start[3, c]) }
            let (fast, plain) = (start.copied(), start.copied())
            for update in 1...3 {
                let step = AdamWStep(
                    learningRate: 1e-3, weightDecay: 0.05, gradientScale: 0.7, count: update)
                Vector.adamW(
                    fast.row(0), gradient: fast.row(1), firstMoment: fast.row(2), secondMoment: fast.row(3),
                    count: count, step: step)
                Plain.adamW(
                    plain.row(0), gradient: plain.row(1), firstMoment: plain.row(2), secondMoment: plain.row(3),
                    count: count, step: step)
            }
            try #require(sameBits(fast, plain), "\(count)")
        }
    }

    /// In every lane, in the last lanes too, and wherever the number comes from.
    @Test mutating func adamWTellsWhatIsNotFinite() throws {
        for (count, place) in [(1, 0), (8, 7), (9, 8), (16, 3), (21, 20), (40, 17)] {
            for (row, value) in [(0, Float.nan), (0, .infinity), (1, .nan), (1, 1e30), (2, -.infinity), (3, .infinity)]
            {
                let start = numbers.matrix(4, count)
                for c in 0..<count { start[3, c] = abs(start[3, c]) }
                let step = AdamWStep(learningRate: 1e-3, count: 1)
                func isFinite(_ buffers: Matrix<Float>) -> Bool {
                    Vector.adamW(
                        buffers.row(0), gradient: buffers.row(1), firstMoment: buffers.row(2),
                        secondMoment: buffers.row(3), count: count, step: step)
                }
                func isFinitePlain(_ buffers: Matrix<Float>) -> Bool {
                    Plain.adamW(
                        buffers.row(0), gradient: buffers.row(1), firstMoment: buffers.row(2),
                        secondMoment: buffers.row(3), count: count, step: step)
                }
                #expect(isFinite(start.copied()) && isFinitePlain(start.copied()))
                start[row, place] = value
                #expect(
                    !isFinite(start.copied()) && !isFinitePlain(start.copied()), "\(count) \(place) \(row) \(value)")
            }
        }
    }

    @Test func widening() throws {
        // Every 16-bit pattern, from an odd address.
        let patterns = (0...UInt16.max).map { $0 }
        for format in [StoredFormat.bfloat16, .float16] {
            for (first, count) in [(0, 65536), (1, 7), (31743, 12), (64, 21), (5, 0)] {
                var bytes: [UInt8] = [0]
                for bits in patterns[first..<first + count] { bytes += [UInt8(bits & 255), UInt8(bits >> 8)] }
                let (fast, plain) = (Matrix<Float>(zeros: 1, count + 1), Matrix<Float>(zeros: 1, count + 1))
                bytes.withUnsafeBytes { raw in
                    guard let source = raw.baseAddress else { return }
                    Float.widen(source + 1, format, into: fast.base, count: count)
                    for i in 0..<count { plain.base[i] = format.value(source + 1, i) }
                }
                let wrong = (0...count).first {
                    let (a, b) = (fast.base[$0], plain.base[$0])
                    return a.bitPattern != b.bitPattern && !(a.isNaN && b.isNaN)
                }
                try #require(wrong == nil, "\(format) from \(first)")
            }
        }
    }

    @Test mutating func wideningFloatsCopies() throws {
        let (x, y) = (numbers.matrix(1, 13), Matrix<Float>(zeros: 1, 13))
        Float.widen(x.base, .float32, into: y.base, count: 13)
        try #require(sameBits(x, y))
    }
}

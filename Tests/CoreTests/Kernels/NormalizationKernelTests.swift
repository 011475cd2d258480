import Core
import Testing

@Suite struct NormalizationKernelTests {
    var numbers = SeededNumbers(state: 2)

    @Test mutating func rmsNorm() throws {
        for (rows, columns) in shapes {
            let (x, w) = (numbers.matrix(rows, columns, size: 3), numbers.matrix(2, columns))
            let (y, r) = (x.copied(), Matrix<Float>(zeros: 1, max(rows, 1)))
            Vector.rmsNorm(x, weight: w.row(0), epsilon: 1e-5, into: y, inverseRMS: r.base)
            let (exact, weights) = (doubled(x), doubled(w))
            let exactR = Matrix<Double>(zeros: 1, max(rows, 1))
            Plain.rmsNorm(exact, weight: weights.base, epsilon: 1e-5, into: exact, inverseRMS: exactR.base)
            try #require(difference(y, exact) < 1e-6 && difference(r, exactR) < 1e-6, "\(rows) × \(columns)")
            // In place
            let same = x.copied()
            Vector.rmsNorm(same, weight: w.row(0), epsilon: 1e-5, into: same, inverseRMS: r.base)
            try #require(sameBits(same, y))

            let (dy, dx) = (numbers.matrix(rows, columns), numbers.matrix(rows, columns))
            let (exactDX, exactDW) = (doubled(dx), doubled(w))
            Plain.rmsNormBackward(
                doubled(dy), x: doubled(x), weight: weights.base, inverseRMS: exactR.base, to: exactDX,
                weightGradient: exactDW.row(1))
            Vector.rmsNormBackward(
                dy, x: x, weight: w.row(0), inverseRMS: r.base, to: dx, weightGradient: w.row(1))
            try #require(difference(dx, exactDX) < 3e-6 && difference(w, exactDW) < 3e-6, "\(rows) × \(columns)")
        }
    }

    @Test mutating func layerNorm() throws {
        for (rows, columns) in shapes where columns > 1 {
            let (x, w) = (numbers.matrix(rows, columns, size: 3), numbers.matrix(4, columns))
            let (y, saved) = (x.copied(), Matrix<Float>(zeros: 2, max(rows, 1)))
            Vector.layerNorm(
                x, weight: w.row(0), bias: w.row(1), epsilon: 1e-3, into: y, mean: saved.row(0),
                inverseDeviation: saved.row(1))
            let (exact, weights, exactSaved) = (doubled(x), doubled(w), doubled(saved))
            Plain.layerNorm(
                exact, weight: weights.row(0), bias: weights.row(1), epsilon: 1e-3, into: exact,
                mean: exactSaved.row(0), inverseDeviation: exactSaved.row(1))
            try #require(difference(y, exact) < 3e-6 && difference(saved, exactSaved) < 3e-6, "\(rows) × \(columns)")
            let same = x.copied()
            Vector.layerNorm(
                same, weight: w.row(0), bias: w.row(1), epsilon: 1e-3, into: same, mean: saved.row(0),
                inverseDeviation: saved.row(1))
            try #require(sameBits(same, y))

            let (dy, dx) = (numbers.matrix(rows, columns), numbers.matrix(rows, columns))
            let exactDX = doubled(dx)
            Plain.layerNormBackward(
                doubled(dy), x: doubled(x), weight: weights.row(0), mean: exactSaved.row(0),
                inverseDeviation: exactSaved.row(1), to: exactDX, weightGradient: weights.row(2),
                biasGradient: weights.row(3))
            Vector.layerNormBackward(
                dy, x: x, weight: w.row(0), mean: saved.row(0), inverseDeviation: saved.row(1), to: dx,
                weightGradient: w.row(2), biasGradient: w.row(3))
            try #require(difference(dx, exactDX) < 1e-5 && difference(w, weights) < 1e-5, "\(rows) × \(columns)")
        }
    }

    @Test mutating func rowsDoNotDependOnNeighbours() throws {
        let (x, w) = (numbers.matrix(33, 61), numbers.matrix(1, 61))
        let (y, r) = (x.copied(), Matrix<Float>(zeros: 1, 33))
        Vector.rmsNorm(x, weight: w.base, epsilon: 1e-5, into: y, inverseRMS: r.base)
        for t in 0..<33 {
            let (row, one) = (x.rows(t..<t + 1).copied(), Matrix<Float>(zeros: 1, 1))
            Vector.rmsNorm(row, weight: w.base, epsilon: 1e-5, into: row, inverseRMS: one.base)
            try #require(sameBits(row, y.rows(t..<t + 1)))
        }
    }

    @Test mutating func notANumberComesOut() throws {
        for column in 0..<13 {
            let (x, w) = (numbers.matrix(2, 13), numbers.matrix(2, 13))
            let r = Matrix<Float>(zeros: 2, 2)
            x[1, column] = .nan
            let y = x.copied()
            Vector.rmsNorm(x, weight: w.row(0), epsilon: 1e-5, into: y, inverseRMS: r.base)
            try #require(y.rows(0..<1).elements.allSatisfy(\.isFinite) && y.rows(1..<2).elements.allSatisfy(\.isNaN))
            Vector.layerNorm(
                x, weight: w.row(0), bias: w.row(1), epsilon: 1e-5, into: y, mean: r.row(0),
                inverseDeviation: r.row(1))
            try #require(y.rows(0..<1).elements.allSatisfy(\.isFinite) && y.rows(1..<2).elements.allSatisfy(\.isNaN))
        }
    }
}

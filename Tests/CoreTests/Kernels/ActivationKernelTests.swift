import Core
import Testing

/// Large and small, both infinities, NaN and subnormals.
private let extremes: [Float] = [
    0, -0.0, 0x1p-140, -0x1p-140, 1e-30, 1e4, -1e4, 88.72, -88.72, 87.33, -87.33, 103, -103, 3e38, -3e38, .nan, 0.5, -5,
]

@Suite struct ActivationKernelTests {
    var numbers = SeededNumbers(state: 3)

    @Test mutating func swiGLU() throws {
        for (rows, columns) in shapes {
            let (g, u, d) = (
                numbers.matrix(rows, columns, size: 12), numbers.matrix(rows, columns), numbers.matrix(rows, columns)
            )
            let (y, exact) = (u.copied(), doubled(u))
            Vector.swiGLU(gate: g, up: u, into: y)
            Plain.swiGLU(gate: doubled(g), up: doubled(u), into: exact)
            try #require(difference(y, exact) < 5e-7, "\(rows) × \(columns)")
            let (dg, du, exactDG, exactDU) = (g.copied(), u.copied(), doubled(g), doubled(u))
            Plain.swiGLUBackward(
                doubled(d), gate: doubled(g), up: doubled(u), gateGradient: exactDG, upGradient: exactDU)
            // In place of the gate and of up
            Vector.swiGLUBackward(d, gate: dg, up: du, gateGradient: dg, upGradient: du)
            try #require(difference(dg, exactDG) < 2e-6 && difference(du, exactDU) < 1e-6, "\(rows) × \(columns)")
        }
    }

    @Test(arguments: Activation.allCases) func activation(_ kind: Activation) throws {
        var numbers = SeededNumbers(state: 4)
        for (rows, columns) in shapes {
            let (x, dy) = (numbers.matrix(rows, columns, size: 8), numbers.matrix(rows, columns))
            let (y, exact) = (x.copied(), doubled(x))
            Vector.activate(kind, y, into: y)
            Plain.activate(kind, exact, into: exact)
            try #require(difference(y, exact) < 5e-7, "\(rows) × \(columns)")
            let (dx, exactDX) = (dy.copied(), doubled(dy))
            Vector.activateBackward(kind, dx, x: x, into: dx)
            Plain.activateBackward(kind, exactDX, x: doubled(x), into: exactDX)
            try #require(difference(dx, exactDX) < 3e-6, "\(rows) × \(columns)")
        }
    }

    @Test(arguments: Activation.allCases) func extremeValues(_ kind: Activation) throws {
        for (position, value) in extremes.enumerated() {
            // Every place of a vector and of a tail
            for place in 0..<13 {
                let x = Matrix<Float>(zeros: 1, 13)
                x.base[place] = value
                let (fast, plain) = (x.copied(), doubled(x))
                Vector.activate(kind, x, into: fast)
                Plain.activate(kind, plain, into: plain)
                try #require(difference(fast, plain) < 5e-7, "\(kind) of extreme \(position) at \(place)")
            }
        }
    }

    @Test func errorFunctionAndExponentialOverTheirRange() throws {
        // gelu(x)·2/x − 1 = erf(x/√2); p = e^(s − lse)
        let count = 200_000
        let x = Matrix<Float>(uninitialized: 1, count)
        for i in 0..<count { x.base[i] = -110 + Float(i) * 1e-3 }
        let (fast, total) = (x.copied(), Matrix<Float>(zeros: 1, 1))
        Vector.softmaxAgain(fast, scale: 1, visible: count, window: nil, logSumExp: total.base)
        var worst = 0.0
        for i in 0..<count {
            let exact = Double.exponential(Double(x.base[i]))
            if x.base[i] < -87.33654 {
                try #require(fast.base[i] == 0)
            } else if x.base[i] > 88.7228394 {
                try #require(fast.base[i] == .infinity)
            } else {
                worst = max(worst, abs(Double(fast.base[i]) / exact - 1))
            }
        }
        try #require(worst < 1e-7)
        for i in 0..<count { x.base[i] = -10 + Float(i) * 1e-4 }
        Vector.activate(.gelu, x, into: fast)
        worst = 0
        for i in 0..<count {
            let exact = (1 + Double.errorFunction(Double(x.base[i]) * 0.5.squareRoot())) / 2
            worst = max(worst, abs(Double(fast.base[i]) - Double(x.base[i]) * exact) / max(1, abs(Double(x.base[i]))))
        }
        try #require(worst < 1.5e-7)
    }
}

import Core
import Foundation
import Testing

/// Prints the speed of each fast kernel on one thread: `MISP_KERNEL_BENCH=1 swift test -c release
/// --filter kernelSpeed`. Nothing is asserted.
@Test(.enabled(if: ProcessInfo.processInfo.environment["MISP_KERNEL_BENCH"] == "1"))
func kernelSpeed() {
    var numbers = SeededNumbers(state: 7)
    print("kernel                               GB/s")
    normalizationSpeed(&numbers)
    activationSpeed(&numbers)
    attentionSpeed(&numbers)
    tokenLogProbabilitySpeed(&numbers)
    bufferSpeed(&numbers)
}

/// Bytes read and written over the fastest run's processor time, which other processes disturb least.
private func measure(_ name: String, bytes: Int, work: () -> Void) {
    func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
    var best = Double.infinity
    let start = seconds()
    repeat {
        let before = seconds()
        work()
        best = min(best, seconds() - before)
    } while seconds() - start < 0.2
    let padded = name.padding(toLength: 34, withPad: " ", startingAt: 0)
    print(padded, String(format: "%6.1f", Double(bytes) / best / 1e9))
}

private func normalizationSpeed(_ numbers: inout SeededNumbers) {
    let (x, dy) = (numbers.matrix(344, 576), numbers.matrix(344, 576))
    let (y, w) = (numbers.matrix(344, 576), numbers.matrix(3, 576))
    let (r, mean) = (numbers.matrix(1, 344), numbers.matrix(1, 344))
    let (weight, sums, bias) = (w.row(0), w.row(1), w.row(2))
    let size = 4 * x.count
    measure("rmsNorm 344×576", bytes: 2 * size) {
        Vector.rmsNorm(x, weight: weight, epsilon: 1e-5, into: y, inverseRMS: r.base)
    }
    measure("rmsNormBackward", bytes: 4 * size) {
        Vector.rmsNormBackward(dy, x: x, weight: weight, inverseRMS: r.base, to: y, weightGradient: nil)
    }
    measure("rmsNormBackward, weights too", bytes: 4 * size) {
        Vector.rmsNormBackward(dy, x: x, weight: weight, inverseRMS: r.base, to: y, weightGradient: sums)
    }
    measure("layerNorm", bytes: 2 * size) {
        Vector.layerNorm(
            x, weight: weight, bias: bias, epsilon: 1e-5, into: y, mean: mean.base, inverseDeviation: r.base)
    }
    measure("layerNormBackward, weights too", bytes: 4 * size) {
        Vector.layerNormBackward(
            dy, x: x, weight: weight, mean: mean.base, inverseDeviation: r.base, to: y, weightGradient: sums,
            biasGradient: bias)
    }
    let (cosines, sines) = (numbers.matrix(344, 32), numbers.matrix(344, 32))
    measure("rotate 344×9×64", bytes: 2 * size) {
        Vector.rotate(x, heads: 9, cosines: cosines, sines: sines, inverse: false)
    }
}

private func activationSpeed(_ numbers: inout SeededNumbers) {
    let (g, u, d) = (numbers.matrix(344, 1536, size: 4), numbers.matrix(344, 1536), numbers.matrix(344, 1536))
    let (a, b) = (numbers.matrix(344, 1536), numbers.matrix(344, 1536))
    let size = 4 * g.count
    measure("swiGLU 344×1536", bytes: 3 * size) {
        Vector.swiGLU(gate: g, up: u, into: a)
    }
    measure("swiGLUBackward", bytes: 5 * size) {
        Vector.swiGLUBackward(d, gate: g, up: u, gateGradient: a, upGradient: b)
    }
    for kind in Activation.allCases {
        measure(kind.rawValue, bytes: 2 * size) {
            Vector.activate(kind, g, into: a)
        }
        measure("\(kind.rawValue) backward", bytes: 3 * size) {
            Vector.activateBackward(kind, d, x: g, into: a)
        }
    }
}

private func attentionSpeed(_ numbers: inout SeededNumbers) {
    let (s, p) = (numbers.matrix(344, 344, size: 8), numbers.matrix(344, 344))
    let total = numbers.matrix(1, 344)
    let causal = 2 * 4 * 344 * 345 / 2
    // Each run works on what the last one left, probabilities: the time does not depend on the values.
    measure("softmax 344×344, all visible", bytes: 2 * 4 * s.count) {
        Vector.softmax(s, scale: 0.125, visible: 344, window: nil, logSumExp: total.base)
    }
    measure("softmax 344×344, causal", bytes: causal) {
        Vector.softmax(s, scale: 0.125, visible: 1, window: nil, logSumExp: total.base)
    }
    measure("softmaxAgain 344×344, causal", bytes: causal) {
        Vector.softmaxAgain(s, scale: 0.125, visible: 1, window: nil, logSumExp: total.base)
    }
    measure("softmaxBackward 344×344", bytes: 3 * 4 * s.count) {
        Vector.softmaxBackward(p, dP: s, delta: total.base, scale: 0.125)
    }
}

private func tokenLogProbabilitySpeed(_ numbers: inout SeededNumbers) {
    let logits = numbers.matrix(65, 49152, size: 10)
    let totals = numbers.matrix(1, 65)
    let targets = (0..<65).map { Int32($0 * 700) }
    var results = [Double](repeating: 0, count: 65)
    measure("tokenLogProbability 65×49152", bytes: 4 * logits.count) {
        Vector.tokenLogProbability(logits, targets: targets, into: &results, logSumExp: totals.base)
    }
    let coefficients = [Double](repeating: 0.01, count: 65)
    measure("tokenLogProbabilityBackward", bytes: 2 * 4 * logits.count) {
        Vector.tokenLogProbabilityBackward(
            logits, targets: targets, logSumExp: totals.base, coefficients: coefficients)
    }
}

private func bufferSpeed(_ numbers: inout SeededNumbers) {
    let count = 1 << 22
    let buffers = numbers.matrix(4, count)
    let (a, b, c, d) = (buffers.row(0), buffers.row(1), buffers.row(2), buffers.row(3))
    for i in 0..<count { d[i] = abs(d[i]) }
    measure("add, 4 Mi", bytes: 3 * 4 * count) {
        Vector.add(a, to: b, count: count)
    }
    var sum = 0.0
    measure("sumOfSquares, 4 Mi", bytes: 4 * count) {
        sum += Vector.sumOfSquares(a, count: count)
    }
    let step = AdamWStep(learningRate: 1e-5, weightDecay: 0.01, count: 10)
    measure("adamW, 4 Mi", bytes: 7 * 4 * count) {
        Vector.adamW(a, gradient: b, firstMoment: c, secondMoment: d, count: count, step: step)
    }
    for format in [StoredFormat.bfloat16, .float16] {
        measure("widen \(format.rawValue), 4 Mi", bytes: 6 * count) {
            Float.widen(a, format, into: b, count: count)
        }
    }
}

import Core
import Foundation
import TestSupport
import Testing

/// AdamW, clipping and schedules against torch and transformers (Tests/Goldens/optimization.py).
@Suite struct OptimizationGoldenTests {
    private func cases(_ key: String) throws -> [JSONField] {
        try JSONField(contentsOf: golden("optimization.json"))[key].array()
    }

    private func numbers(_ field: JSONField) throws -> [Double] { try field.array().map { try $0.double() } }

    private func row<Element: Scalar>(_ values: [Double]) -> Matrix<Element> {
        Matrix(1, values.count, values.map { Element($0) })
    }

    /// Runs a case's steps, one call of AdamW each; `check` sees the parameters after each step.
    private func replay<A: Arithmetic>(
        _ one: JSONField, as: A.Type, _ check: (_ own: [A.Element], _ expected: [Double]) -> Void
    ) throws {
        let parameters: Matrix<A.Element> = row(try numbers(one["initial"]))
        let (m, v) = (Matrix<A.Element>(zeros: 1, parameters.count), Matrix<A.Element>(zeros: 1, parameters.count))
        let betas = try numbers(one["betas"])
        for (index, (gradient, after)) in zip(try one["gradients"].array(), try one["parameters"].array()).enumerated()
        {
            let scaled: Matrix<A.Element> = row(try numbers(gradient).map { 4 * $0 })
            // A power of two: taking it back out again is exact.
            A.adamW(
                parameters.base, gradient: scaled.base, firstMoment: m.base, secondMoment: v.base,
                count: parameters.count,
                step: AdamWStep(
                    learningRate: try one["learning_rate"].double(), beta1: betas[0], beta2: betas[1],
                    epsilon: try one["eps"].double(), weightDecay: try one["weight_decay"].double(),
                    gradientScale: 0.25, count: index + 1))
            check(parameters.elements, try numbers(after))
        }
    }

    @Test(arguments: 0..<4) func adamWInSinglePrecision(index: Int) throws {
        let one = try cases("adamw")[index]
        let initial = try numbers(one["initial"]).map { Float($0) }
        try replay(one, as: Vector.self) { own, expected in
            for i in own.indices {
                let size = max(abs(initial[i]), abs(own[i]), Float(1e-3))
                #expect(abs(own[i] - Float(expected[i])) <= 4 * size.ulp, "\(one.path)[\(i)]")
            }
        }
    }

    /// The formula itself, without float32's rounding: within the golden's rounding.
    @Test(arguments: 0..<4) func adamWInDoublePrecision(index: Int) throws {
        let one = try cases("adamw")[index]
        try replay(one, as: DoublePrecision.self) { own, expected in
            for i in own.indices { #expect(abs(own[i] - expected[i]) < 1e-6 * max(1, abs(expected[i])), "\(one.path)") }
        }
    }

    @Test func gradientClipping() throws {
        for one in try cases("clipping") {
            let gradients: [Matrix<Float>] = try one["gradients"].array().map { row(try numbers($0)) }
            let squares = gradients.reduce(0) { $0 + Vector.sumOfSquares($1.base, count: $1.count) }
            let norm = squares.squareRoot()
            #expect(abs(norm - (try one["norm"].double())) <= 1e-6 * norm)
            let factor = Float(clippingFactor(norm: norm, maximum: try one["max_grad_norm"].double()))
            for (gradient, clipped) in zip(gradients, try one["clipped"].array()) {
                for (own, expected) in zip(gradient.elements, try numbers(clipped)) {
                    #expect(abs(own * factor - Float(expected)) <= 2 * Float(expected).ulp)
                }
            }
        }
    }

    /// By transformers' names, with the warm-up that the ratio asks for; `constant` has none.
    @Test func learningRateSchedules() throws {
        for one in try cases("schedules") {
            let (name, ratio) = (try one["schedule"].string(), try one["warmup_ratio"].double())
            let schedule = LearningRateSchedule(
                try #require(.init(rawValue: name)), peak: 1, warmupRatio: ratio, totalSteps: try one["steps"].int())
            if name != "constant" { #expect(schedule.warmupSteps == (try one["warmup_steps"].int())) }
            for (step, rate) in try numbers(one["rates"]).enumerated() {
                // Nine digits in the golden.
                #expect(abs(schedule.rate(at: step) - rate) <= 5e-9 * max(rate, 1e-3), "\(one.path) \(step)")
            }
        }
    }

    /// Beyond the golden's digits: points of the curves that are known exactly.
    @Test func pointsOfTheSchedules() {
        let cosine = LearningRateSchedule(.cosine, peak: 2e-5, warmupRatio: 0.1, totalSteps: 110)
        #expect(cosine.warmupSteps == 11)
        let linear = LearningRateSchedule(.linear, peak: 2e-5, warmupRatio: 0.1, totalSteps: 110)
        for (schedule, step, factor) in [
            (cosine, 0, 0), (cosine, 1, 1 / 11.0), (cosine, 11, 1), (cosine, 44, 0.75), (cosine, 77, 0.25),
            (cosine, 110, 0), (linear, 11, 1), (linear, 44, 2 / 3.0), (linear, 109, 1 / 99.0), (linear, 110, 0),
        ] as [(LearningRateSchedule, Int, Double)] {
            #expect(abs(schedule.rate(at: step) - 2e-5 * factor) < 1e-12 * 2e-5, "\(schedule.kind) \(step)")
        }
    }
}

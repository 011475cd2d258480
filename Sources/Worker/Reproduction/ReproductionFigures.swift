import Core

/// The comparison's charts: scores with intervals over a setting.
struct ReproductionFigures {
    let result: ReproductionResult

    /// By K, the number of negatives.
    var byCount: [FigureSheet.Figure] {
        charts { if case .count(let count) = $0 { Double(count) } else { nil } }
    }

    var byBeta: [FigureSheet.Figure] {
        charts { if case .beta(let beta) = $0 { beta } else { nil } }
    }

    private func charts(over axis: (ReproductionArm.Place) -> Double?) -> [FigureSheet.Figure] {
        let arms = ReproductionArm.all.flatMap { arm in
            arm.places.compactMap(axis).map { (x: $0, key: arm.key) }
        }.sorted { $0.x < $1.x }
        let measures = ReproductionBenchmarks.measures.filter {
            ["accuracy", "aAcc", "qAcc", "CHAIRi"].contains($0.measure)
        }
        return measures.map { measure in
            let points = arms.compactMap { arm -> IntervalChart.Point? in
                let values = result.arms[arm.key]?.measures[measure.title] ?? []
                guard !values.isEmpty, values.allSatisfy(\.isFinite) else { return nil }
                let (mean, halfWidth) = StudentT.mean(values)
                return IntervalChart.Point(x: arm.x, mean: mean, halfWidth: halfWidth)
            }
            let chart = IntervalChart(lines: [IntervalChart.Line(name: measure.title, points: points)])
            return FigureSheet.Figure(title: measure.title, svg: chart.svg)
        }
    }
}

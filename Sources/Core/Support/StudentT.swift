import Foundation

/// Student's t distribution with a whole number of degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
public enum StudentT {
    /// P(|T| < t)
    public static func centralProbability(_ t: Double, degrees: Int) -> Double {
        precondition(degrees > 0)
        let angle = atan(t / Double(degrees).squareRoot())
        let (sine, cosine) = (sin(angle), cos(angle))
        let isOdd = degrees % 2 == 1
        var (term, sum) = (isOdd ? cosine : 1, 0.0)
        for k in stride(from: isOdd ? 3 : 2, through: degrees, by: 2) {
            sum += term
            term *= cosine * cosine * Double(k - 1) / Double(k)
        }
        return isOdd ? 2 / .pi * (angle + sine * sum) : sine * sum
    }

    /// The t within which |T| stays with that probability.
    public static func quantile(central probability: Double, degrees: Int) -> Double {
        var (low, high) = (0.0, 1.0)
        while centralProbability(high, degrees: degrees) < probability, high < 1e12 { high *= 2 }
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if centralProbability(middle, degrees: degrees) < probability { low = middle } else { high = middle }
        }
        return high
    }

    /// Mean of values and half the width of its 95 % interval; nil for the latter with fewer than two.
    public static func mean(_ values: [Double]) -> (value: Double, halfWidth: Double?) {
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        guard values.count > 1 else { return (mean, nil) }
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        return (mean, quantile(central: 0.95, degrees: values.count - 1) * (variance / n).squareRoot())
    }
}

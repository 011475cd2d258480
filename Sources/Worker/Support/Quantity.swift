import Foundation

/// Numbers as words.
package enum Quantity {
    package static func bytes(_ value: Double) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (value, 0)
        while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
        return String(format: unit == 0 ? "%.0f " : "%.1f ", value) + units[unit]
    }

    package static func seconds(_ value: Double) -> String {
        switch value {
        case ..<1e-3: String(format: "%.3g µs", value * 1e6)
        case ..<1: String(format: "%.3g ms", value * 1e3)
        case ..<120: String(format: "%.3g s", value)
        case ..<7200: String(format: "%.1f min", value / 60)
        default: String(format: "%.1f h", value / 3600)
        }
    }

    /// `3 … 5 … 9`: the least, the median (the upper one of two) and the greatest.
    package static func spread(_ values: [Int]) -> String {
        let sorted = values.sorted()
        guard let least = sorted.first, let greatest = sorted.last else { return "none" }
        return "\(least) … \(sorted[sorted.count / 2]) … \(greatest) (least, median, greatest)"
    }

    /// At most eight bins of equal width, a line each, the fullest 40 marks long.
    package static func histogram(_ values: [Int]) -> [String] {
        guard let least = values.min(), let greatest = values.max() else { return [] }
        let width = (greatest - least) / 8 + 1
        var counts = [Int](repeating: 0, count: (greatest - least) / width + 1)
        for value in values { counts[(value - least) / width] += 1 }
        let fullest = counts.max() ?? 1
        let digits = "\(greatest + width)".count
        func padded(_ number: Int) -> String {
            let text = "\(number)"
            return String(repeating: " ", count: max(digits - text.count, 0)) + text
        }
        return counts.enumerated().map { bin, count in
            let start = least + bin * width
            let marks = count == 0 ? 0 : max(1, 40 * count / fullest)
            return "\(padded(start))–\(padded(start + width - 1))  \(String(repeating: "#", count: marks)) \(count)"
        }
    }
}

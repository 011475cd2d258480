import Foundation

/// A resampling filter, numbered as in Pillow and in preprocessor_config.json. When a side shrinks, the filter widens
/// with the scale, which is what keeps the result free of aliasing.
public enum Resampling: Int, Sendable, CaseIterable {
    /// The nearest pixel.
    case nearest = 0
    /// A sinc windowed by a sinc, over three pixels on each side.
    case lanczos = 1
    /// A triangle, over one pixel on each side.
    case bilinear = 2
    /// Keys' cubic with a = −0.5, over two pixels on each side.
    case bicubic = 3
    /// The mean over the output pixel's area.
    case box = 4
    /// A sinc under a Hamming window, over one pixel on each side.
    case hamming = 5

    /// Half the filter's width, in pixels of the coarser grid.
    var support: Double {
        switch self {
        case .nearest, .box: 0.5
        case .bilinear, .hamming: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The filter at a distance of `x` pixels from its centre, not normalised.
    func weight(_ x: Double) -> Double {
        let distance = abs(x)
        switch self {
        case .nearest, .box: return x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear: return distance < 1 ? 1 - distance : 0
        case .hamming:
            if distance == 0 { return 1 }
            if distance >= 1 { return 0 }
            let angle = distance * Double.pi
            return sin(angle) / angle * (0.54 + 0.46 * cos(angle))
        case .bicubic:
            let a = -0.5
            if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
            return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * a : 0
        case .lanczos: return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
        }
    }

    private static func sinc(_ x: Double) -> Double {
        x == 0 ? 1 : sin(x * Double.pi) / (x * Double.pi)
    }
}

/// The weighted sums that make one side of the output out of one side of the input.
struct ResamplingWeights {
    /// Weights are integers in units of 2^-22: a sum of 8-bit values times weights near 1 stays within 32 bits.
    static let fractionBits: Int32 = 22

    /// For each output position, the first input position and the index of its first weight.
    private(set) var starts: [(input: Int, weight: Int)] = []
    /// The weights of all output positions, one after the other.
    private(set) var weights: [Int32] = []

    /// Weights for the output positions `range` out of `outputSize`.
    init(from inputSize: Int, to outputSize: Int, range: Range<Int>, filter: Resampling) {
        let scale = Double(inputSize) / Double(outputSize)
        let stretch = max(scale, 1)
        let support = filter.support * stretch
        for position in range {
            let center = (Double(position) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0)
            let end = min(Int(center + support + 0.5), inputSize)
            var row = (first..<end).map { filter.weight((Double($0) - center + 0.5) * (1 / stretch)) }
            let sum = row.reduce(0, +)
            if sum != 0 { row = row.map { $0 / sum } }
            starts.append((first, weights.count))
            weights += row.map { weight in
                let scaled = weight * Double(1 << Self.fractionBits)
                return Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
            }
        }
    }

    var count: Int { starts.count }

    /// Refers to an input that begins `-offset` positions later.
    mutating func shift(by offset: Int) {
        for index in starts.indices { starts[index].input += offset }
    }

    func taps(of index: Int) -> Range<Int> {
        starts[index].weight..<(index + 1 < count ? starts[index + 1].weight : weights.count)
    }

    /// Input positions that any output position uses.
    var inputs: Range<Int> {
        guard let first = starts.first, let last = starts.last else { return 0..<0 }
        return first.input..<(last.input + taps(of: count - 1).count)
    }
}

/// Resampling a table of patch positions to another grid, as a matrix, so that its backward pass is the transpose.
package enum PositionResampling {
    /// Bicubic with Keys' kernel (a = −0.75) at pixel centres, edges repeated, no antialiasing: what
    /// `torch.nn.functional.interpolate(mode: "bicubic", align_corners: False)` computes and DINOv2 uses.
    ///
    /// Returns (height·width) × (side·side) for a table of `side` × `side` positions.
    package static func bicubic<Element: Scalar>(from side: Int, toHeight height: Int, width: Int) -> Matrix<Element> {
        let (vertical, horizontal) = (taps(from: side, to: height), taps(from: side, to: width))
        let matrix = Matrix<Element>(zeros: height * width, side * side)
        for y in 0..<height {
            for x in 0..<width {
                for (row, rowWeight) in vertical[y] {
                    for (column, columnWeight) in horizontal[x] {
                        matrix[y * width + x, row * side + column] += Element(rowWeight * columnWeight)
                    }
                }
            }
        }
        return matrix
    }

    /// For each target index the source indices and their weights.
    private static func taps(from source: Int, to target: Int) -> [[(Int, Double)]] {
        (0..<target).map { index in
            let centre = (Double(index) + 0.5) * Double(source) / Double(target) - 0.5
            let first = centre.rounded(.down)
            return (-1...2).map { offset in
                let clamped = min(max(Int(first) + offset, 0), source - 1)
                return (clamped, weight(at: abs(centre - first - Double(offset))))
            }
        }
    }

    private static func weight(at distance: Double) -> Double {
        let (a, d) = (-0.75, distance)
        if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
        return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
    }
}

/// How a tower of the Qwen2-VL family sees one picture: its cells in windows, and the rotary angles of its patches.
///
/// A cell is m × m patches, which become one row of the language model. Pixels come cell after cell in raster order,
/// the patches of a cell together. The tower's rows are in the order of the windows.
package struct CellGrid {
    /// Cells down and across.
    package let height, width: Int
    /// Cells along a window's side; nil: one window for all.
    package let windowSide: Int?
    /// Patches of a cell.
    let patches: Int

    package init(_ family: Qwen2VL, _ shape: PictureShape) {
        (height, width) = family.cells(shape)
        windowSide = family.vision.windowSide
        patches = family.vision.mergeSide * family.vision.mergeSide
    }

    /// Cells in all.
    package var count: Int { height * width }

    /// Windows in raster order, of each its cells in raster order; those at the right and lower edge are cut.
    package var windows: [[Int]] {
        guard let side = windowSide else { return [Array(0..<count)] }
        var windows: [[Int]] = []
        for top in stride(from: 0, to: height, by: side) {
            for left in stride(from: 0, to: width, by: side) {
                windows.append(
                    (top..<min(top + side, height)).flatMap { y in
                        (left..<min(left + side, width)).map { y * width + $0 }
                    })
            }
        }
        return windows
    }

    /// Row and column of a cell's patch among all patches.
    func place(cell: Int, patch: Int, mergeSide: Int) -> (y: Int, x: Int) {
        (
            cell / width * mergeSide + patch / mergeSide,
            cell % width * mergeSide + patch % mergeSide
        )
    }
}

extension [CellGrid] {
    /// Where each cell, in the order of the tower, stands among the cells of stacked pictures as they come.
    var cellOrder: [Int] {
        var first = 0
        return flatMap { grid in
            defer { first += grid.count }
            return grid.windows.joined().map { first + $0 }
        }
    }
}

/// Stacked pictures as the tower's layers need them.
struct CellBatch<Element: Scalar> {
    /// Where each row of the tower stands among the patches as they come.
    let order: [Int]
    /// A segment per picture, and one per window.
    let pictures, windows: [AttentionSegment]
    /// Of each of the tower's rows, D/2 angles: half of them by its row among the patches, half by its column.
    let cosines, sines: Matrix<Element>

    /// Angle j of a patch at row y and column x is y·θ_j for j < D/4 and x·θ_(j − D/4) otherwise, with
    /// θ_i = 10000^(−4i/D) (Heo et al., arXiv 2403.13298, axial).
    init(_ grids: [CellGrid], mergeSide: Int, headSize: Int) {
        var order: [Int] = []
        var (pictures, windows) = ([AttentionSegment](), [AttentionSegment]())
        var places: [(y: Int, x: Int)] = []
        var first = 0
        for grid in grids {
            let start = order.count
            for window in grid.windows {
                let own = order.count
                for cell in window {
                    for patch in 0..<grid.patches {
                        order.append((first + cell) * grid.patches + patch)
                        places.append(grid.place(cell: cell, patch: patch, mergeSide: mergeSide))
                    }
                }
                windows.append(AttentionSegment(rows: own..<order.count))
            }
            pictures.append(AttentionSegment(rows: start..<order.count))
            first += grid.count
        }
        (self.order, self.pictures, self.windows) = (order, pictures, windows)
        let quarter = headSize / 4
        let frequencies = (0..<quarter).map { i in
            Double.exponential(-Double(4 * i) / Double(headSize) * Double.naturalLogarithm(10000))
        }
        cosines = Matrix(uninitialized: order.count, 2 * quarter)
        sines = Matrix(uninitialized: order.count, 2 * quarter)
        for (row, place) in places.enumerated() {
            for (i, frequency) in frequencies.enumerated() {
                for (column, position) in [(i, place.y), (quarter + i, place.x)] {
                    let angle = Double(position) * frequency
                    cosines[row, column] = Element(Double.cosine(angle))
                    sines[row, column] = Element(Double.cosine(angle - .pi / 2))
                }
            }
        }
    }
}

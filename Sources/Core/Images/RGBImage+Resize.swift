/// Resizing as Pillow's `Image.resize` does it on 8-bit RGB, to the bit: rows first, then columns, each pass rounded to
/// 8 bits, sums in fixed point.
extension RGBImage {
    /// The picture scaled to `width` × `height`.
    public func resized(width: Int, height: Int, filter: Resampling) -> RGBImage {
        resized(width: width, height: height, columns: 0..<width, rows: 0..<height, filter: filter)
    }

    /// The part `columns` × `rows` of the picture scaled to `width` × `height`; the rest is not computed.
    ///
    /// - Precondition: the ranges are not empty and lie inside the scaled picture.
    public func resized(
        width: Int, height: Int, columns: Range<Int>, rows: Range<Int>, filter: Resampling
    ) -> RGBImage {
        precondition(0 <= columns.lowerBound && columns.upperBound <= width && !columns.isEmpty)
        precondition(0 <= rows.lowerBound && rows.upperBound <= height && !rows.isEmpty)
        if filter == .nearest {
            return nearest(
                columns: Self.nearestPositions(from: self.width, to: width)[columns],
                rows: Self.nearestPositions(from: self.height, to: height)[rows])
        }
        let across = ResamplingWeights(from: self.width, to: width, range: columns, filter: filter)
        let down = ResamplingWeights(from: self.height, to: height, range: rows, filter: filter)
        // A side that keeps its length is copied, not filtered.
        let needed = height == self.height ? rows : down.inputs
        let narrow = width == self.width ? cropped(columns: columns, rows: needed) : resampledRows(needed, across)
        if height == self.height { return narrow }
        return narrow.resampledColumns(down, offset: needed.lowerBound)
    }

    /// The part `columns` × `rows`, unchanged.
    func cropped(columns: Range<Int>, rows: Range<Int>) -> RGBImage {
        if columns == 0..<width && rows == 0..<height { return self }
        var result: [UInt8] = []
        result.reserveCapacity(columns.count * rows.count * 3)
        for y in rows {
            result += pixels[(y * width + columns.lowerBound) * 3..<(y * width + columns.upperBound) * 3]
        }
        return RGBImage(width: columns.count, height: rows.count, pixels: result)
    }

    private func nearest(columns: ArraySlice<Int>, rows: ArraySlice<Int>) -> RGBImage {
        var result: [UInt8] = []
        result.reserveCapacity(columns.count * rows.count * 3)
        for y in rows {
            for x in columns { result += pixels[(y * width + x) * 3..<(y * width + x) * 3 + 3] }
        }
        return RGBImage(width: columns.count, height: rows.count, pixels: result)
    }

    /// Centres by repeated addition, as Pillow steps: at equal distances the rounding decides.
    private static func nearestPositions(from inputSize: Int, to outputSize: Int) -> [Int] {
        let scale = Double(inputSize) / Double(outputSize)
        var center = scale * 0.5
        return (0..<outputSize).map { _ in
            defer { center += scale }
            return min(Int(center), inputSize - 1)
        }
    }
}

private let half = Int32(1) << (ResamplingWeights.fractionBits - 1)

extension RGBImage {
    /// Rows `rows` at `weights.count` columns.
    private func resampledRows(_ rows: Range<Int>, _ weights: ResamplingWeights) -> RGBImage {
        let newWidth = weights.count
        let result = [UInt8](unsafeUninitializedCapacity: newWidth * rows.count * 3) { output, count in
            // One row as four 32-bit lanes a pixel; the fourth is idle.
            withUnsafeTemporaryAllocation(of: SIMD4<Int32>.self, capacity: width) { row in
                pixels.withUnsafeBufferPointer { input in
                    for y in rows {
                        for x in 0..<width {
                            let p = (y * width + x) * 3
                            row[x] = SIMD4(Int32(input[p]), Int32(input[p + 1]), Int32(input[p + 2]), 0)
                        }
                        let start = (y - rows.lowerBound) * newWidth * 3
                        weights.apply(to: UnsafeBufferPointer(row), output: output.extracting(start..<start + newWidth * 3))
                    }
                }
            }
            count = output.count
        }
        return RGBImage(width: newWidth, height: rows.count, pixels: result)
    }

    /// `weights.count` rows, of a picture whose first row is row `offset` of what the weights refer to.
    private func resampledColumns(_ weights: ResamplingWeights, offset: Int) -> RGBImage {
        let stride = width * 3
        let result = [UInt8](unsafeUninitializedCapacity: stride * weights.count) { output, count in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: stride) { sums in
                pixels.withUnsafeBufferPointer { input in
                    for y in 0..<weights.count {
                        sums.update(repeating: half)
                        var first = (weights.starts[y].input - offset) * stride
                        for tap in weights.taps(of: y) {
                            let weight = weights.weights[tap]
                            let row = input.extracting(first..<first + stride)
                            for i in 0..<stride { sums[i] &+= Int32(row[i]) &* weight }
                            first += stride
                        }
                        let target = output.extracting(y * stride..<(y + 1) * stride)
                        for i in 0..<stride {
                            target[i] = UInt8(truncatingIfNeeded: min(max(sums[i] >> ResamplingWeights.fractionBits, 0), 255))
                        }
                    }
                }
            }
            count = output.count
        }
        return RGBImage(width: width, height: weights.count, pixels: result)
    }
}

extension ResamplingWeights {
    /// One row of pixels in four lanes, to `count` pixels in three bytes.
    fileprivate func apply(to row: UnsafeBufferPointer<SIMD4<Int32>>, output: UnsafeMutableBufferPointer<UInt8>) {
        weights.withUnsafeBufferPointer { weights in
            for x in 0..<count {
                var sum = SIMD4(repeating: half)
                var position = starts[x].input
                for tap in taps(of: x) {
                    sum &+= row[position] &* SIMD4(repeating: weights[tap])
                    position += 1
                }
                for channel in 0..<3 {
                    let value = sum[channel] >> Self.fractionBits
                    output[3 * x + channel] = UInt8(truncatingIfNeeded: min(max(value, 0), 255))
                }
            }
        }
    }
}

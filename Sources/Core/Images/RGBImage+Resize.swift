/// Resizing as Pillow's `Image.resize` does it on 8-bit RGB, to the bit: each side in a pass of its own, rounded to
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
                columns: Self.nearestPositions(columns, from: self.width, to: width),
                rows: Self.nearestPositions(rows, from: self.height, to: height))
        }
        var across = ResamplingWeights(from: self.width, to: width, range: columns, filter: filter)
        var down = ResamplingWeights(from: self.height, to: height, range: rows, filter: filter)
        // A side that keeps its length is copied, not filtered.
        let (keepsWidth, keepsHeight) = (width == self.width, height == self.height)
        let usedColumns = keepsWidth ? columns : across.inputs
        let usedRows = keepsHeight ? rows : down.inputs
        let input = cropped(columns: usedColumns, rows: usedRows)
        across.shift(by: -usedColumns.lowerBound)
        down.shift(by: -usedRows.lowerBound)
        // The order decides single roundings. This is Pillow's since 13.0; before, rows always came first.
        let lostRows = self.height - height
        if lostRows > 0 && lostRows > 2 * (self.width - width) {
            let short = input.resampledColumns(down)
            return keepsWidth ? short : short.resampledRows(across)
        }
        let narrow = keepsWidth ? input : input.resampledRows(across)
        return keepsHeight ? narrow : narrow.resampledColumns(down)
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

    private func nearest(columns: [Int], rows: [Int]) -> RGBImage {
        var result: [UInt8] = []
        result.reserveCapacity(columns.count * rows.count * 3)
        for y in rows {
            for x in columns { result += pixels[(y * width + x) * 3..<(y * width + x) * 3 + 3] }
        }
        return RGBImage(width: columns.count, height: rows.count, pixels: result)
    }

    /// Centres by repeated addition, as Pillow steps: at equal distances the rounding decides.
    private static func nearestPositions(_ range: Range<Int>, from inputSize: Int, to outputSize: Int) -> [Int] {
        let scale = Double(inputSize) / Double(outputSize)
        var center = scale * 0.5
        for _ in 0..<range.lowerBound { center += scale }
        return range.map { _ in
            defer { center += scale }
            return min(Int(center), inputSize - 1)
        }
    }
}

private let half = Int32(1) << (ResamplingWeights.fractionBits - 1)

extension RGBImage {
    /// Every row at `weights.count` columns.
    private func resampledRows(_ weights: ResamplingWeights) -> RGBImage {
        let stride = weights.count * 3
        let result = [UInt8](unsafeUninitializedCapacity: stride * height) { output, count in
            // One row as four 32-bit lanes a pixel; the fourth is idle.
            withUnsafeTemporaryAllocation(of: SIMD4<Int32>.self, capacity: width) { row in
                pixels.withUnsafeBufferPointer { input in
                    for y in 0..<height {
                        for x in 0..<width {
                            let p = (y * width + x) * 3
                            row[x] = SIMD4(Int32(input[p]), Int32(input[p + 1]), Int32(input[p + 2]), 0)
                        }
                        let target = output.extracting(y * stride..<(y + 1) * stride)
                        weights.apply(to: UnsafeBufferPointer(row), output: target)
                    }
                }
            }
            count = output.count
        }
        return RGBImage(width: weights.count, height: height, pixels: result)
    }

    /// Every column at `weights.count` rows.
    private func resampledColumns(_ weights: ResamplingWeights) -> RGBImage {
        let stride = width * 3
        let result = [UInt8](unsafeUninitializedCapacity: stride * weights.count) { output, count in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: stride) { sums in
                pixels.withUnsafeBufferPointer { input in
                    for y in 0..<weights.count {
                        sums.update(repeating: half)
                        var first = weights.starts[y].input * stride
                        for tap in weights.taps(of: y) {
                            let weight = weights.weights[tap]
                            let row = input.extracting(first..<first + stride)
                            for i in 0..<stride { sums[i] &+= Int32(row[i]) &* weight }
                            first += stride
                        }
                        let target = output.extracting(y * stride..<(y + 1) * stride)
                        for i in 0..<stride { target[i] = ResamplingWeights.byte(sums[i]) }
                    }
                }
            }
            count = output.count
        }
        return RGBImage(width: width, height: weights.count, pixels: result)
    }
}

extension ResamplingWeights {
    /// A sum of weighted values, to the nearest of 0…255.
    fileprivate static func byte(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: min(max(sum >> fractionBits, 0), 255))
    }

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
                for channel in 0..<3 { output[3 * x + channel] = Self.byte(sum[channel]) }
            }
        }
    }
}

/// What each of the 256 values of a channel becomes: rescaled and normalised, in the precision of the original (the
/// product in Double, the rest in Float).
struct PixelTable: Sendable {
    /// `[channel * 256 + value]`
    let values: [Float]

    /// - Parameters:
    ///   - factor: nil: values stay in 0…255
    ///   - mean: of the three channels, as `deviation`; nil: no normalisation
    init(factor: Double?, mean: [Double]?, deviation: [Double]?) {
        values = (0..<3).flatMap { channel in
            (0..<256).map { byte in
                var value = Float(byte)
                if let factor { value = Float(Double(byte) * factor) }
                if let mean, let deviation { value = (value - Float(mean[channel])) / Float(deviation[channel]) }
                return value
            }
        }
    }

    /// Red, green and blue planes: `[3, height, width]`, appended.
    func append(_ image: RGBImage, to planes: inout [Float]) {
        let count = image.width * image.height
        image.pixels.withUnsafeBufferPointer { pixels in
            values.withUnsafeBufferPointer { values in
                for channel in 0..<3 {
                    let table = values.extracting(channel * 256..<(channel + 1) * 256)
                    for place in 0..<count { planes.append(table[Int(pixels[3 * place + channel])]) }
                }
            }
        }
    }
}

import Foundation

/// Pictures to a vision tower's `pixel_values`, as Hugging Face's PIL image processors make them:
/// resize, centre crop, rescale, normalise.
public struct ImageProcessor: PictureProcessor {
    /// What is done to a picture.
    public let configuration: ImageProcessorConfiguration
    /// The size of every picture that ``process(_:)`` returns.
    public let height, width: Int
    /// How pictures that it is to be given are read.
    public var transparency = Transparency.white
    private let table: PixelTable

    /// - Parameter place: what an error names.
    /// - Throws: when results would differ in size from picture to picture.
    public init(_ configuration: ImageProcessorConfiguration, at place: String = "preprocessor_config.json")
        throws(MISPError)
    {
        if let cropHeight = configuration.cropHeight, let cropWidth = configuration.cropWidth {
            (height, width) = (cropHeight, cropWidth)
        } else if case .exact(let exactHeight, let exactWidth) = configuration.size {
            (height, width) = (exactHeight, exactWidth)
        } else {
            throw MISPError(
                "images would keep different sizes", at: place,
                remedy: "set do_center_crop and crop_size, or size with height and width")
        }
        self.configuration = configuration
        table = PixelTable(
            factor: configuration.rescaleFactor, mean: configuration.mean, deviation: configuration.standardDeviation)
    }

    /// Reads the configuration of a Hugging Face model directory.
    public init(modelDirectory: URL) throws(MISPError) {
        try self.init(ImageProcessorConfiguration(modelDirectory: modelDirectory), at: modelDirectory.relativePath)
    }

    /// Reads a preprocessor_config.json.
    public init(contentsOf url: URL) throws(MISPError) {
        try self.init(ImageProcessorConfiguration(contentsOf: url), at: url.relativePath)
    }

    /// The same for every picture.
    public var commonShape: PictureShape? { PictureShape(height: height, width: width) }
    /// The same for every picture.
    public func shape(height: Int, width: Int) -> PictureShape { PictureShape(height: self.height, width: self.width) }
    /// As `process`.
    public func picture(_ image: RGBImage) -> ProcessedPicture {
        ProcessedPicture(process(image), shape: PictureShape(height: height, width: width))
    }
    /// All of it stands in the model's own files.
    public var settings: String { "" }

    /// `pixel_values` of one picture: `[3, height, width]`, red, green and blue planes.
    public func process(_ image: RGBImage) -> [Float] {
        let (resizedHeight, resizedWidth) = resizedSize(of: image)
        let vertical = Crop(from: resizedHeight, to: height)
        let horizontal = Crop(from: resizedWidth, to: width)
        // Only what the crop keeps is resized.
        let part = image.resized(
            width: resizedWidth, height: resizedHeight, columns: horizontal.source, rows: vertical.source,
            filter: configuration.resampling)
        return planes(of: part, top: vertical.offset, left: horizontal.offset)
    }

    /// (height, width) after resizing, before the crop.
    private func resizedSize(of image: RGBImage) -> (height: Int, width: Int) {
        switch configuration.size {
        case nil: return (image.height, image.width)
        case .exact(let height, let width): return (height, width)
        case .shortestEdge(let edge):
            let (short, long) = (min(image.width, image.height), max(image.width, image.height))
            let longEdge = Int(Double(edge * long) / Double(short))
            return image.width <= image.height ? (longEdge, edge) : (edge, longEdge)
        }
    }

    private func planes(of part: RGBImage, top: Int, left: Int) -> [Float] {
        let plane = height * width
        return [Float](unsafeUninitializedCapacity: 3 * plane) { output, count in
            count = output.count
            part.pixels.withUnsafeBufferPointer { pixels in
                table.values.withUnsafeBufferPointer { values in
                    for channel in 0..<3 {
                        let table = values.extracting(channel * 256..<(channel + 1) * 256)
                        // A crop larger than the picture has a border of black.
                        if part.width < width || part.height < height {
                            output.extracting(channel * plane..<(channel + 1) * plane).initialize(repeating: table[0])
                        }
                        for y in 0..<part.height {
                            let row = channel * plane + (y + top) * width + left
                            let source = y * part.width * 3 + channel
                            for x in 0..<part.width { output[row + x] = table[Int(pixels[source + 3 * x])] }
                        }
                    }
                }
            }
        }
    }
}

/// One side of a centre crop: the part of the source it keeps, and where that starts in the result.
private struct Crop {
    let source: Range<Int>
    let offset: Int

    init(from length: Int, to target: Int) {
        if length >= target {
            let start = (length - target) / 2
            (source, offset) = (start..<start + target, 0)
        } else {
            // An odd border has its larger half in front.
            (source, offset) = (0..<length, (target - length + 1) / 2)
        }
    }
}

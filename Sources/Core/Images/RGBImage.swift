import CImages
import Foundation

/// A picture in 8-bit RGB, row by row from the top: `pixels[(y * width + x) * 3 + channel]`.
public struct RGBImage: Sendable, Equatable {
    /// Pixels.
    public let width, height: Int
    /// 3 · width · height bytes.
    public let pixels: [UInt8]

    /// - Precondition: `pixels.count == width * height * 3`, and neither side is 0.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3, "pixels do not fill the picture")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Reads a PNG, JPEG or WebP file; see ``ImageDecoder``.
    public init(contentsOf url: URL, transparency: Transparency = .white) throws(MISPError) {
        self = try ImageDecoder.decode(contentsOf: url, transparency: transparency)
    }

    /// The picture as a PNG file.
    public func pngData() throws(MISPError) -> Data {
        try encoded("PNG") { bytes, size, message in
            misp_png_encode(pixels, UInt32(width), UInt32(height), &bytes, &size, &message)
        }
    }

    /// The picture as a JPEG file.
    ///
    /// - Parameter quality: 1 to 100
    public func jpegData(quality: Int = 80) throws(MISPError) -> Data {
        try encoded("JPEG") { bytes, size, message in
            misp_jpeg_encode(
                pixels, UInt32(width), UInt32(height), Int32(quality), &bytes, &size, &message)
        }
    }

    /// A rectangle of it, of the same pixels.
    ///
    /// - Precondition: the ranges lie inside the picture.
    func part(columns: Range<Int>, rows: Range<Int>) -> RGBImage {
        var part: [UInt8] = []
        part.reserveCapacity(3 * columns.count * rows.count)
        for row in rows {
            let start = 3 * (row * width + columns.lowerBound)
            part += pixels[start..<start + 3 * columns.count]
        }
        return RGBImage(width: columns.count, height: rows.count, pixels: part)
    }

    /// The picture made to fit a square of `side`, never enlarged.
    public func thumbnail(side: Int) -> RGBImage {
        let longest = max(width, height)
        guard longest > side else { return self }
        func scaled(_ length: Int) -> Int { max(1, (length * side + longest / 2) / longest) }
        return resized(width: scaled(width), height: scaled(height), filter: .bicubic)
    }

    private func encoded(
        _ format: String,
        _ encode: (inout UnsafeMutablePointer<UInt8>?, inout Int, inout [CChar]) -> misp_image_status
    ) throws(MISPError) -> Data {
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        var message = [CChar](repeating: 0, count: Int(MISP_IMAGE_MESSAGE))
        let status = encode(&bytes, &size, &message)
        guard status == MISP_IMAGE_OK, let bytes else {
            throw MISPError("a picture of \(width)×\(height) cannot be written as \(format)", kind: .defect)
        }
        defer { free(bytes) }
        return Data(bytes: bytes, count: size)
    }
}

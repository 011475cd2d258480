import CImages
import Foundation

/// A picture in 8-bit RGB, row by row from the top: `pixels[(y * width + x) * 3 + channel]`.
public struct RGBImage: Sendable, Equatable {
    public let width, height: Int
    public let pixels: [UInt8]

    /// - Precondition: `pixels.count == width * height * 3`, and neither side is 0.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3, "pixels do not fill the picture")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Reads a PNG, JPEG or WebP file; see ``ImageDecoder``.
    public init(contentsOf url: URL) throws(MISPError) {
        self = try ImageDecoder.decode(contentsOf: url)
    }

    /// The picture as a PNG file.
    public func pngData() throws(MISPError) -> Data {
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        var message = [CChar](repeating: 0, count: Int(MISP_IMAGE_MESSAGE))
        let status = misp_png_encode(pixels, UInt32(width), UInt32(height), &bytes, &size, &message)
        guard status == MISP_IMAGE_OK, let bytes else {
            throw MISPError("a picture of \(width)×\(height) cannot be written as PNG", kind: .defect)
        }
        defer { free(bytes) }
        return Data(bytes: bytes, count: size)
    }
}

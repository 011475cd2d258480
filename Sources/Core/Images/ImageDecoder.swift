import CImages
import Foundation

/// What becomes of a picture's transparent pixels.
public enum Transparency: String, Sendable, CaseIterable {
    /// They are laid over white, as transformers (5.0 or later) does before it preprocesses a picture.
    case white
    /// Their alpha is dropped, as Pillow's `convert("RGB")` does.
    case drop
}

/// Reads PNG, JPEG and WebP into RGB, byte for byte as Pillow's `Image.open(…).convert("RGB")`, over white or not.
///
/// EXIF orientation, gamma and colour profiles are not applied; of an animation the
/// first frame counts; 16-bit samples keep their high byte, except grey without alpha, which saturates at 255. The
/// format is told by the content, never by the file's name. Errors name the file.
public enum ImageDecoder {
    /// What is read; the values are for messages.
    public enum Format: String, Sendable {
        /// Portable Network Graphics.
        case png = "PNG"
        /// Baseline and progressive.
        case jpeg = "JPEG"
        /// Lossy and lossless.
        case webp = "WebP"
    }

    /// What a file says of itself before any pixel is decoded.
    public struct Header: Sendable, Equatable {
        /// Told by the content.
        public let format: Format
        /// Pixels.
        public let width, height: Int
        /// Whether the format's header lets pixels be transparent.
        public let mayBeTransparent: Bool
    }

    /// Pictures with more pixels are refused before memory is taken for them.
    public static let maximumPixels = 100_000_000

    /// The header alone, from the file's first bytes wherever they suffice.
    public static func header(contentsOf url: URL) throws(MISPError) -> Header {
        let place = url.relativePath
        let start = try read(url, limit: 1 << 18)
        var outcome = rawHeader(start)
        if outcome.status == MISP_IMAGE_TRUNCATED, start.count == 1 << 18 {
            outcome = rawHeader(try read(url, limit: nil))
        }
        return try checked(outcome, at: place, start)
    }

    /// The header of a file's bytes, of which the first may suffice.
    ///
    /// - Parameter place: what errors name, such as the file
    public static func header(_ data: Data, at place: String) throws(MISPError) -> Header {
        try checked(rawHeader(data), at: place, data)
    }

    /// Reads a file.
    ///
    /// - Throws: `MISPError` for a file that cannot be read, is of another format, damaged, or of more than
    ///   `maximumPixels`
    public static func decode(
        contentsOf url: URL, transparency: Transparency = .white
    ) throws(MISPError) -> RGBImage {
        try decode(read(url, limit: nil), at: url.relativePath, transparency: transparency)
    }

    /// Whether any pixel of the picture is transparent, be it a little. Decodes it only where its header allows it.
    public static func isTransparent(contentsOf url: URL) throws(MISPError) -> Bool {
        guard try header(contentsOf: url).mayBeTransparent else { return false }
        return try decoded(read(url, limit: nil), at: url.relativePath, transparency: .white).isTransparent
    }

    /// - Parameter place: what errors name, such as the file.
    public static func decode(
        _ data: Data, at place: String, transparency: Transparency = .white
    ) throws(MISPError) -> RGBImage {
        try decoded(data, at: place, transparency: transparency).image
    }

    private static func decoded(
        _ data: Data, at place: String, transparency: Transparency
    ) throws(MISPError) -> (image: RGBImage, isTransparent: Bool) {
        var outcome = rawHeader(data)
        let header = try checked(outcome, at: place, data)
        let pixels = [UInt8](unsafeUninitializedCapacity: header.width * header.height * 3) { buffer, count in
            (outcome.status, outcome.message) = withMessage { message in
                data.withUnsafeBytes { bytes in
                    misp_image_decode(
                        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &outcome.header,
                        transparency == .white ? 1 : 0, buffer.baseAddress, message)
                }
            }
            count = outcome.status == MISP_IMAGE_OK ? buffer.count : 0
        }
        if let error = failure(outcome, at: place, data) { throw error }
        let image = RGBImage(width: header.width, height: header.height, pixels: pixels)
        return (image, outcome.header.transparent != 0)
    }
}

extension ImageDecoder {
    private struct Outcome {
        var status: misp_image_status
        var header: misp_image_header
        var message: String

        var format: Format {
            switch header.format {
            case MISP_IMAGE_PNG: .png
            case MISP_IMAGE_JPEG: .jpeg
            default: .webp
            }
        }
    }

    private static func withMessage(
        _ body: (UnsafeMutablePointer<CChar>?) -> misp_image_status
    ) -> (misp_image_status, String) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(MISP_IMAGE_MESSAGE)) { message in
            message.initialize(repeating: 0)
            let status = body(message.baseAddress)
            return (status, message.baseAddress.map { String(cString: $0) } ?? "")
        }
    }

    private static func rawHeader(_ data: Data) -> Outcome {
        var header = misp_image_header()
        let (status, message) = withMessage { message in
            data.withUnsafeBytes { bytes in
                misp_image_read_header(
                    bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &header, message)
            }
        }
        return Outcome(status: status, header: header, message: message)
    }

    private static func checked(_ outcome: Outcome, at place: String, _ data: Data) throws(MISPError) -> Header {
        if let error = failure(outcome, at: place, data) { throw error }
        let (width, height) = (Int(outcome.header.width), Int(outcome.header.height))
        guard width > 0, height > 0 else { throw MISPError("an empty \(outcome.format.rawValue)", at: place) }
        guard width <= maximumPixels / height else {
            throw MISPError(
                "\(width)×\(height) pixels, more than the \(maximumPixels / 1_000_000) million allowed", at: place,
                remedy: "scale the picture down")
        }
        return Header(
            format: outcome.format, width: width, height: height, mayBeTransparent: outcome.header.transparent != 0)
    }

    private static func failure(_ outcome: Outcome, at place: String, _ data: Data) -> MISPError? {
        switch outcome.status {
        case MISP_IMAGE_OK: nil
        case MISP_IMAGE_UNRECOGNIZED:
            unrecognized(data, at: place)
        case MISP_IMAGE_TRUNCATED:
            MISPError("truncated \(outcome.format.rawValue)", at: place, remedy: "copy or download the file again")
        case MISP_IMAGE_NO_MEMORY:
            MISPError("no memory to decode this \(outcome.format.rawValue)", at: place, kind: .defect)
        default:
            MISPError(
                "corrupt \(outcome.format.rawValue) (\(outcome.message))", at: place,
                remedy: "copy or download the file again")
        }
    }

    private static func unrecognized(_ data: Data, at place: String) -> MISPError {
        if data.isEmpty { return MISPError("an empty file, not a PNG, JPEG or WebP image", at: place) }
        guard let kind = FileKind(data) else {
            return MISPError("not a PNG, JPEG or WebP image", at: place, remedy: "convert it to one of these")
        }
        return MISPError("\(kind.name), not a PNG, JPEG or WebP image", at: place, remedy: kind.remedy)
    }

    /// Refuses what is there but no file of some length: a folder; and a device or a pipe, which may never end.
    package static func checkFile(_ url: URL) throws(MISPError) {
        var status = stat()
        guard stat(url.path, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { return }
        throw MISPError(
            status.st_mode & S_IFMT == S_IFDIR ? "is a folder, not a picture" : "is not a regular file",
            at: url.relativePath, remedy: "give the path of a PNG, JPEG or WebP file")
    }

    private static func read(_ url: URL, limit: Int?) throws(MISPError) -> Data {
        try checkFile(url)
        do {
            let file = try FileHandle(forReadingFrom: url)
            defer { try? file.close() }
            return try (limit.map { try file.read(upToCount: $0) } ?? file.readToEnd()) ?? Data()
        } catch {
            throw MISPError("cannot be read (\(SystemReason.text(error)))", at: url.relativePath)
        }
    }
}

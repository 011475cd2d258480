/// What a file is that stands in the place of another kind, told by its first bytes, and what to do about it.
public struct FileKind: Sendable, Equatable {
    /// With its article: "a GIF image".
    public let name: String
    /// What to do with such a file.
    public let remedy: String

    private static let convert = "convert it to PNG, JPEG or WebP"
    private static let rows = "convert it to JSON lines, a row a line"

    private static let magics: [(bytes: [UInt8], kind: FileKind)] =
        [
            ("GIF8", "a GIF image", convert), ("BM", "a BMP image", convert), ("II*\0", "a TIFF image", convert),
            ("MM\0*", "a TIFF image", convert), ("%PDF", "a PDF file", convert),
            ("PAR1", "a Parquet file", "launch/import makes groups of it"),
            ("ARROW1", "an Arrow file", rows), ("FEA1", "a Feather file", rows),
            ("SQLite format 3", "an SQLite database", rows), ("PK\u{3}\u{4}", "a ZIP archive", "unpack it"),
        ].map { (Array($0.0.utf8), FileKind(name: $0.1, remedy: $0.2)) } + [
            ([0x1F, 0x8B], FileKind(name: "a gzip file", remedy: "unpack it: gunzip")),
            ([0x28, 0xB5, 0x2F, 0xFD], FileKind(name: "a Zstandard file", remedy: "unpack it: zstd -d")),
            ([0xFD, 0x37, 0x7A, 0x58, 0x5A], FileKind(name: "an xz file", remedy: "unpack it: unxz")),
            ([0xFF, 0x0A], FileKind(name: "a JPEG XL image", remedy: convert)),
            ([0xFF, 0xFE], FileKind(name: "a text in UTF-16", remedy: "save it in UTF-8")),
            ([0xFE, 0xFF], FileKind(name: "a text in UTF-16", remedy: "save it in UTF-8")),
        ]

    private init(name: String, remedy: String) { (self.name, self.remedy) = (name, remedy) }

    /// nil for what is not recognised.
    ///
    /// - Parameter start: the first bytes; 300 are enough
    public init?(_ start: some Collection<UInt8>) {
        let bytes = Array(start.prefix(300))
        if let found = Self.magics.first(where: { bytes.starts(with: $0.bytes) }) {
            self = found.kind
            return
        }
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        let trimmed = text.drop { $0.isWhitespace }
        if text.hasPrefix("version https://git-lfs") {
            self.init(
                name: "a git-LFS pointer, which stands for the file", remedy: "fetch the file itself: git lfs pull")
        } else if trimmed.hasPrefix("<!doctype html") || trimmed.hasPrefix("<html") {
            self.init(
                name: "a web page (HTML), such as a download that failed leaves", remedy: "download the file again")
        } else if trimmed.hasPrefix("<svg") || (trimmed.hasPrefix("<?xml") && text.contains("<svg")) {
            self.init(name: "an SVG drawing", remedy: Self.convert)
        } else if bytes.count > 11, bytes[4..<8].elementsEqual("ftyp".utf8) {
            let brand = String(decoding: bytes[8..<12], as: UTF8.self)
            let isPicture = ["avif", "avis"].contains(brand) || ["he", "mi", "ms"].contains(brand.prefix(2))
            let name = brand.hasPrefix("av") ? "an AVIF image" : isPicture ? "a HEIC image" : "a film (MP4)"
            self.init(name: name, remedy: Self.convert)
        } else {
            return nil
        }
    }
}

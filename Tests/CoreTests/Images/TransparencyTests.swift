import Core
import Foundation
import Testing

/// Against transformers' `convert_to_rgb` (Tests/Goldens/transparency.py), bit by bit.
@Suite struct TransparencyTests {
    private static let goldens = URL(filePath: #filePath).appending(path: "../../../Goldens").standardized

    private func pictures() throws -> [(url: URL, golden: JSONField)] {
        try JSONField(contentsOf: Self.goldens.appending(path: "transparency.json")).array().map {
            (Self.goldens.appending(path: try $0["file"].string()), $0)
        }
    }

    @Test(arguments: Transparency.allCases) func decodesAsTransformersDoes(transparency: Transparency) throws {
        for (url, golden) in try pictures() {
            let image = try RGBImage(contentsOf: url, transparency: transparency)
            let expected = try golden[transparency.rawValue].int()
            #expect(ImageGoldens.checksum(image.pixels) == expected, "\(url.lastPathComponent)")
        }
    }

    @Test func whiteIsTheDefault() throws {
        let url = Self.goldens.appending(path: "transparency/rgba.webp")
        #expect(try RGBImage(contentsOf: url) == RGBImage(contentsOf: url, transparency: .white))
        #expect(try RGBImage(contentsOf: url) != RGBImage(contentsOf: url, transparency: .drop))
    }

    /// An alpha channel alone makes no picture transparent.
    @Test func tellsWhetherAnyPixelIsTransparent() throws {
        for (url, golden) in try pictures() {
            let expected = try golden["transparent"].bool()
            #expect(try ImageDecoder.isTransparent(contentsOf: url) == expected, "\(url.lastPathComponent)")
        }
        let opaque = Self.goldens.appending(path: "transparency/opaque-rgba.png")
        #expect(try ImageDecoder.header(contentsOf: opaque).mayBeTransparent)
        #expect(try !ImageDecoder.isTransparent(contentsOf: opaque))
    }
}

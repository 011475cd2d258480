import Core
import Foundation
import Testing

@Suite struct ImageDecoderTests {
    @Test func writesPNGThatReadsBack() throws {
        for (width, height) in [(1, 1), (2, 3), (31, 17), (200, 100)] {
            let image = ImageGoldens.pattern(width: width, height: height)
            let data = try image.pngData()
            #expect(try ImageDecoder.decode(data, at: "made.png") == image)
            let header = try ImageDecoder.header(data, at: "made.png")
            #expect(header.format == .png && header.width == width && header.height == height)
        }
    }

    @Test func errorsNameTheFileAndTheFault() throws {
        func message(_ data: Data) -> String {
            do {
                _ = try ImageDecoder.decode(data, at: "images/a.jpg")
                return "decoded"
            } catch {
                return "\(error)"
            }
        }
        let notAnImage = "images/a.jpg: not a PNG, JPEG or WebP image; convert it to one of these"
        #expect(message(Data("nothing known".utf8)) == notAnImage)
        for file in ["420.jpg", "420-progressive.jpg", "rgb8.png", "rgb8-interlaced.png", "lossy.webp"] {
            let data = try Data(contentsOf: ImageGoldens.all()[0].url(file))
            #expect(message(data.prefix(data.count / 2)).hasPrefix("images/a.jpg: truncated "))
        }
        var broken = try ImageGoldens.pattern(width: 20, height: 20).pngData()
        broken[broken.count - 20] ^= 0xFF
        #expect(message(broken).hasPrefix("images/a.jpg: corrupt PNG ("))
        let missing = URL(filePath: "nowhere.png", relativeTo: URL(filePath: "/tmp/"))
        #expect { try RGBImage(contentsOf: missing) } throws: { "\($0)".hasPrefix("nowhere.png: cannot be read") }
    }

    /// A few bytes that claim a gigantic picture must not take memory for it.
    @Test func refusesGiganticPictures() throws {
        let url = try ImageGoldens.all()[0].url
        var png = [UInt8](try Data(contentsOf: url("rgb8.png")))
        png.replaceSubrange(16..<24, with: [0, 0, 0x80, 0, 0, 0, 0x80, 0])
        ImageGoldens.mendPNGChecksums(&png)
        var jpeg = try Data(contentsOf: url("420.jpg"))
        let frame = try #require(jpeg.firstRange(of: Data([0xFF, 0xC0]))).lowerBound
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
        var webp = try Data(contentsOf: url("offset.webp"))
        webp.replaceSubrange(24..<30, with: [0xFF, 0x7F, 0, 0xFF, 0x7F, 0])
        for (data, size) in [(Data(png), "32768×32768"), (jpeg, "65500×65500"), (webp, "32768×32768")] {
            #expect(
                throws: MISPError(
                    "\(size) pixels, more than the 100 million allowed", at: "big", remedy: "scale the picture down")
            ) { try ImageDecoder.header(data, at: "big") }
            #expect(throws: MISPError.self) { try ImageDecoder.decode(data, at: "big") }
        }
    }

    /// 21,000 damaged files: each decodes or fails with an error, in bounded time and memory.
    @Test func survivesDamagedFiles() throws {
        var random = KeyedRandom(0, "damaged pictures")
        let goldens = try ImageGoldens.all()[0]
        let files = try goldens.decoded.map { try Data(contentsOf: goldens.url($0.file)) }
        var decoded = 0
        for index in 0..<21_000 {
            let data = damaged(files[index % files.count], with: files[random.below(files.count)], &random)
            // Larger claims are tested on their own; here they would only take time.
            guard let header = try? ImageDecoder.header(data, at: ""), header.width * header.height < 1 << 20 else {
                continue
            }
            if let image = try? ImageDecoder.decode(data, at: "") {
                decoded += 1
                #expect(image.width == header.width && image.pixels.count == image.width * image.height * 3)
            }
        }
        #expect(decoded > 1000 && decoded < 20_000, "\(decoded)")
    }

    /// Flips, overwrites, removes, repeats, splices or cuts; PNG checksums are mended half the time, since a wrong one
    /// hides the damage from the decoder proper.
    private func damaged(_ original: Data, with other: Data, _ random: inout KeyedRandom) -> Data {
        var bytes = [UInt8](original)
        for _ in 0...random.below(4) {
            let place = random.below(bytes.count)
            let end = min(place + 1 + random.below(16), bytes.count)
            switch random.below(7) {
            case 0: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1: bytes[place] = UInt8(random.below(256))
            case 2: bytes[place] = [0x00, 0xFF, 0x7F, 0x80][random.below(4)]
            case 3 where bytes.count > 40: bytes.removeSubrange(place..<end)
            case 4: bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count))
            case 5: bytes.replaceSubrange(place..<end, with: other.prefix(end - place))
            default: if random.below(4) == 0 { bytes.removeSubrange(max(place, 1)...) }
            }
        }
        if random.below(2) == 0 { ImageGoldens.mendPNGChecksums(&bytes) }
        return Data(bytes)
    }
}

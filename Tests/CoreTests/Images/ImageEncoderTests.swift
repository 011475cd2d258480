import Core
import Testing

struct ImageEncoderTests {
    private static let picture = RGBImage(
        width: 40, height: 30,
        pixels: (0..<1_200).flatMap { (index: Int) -> [UInt8] in
            let (x, y) = (index % 40, index / 40)
            return [UInt8(6 * x), UInt8(8 * y), 100]
        })

    @Test func jpegIsReadBack() throws {
        let read = try ImageDecoder.decode(Self.picture.jpegData(quality: 95), at: "jpeg")
        #expect(read.width == 40 && read.height == 30)
        let worst = zip(read.pixels, Self.picture.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
        #expect(worst < 16, "\(worst)")
        #expect(try Self.picture.jpegData(quality: 20).count < Self.picture.jpegData(quality: 95).count)
    }

    @Test func thumbnailsKeepTheShape() {
        let small = Self.picture.thumbnail(side: 20)
        #expect(small.width == 20 && small.height == 15)
        #expect(Self.picture.thumbnail(side: 40) == Self.picture)
        let thin = RGBImage(width: 300, height: 1, pixels: [UInt8](repeating: 9, count: 900)).thumbnail(side: 30)
        #expect(thin.width == 30 && thin.height == 1)
    }
}

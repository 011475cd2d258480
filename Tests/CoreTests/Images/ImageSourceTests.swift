import Core
import Foundation
import Testing

/// mDPO's crops: within 1–20 % of the picture, the same for a group in every epoch.
@Suite struct ImageSourceTests {
    @Test func cropsAreSmallAndInside() {
        var areas: [Double] = []
        for index in 0..<400 {
            let crop = CropRegion.random(seed: 3, group: "g\(index)")
            #expect(crop == CropRegion.random(seed: 3, group: "g\(index)"))
            #expect((0.01...0.2).contains(crop.area) && (0.75...4.0 / 3).contains(crop.aspect))
            let (columns, rows) = crop.range(width: 640, height: 480)
            #expect(columns.lowerBound >= 0 && columns.upperBound <= 640)
            #expect(rows.lowerBound >= 0 && rows.upperBound <= 480)
            let share = Double(columns.count * rows.count) / (640 * 480)
            #expect(abs(share - crop.area) < 0.003)
            areas.append(crop.area)
        }
        let mean = areas.reduce(0, +) / 400
        #expect(abs(mean - 0.105) < 0.01)
        #expect(CropRegion.random(seed: 3, group: "a") != CropRegion.random(seed: 4, group: "a"))
    }

    @Test func aCropIsThatPartOfThePicture() throws {
        let pixels = (0..<3 * 20 * 10).map { UInt8($0 % 251) }
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).png")
        defer { try? FileManager.default.removeItem(at: file) }
        try RGBImage(width: 20, height: 10, pixels: pixels).pngData().write(to: file)
        let region = CropRegion(area: 0.16, aspect: 2, x: 0.5, y: 1)
        let (columns, rows) = region.range(width: 20, height: 10)
        #expect(columns == 6..<14 && rows == 6..<10)
        let crop = try ImageSource(path: file.path, crop: region).load()
        let expected = rows.flatMap { row in columns.flatMap { c in (0..<3).map { pixels[3 * (row * 20 + c) + $0] } } }
        #expect(crop == RGBImage(width: 8, height: 4, pixels: expected))
        #expect(try ImageSource(path: file.path).load().pixels == pixels)
    }
}

import Core
import Foundation
import TestSupport
import Testing

/// What pictures become, from sizes that are known or that files' headers tell.
@Suite struct PicturePlacesTests {
    private let path = "/nowhere/picture.png"

    @Test func sizesThatAreKnownAreNotReadAgain() throws {
        let places = try PicturePlaces(ModelFolder(golden("families/qwen2-vl")))
        #expect(places.dependOnSize)
        #expect(throws: MISPError.self) { try places.placed(ImageSource(path: path)) }
        let known = try places.knowing([path: PixelSize(height: 84, width: 140)])
        let placed = try known.placed(ImageSource(path: path))
        #expect(placed.shape == PictureShape(height: 84, width: 140) && placed.source == ImageSource(path: path))
        #expect(placed.place.features == 15 && placed.place.span == 5)
        // A crop's size follows from the file's, and noise changes none.
        let crop = CropRegion(area: 0.25, aspect: 1, x: 0, y: 0)
        let (columns, rows) = crop.range(width: 140, height: 84)
        #expect(columns.count == 54 && rows.count == 54)
        let cut = try known.placed(ImageSource(path: path, crop: crop))
        #expect(cut.shape == PictureShape(height: 56, width: 56) && cut.place.features == 4)
        let noise = ImageSource(path: path, noise: DiffusionNoise(seed: 1, group: "a"))
        #expect(try known.placed(noise).place == placed.place)
    }

    @Test func aSizeThatTheFamilyRefusesIsNamedByItsFile() throws {
        let places = try PicturePlaces(ModelFolder(golden("families/qwen2-vl")))
        let error = #expect(throws: MISPError.self) {
            _ = try places.knowing([path: PixelSize(height: 201, width: 1), "/a.png": PixelSize(height: 9, width: 9)])
        }
        #expect(error?.kind == .input && error?.place == path)
        #expect(error?.what.contains("1 × 201 pixels is too long") == true)
    }

    /// Where all pictures get one size no file is looked at.
    @Test(arguments: ["idefics3-whole", "llava-interleave"]) func picturesOfOneSize(name: String) throws {
        let folder = try ModelFolder(golden("families/\(name)"))
        let places = try PicturePlaces(folder)
        #expect(!places.dependOnSize)
        let placed = try places.placed(ImageSource(path: path))
        #expect(placed.shape == folder.processor.commonShape)
        #expect(placed.place.features == (name == "idefics3-whole" ? 4 : 16))
    }

    /// A tile's rows are those of its family: the same picture split and whole.
    @Test func aRunsOwnSettingCounts() throws {
        let url = golden("families/smolvlm-tiles")
        let file = golden("families/images/strip.png").path
        let split = try PicturePlaces(ModelFolder(url)).placed(ImageSource(path: file))
        #expect(split.shape.tileRows == 1 && split.shape.tileColumns == 4 && split.place.featureRows.count == 5)
        let whole = try PicturePlaces(ModelFolder(url, pictures: PictureSettings(splits: false)))
        #expect(!whole.dependOnSize)
        #expect(try whole.placed(ImageSource(path: file)).place.featureRows == [2..<6])
    }
}

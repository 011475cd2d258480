import Core
import Foundation
import Testing

@Suite struct ImageProcessorTests {
    private func configuration(_ text: String) throws -> ImageProcessorConfiguration {
        try ImageProcessorConfiguration(JSONField(JSON(parsing: text), file: "preprocessor_config.json"))
    }

    @Test func bothGenerationsOfConfigurationsAgree() throws {
        let old = try configuration(
            #"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 336, "crop_size": 336}"#)
        let new = try configuration(
            #"""
            {"image_processor_type": "CLIPImageProcessorFast", "size": {"shortest_edge": 336, "longest_edge": null}, \#
            "crop_size": {"height": 336, "width": 336}, "do_pad": false, "image_std": null}
            """#)
        #expect(old == new)
        #expect(old.size == .shortestEdge(336) && old.cropWidth == 336 && old.resampling == .bicubic)
        let square = try configuration(#"{"image_processor_type": "ViTImageProcessor", "size": 64}"#)
        #expect(square.size == .exact(height: 64, width: 64) && square.cropHeight == nil)
        let told = try configuration(
            #"{"image_processor_type": "CLIPImageProcessor", "size": 64, "default_to_square": true}"#)
        #expect(told.size == .exact(height: 64, width: 64))
    }

    @Test(arguments: [
        (#"{}"#, "image_processor_type: is missing"),
        (#"{"image_processor_type": "LlavaNextImageProcessor"}"#, "LlavaNextImageProcessor is not supported"),
        (
            #"{"image_processor_type": "CLIPImageProcessor", "do_pad": true}"#,
            "do_pad: is true, which is not implemented"
        ),
        (
            #"{"image_processor_type": "CLIPImageProcessor", "do_something_new": 1}"#,
            "do_something_new: is 1"
        ),
        (#"{"image_processor_type": "CLIPImageProcessor", "image_grid_pinpoints": [[1, 2]]}"#, "image_grid_pinpoints"),
        (#"{"image_processor_type": "CLIPImageProcessor", "size": {"longest_edge": 5}}"#, "size: holds longest_edge"),
        (#"{"image_processor_type": "CLIPImageProcessor", "size": 0}"#, "size: 0 is not between"),
        (#"{"image_processor_type": "CLIPImageProcessor", "crop_size": {"shortest_edge": 5}}"#, "crop_size: holds"),
        (#"{"image_processor_type": "CLIPImageProcessor", "resample": 9}"#, "resample: 9 is no filter"),
        (#"{"image_processor_type": "CLIPImageProcessor", "image_mean": [1, 2]}"#, "image_mean: has 2 values"),
        (#"{"image_processor_type": "CLIPImageProcessor", "image_std": 0}"#, "image_std: holds 0"),
        (#"{"image_processor_type": "CLIPImageProcessor", "do_resize": "yes"}"#, "do_resize: is a string"),
        (#"{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false}"#, "different sizes"),
    ])
    func refusesWhatItCannotDo(text: String, expected: String) throws {
        #expect {
            try ImageProcessor(configuration(text))
        } throws: {
            let message = "\($0)"
            return message.hasPrefix("preprocessor_config.json: ") && message.contains(expected)
        }
    }

    @Test func readsBothPlacesInAModelDirectory() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: MISPError.self) { try ImageProcessor(modelDirectory: folder) }
        try Data(#"{"image_processor_type": "CLIPImageProcessor", "crop_size": 100}"#.utf8)
            .write(to: folder.appending(path: "preprocessor_config.json"))
        try Data(#"{"processor_class": "LlavaProcessor"}"#.utf8)
            .write(to: folder.appending(path: "processor_config.json"))
        #expect(try ImageProcessor(modelDirectory: folder).height == 100)
        try Data(#"{"processor_class": "LlavaProcessor", "pad_to": 8}"#.utf8)
            .write(to: folder.appending(path: "processor_config.json"))
        let error = #expect(throws: MISPError.self) { try ImageProcessor(modelDirectory: folder) }
        #expect(error?.description.contains("processor_config.json: pad_to: is 8") == true)
        try Data(#"{"image_processor": {"image_processor_type": "CLIPImageProcessor", "crop_size": 50}}"#.utf8)
            .write(to: folder.appending(path: "processor_config.json"))
        #expect(try ImageProcessor(modelDirectory: folder).height == 50)
    }

    /// A crop computed alone equals the same part of the whole.
    @Test(arguments: Resampling.allCases) func partOfAResizeEqualsTheWhole(filter: Resampling) {
        let image = ImageGoldens.pattern(width: 53, height: 38)
        for (width, height) in [(20, 30), (53, 19), (90, 38), (120, 110)] {
            let whole = image.resized(width: width, height: height, filter: filter)
            let (columns, rows) = (5..<16, 7..<18)
            let part = image.resized(width: width, height: height, columns: columns, rows: rows, filter: filter)
            let cut = rows.flatMap { y in
                columns.flatMap { x in whole.pixels[(y * width + x) * 3..<(y * width + x) * 3 + 3] }
            }
            #expect(part.pixels == cut)
        }
    }

    /// One pixel wide and far too long: only the crop may be computed.
    @Test func extremeAspectRatiosStaySmall() throws {
        let processor = try ImageProcessor(configuration(#"{"image_processor_type": "CLIPImageProcessor"}"#))
        let image = RGBImage(width: 1, height: 40_000, pixels: Array(repeating: 255, count: 120_000))
        let values = processor.process(image)
        #expect(values.count == 3 * 224 * 224)
        #expect(values.allSatisfy { $0 > 1.9 && $0 < 2.2 })
    }
}

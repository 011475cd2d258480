import Core
import Foundation
import TestSupport
import Testing

/// Pictures of a thousand sizes through the families' processors, to the bit as the Pillow processors of transformers
/// (Tests/Goldens/family_pixels.py).
@Suite struct FamilyPixelTests {
    private static let goldens = Result { try JSONField(contentsOf: golden("families/pixels.json")) }

    /// The picture that family_pixels.py makes by the same formula.
    private static func picture(width: Int, height: Int, place: Int) -> RGBImage {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(3 * width * height)
        for y in 0..<height {
            for x in 0..<width {
                let value = 7 * x + 13 * y + ((x * y) ^ (x >> 2)) + 17 * place
                for channel in 0..<3 { pixels.append(UInt8(truncatingIfNeeded: value + 31 * channel)) }
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    private func folder(_ preprocessor: JSON) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try Data(preprocessor.description.utf8).write(to: folder["preprocessor_config.json"])
        return folder
    }

    /// - Parameters:
    ///   - grid: rows and columns as the goldens count them
    ///   - digest: of `pixel_values`
    private func check(
        _ name: String, _ processor: any PictureProcessor, count: Int, grid: (PictureShape) -> [Int],
        digest: (ProcessedPicture) -> Digest
    ) throws {
        let rows = try Self.goldens.get()[name].array()
        #expect(rows.count == count)
        var shapes: Set<PictureShape> = []
        for (place, row) in rows.enumerated() {
            let numbers = try (0..<4).map { try row[$0].int() }
            let (width, height) = (numbers[0], numbers[1])
            let picture = try processor.picture(Self.picture(width: width, height: height, place: place))
            shapes.insert(picture.shape)
            #expect(
                try processor.shape(height: height, width: width) == picture.shape, "\(name): \(width) × \(height)")
            #expect(picture.values.count == picture.shape.count)
            #expect(grid(picture.shape) == [numbers[2], numbers[3]], "\(name): \(width) × \(height)")
            #expect(digest(picture).description == (try row[4].string()), "\(name): \(width) × \(height)")
        }
        if let common = processor.commonShape {
            #expect(shapes == [common])
        } else {
            #expect(shapes.count > 1 || name == "smolvlm-one-tile")
        }
    }

    /// A model whose only use is that it puts pixels into the order of its patches.
    private static func encoder() throws -> any VisionEncoder<Vector> {
        let json = """
            {"model_type": "qwen2_vl", "image_token_id": 3, "hidden_size": 8, "intermediate_size": 4,
             "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 4,
             "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
             "vision_config": {"depth": 1, "embed_dim": 4, "num_heads": 1, "mlp_ratio": 1, "hidden_size": 8}}
            """
        return try VisionLanguageModel<Vector>(
            ModelConfiguration(JSONField(JSON(parsing: json), file: "config.json")), from: RandomTensors(seed: 1),
            common: nil, trainable: CheckpointGolden.frozen, seed: 0
        ).encoder
    }

    @Test(arguments: [("qwen", 460), ("qwen-small", 40)]) func cells(name: String, count: Int) throws {
        let settings = try Self.goldens.get()["settings"][name]
        let (least, most) = (try settings["min_pixels"].int(), try settings["max_pixels"].int())
        let encoder = try Self.encoder()
        // The older spelling of the limits, the newer one, and a run's own settings above the folder's.
        let older = try folder([
            "image_processor_type": "Qwen2VLImageProcessor", "min_pixels": .integer(least),
            "max_pixels": .integer(most),
        ])
        let newer = try folder([
            "image_processor_type": "Qwen2VLImageProcessorFast",
            "size": ["shortest_edge": .integer(least), "longest_edge": .integer(most)],
        ])
        let bare = try folder(["image_processor_type": "Qwen2VLImageProcessorPil"])
        let processors: [any PictureProcessor] = [
            try CellProcessor(modelDirectory: older.url, PictureSettings(), patch: 14, merge: 2),
            try CellProcessor(modelDirectory: newer.url, PictureSettings(), patch: 14, merge: 2),
            try CellProcessor(modelDirectory: bare.url, PictureSettings(least: least, most: most), patch: 14, merge: 2),
        ]
        #expect(Set(processors.map(\.settings)).count == 1)
        #expect(
            try CellProcessor(modelDirectory: bare.url, PictureSettings(), patch: 14, merge: 2).settings
                != processors[0].settings)
        for (index, processor) in processors.enumerated() {
            // The others have the same settings: a few shapes will do.
            guard index == 0 else {
                for (height, width) in [(1, 1), (1, 150), (700, 1200), (29, 83)] {
                    let expected = try processors[0].shape(height: height, width: width)
                    #expect(try processor.shape(height: height, width: width) == expected)
                }
                continue
            }
            #expect(processor.commonShape == nil)
            try check(name, processor, count: count) {
                [$0.height / 14, $0.width / 14]
            } digest: { picture in
                let patches = encoder.patches(picture)
                return SHA256.digest(UnsafeRawBufferPointer(start: patches.base, count: 4 * patches.count))
            }
        }
    }

    @Test(arguments: [
        ("smolvlm-split", 230), ("smolvlm-whole", 230), ("smolvlm-published", 6), ("smolvlm-one-tile", 20),
        ("smolvlm-uneven", 34), ("smolvlm-whole-uneven", 20),
    ])
    func tiles(name: String, count: Int) throws {
        let settings = try Self.goldens.get()["settings"][name]
        let splits = try settings["split"].bool()
        func processor(_ type: String, file: Bool, run: Bool?) throws -> any PictureProcessor {
            let folder = try folder([
                "image_processor_type": .string(type), "do_image_splitting": .bool(file),
                "size": ["longest_edge": .integer(try settings["longest_edge"].int())],
                "max_image_size": ["longest_edge": .integer(try settings["tile"].int())],
            ])
            return try TileProcessor(
                modelDirectory: folder.url, PictureSettings(splits: run), tile: settings["tile"].int())
        }
        let own = try processor("SmolVLMImageProcessor", file: splits, run: nil)
        #expect((own.commonShape == nil) == splits)
        try check(name, own, count: count) { shape in
            shape.tiles > 1 ? [shape.tileRows, shape.tileColumns] : [0, 0]
        } digest: { picture in
            picture.values.withUnsafeBytes { SHA256.digest($0) }
        }
        // Idefics3's processor is the same, and a run's own setting stands above the folder's.
        let image = Self.picture(width: 150, height: 61, place: 3)
        let expected = try own.picture(image)
        for other in [
            try processor("Idefics3ImageProcessor", file: splits, run: nil),
            try processor("SmolVLMImageProcessorFast", file: !splits, run: splits),
        ] {
            let picture = try other.picture(image)
            #expect(picture.shape == expected.shape && picture.values == expected.values)
            #expect(other.settings == own.settings)
        }
    }

    /// A picture that has its target size already goes through unchanged.
    @Test func aPictureOfItsTargetSizeIsNotResized() throws {
        let folder = try folder(["image_processor_type": "Qwen2VLImageProcessor", "do_normalize": false])
        let processor = try CellProcessor(modelDirectory: folder.url, PictureSettings(), patch: 14, merge: 2)
        let image = Self.picture(width: 84, height: 56, place: 0)
        let picture = try processor.picture(image)
        #expect(picture.shape == PictureShape(height: 56, width: 84))
        for channel in 0..<3 {
            for place in 0..<56 * 84 {
                let expected = Float(Double(image.pixels[3 * place + channel]) * (1.0 / 255))
                try #require(picture.values[channel * 56 * 84 + place] == expected)
            }
        }
    }

    /// One side may be 200 times the other, and no more; the message names the picture.
    @Test func picturesThatAreTooLongAreRefused() throws {
        let folder = try folder(["image_processor_type": "Qwen2VLImageProcessor"])
        let processor = try CellProcessor(modelDirectory: folder.url, PictureSettings(), patch: 14, merge: 2)
        #expect(try processor.shape(height: 1, width: 200).width > 200)
        #expect(try processor.shape(height: 400, width: 2).height > 400)
        for (height, width) in [(1, 201), (402, 2), (3, 601)] {
            let error = #expect(throws: MISPError.self) { _ = try processor.shape(height: height, width: width) }
            #expect(error?.kind == .input && error?.what.contains("\(width) × \(height) pixels is too long") == true)
        }
        try Self.picture(width: 201, height: 1, place: 0).pngData().write(to: folder["long.png"])
        let source = ImageSource(path: folder["long.png"].path)
        for body in [
            { _ = try source.shape(processor) }, { _ = try source.picture(processor) },
        ] as [() throws -> Void] {
            let error = #expect(throws: MISPError.self) { try body() }
            #expect(error?.kind == .input && error?.place?.hasSuffix("long.png") == true)
            #expect(error?.remedy?.contains("crop the picture") == true)
        }
        // A crop of it may pass, and is what counts.
        let crop = CropRegion(area: 0.5, aspect: 1, x: 0, y: 0)
        let cut = ImageSource(path: folder["long.png"].path, crop: crop)
        #expect(try cut.shape(processor) == cut.picture(processor).shape)
    }
}

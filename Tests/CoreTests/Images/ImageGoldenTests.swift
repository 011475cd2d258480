import Core
import Foundation
import Testing

/// Equality, bit by bit, with Pillow and transformers; the goldens come from Tests/Goldens/images.py.
@Suite struct ImageGoldenTests {
    @Test func decodesToThePixelsOfPillow() throws {
        for goldens in try ImageGoldens.all() {
            for (file, expected, _) in try goldens.decoded {
                let url = goldens.url(file)
                let image = try RGBImage(contentsOf: url, transparency: .drop)
                let header = try ImageDecoder.header(contentsOf: url)
                #expect(header.format.rawValue.lowercased().first == url.pathExtension.first)
                #expect((header.width, header.height) == (expected.width, expected.height), "\(file)")
                #expect((image.width, image.height) == (expected.width, expected.height), "\(file)")
                let indices = ImageGoldens.sampleIndices(of: image.pixels.count, count: expected.samples.count)
                #expect(indices.map { Double(image.pixels[$0]) } == expected.samples, "\(file)")
                #expect(ImageGoldens.checksum(image.pixels) == expected.checksum, "\(file)")
            }
        }
    }

    @Test func refusesWhatPillowFindsTruncated() throws {
        for goldens in try ImageGoldens.all().prefix(1) {
            for (file, _, refusedAt) in try goldens.decoded {
                let data = try Data(contentsOf: goldens.url(file))
                for length in refusedAt {
                    #expect(throws: MISPError.self, "\(file) cut at \(length) of \(data.count)") {
                        try ImageDecoder.decode(data.prefix(length), at: file)
                    }
                }
            }
        }
    }

    @Test func processesToThePixelValuesOfTransformers() throws {
        for goldens in try ImageGoldens.all() {
            for expected in try goldens.processed {
                let label: Comment = "\(expected.configuration.path) of \(expected.width)×\(expected.height)"
                let configuration = try ImageProcessorConfiguration(expected.configuration)
                let image = ImageGoldens.pattern(width: expected.width, height: expected.height)

                var unscaled = configuration
                (unscaled.rescaleFactor, unscaled.mean, unscaled.standardDeviation) = (nil, nil, nil)
                let bytes = try ImageProcessor(unscaled).process(image).map { UInt8($0) }
                #expect(ImageGoldens.checksum(bytes) == expected.checksum, label)

                let processor = try ImageProcessor(configuration)
                #expect([3, processor.height, processor.width] == expected.shape, label)
                let values = processor.process(image)
                let indices = ImageGoldens.sampleIndices(of: values.count, count: expected.samples.count)
                for (index, sample) in zip(indices, expected.samples) {
                    #expect(values[index] == Float(sample), label)
                }
            }
        }
    }
}

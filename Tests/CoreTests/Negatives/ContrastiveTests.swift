import Core
import Foundation
import TestSupport
import Testing

/// CLIP's training against transformers and PyTorch in float64 (Tests/Goldens/clip_training.py).
@Suite struct ContrastiveTests {
    private static func batch(
        _ folder: URL, _ file: JSONField
    ) throws -> (network: ClipNetwork<DoublePrecision>, patches: Matrix<Double>, texts: [(tokens: [Int32], place: Int)])
    {
        let configuration = try ClipConfiguration(contentsOf: folder.appending(path: "config.json"))
        let processor = try ImageProcessor(modelDirectory: folder)
        let tokenizer = try Tokenizer(contentsOf: folder.appending(path: "tokenizer.json"))
        let network = try ClipNetwork<DoublePrecision>(
            configuration, from: TensorCatalog(folder: folder), pixels: (processor.height, processor.width),
            isTrained: true)
        let pictures = try file["images"].array().map { name in
            let path = golden("checkpoints/llama-clip-spm/images/\(try name.string())")
            let pixels = processor.process(try RGBImage(contentsOf: path, transparency: .drop))
            return network.image.patches(of: pixels, height: processor.height, width: processor.width)
        }
        let patches = Matrix(
            pictures.reduce(0) { $0 + $1.rows }, pictures[0].columns, pictures.flatMap(\.elements))
        let texts = try file["texts"].array().map { text in
            let tokens = tokenizer.encode(try text.string(), addSpecialTokens: true)
            return (tokens, try #require(configuration.text.pooling.place(in: tokens)))
        }
        return (network, patches, texts)
    }

    @Test(arguments: ["legacy", "newer"]) func lossAndGradientsAreThoseOfTransformers(name: String) throws {
        let file = try JSONField(contentsOf: golden("clip_training.json"))[name]
        let (network, patches, texts) = try Self.batch(golden("clip/\(name)"), file)
        let (images, savedImages) = network.images(patches, count: texts.count)
        let (captions, savedTexts) = network.texts(texts)
        let loss = ContrastiveLoss(images: images, texts: captions, logScale: network.logScale)
        #expect(abs(loss.loss - (try file["loss"].double())) < 1e-6)

        let gradient = Gradient(zerosFor: network.parameters)
        network.imagesBackward(loss.images, savedImages, gradient)
        network.textsBackward(loss.texts, savedTexts, gradient)
        network.addScaleGradient(loss.logScale, gradient)
        let expected = try file["gradients"].object().members
        #expect(Set(network.parameters.slots.map(\.name)) == Set(expected.map(\.key)))
        for slot in network.parameters.slots {
            let elements = gradient[slot].elements
            let norm = elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let mixture = elements.enumerated().reduce(0) { $0 + $1.element * cos(Double($1.offset)) }
            let values = try file["gradients"][slot.name].array().map { try $0.double() }
            #expect(abs(norm - values[0]) < 1e-5 && abs(mixture - values[1]) < 1e-5, "\(slot.name): \(norm) \(values)")
        }
    }

    private static func random(_ rows: Int, _ columns: Int, _ name: String) -> Matrix<Double> {
        var random = KeyedRandom(5, name)
        return Matrix(rows, columns, (0..<rows * columns).map { _ in random.normal() })
    }

    @Test func gradientsAreTheLossesDerivatives() {
        let (images, texts) = (Self.random(4, 3, "images"), Self.random(4, 3, "texts"))
        let (scale, step) = (1.3, 1e-6)
        let loss = ContrastiveLoss(images: images, texts: texts, logScale: scale)
        func slope(_ change: (Double) -> Void, logScale: (Double) -> Double = { _ in 1.3 }) -> Double {
            let values = [step, -2 * step].enumerated().map { number, delta in
                change(delta)
                return ContrastiveLoss(
                    images: images, texts: texts, logScale: logScale(number == 0 ? step : -step)
                ).loss
            }
            change(step)
            return (values[0] - values[1]) / (2 * step)
        }
        for (matrix, gradient) in [(images, loss.images), (texts, loss.texts)] {
            for index in 0..<matrix.count {
                let (row, column) = (index / 3, index % 3)
                let difference = slope { matrix[row, column] += $0 } - gradient[row, column]
                #expect(abs(difference) < 1e-8, "\(row), \(column)")
            }
        }
        #expect(abs(slope({ _ in }, logScale: { scale + $0 }) - loss.logScale) < 1e-8)
    }

    @Test func knownValues() {
        let unit = Matrix<Double>(2, 2, [1, 0, 0, 1])
        // Logits s on the diagonal and 0 beside it: log(1 + e^−s).
        let loss = ContrastiveLoss(images: unit, texts: unit, logScale: log(3))
        #expect(abs(loss.loss - log(1 + exp(-3.0))) < 1e-12 && loss.accuracy == 1)
        let swapped = ContrastiveLoss(images: unit, texts: Matrix(2, 2, [0, 2, 5, 0]), logScale: log(3))
        #expect(abs(swapped.loss - log(1 + exp(3.0))) < 1e-12 && swapped.accuracy == 0, "lengths do not count")
        let same = Matrix<Double>(4, 2, [1, 1, 1, 1, 1, 1, 1, 1])
        #expect(abs(ContrastiveLoss(images: same, texts: same, logScale: 2).loss - log(4.0)) < 1e-12)
    }

    @Test func theScaleStaysBelowAHundred() {
        // So near to each other that a greater scale would still lower the loss.
        let near = Matrix<Double>(2, 2, [1, 0, 1, 0.01])
        let limit = ContrastiveLoss(images: near, texts: near, logScale: log(100))
        let beyond = ContrastiveLoss(images: near, texts: near, logScale: 9)
        #expect(limit.loss > 0.6 && beyond.loss == limit.loss && beyond.logScale == 0)
        #expect(ContrastiveLoss(images: near, texts: near, logScale: 4).logScale < 0)
        let swapped = ContrastiveLoss(images: near, texts: near.gathered([1, 0]), logScale: 9)
        #expect(swapped.logScale > 0, "a smaller one may come")
    }
}

import Core
import Foundation

/// A preference group of made-up tokens and image features: chosen and rejected with the first image, chosen with each
/// negative's. `launch/peers/step.py` makes the same.
struct SyntheticGroup {
    let image: PicturePlace
    let prompt: Int
    let response: Int
    let negatives: Int
    /// Of the model: tokens are among them.
    let vocabulary: Int

    private var promptTokens: PromptTokens {
        PromptTokens(
            before: [Int32](repeating: 5, count: 4), image, after: [Int32](repeating: 5, count: prompt - 4))
    }

    private func response(_ seed: Int) -> [Int32] {
        (0..<response).map { Int32((100 + ($0 * 37 + seed) % 30_000) % vocabulary) }
    }

    private func responses(to image: Int) -> [[Int32]] { image == 0 ? [response(0), response(7)] : [response(0)] }

    /// All sequences in one layout, and the same a layout for each image, whose index is 0 there.
    var joint: SequenceLayout {
        (0...negatives).reduce(into: SequenceLayout()) {
            $0.append(promptTokens, image: $1, responses: responses(to: $1))
        }
    }

    var single: [SequenceLayout] {
        (0...negatives).map { image in
            var layout = SequenceLayout()
            layout.append(promptTokens, image: 0, responses: responses(to: image))
            return layout
        }
    }

    /// Rows of the image × width of the language model, as the projector would give them.
    ///
    /// - Parameter shape: of a picture with so many rows
    func features<A: VectorArithmetic>(_ index: Int, width: Int, of shape: PictureShape) -> VisionInput<A> {
        let values = (0..<image.features * width).map { Float(0.1 * sin(0.37 * Double($0) + Double(index))) }
        return VisionInput(Matrix(image.features, width, values), shape: shape)
    }
}

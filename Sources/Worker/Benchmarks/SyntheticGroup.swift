import Core
import Foundation

/// A preference group of made-up tokens and image features: chosen and rejected with the first image, chosen with each
/// negative's. `launch/peers/step.py` makes the same.
struct SyntheticGroup {
    let image: PicturePlace
    let prompt: Int
    let response: Int
    let negatives: Int

    private var promptTokens: PromptTokens {
        PromptTokens(
            before: [Int32](repeating: 5, count: 4), image, after: [Int32](repeating: 5, count: prompt - 4))
    }

    private func response(_ seed: Int32) -> [Int32] { (0..<Int32(response)).map { 100 + ($0 * 37 + seed) % 30_000 } }

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

    /// Rows of the image × width of the language model, as the projector would give them. The picture is a strip with
    /// a patch of 14 × 14 pixels for each row.
    func features<A: VectorArithmetic>(_ index: Int, width: Int) -> VisionInput<A> {
        let rows = image.features
        let values = (0..<rows * width).map { Float(0.1 * sin(0.37 * Double($0) + Double(index))) }
        return VisionInput(Matrix(rows, width, values), shape: PictureShape(height: 14, width: 14 * rows))
    }
}

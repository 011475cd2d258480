import Core
import Foundation

/// First values, each tensor a pure function of seed and name. Larger than the usual deviation of 0.02, from which so
/// short a training would not get anywhere. The scale of CLIP's logits is its authors' (arXiv 2103.00020, §2.5).
struct InitialTensors: TensorSource {
    let seed: UInt64

    func weight<Element: Scalar>(_ name: String, shape: [Int], rows: Int, columns: Int) throws -> Weight<Element> {
        let matrix = Matrix<Element>(zeros: rows, columns)
        if name == "logit_scale" { matrix[0, 0] = Element(log(1 / 0.07)) }
        if name.hasSuffix(".bias") || name == "logit_scale" { return Weight(frozen: matrix) }
        if name.contains("norm") {
            matrix.base.update(repeating: 1, count: matrix.count)
        } else {
            let deviation = deviation(name)
            var random = KeyedRandom(seed, name)
            for i in 0..<matrix.count { matrix.base[i] = Element(deviation * random.normal()) }
        }
        return Weight(frozen: matrix)
    }

    private func deviation(_ name: String) -> Double {
        if name.hasSuffix("embed_tokens.weight") || name.hasSuffix("token_embedding.weight") { return 1 }
        if name.hasSuffix("position_embedding.weight") { return 0.7 }
        return name.hasSuffix("patch_embedding.weight") ? 0.0625 : 0.125
    }

    /// As the checkpoints on the Hugging Face hub have it, which every version of transformers reads.
    func writtenName(_ name: String) -> String {
        for (own, written) in [
            ("language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
            ("vision_tower.", "vision_tower.vision_model."),
        ] where name.hasPrefix(own) {
            return written + name.dropFirst(own.count)
        }
        return name
    }
}

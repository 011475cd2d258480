/// Floating-point operations that a batch needs, a multiplication and an addition counting as two.
///
/// What is counted is what the arithmetic demands: products with weights, scores and values of visible keys, the head
/// at scored rows; not what an implementation adds (masked scores, recomputation).
public struct OperationCount: Sendable, Equatable {
    public var forward: Double
    public var backward: Double
    public init(forward: Double = 0, backward: Double = 0) {
        self.forward = forward
        self.backward = backward
    }

    public var total: Double { forward + backward }

    public static func + (a: OperationCount, b: OperationCount) -> OperationCount {
        OperationCount(forward: a.forward + b.forward, backward: a.backward + b.backward)
    }
}

extension ModelConfiguration {
    /// The language model's operations for a layout, with the backward pass that `trainable` asks for.
    public func operations(_ layout: SequenceLayout, trainable: Trainable) -> OperationCount {
        let width = Double(text.hiddenSize)
        let (queries, keys) = (Double(text.heads * text.headSize), Double(text.keyHeads * text.headSize))
        let modules: [String: (Double, Double)] = [
            "q_proj": (queries, width), "k_proj": (keys, width), "v_proj": (keys, width), "o_proj": (width, queries),
            "gate_proj": (Double(text.intermediateSize), width), "up_proj": (Double(text.intermediateSize), width),
            "down_proj": (width, Double(text.intermediateSize)),
        ]
        let dense = modules.values.reduce(0) { $0 + $1.0 * $1.1 }
        let adapted =
            trainable.language == .lora
            ? trainable.lora.targets.compactMap { modules[$0] }.reduce(0) {
                $0 + Double(trainable.lora.r) * ($1.0 + $1.1)
            } : 0
        let rows = Double(layout.rows)
        let layers = Double(text.layers)
        let pairs = layout.segments.reduce(0.0) { sum, segment in
            let own = Double(segment.rows.count)
            let prefix = Double(segment.prefix.reduce(0) { $0 + $1.count })
            return sum + own * prefix + own * (own + 1) / 2
        }
        let scored = Double(layout.responses.reduce(0) { $0 + $1.targets.count })
        let head = 2 * scored * width * Double(text.vocabulary)
        let attention = 4 * pairs * queries
        let isFull = trainable.language == .full
        return OperationCount(
            forward: layers * (2 * rows * (dense + adapted) + attention) + head,
            backward: layers * (2 * rows * (dense * (isFull ? 2 : 1) + adapted * 2) + 2 * attention)
                + head * (isFull ? 2 : 1))
    }

    /// Bytes of activations that a joint forward pass of the layout keeps for the backward pass, roughly.
    public func activationBytes(_ layout: SequenceLayout) -> Double {
        let perRow =
            6 * text.hiddenSize + 3 * text.intermediateSize + (2 * text.heads + 2 * text.keyHeads) * text.headSize
        let scored = layout.responses.reduce(0) { $0 + $1.targets.count }
        return 4 * (Double(layout.rows * text.layers * perRow) + Double(scored * text.vocabulary))
    }
}

/// Floating-point operations that a batch needs, a multiplication and an addition counting as two.
///
/// What is counted is what the arithmetic demands: products with weights, scores and values of visible keys, the head
/// at scored rows; not what an implementation adds (masked scores, recomputation).
public struct OperationCount: Sendable, Equatable {
    /// Of the forward pass.
    public var forward: Double
    /// Of the backward pass.
    public var backward: Double
    /// Of the layers that are run forward again where the forward pass keeps layer inputs alone; no part of the others.
    public var again: Double
    /// Operations of one pass forward and one backward, and of the layers that may be run again.
    public init(forward: Double = 0, backward: Double = 0, again: Double = 0) {
        self.forward = forward
        self.backward = backward
        self.again = again
    }

    /// Of both passes, each layer being run forward once.
    public var total: Double { forward + backward }

    /// Of two batches, or of two parts of a model.
    public static func + (a: OperationCount, b: OperationCount) -> OperationCount {
        OperationCount(
            forward: a.forward + b.forward, backward: a.backward + b.backward, again: a.again + b.again)
    }
}

extension [AttentionSegment] {
    /// Pairs of a row that asks and one that it sees, causally.
    fileprivate var visiblePairs: Double {
        reduce(0) { sum, segment in
            let (own, asking) = (Double(segment.rows.count), Double(segment.asking))
            let prefix = Double(segment.prefix.reduce(0) { $0 + $1.count })
            return sum + asking * (prefix + own) - asking * (asking - 1) / 2
        }
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
        // Row by row: what one row costs in a whole layer, and what keys and values of it cost.
        func multiplications(_ names: some Sequence<String>) -> (dense: Double, adapted: Double) {
            names.reduce(into: (0, 0)) { sum, name in
                guard let (out, inputs) = modules[name] else { return }
                sum.dense += out * inputs
                if trainable.language == .lora, trainable.lora.targets.contains(name) {
                    sum.adapted += Double(trainable.lora.r) * (out + inputs)
                }
            }
        }
        let whole = multiplications(modules.keys.sorted())
        let keyValue = multiplications(["k_proj", "v_proj"])
        let scoredRows = layout.scoredRows
        // The last layer has queries and a network at scored rows only.
        let rows = Double(layout.rows)
        let fullRows = rows * Double(text.layers - 1) + Double(scoredRows.count)
        let otherRows = rows - Double(scoredRows.count)
        let dense = fullRows * whole.dense + otherRows * keyValue.dense
        let adapted = fullRows * whole.adapted + otherRows * keyValue.adapted
        let lowerPairs = Double(text.layers - 1) * layout.segments.visiblePairs
        let pairs = lowerPairs + layout.segments.asking(scoredRows).visiblePairs
        let scored = Double(layout.responses.reduce(0) { $0 + $1.targets.count })
        let head = 2 * scored * width * Double(text.vocabulary)
        let attention = 4 * pairs * queries
        let isFull = trainable.language == .full
        return OperationCount(
            forward: 2 * (dense + adapted) + attention + head,
            backward: 2 * (dense * (isFull ? 2 : 1) + adapted * 2) + 2 * attention + head * (isFull ? 2 : 1),
            again: 2 * rows * Double(text.layers - 1) * (whole.dense + whole.adapted) + 4 * lowerPairs * queries)
    }

    /// What pictures add to a batch where something of the vision encoder is trained; a frozen encoder's features are
    /// computed once and kept.
    public func operations(_ pictures: [PictureShape], trainable: Trainable) -> OperationCount {
        let trainsTower = trainable.vision != .frozen
        guard trainsTower || trainable.projector == .full else { return OperationCount() }
        return pictures.reduce(OperationCount()) { sum, shape in
            let cost = family.cost(shape)
            let tower = trainsTower ? cost.tower : 0
            let (ofTower, ofConnector) = (
                trainable.vision == .full ? 2.0 : 1, trainable.projector == .full ? 2.0 : 1
            )
            return sum
                + OperationCount(
                    forward: tower + cost.connector, backward: ofTower * tower + ofConnector * cost.connector,
                    again: tower)
        }
    }

    /// Bytes of activations that pictures add, roughly.
    public func activationBytes(_ pictures: [PictureShape], trainable: Trainable) -> Double {
        let trainsTower = trainable.vision != .frozen
        guard trainsTower || trainable.projector == .full else { return 0 }
        return pictures.reduce(0) { sum, shape in
            let cost = family.cost(shape)
            return sum + cost.connectorBytes + (trainsTower ? cost.towerBytes : 0)
        }
    }

    /// Bytes of activations that a joint forward pass of the layout keeps for the backward pass, and of what one
    /// layer's backward pass holds beside them, roughly.
    public func activationBytes(_ layout: SequenceLayout) -> Double {
        4 * Double(layout.rows * (text.layers * numbersPerRow + momentPerRow)) + logitBytes(layout)
    }

    /// Numbers that a row keeps in a layer.
    private var numbersPerRow: Int {
        4 * text.hiddenSize + 3 * text.intermediateSize + (2 * text.heads + 2 * text.keyHeads) * text.headSize
    }

    /// Numbers that a row takes while a layer's backward pass runs.
    private var momentPerRow: Int { 2 * text.hiddenSize + 3 * text.intermediateSize }

    private func logitBytes(_ layout: SequenceLayout) -> Double {
        4 * Double(layout.responses.reduce(0) { $0 + $1.targets.count } * text.vocabulary)
    }

    /// Bytes that a forward pass of the layout and its way back take where layer inputs alone are kept, roughly: these,
    /// what one layer's backward pass needs, and what it holds for a moment, which is not little beside them.
    ///
    /// - Parameter inBFloat16: whether the inputs are kept in 16 bits
    public func recomputationBytes(_ layout: SequenceLayout, inBFloat16: Bool = false) -> Double {
        let ofLayer = numbersPerRow + momentPerRow
        let inputs = text.layers * text.hiddenSize * (inBFloat16 ? 2 : 4)
        return Double(layout.rows * (inputs + 4 * ofLayer)) + logitBytes(layout)
    }

    /// Bytes of activations that pictures add then, roughly.
    public func recomputationBytes(_ pictures: [PictureShape], trainable: Trainable) -> Double {
        let trainsTower = trainable.vision != .frozen
        guard trainsTower || trainable.projector == .full else { return 0 }
        return pictures.reduce(0) { sum, shape in
            let cost = family.cost(shape)
            return sum + cost.connectorBytes + (trainsTower ? cost.towerInputBytes + 2 * cost.towerLayerBytes : 0)
        }
    }
}

/// LoRA's rank, scale and target modules, under PEFT's names.
public struct LowRankSettings: Sendable, Equatable, Codable {
    /// What the canonical paths of the language model's modules begin with; others are the tower's.
    static let languageRoot = "language_model."
    /// The projections of a decoder layer, all of which can have an adapter.
    public static let modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

    /// The largest rank among the modules.
    public var r: Int
    /// α; a module in `parts` has its own.
    public var alpha: Double
    /// Modules of the language model that have an adapter, in every layer unless `parts` says otherwise. In the tower
    /// all projections of the layers have.
    public var targets: [String]
    /// p: by what chance a training pass leaves out an element before an adapter of the language model (`Dropout`).
    public var dropout: Double
    /// Whether the scale is α/√r (Kalajdzievski, rsLoRA, arXiv 2312.03732) instead of α/r.
    public var isRankStabilized: Bool
    /// The modules of an adapter that was read, by canonical path (`language_model.layers.0.self_attn.q_proj`); nil:
    /// the targets of all layers, alike.
    public var parts: [String: LowRankShape]?

    /// Unless told otherwise, every projection with r = 64 and α = 128.
    public init(
        r: Int = 64, alpha: Double = 128, targets: [String] = modules, dropout: Double = 0,
        isRankStabilized: Bool = false,
        parts: [String: LowRankShape]? = nil
    ) {
        self.r = r
        self.alpha = alpha
        self.targets = targets
        self.dropout = dropout
        self.isRankStabilized = isRankStabilized
        self.parts = parts
    }

    /// Whether an adapter that was read has parts in the language model.
    public var adaptsLanguage: Bool { parts?.keys.contains { $0.hasPrefix(Self.languageRoot) } ?? false }

    /// Whether an adapter that was read has parts in the vision tower, or anywhere else.
    public var adaptsVision: Bool { parts?.keys.contains { !$0.hasPrefix(Self.languageRoot) } ?? false }

    /// Rank and α of the adapter at a module; nil where there is none.
    public func shape(of path: String) -> LowRankShape? {
        if let parts { return parts[path] }
        if path.hasPrefix(Self.languageRoot) {
            guard let name = path.split(separator: ".").last, targets.contains(String(name)) else { return nil }
        }
        return LowRankShape(r: r, alpha: alpha)
    }

    /// What B·A is multiplied by.
    public func scale(of shape: LowRankShape) -> Double {
        shape.alpha / (isRankStabilized ? Double(shape.r).squareRoot() : Double(shape.r))
    }

    /// Whether all targets of that many layers of the language model have adapters of one rank and α.
    package func isUniform(layers: Int) -> Bool {
        guard let parts = parts?.filter({ $0.key.hasPrefix(Self.languageRoot) }) else { return true }
        let standard = LowRankShape(r: r, alpha: alpha)
        return parts.count == layers * targets.count && parts.values.allSatisfy { $0 == standard }
    }
}

/// An adapter's rank and α.
public struct LowRankShape: Sendable, Equatable, Codable {
    /// Rows of A and columns of B.
    public var r: Int
    /// α, the numerator of the scale.
    public var alpha: Double

    /// The scale that comes of it is `LowRankSettings.scale(of:)`.
    public init(r: Int, alpha: Double) {
        self.r = r
        self.alpha = alpha
    }
}

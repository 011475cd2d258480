/// What a training pass leaves out before the adapters of the language model, as PEFT's `lora_dropout`: x·Aᵀ becomes
/// (m∘x/(1 − p))·Aᵀ, m being 0 by chance p and 1 otherwise.
///
/// Whether an element is left out is a pure function of seed, step, group, picture, the row among the picture's, module
/// and column: so it is the same for any number of ranks, however the group is cut into passes, and when a pass is made
/// again. The rows of a prompt that responses share are drawn once for all of them.
public struct Dropout: Sendable {
    /// p
    let rate: Double
    private let key: UInt64
    private let firstPicture: Int

    /// - Parameters:
    ///   - rate: p, below 1
    ///   - step: steps taken before this one
    ///   - group: its id
    ///   - firstPicture: the place of the pass's first picture among the group's
    /// - Returns: nil where the rate is 0
    public init?(rate: Double, seed: UInt64, step: Int, group: String, firstPicture: Int) {
        guard rate > 0 else { return nil }
        var random = KeyedRandom(seed, "dropout", String(step), group)
        (self.rate, key, self.firstPicture) = (rate, random.next(), firstPicture)
    }

    /// Of each row of a layout.
    package func rows(_ layout: SequenceLayout) -> RowDropout {
        var keys: [UInt64] = []
        keys.reserveCapacity(layout.rows)
        for (picture, rows) in layout.pictures.enumerated() {
            var random = KeyedRandom(key, String(firstPicture + picture))
            for _ in rows { keys.append(random.next()) }
        }
        return RowDropout(rate: rate, keys: keys)
    }
}

/// What is left out at each row of a batch.
public struct RowDropout: Sendable {
    let rate: Double
    /// A row each.
    package let keys: [UInt64]

    package init(rate: Double, keys: [UInt64]) { (self.rate, self.keys) = (rate, keys) }

    /// Before an adapter.
    ///
    /// - Parameter module: the adapter's key
    func mask(_ module: UInt64) -> DropoutMask {
        DropoutMask(rate: rate, keys: keys.map { KeyedRandom.mixed($0 ^ module) })
    }

    /// Of some of the rows.
    func kept(_ rows: [Int]) -> RowDropout { RowDropout(rate: rate, keys: rows.map { keys[$0] }) }
}

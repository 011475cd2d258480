/// A vision transformer of CLIP's, SigLIP's or DINOv2's shape: which parts it has is in its weights.
///
/// Legend: `N` patches of an image, `P` patch side, `C` channels, `B` images; rows are tokens, image after image.
public struct VisionTower<A: Arithmetic>: Sendable {
    /// The patch convolution as a matrix: C × (3·P·P).
    public let patch: Linear<A>
    /// 1 × C, at the front of each image; SigLIP has none.
    public let classToken: Weight<A.Element>?
    /// (1 + N₀) × C, or N₀ × C without class token.
    public let positions: Weight<A.Element>
    /// N × N₀: resamples the patches' positions to another grid; nil where the grids agree.
    public let resampling: Matrix<A.Element>?
    /// Before the first layer; CLIP's alone.
    public let preNorm: LayerNorm<A>?
    /// From the patches up. Those above the last feature layer are never run.
    public let layers: [VisionLayer<A>]
    /// Features are taken before it; CLIP's embedding of a picture behind it.
    public let postNorm: LayerNorm<A>
    /// The hidden states that make the features, 0 being the embeddings; concatenated channel-wise.
    public let featureLayers: [Int]
    /// Whether each image's first row is left out of the features (`vision_feature_select_strategy: default`).
    public let dropsFirstRow: Bool
    /// P, in pixels.
    public let patchSide: Int

    /// Whether the tower is trained: all that its features come from, the adapters of its layers, or nothing.
    public let isTrained: Bool
    private var extraRows: Int { classToken == nil ? 0 : 1 }

    /// What `backward` needs.
    public struct Activations {
        let images: Int
        let patches: Linear<A>.Activations
        let segments: [AttentionSegment]
        let preNorm: LayerNorm<A>.Activations?
        let layers: [LayerPass<A.Element, VisionLayer<A>.Activations>]
    }

    /// An image's patches, a row each: N × (3·P·P), from planar pixels (3 × height × width).
    public func patches(of pixels: [Float], height: Int, width: Int) -> Matrix<A.Element> {
        let (down, across) = (height / patchSide, width / patchSide)
        let result = Matrix<A.Element>(uninitialized: down * across, 3 * patchSide * patchSide)
        for patch in 0..<down * across {
            var target = result.row(patch)
            let (top, left) = (patch / across * patchSide, patch % across * patchSide)
            for channel in 0..<3 {
                for y in top..<top + patchSide {
                    let source = (channel * height + y) * width + left
                    for x in 0..<patchSide { target[x] = A.Element(pixels[source + x]) }
                    target += patchSide
                }
            }
        }
        return result
    }

    /// Features of `images` images of equally many patches, stacked: (B·N) × (3·P·P) → (B·N′) × (C·layers).
    ///
    /// - Parameter keeping: what stays of the layers for `backward`
    public func forward(
        _ patches: Matrix<A.Element>, images: Int, keeping: Keeping = .everything
    ) -> (Matrix<A.Element>, Activations) {
        let (embedded, savedPatches) = patch.forward(patches)
        var (x, segments) = tokens(embedded, images: images)
        var savedNorm: LayerNorm<A>.Activations?
        if let preNorm { (x, savedNorm) = preNorm.forward(x) }
        var states = [0: x]
        var saved: [LayerPass<A.Element, VisionLayer<A>.Activations>] = []
        for (index, layer) in layers.prefix(featureLayers.max() ?? 0).enumerated() {
            let (y, pass) = LayerPass.forward(x, keeping: keeping) { layer.forward($0, segments) }
            saved.append(pass)
            if featureLayers.contains(index + 1) { states[index + 1] = y }
            x = y
        }
        let activations = Activations(
            images: images, patches: savedPatches, segments: segments, preNorm: savedNorm, layers: saved)
        return (features(states, segments), activations)
    }

    /// Adds the gradients of all the tower's weights.
    public func backward(_ dFeatures: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>) {
        let channels = positions.columns
        let total = saved.segments.last?.rows.upperBound ?? 0
        let d = Matrix<A.Element>(zeros: total, channels)
        let kept = keptRows(saved.segments)
        for index in stride(from: featureLayers.max() ?? 0, through: 0, by: -1) {
            for (place, layer) in featureLayers.enumerated() where layer == index {
                A.addRows(dFeatures.columns(place * channels..<(place + 1) * channels), to: d, at: kept)
            }
            guard index > 0 else { continue }
            let layer = layers[index - 1]
            let activations = saved.layers[index - 1].activations { layer.forward($0, saved.segments) }
            layer.backward(d, activations, saved.segments, gradient)
        }
        if let preNorm, let savedNorm = saved.preNorm {
            let dEmbedded = Matrix<A.Element>(zeros: total, channels)
            preNorm.backward(d, savedNorm, gradient, to: dEmbedded)
            tokensBackward(dEmbedded, saved, gradient)
        } else {
            tokensBackward(d, saved, gradient)
        }
    }
}

extension VisionTower {
    /// Puts the class token before each image's patches and adds the positions. Returns the rows, and which attend
    /// together.
    private func tokens(
        _ embedded: Matrix<A.Element>, images: Int
    ) -> (Matrix<A.Element>, [AttentionSegment]) {
        let count = embedded.rows / images
        let rows = extraRows + count
        let x = Matrix<A.Element>(uninitialized: images * rows, embedded.columns)
        let table = positions.matrix
        let grid = resampling.map { A.product($0, table.rows(extraRows..<table.rows)) }
        for image in 0..<images {
            let first = image * rows
            if let classToken {
                x.rows(first..<first + 1).copyElements(of: classToken.matrix)
                A.add(table.row(0), to: x.row(first), count: x.columns)
            }
            let patches = x.rows(first + extraRows..<first + rows)
            patches.copyElements(of: embedded.rows(image * count..<(image + 1) * count))
            A.add(grid ?? table.rows(extraRows..<table.rows), to: patches)
        }
        return (x, (0..<images).map { AttentionSegment(rows: $0 * rows..<($0 + 1) * rows) })
    }

    private func tokensBackward(_ d: Matrix<A.Element>, _ saved: Activations, _ gradient: Gradient<A.Element>) {
        let dEmbedded = Matrix<A.Element>(uninitialized: d.rows - saved.images * extraRows, d.columns)
        let count = dEmbedded.rows / saved.images
        let dPositions = positions.gradient(in: gradient)
        for (image, segment) in saved.segments.enumerated() {
            let dPatches = d.rows(segment.rows.lowerBound + extraRows..<segment.rows.upperBound)
            dEmbedded.rows(image * count..<(image + 1) * count).copyElements(of: dPatches)
            if let dClass = classToken?.gradient(in: gradient) {
                A.add(d.row(segment.rows.lowerBound), to: dClass.base, count: d.columns)
            }
            guard let dPositions else { continue }
            if extraRows == 1 { A.add(d.row(segment.rows.lowerBound), to: dPositions.row(0), count: d.columns) }
            let dGrid = dPositions.rows(extraRows..<dPositions.rows)
            if let resampling {
                A.setProduct(dGrid, resampling, transposeA: true, dPatches, keep: 1)
            } else {
                A.add(dPatches, to: dGrid)
            }
        }
        _ = patch.backward(dEmbedded, saved.patches, gradient)
    }

    private func keptRows(_ segments: [AttentionSegment]) -> [Int] {
        segments.flatMap { Array($0.rows.dropFirst(dropsFirstRow ? 1 : 0)) }
    }

    private func features(_ states: [Int: Matrix<A.Element>], _ segments: [AttentionSegment]) -> Matrix<A.Element> {
        let kept = keptRows(segments)
        let channels = positions.columns
        let result = Matrix<A.Element>(uninitialized: kept.count, channels * featureLayers.count)
        for (place, layer) in featureLayers.enumerated() {
            guard let state = states[layer] else { continue }
            result.columns(place * channels..<(place + 1) * channels).copyElements(of: state.gathered(kept))
        }
        return result
    }
}

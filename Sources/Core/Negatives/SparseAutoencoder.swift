import Foundation

/// A trained sparse autoencoder: z = σ(W d + a), d̂ = D z + b over differences d = vec(δ hᵀ).
///
/// Read from a file the weights stay where they are mapped, one copy for all ranks of a host.
public struct SparseAutoencoder: Sendable {
    /// K, d_v and d_t.
    public let shape: AutoencoderShape
    /// W: K × (d_v·d_t).
    public let encoder: Matrix<Float>
    /// a: 1 × K.
    public let encoderBias: Matrix<Float>
    /// Dᵀ, a row per latent: K × (d_v·d_t).
    public let decoder: Matrix<Float>
    /// b: 1 × (d_v·d_t).
    public let decoderBias: Matrix<Float>
    /// The atoms' products with each other, b being atom K: (K+1) × (K+1).
    let gram: Matrix<Double>

    /// Weights in memory or mapped, with the shapes of the properties. Computes the atoms' products: about K² ·
    /// d_v·d_t multiplications.
    public init(
        _ shape: AutoencoderShape, encoder: Matrix<Float>, encoderBias: Matrix<Float>, decoder: Matrix<Float>,
        decoderBias: Matrix<Float>
    ) {
        self.shape = shape
        (self.encoder, self.encoderBias) = (encoder, encoderBias)
        (self.decoder, self.decoderBias) = (decoder, decoderBias)
        gram = Self.gram(shape, decoder, decoderBias)
    }

    /// In Double, a piece of the entries after another: what is left of it after the part along a prompt's h is taken
    /// away may be small.
    private static func gram(
        _ shape: AutoencoderShape, _ decoder: Matrix<Float>, _ bias: Matrix<Float>
    ) -> Matrix<Double> {
        let width = shape.latents + 1
        let gram = Matrix<Double>(zeros: width, width)
        let piece = 4_096
        let wide = Matrix<Double>(uninitialized: width, piece)
        for start in stride(from: 0, to: shape.entries, by: piece) {
            let count = min(piece, shape.entries - start)
            for atom in 0..<width {
                let row = atom < shape.latents ? decoder.row(atom) : bias.base
                Double.widen(row + start, .float32, into: wide.row(atom), count: count)
            }
            let part = wide.columns(0..<count)
            DoublePrecision.setProduct(gram, part, part, transposeB: true, keep: 1)
        }
        return gram
    }

    /// A latent's atom (or, past the last, the bias) as d_v × d_t.
    func atom(_ index: Int) -> Matrix<Float> {
        (index < shape.latents ? decoder.rows(index..<index + 1) : decoderBias).reshaped(shape.image, shape.text)
    }
}

extension SparseAutoencoder {
    private static let names = ["encoder.weight", "encoder.bias", "decoder.weight_transposed", "decoder.bias"]

    /// Reads `sae.safetensors`.
    ///
    /// - Throws: `MISPError` that names the file and the tensor that is missing or misshapen.
    public init(contentsOf url: URL) throws(MISPError) {
        let file = try SafetensorsFile(contentsOf: url)
        func number(_ key: String) throws(MISPError) -> Int {
            guard let value = file.metadata[key].flatMap({ Int($0) }), value > 0 else {
                throw MISPError(
                    "has no metadata '\(key)'", at: url.relativePath,
                    remedy: "is it an autoencoder that mine has written?")
            }
            return value
        }
        let shape = AutoencoderShape(
            latents: try number("latents"), image: try number("image"), text: try number("text"))
        let shapes = [
            [shape.latents, shape.entries], [shape.latents], [shape.latents, shape.entries], [shape.entries],
        ]
        var matrices: [Matrix<Float>] = []
        for (name, size) in zip(Self.names, shapes) {
            guard let tensor = file.tensors[name], tensor.shape == size, tensor.format == .float32 else {
                let found = file.tensors[name].map { "is \($0.format.rawValue) \($0.shape)" } ?? "is missing"
                throw MISPError("\(found), and should be F32 \(size)", at: "\(url.relativePath): \(name)")
            }
            matrices.append(
                Matrix(
                    owner: tensor.file,
                    base: UnsafeMutableRawPointer(mutating: tensor.base).assumingMemoryBound(to: Float.self),
                    rows: size.count == 2 ? size[0] : 1, columns: size[size.count - 1]))
        }
        self.init(
            shape, encoder: matrices[0], encoderBias: matrices[1], decoder: matrices[2], decoderBias: matrices[3])
    }

    /// Writes `sae.safetensors`; whole or absent.
    public static func write(
        _ shape: AutoencoderShape, encoder: Matrix<Float>, encoderBias: Matrix<Float>, decoder: Matrix<Float>,
        decoderBias: Matrix<Float>, to url: URL, metadata: [String: String] = [:]
    ) throws {
        let sizes = [
            [shape.latents, shape.entries], [shape.latents], [shape.latents, shape.entries], [shape.entries],
        ]
        let matrices = [encoder, encoderBias, decoder, decoderBias]
        let entries = zip(names, zip(sizes, matrices)).map { name, tensor in
            SafetensorsWriter.Entry(name: name, shape: tensor.0, matrix: tensor.1)
        }
        let own = [
            "format": "pt", "latents": "\(shape.latents)", "image": "\(shape.image)", "text": "\(shape.text)",
            "order": "entry v * text + t is (image difference)[v] * (text embedding)[t]",
        ]
        try SafetensorsWriter.write(entries, metadata: own.merging(metadata) { $1 }, to: url)
    }
}

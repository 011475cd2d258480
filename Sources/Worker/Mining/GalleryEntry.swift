import Core
import Foundation

/// A prompt on the gallery's page: its positive image, what was picked, what chance would have picked, and where both
/// lie among the candidates. Made by the rank that mined the prompt.
package struct GalleryEntry: Codable, Sendable {
    struct Point: Codable, Sendable {
        let x, y: Double
    }

    struct Latent: Codable, Sendable {
        let index: Int
        let value: Double
    }

    struct Picture: Codable, Sendable {
        /// JPEG, in base64.
        let thumbnail: String
        let width, height: Int
        let name: String
        /// Not known of changed positives.
        var mining: Mining?
        /// By phrase of the response, its cosine with the positive less that with this picture; nil where nothing was
        /// compared.
        var falls: [Double]?
    }

    /// What mining says of a candidate.
    struct Mining: Codable, Sendable {
        /// ℓ/max ℓ and v/max v; their sum is the score.
        let errorShare, deviationShare: Double
        /// Cosine with the positive.
        let similarity: Double
        /// Strongest first.
        let latents: [Latent]
        let point: Point
    }

    /// Mean over the pairs of a choice; nil below two pictures.
    struct Distance: Codable, Sendable {
        /// 1 − cos of the latents.
        let latents: Double?
        /// 1 − cos of the image embeddings.
        let images: Double?
    }

    let id, question, answer: String
    let candidates: Int
    let positive: Picture
    let picks, random: [Picture]
    let pickDistance, randomDistance: Distance
    /// Some of the candidates.
    let cloud: [Point]
    /// Of the latents' variance, what the map's two axes show.
    let shares: [Double]
    /// The response in phrases; nil where they were not compared.
    let pieces: [Phrases.Piece]?

    /// - Parameters:
    ///   - path: of a gallery row's image
    ///   - picks: what the strategy chose
    ///   - random: what `random` chose
    /// - Throws: `MISPError` that names an image which cannot be read
    package init(
        prompt: MiningPrompt, question: String, chosen: String, positivePath: String, path: (Int) -> String,
        images: Matrix<Float>, scores: CandidateScores, picks: [ChosenNegative], random: [ChosenNegative],
        transparency: Transparency = .white
    ) throws {
        try self.init(
            prompt: prompt, question: question, chosen: chosen, positivePath: positivePath, path: path, images: images,
            scores: scores, picks: picks, random: random, transparency: transparency, phrases: nil)
    }

    init(
        prompt: MiningPrompt, question: String, chosen: String, positivePath: String, path: (Int) -> String,
        images: Matrix<Float>, scores: CandidateScores, picks: [ChosenNegative], random: [ChosenNegative],
        transparency: Transparency, phrases: EntryPhrases?
    ) throws {
        pieces = phrases?.pieces
        (id, self.question, answer, candidates) = (prompt.id, question, chosen, scores.rows.count)
        let plane = PrincipalPlane(scores.latents)
        shares = plane.shares
        let latents = scores.latents
        func point(_ place: Int) -> Point {
            let (x, y) = plane.place(latents.row(place))
            return Point(x: Self.rounded(x), y: Self.rounded(y))
        }
        func picture(_ negative: ChosenNegative) throws -> Picture {
            guard case .gallery(let row, let place) = negative.source else {
                guard case .perturbed(let source) = negative.source else {
                    return try Self.picture(positivePath, transparency)
                }
                return try Self.picture(of: source.rendered(transparency), name: source.crop == nil ? "noise" : "crop")
            }
            var result = try Self.picture(path(row), transparency)
            result.falls = try phrases?.falls(row)
            if negative.score != nil {
                let codes = latents.rows(place..<place + 1).elements
                let strongest = codes.indices.sorted { codes[$0] != codes[$1] ? codes[$0] > codes[$1] : $0 < $1 }
                let share = scores.errorShare(place)
                result.mining = Mining(
                    errorShare: share, deviationShare: scores.scores[place] - share,
                    similarity: Self.cosine(images, row, prompt.positive),
                    latents: strongest.prefix(3).map { Latent(index: $0, value: Double(codes[$0])) },
                    point: point(place))
            }
            return result
        }
        positive = try Self.picture(positivePath, transparency)
        self.picks = try picks.map(picture)
        self.random = try random.map(picture)
        pickDistance = Self.distance(picks, images, latents)
        randomDistance = Self.distance(random, images, latents)
        var draw = KeyedRandom(0, "gallery.cloud", prompt.id)
        let shown = min(latents.rows, 300)
        cloud =
            latents.rows <= shown
            ? (0..<shown).map(point) : (0..<shown).map { _ in point(draw.below(latents.rows)) }
    }

    private static func picture(_ path: String, _ transparency: Transparency) throws -> Picture {
        let name = URL(filePath: path).lastPathComponent
        return try picture(of: RGBImage(contentsOf: URL(filePath: path), transparency: transparency), name: name)
    }

    /// Twice the size that the page shows, for dense screens.
    private static func picture(of image: RGBImage, name: String) throws -> Picture {
        let small = image.thumbnail(side: 224)
        return Picture(
            thumbnail: try small.jpegData(quality: 82).base64EncodedString(), width: small.width, height: small.height,
            name: name)
    }

    private static func distance(
        _ chosen: [ChosenNegative], _ images: Matrix<Float>, _ latents: Matrix<Float>
    ) -> Distance {
        var (rows, places) = ([Int](), [Int]())
        for negative in chosen {
            guard case .gallery(let row, let place) = negative.source, negative.score != nil else { continue }
            rows.append(row)
            places.append(place)
        }
        return Distance(latents: meanDistance(latents, places), images: meanDistance(images, rows))
    }

    private static func meanDistance(_ matrix: Matrix<Float>, _ rows: [Int]) -> Double? {
        let pairs = rows.indices.flatMap { i in (0..<i).map { (rows[$0], rows[i]) } }
        guard !pairs.isEmpty else { return nil }
        return pairs.reduce(0) { $0 + 1 - cosine(matrix, $1.0, $1.1) } / Double(pairs.count)
    }

    private static func cosine(_ matrix: Matrix<Float>, _ a: Int, _ b: Int) -> Double {
        func dot(_ a: Int, _ b: Int) -> Double {
            var result: Float = 0
            Vector.rowDots(matrix.rows(a..<a + 1), matrix.rows(b..<b + 1), into: &result)
            return Double(result)
        }
        let square = dot(a, a) * dot(b, b)
        return square > 0 ? dot(a, b) / square.squareRoot() : 0
    }

    private static func rounded(_ value: Double) -> Double { (value * 1e5).rounded() / 1e5 }
}

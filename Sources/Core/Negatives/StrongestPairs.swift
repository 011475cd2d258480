/// For each latent the pairs of a positive and a candidate that bring it to its highest values, over any number of
/// prompts.
///
/// A positive stands in a latent's list once, with the strongest of its pairs over all prompts and candidates. Lists of
/// separate prompts merge into the list of all of them, in whatever order and parts: what is among the strongest of all
/// is among the strongest of its part.
public struct StrongestPairs: Codable, Sendable, Equatable {
    /// A positive and a candidate, with the activation that their difference gives a latent.
    public struct Pair: Codable, Sendable, Equatable {
        /// z, between 0 and 1.
        public let value: Float
        /// Place of the prompt among those that are mined.
        public let prompt: Int
        /// Rows of the gallery's embeddings.
        public let positive, negative: Int

        /// `positive` and `negative` are rows of the gallery's embeddings.
        public init(value: Float, prompt: Int, positive: Int, negative: Int) {
            (self.value, self.prompt) = (value, prompt)
            (self.positive, self.negative) = (positive, negative)
        }

        /// Greater values first; ties to the earlier prompt, then to the earlier row.
        func precedes(_ other: Pair) -> Bool {
            value != other.value
                ? value > other.value : (prompt, negative) < (other.prompt, other.negative)
        }
    }

    /// By latent, strongest first.
    public private(set) var lists: [[Pair]]
    private let limit: Int

    /// - Parameter limit: pairs of a latent at the most
    public init(latents: Int, limit: Int) {
        lists = Array(repeating: [], count: latents)
        self.limit = limit
    }

    /// Adds a prompt's candidates.
    ///
    /// - Parameter positive: the row of its positive
    public mutating func add(_ candidates: CandidateScores, prompt: Int, positive: Int) {
        let codes = candidates.latents
        guard codes.rows > 0 else { return }
        // One pass along the rows: the codes of a large gallery are read once.
        var (values, places) = (codes.rows(0..<1).elements, [Int](repeating: 0, count: codes.columns))
        for place in 1..<max(codes.rows, 1) {
            let row = codes.row(place)
            for latent in 0..<codes.columns where row[latent] > values[latent] {
                values[latent] = row[latent]
                places[latent] = place
            }
        }
        for latent in lists.indices {
            let negative = candidates.rows[places[latent]]
            add(Pair(value: values[latent], prompt: prompt, positive: positive, negative: negative), to: latent)
        }
    }

    /// Adds the lists of other prompts.
    public mutating func merge(_ other: StrongestPairs) {
        for (latent, pairs) in other.lists.enumerated() { for pair in pairs { add(pair, to: latent) } }
    }

    private mutating func add(_ pair: Pair, to latent: Int) {
        if lists[latent].count == limit, lists[latent].last.map({ $0.precedes(pair) }) ?? true { return }
        if let known = lists[latent].firstIndex(where: { $0.positive == pair.positive }) {
            guard pair.precedes(lists[latent][known]) else { return }
            lists[latent].remove(at: known)
        }
        let place = lists[latent].firstIndex { pair.precedes($0) } ?? lists[latent].count
        lists[latent].insert(pair, at: place)
        if lists[latent].count > limit { lists[latent].removeLast() }
    }
}

extension CandidateScores {
    /// By place the latent that lifts the candidate's deviation v_i most above the candidates' mean:
    /// argmax_k (z_ik − mean_j z_jk), the terms' sum being v_i − mean v. Ties go to the lower latent.
    public func decidingLatents(of places: [Int]) -> [Int] {
        let means = Matrix<Float>.means(latents)
        return places.map { place in
            let row = latents.row(place)
            return means.indices.max { a, b in
                let (left, right) = (Double(row[a]) - means[a], Double(row[b]) - means[b])
                return left != right ? left < right : a > b
            } ?? 0
        }
    }
}

extension Matrix<Float> {
    /// Of each column, in Double.
    fileprivate static func means(_ matrix: Matrix<Float>) -> [Double] {
        var sums = [Double](repeating: 0, count: matrix.columns)
        for place in 0..<matrix.rows {
            let row = matrix.row(place)
            for column in sums.indices { sums[column] += Double(row[column]) }
        }
        return sums.map { $0 / Double(max(matrix.rows, 1)) }
    }
}

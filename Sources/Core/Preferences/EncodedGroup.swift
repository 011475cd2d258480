/// A preference group as token ids.
public struct EncodedGroup: Sendable, Equatable {
    /// The group's: key of its draws, and what errors name.
    public let id: String
    /// The rendered prompt, without the picture's rows.
    public let prompt: EncodedPrompt
    /// Ids of the response and the end-of-sequence token: all of them are scored.
    public var chosen: WeightedTokens
    /// Likewise; nil for a group without one.
    public var rejected: WeightedTokens?
    /// m_p, the picture that the prompt is about.
    public let image: PlacedImage
    /// The pool of negative images and their mining scores.
    public var negatives: [PlacedImage]
    /// One for each negative; nil where mining gave none.
    public var scores: [Double?]

    /// As many scores as negatives.
    public init(
        id: String, prompt: EncodedPrompt, chosen: WeightedTokens, rejected: WeightedTokens?, image: PlacedImage,
        negatives: [PlacedImage] = [], scores: [Double?] = []
    ) {
        self.id = id
        self.prompt = prompt
        self.chosen = chosen
        self.rejected = rejected
        self.image = image
        self.negatives = negatives
        self.scores = scores
    }

    /// Rows of the longest sequence.
    public var longest: Int {
        let picture = ([image] + negatives).map(\.place.tokens.count).max() ?? 0
        return prompt.before.count + picture + prompt.after.count + max(chosen.count, rejected?.count ?? 0)
    }
}

/// Turns groups into token ids (docs/method.md, sequences).
///
/// A sequence is the rendered prompt with the special tokens that the tokenizer adds, its image token replaced by what
/// the model's family puts in a picture's place, then the response without special tokens, then the end-of-sequence
/// token. Nothing is cut: what is longer than the model allows is an error.
public struct GroupEncoder: Sendable {
    /// What pictures become.
    public var places: PicturePlaces
    private let tokenizer: Tokenizer
    private let template: PromptTemplate
    private let names: FamilyNames
    private let imageToken: Int32
    private let endOfSequence: Int32
    private let vocabulary: Int
    private let maximumLength: Int

    /// For a model's tokenizer and limits.
    ///
    /// - Throws: `MISPError` where the tokenizer's image token is not the model's
    public init(_ folder: ModelFolder, template: PromptTemplate) throws(MISPError) {
        tokenizer = folder.tokenizer
        self.template = template
        endOfSequence = folder.endOfSequence
        vocabulary = folder.configuration.text.vocabulary
        maximumLength = folder.configuration.text.maximumLength
        names = folder.configuration.names
        let mark = names.imageMark
        guard let imageToken = tokenizer.id(of: mark), Int(imageToken) == folder.configuration.imageToken else {
            throw MISPError(
                "\(mark) is not token \(folder.configuration.imageToken), which config.json gives as the image token",
                at: folder.url.appending(path: "tokenizer.json").relativePath,
                remedy: "add \(mark) as a special token with that id")
        }
        self.imageToken = imageToken
        places = try PicturePlaces(folder)
    }

    /// - Parameter place: what an error names, such as `groups.jsonl`.
    public func encode(_ group: PreferenceGroup, at place: String) throws(MISPError) -> EncodedGroup {
        let place = "\(place): \(group.id)"
        let prompt = try encode(promptOf: group, at: place)
        let chosen = try encode(response: group.chosen, at: place)
        let rejected: [Int32]? = if let text = group.rejected { try encode(response: text, at: place) } else { nil }
        var negatives: [PlacedImage] = []
        for negative in group.negatives { negatives.append(try placed(ImageSource(path: negative.image))) }
        let encoded = EncodedGroup(
            id: group.id, prompt: prompt, chosen: WeightedTokens(chosen), rejected: rejected.map { WeightedTokens($0) },
            image: try placed(ImageSource(path: group.image)), negatives: negatives,
            scores: group.negatives.map(\.score))
        guard encoded.longest <= maximumLength else {
            throw MISPError(
                "has \(encoded.longest) tokens, but the model reads at most \(maximumLength)", at: place,
                remedy: "shorten the prompt or the response, or leave the group out")
        }
        return encoded
    }

    /// A picture with its rows.
    public func placed(_ image: ImageSource) throws(MISPError) -> PlacedImage {
        try places.placed(image)
    }

    private func encode(promptOf group: PreferenceGroup, at place: String) throws(MISPError) -> EncodedPrompt {
        guard let message = group.message else { return try encode(prompt: group.prompt, at: place) }
        let prompt = try Self.named(message.place) { () throws(MISPError) in
            try template.joined(message.parts, picture: message.picture)
        }
        return try encode(prompt: prompt, system: message.system, at: message.place)
    }

    /// The rendered prompt, cut at its picture.
    ///
    /// - Parameter system: what a system message says, for a template that has a place for it
    public func encode(prompt: String, system: String? = nil, at place: String) throws(MISPError) -> EncodedPrompt {
        for text in [prompt, system ?? ""] { try checkText(text, "the prompt", at: place) }
        let (before, after) = try Self.named(place) { () throws(MISPError) in
            try template.render(prompt, system: system)
        }
        let mark = names.imageMark
        let ids = tokenizer.encode("\(before)\(mark)\(after)", addSpecialTokens: true)
        guard let position = ids.firstIndex(of: imageToken), ids.lastIndex(of: imageToken) == position else {
            let count = ids.count { $0 == imageToken }
            throw MISPError(
                count == 0
                    ? "the tokenizer does not keep \(mark) as one token"
                    : "the tokenizer finds \(count) image tokens in the prompt, not 1", at: place,
                remedy: count == 0 ? "add it to the tokenizer as a special token" : "remove them from the text")
        }
        try checkVocabulary(ids, at: place)
        return EncodedPrompt(before: Array(ids[..<position]), after: Array(ids[(position + 1)...]))
    }

    /// The rendered prompt about no picture.
    public func encode(promptWithoutImage prompt: String, at place: String) throws(MISPError) -> PromptTokens {
        try checkText(prompt, "the prompt", at: place)
        let text = try Self.named(place) { () throws(MISPError) in try template.renderWithoutImage(prompt) }
        let ids = tokenizer.encode(text, addSpecialTokens: true)
        try checkVocabulary(ids, at: place)
        return PromptTokens(tokens: ids)
    }

    /// Refuses tokens that stand for a picture, or for a part of one.
    private func checkText(_ text: String, _ what: String, at place: String) throws(MISPError) {
        // The template's own error names <image>.
        for mark in names.pictureTokens where mark != PromptTemplate.imageMark && text.utf8Contains(mark) {
            throw MISPError(
                "\(what) holds \(mark), which stands for a picture", at: place,
                remedy: "remove it: the prompt template places the picture")
        }
    }

    /// Gives an error of `work` its place.
    private static func named<Value>(
        _ place: String, _ work: () throws(MISPError) -> Value
    ) throws(MISPError) -> Value {
        do throws(MISPError) {
            return try work()
        } catch {
            throw MISPError(error.what, at: place, remedy: error.remedy)
        }
    }

    /// A response without special tokens, closed by the end-of-sequence token, unless it ends in one already.
    public func encode(response: String, at place: String) throws(MISPError) -> [Int32] {
        try checkText(response, "the response", at: place)
        let ids = tokenizer.encode(template.responseOpening + response, addSpecialTokens: false)
        try checkVocabulary(ids, at: place)
        guard !ids.contains(imageToken) else {
            throw MISPError("the response holds the image token", at: place, remedy: "remove it from the text")
        }
        return ids.last == endOfSequence ? ids : ids + [endOfSequence]
    }

    private func checkVocabulary(_ ids: [Int32], at place: String) throws(MISPError) {
        guard let alien = ids.first(where: { !(0..<vocabulary).contains(Int($0)) && $0 != imageToken }) else { return }
        throw MISPError("the tokenizer gives id \(alien), but the model has \(vocabulary) embeddings", at: place)
    }
}

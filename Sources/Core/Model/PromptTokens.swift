/// Where a row stands, for its rotary angles: in time, down and across. The three are equal for text.
public struct RotaryPosition: Sendable, Hashable {
    /// In the order in which the angles' sections take them.
    public var time, height, width: Int32

    /// As the three are.
    public init(time: Int, height: Int, width: Int) {
        (self.time, self.height, self.width) = (Int32(time), Int32(height), Int32(width))
    }

    /// Of a row of text.
    public init(_ position: Int) { self.init(time: position, height: position, width: position) }

    /// Farther on by the same in all three.
    static func + (position: RotaryPosition, offset: Int) -> RotaryPosition {
        RotaryPosition(
            time: Int(position.time) + offset, height: Int(position.height) + offset,
            width: Int(position.width) + offset)
    }
}

/// What stands for a picture in a sequence: rows that its features fill, and the tokens that its family writes between
/// them.
public struct PicturePlace: Sendable, Equatable {
    /// An id per row; what stands at `featureRows` is not looked up.
    public let tokens: [Int32]
    /// The rows that the picture's features fill, in their order.
    public let featureRows: [Range<Int>]
    /// Of each row, counted from the first one's; nil where they are 0, 1, 2, …
    public let positions: [RotaryPosition]?
    /// How far behind the first row's position that of the row after the picture is.
    public let span: Int

    /// Unless told otherwise the rows are counted one after the other, as those of text.
    public init(
        tokens: [Int32], featureRows: [Range<Int>], positions: [RotaryPosition]? = nil, span: Int? = nil
    ) {
        self.tokens = tokens
        self.featureRows = featureRows
        self.positions = positions
        self.span = span ?? tokens.count
    }

    /// `rows` features and nothing else.
    public init(rows: Int, token: Int32) {
        self.init(tokens: [Int32](repeating: token, count: rows), featureRows: [0..<rows])
    }

    /// Features that it takes.
    public var features: Int { featureRows.reduce(0) { $0 + $1.count } }
}

/// A rendered prompt as token ids, cut where its picture stands: what the picture becomes depends on its size.
public struct EncodedPrompt: Sendable, Equatable {
    /// Ids before the picture, and behind it.
    public let before, after: [Int32]

    /// The ids of one text, without the picture's own.
    public init(before: [Int32], after: [Int32]) { (self.before, self.after) = (before, after) }

    /// The whole prompt with a picture of that place.
    public func tokens(_ place: PicturePlace) -> PromptTokens {
        PromptTokens(before: before, place, after: after)
    }
}

/// A prompt as token ids, with the rows that image features take.
public struct PromptTokens: Sendable, Equatable {
    /// One id per row; what stands at `imageRows` is not looked up.
    public let tokens: [Int32]
    /// Where the image's features go, a row each, in their order; empty without an image.
    public let imageRows: [Range<Int>]
    /// Of each row, for the rotary angles.
    public let positions: [RotaryPosition]
    /// The position of the row that follows.
    public let end: Int

    /// Without a picture.
    public init(tokens: [Int32]) { self.init(before: tokens, PicturePlace(tokens: [], featureRows: []), after: []) }

    /// A picture between two texts.
    public init(before: [Int32], _ place: PicturePlace, after: [Int32]) {
        let start = before.count
        tokens = before + place.tokens + after
        imageRows = place.featureRows.map { $0.lowerBound + start..<$0.upperBound + start }
        end = start + place.span + after.count
        let own = place.positions ?? place.tokens.indices.map { RotaryPosition($0) }
        positions =
            (0..<start).map { RotaryPosition($0) } + own.map { $0 + start }
            + (start + place.span..<end).map { RotaryPosition($0) }
    }
}

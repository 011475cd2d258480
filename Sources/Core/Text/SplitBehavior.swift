/// What becomes of the matches when a text is split at them.
enum SplitBehavior: String, Sendable {
    /// Matches are dropped.
    case removed = "Removed"
    /// Each match is a piece.
    case isolated = "Isolated"
    /// A match joins the piece before it, or after it.
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    /// Neighbouring matches are one piece.
    case contiguous = "Contiguous"

    init(_ field: JSONField) throws(MISPError) {
        let name = try field.string()
        guard let behavior = SplitBehavior(rawValue: name) else { throw field.failure("\(name) is not supported") }
        self = behavior
    }

    /// The pieces of a text given as consecutive segments, matches and what lies between them.
    fileprivate func pieces(of segments: [Segment]) -> [Range<Int>] {
        switch self {
        case .isolated: segments.map(\.range)
        case .removed: segments.compactMap { $0.isMatch ? nil : $0.range }
        case .contiguous: join(segments) { $0.isMatch == $1.isMatch }
        case .mergedWithPrevious: join(segments) { !$0.isMatch && $1.isMatch }
        case .mergedWithNext: join(segments) { $0.isMatch && !$1.isMatch }
        }
    }

    private func join(_ segments: [Segment], where areJoined: (Segment, Segment) -> Bool) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        for (index, segment) in segments.enumerated() {
            if index > 0, areJoined(segments[index - 1], segment) {
                let start = pieces.removeLast().lowerBound
                pieces.append(start..<segment.range.upperBound)
            } else {
                pieces.append(segment.range)
            }
        }
        return pieces
    }
}

private struct Segment {
    let range: Range<Int>
    let isMatch: Bool
}

extension TextPieces {
    /// Splits every piece at the matches, or, inverted, at what lies between them.
    mutating func split(by pattern: SplitPattern, _ behavior: SplitBehavior, isInverted: Bool) {
        var result: [Range<Int>] = []
        result.reserveCapacity(ranges.count)
        bytes.withUnsafeBufferPointer { bytes in
            for range in ranges {
                let piece = UnsafeBufferPointer(rebasing: bytes[range])
                let segments = Self.segments(of: piece, by: pattern, from: range.lowerBound, isInverted: isInverted)
                result.append(contentsOf: behavior.pieces(of: segments))
            }
        }
        startsText = startsText && result.first?.lowerBound == ranges.first?.lowerBound
        ranges = result
    }

    private static func segments(
        of piece: UnsafeBufferPointer<UInt8>, by pattern: SplitPattern, from offset: Int, isInverted: Bool
    ) -> [Segment] {
        var segments: [Segment] = []
        var done = 0
        func append(_ range: Range<Int>, isMatch: Bool) {
            let range = (range.lowerBound + offset)..<(range.upperBound + offset)
            segments.append(Segment(range: range, isMatch: isMatch != isInverted))
        }
        pattern.matches(in: piece) { match in
            if done < match.lowerBound { append(done..<match.lowerBound, isMatch: false) }
            append(match, isMatch: true)
            done = match.upperBound
        }
        if done < piece.count { append(done..<piece.count, isMatch: false) }
        return segments
    }

    /// Replaces every piece by what `body` appends for it; `isFirst` is said of the piece that begins the text.
    mutating func rewrite(
        _ body: (_ piece: Slice<UnsafeBufferPointer<UInt8>>, _ isFirst: Bool, _ result: inout [UInt8]) -> Void
    ) {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 2)
        bytes.withUnsafeBufferPointer { bytes in
            for index in ranges.indices {
                let start = result.count
                body(bytes[ranges[index]], startsText && index == 0, &result)
                ranges[index] = start..<result.count
            }
        }
        bytes = result
    }
}

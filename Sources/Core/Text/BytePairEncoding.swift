/// The BPE model of a tokenizer.json (Sennrich et al. 2016): the scalars of a piece become tokens, then neighbouring
/// tokens merge, the pair of lowest rank first, the leftmost among equals.
///
/// Time is O(n log n) in the length of a piece, whatever the text.
struct BytePairEncoding: Sendable {
    private(set) var vocabulary: TokenTable
    private var merges: MergeTable
    let unknown: Int32?
    let fusesUnknown: Bool
    let ignoresMerges: Bool
    let continuingPrefix: [UInt8]
    let endSuffix: [UInt8]
    /// The tokens `<0x00>` to `<0xFF>`, when byte_fallback is set; -1 where the vocabulary lacks one.
    private var byteTokens: [Int32] = []
    /// The tokens of the scalars below 0x3000 without prefix and suffix; -1 for none.
    private var scalarTokens: [Int32] = []

    /// - Parameter model: the section `model` of tokenizer.json.
    init(_ model: JSONField) throws(MISPError) {
        try model.checkKeys(
            "dropout", "vocab", "merges", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "ignore_merges",
            "unk_token", "byte_fallback")
        let type = try model["type"].string(default: "BPE")
        guard type == "BPE" else {
            throw model["type"].failure("tokenizer model \(type) is not supported; BPE is")
        }
        guard try model["dropout"].double(default: 0) == 0 else {
            throw model["dropout"].failure("merge dropout makes the tokens random", remedy: "set it to null")
        }
        vocabulary = try Self.readVocabulary(model["vocab"])
        continuingPrefix = Array(try model["continuing_subword_prefix"].string(default: "").utf8)
        endSuffix = Array(try model["end_of_word_suffix"].string(default: "").utf8)
        fusesUnknown = try model["fuse_unk"].bool(default: false)
        ignoresMerges = try model["ignore_merges"].bool(default: false)
        unknown = vocabulary.id(of: try model["unk_token"].string(default: ""))
        merges = try Self.readMerges(model["merges"], vocabulary: vocabulary, prefix: continuingPrefix)
        if try model["byte_fallback"].bool(default: false) {
            let digits = Array("0123456789ABCDEF")
            byteTokens = (0..<256).map { vocabulary.id(of: "<0x\(digits[$0 >> 4])\(digits[$0 & 15])>") ?? -1 }
        }
        scalarTokens = (0..<0x3000).map { value in
            Unicode.Scalar(UInt32(value)).flatMap { vocabulary.id(of: String($0)) } ?? -1
        }
    }

    private static func readVocabulary(_ field: JSONField) throws(MISPError) -> TokenTable {
        let members = try field.object().members
        var table = TokenTable(capacity: members.count)
        for member in members {
            guard let id = member.value.int, let id = Int32(exactly: id), (0..<TokenTable.idLimit).contains(id)
            else {
                throw field[member.key].failure("is not a token id")
            }
            var token = member.key
            token.withUTF8 { table.insert($0, id: id) }
        }
        return table
    }

    /// Merges as `["a b", …]` or `[["a", "b"], …]`.
    private static func readMerges(
        _ field: JSONField, vocabulary: TokenTable, prefix: [UInt8]
    ) throws(MISPError) -> MergeTable {
        guard let elements = field.value?.array else { throw field.failure("is not an array of merges") }
        var table = MergeTable(capacity: elements.count)
        var rank: Int32 = 0
        var scratch: [UInt8] = []
        for (index, element) in elements.enumerated() {
            scratch.removeAll(keepingCapacity: true)
            var boundary: Int?
            if let line = element.string {
                if line.utf8.starts(with: "#version".utf8) { continue }
                boundary = Self.split(line, into: &scratch)
            } else if let left = element[0]?.string, let right = element[1]?.string, element.array?.count == 2 {
                scratch.append(contentsOf: left.utf8)
                boundary = scratch.count
                scratch.append(contentsOf: right.utf8)
            }
            guard let boundary, scratch.count - boundary >= prefix.count else {
                throw field[index].failure("is not a merge of two tokens")
            }
            let (left, right) = scratch.withUnsafeBufferPointer { bytes in
                (
                    vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[..<boundary])),
                    vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[boundary...]))
                )
            }
            scratch.removeSubrange(boundary..<(boundary + prefix.count))
            let merged = scratch.withUnsafeBufferPointer { vocabulary.id(of: $0) }
            guard let left, let right, let merged else {
                throw field[index].failure("names a token that the vocabulary lacks")
            }
            table.insert(left, right, Merge(rank: rank, merged: merged))
            rank += 1
        }
        return table
    }

    /// Appends the two tokens of "a b" without the space; the boundary between them, nil when there is no single space.
    private static func split(_ line: String, into scratch: inout [UInt8]) -> Int? {
        var boundary: Int?
        for byte in line.utf8 {
            if byte != UInt8(ascii: " ") {
                scratch.append(byte)
            } else if boundary == nil {
                boundary = scratch.count
            } else {
                return nil
            }
        }
        return boundary
    }

    // MARK: Encoding

    /// Memory that encoding reuses from piece to piece.
    struct Workspace {
        fileprivate var symbols: [Symbol] = []
        fileprivate var heap = CandidateHeap()
        fileprivate var bytes: [UInt8] = []
    }

    /// A token of the piece in a doubly linked list; -1 ends it, and `token` is -1 once it was merged into another.
    fileprivate struct Symbol {
        var token: Int32
        var previous: Int32
        var next: Int32
    }

    /// Appends the tokens of one piece of text.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], workspace: inout Workspace) {
        if ignoresMerges, let id = vocabulary.id(of: piece) {
            ids.append(id)
            return
        }
        workspace.symbols.removeAll(keepingCapacity: true)
        appendSymbols(of: piece, workspace: &workspace)
        merge(&workspace)
        for symbol in workspace.symbols where symbol.token >= 0 { ids.append(symbol.token) }
    }

    private func appendSymbols(of piece: UnsafeBufferPointer<UInt8>, workspace: inout Workspace) {
        var pendingUnknown = false
        var position = 0
        func append(_ token: Int32) {
            let index = Int32(workspace.symbols.count)
            workspace.symbols.append(Symbol(token: token, previous: index - 1, next: index + 1))
        }
        while position < piece.count {
            let (value, end) = piece.scalar(at: position)
            if let token = token(
                of: value, at: position..<end, in: piece, scratch: &workspace.bytes)
            {
                if pendingUnknown, let unknown { append(unknown) }
                pendingUnknown = false
                append(token)
            } else if !byteTokens.isEmpty, !workspace.bytes.contains(where: { byteTokens[Int($0)] < 0 }) {
                for byte in workspace.bytes { append(byteTokens[Int(byte)]) }
            } else if let unknown {
                if pendingUnknown, !fusesUnknown { append(unknown) }
                pendingUnknown = true
            }
            position = end
        }
        if pendingUnknown, let unknown { append(unknown) }
        if !workspace.symbols.isEmpty { workspace.symbols[workspace.symbols.count - 1].next = -1 }
    }

    /// The token of one scalar with the prefix and suffix its place in the piece asks for. When there is none,
    /// `scratch` holds the bytes that were looked up.
    @inline(__always) private func token(
        of value: UInt32, at range: Range<Int>, in piece: UnsafeBufferPointer<UInt8>, scratch: inout [UInt8]
    ) -> Int32? {
        let hasPrefix = range.lowerBound > 0 && !continuingPrefix.isEmpty
        let hasSuffix = range.upperBound == piece.count && !endSuffix.isEmpty
        if !hasPrefix, !hasSuffix, value < 0x3000, scalarTokens[Int(value)] >= 0 { return scalarTokens[Int(value)] }
        scratch.removeAll(keepingCapacity: true)
        if hasPrefix { scratch.append(contentsOf: continuingPrefix) }
        scratch.append(contentsOf: piece[range])
        if hasSuffix { scratch.append(contentsOf: endSuffix) }
        return scratch.withUnsafeBufferPointer { vocabulary.id(of: $0) }
    }

    private func merge(_ workspace: inout Workspace) {
        guard workspace.symbols.count > 1 else { return }
        workspace.heap.removeAll()
        workspace.symbols.withUnsafeMutableBufferPointer { symbols in
            for left in 0..<(symbols.count - 1) {
                if let merge = merges[symbols[left].token, symbols[left + 1].token] {
                    workspace.heap.push(Candidate(merge: merge, left: Int32(left)))
                }
            }
            while let candidate = workspace.heap.pop() {
                let left = Int(candidate.left)
                guard symbols[left].token >= 0, symbols[left].next >= 0 else { continue }
                let right = Int(symbols[left].next)
                // A candidate is stale when its pair has since changed to one that merges to something else.
                guard let merge = merges[symbols[left].token, symbols[right].token],
                    merge.merged == candidate.merge.merged
                else { continue }
                symbols[left].token = merge.merged
                symbols[left].next = symbols[right].next
                symbols[right].token = -1
                let next = Int(symbols[left].next)
                let previous = Int(symbols[left].previous)
                if next >= 0 { symbols[next].previous = Int32(left) }
                if previous >= 0, let merge = merges[symbols[previous].token, merge.merged] {
                    workspace.heap.push(Candidate(merge: merge, left: Int32(previous)))
                }
                if next >= 0, let merge = merges[merge.merged, symbols[next].token] {
                    workspace.heap.push(Candidate(merge: merge, left: Int32(left)))
                }
            }
        }
    }
}

/// A merge that may be made at `left` and the symbol after it.
private struct Candidate {
    var merge: Merge
    var left: Int32

    /// By rank, then from left to right.
    @inline(__always) static func < (a: Candidate, b: Candidate) -> Bool {
        a.merge.rank != b.merge.rank ? a.merge.rank < b.merge.rank : a.left < b.left
    }
}

/// A binary heap, the first candidate on top.
private struct CandidateHeap {
    private var items: [Candidate] = []

    mutating func removeAll() { items.removeAll(keepingCapacity: true) }

    mutating func push(_ candidate: Candidate) {
        items.append(candidate)
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard candidate < items[parent] else { break }
            items[child] = items[parent]
            child = parent
        }
        items[child] = candidate
    }

    mutating func pop() -> Candidate? {
        guard let last = items.popLast() else { return nil }
        guard let top = items.first else { return last }
        var hole = 0
        while true {
            var child = 2 * hole + 1
            if child >= items.count { break }
            if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
            guard items[child] < last else { break }
            items[hole] = items[child]
            hole = child
        }
        items[hole] = last
        return top
    }
}

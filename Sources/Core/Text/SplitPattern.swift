/// A regular expression of the kind tokenizers cut text with, matched as Oniguruma (which Hugging Face uses) does:
/// alternatives in order, greedy with backtracking, Unicode classes.
///
/// It knows literals, `[…]`, `\p{…}`, `\s \S \d \w`, groups `(?:…)` and `(?i:…)`, alternation, the quantifiers
/// `? * + {m,n}` (also possessive, on single sets) and look-ahead for a single set, `(?!\S)`. Anything else, and a
/// pattern that matches the empty text, is an error: better than another tokenization.
struct SplitPattern: Sendable {
    enum Instruction: Sendable {
        /// Between `minimum` and `maximum` scalars of the set; gives back one at a time unless possessive.
        case run(ScalarSet, minimum: Int, maximum: Int, isPossessive: Bool)
        /// One scalar of the set.
        case one(ScalarSet)
        /// The next scalar is (or is not) in the set; the text's end is in no set.
        case lookAhead(ScalarSet, isNegative: Bool)
        /// First goes on behind this instruction, on failure at the target.
        case fork(Int)
        case jump(Int)
        case accept
    }

    private var program: [Instruction] = []

    init(_ pattern: String, at place: JSONField) throws(MISPError) {
        var parser = SplitPatternParser(pattern, place: place)
        program = Self.compile(try parser.parse())
    }

    /// The text itself, no pattern.
    init(literal text: String) {
        program = text.unicodeScalars.map { .one(ScalarSet(only: $0.value)) } + [.accept]
    }

    /// Single scalars of the classes.
    init(_ classes: ScalarClass) {
        program = [.one(ScalarSet(classes)), .accept]
    }

    /// Runs of the classes, and runs of what is neither in them nor in `excluded`.
    init(runsOf classes: ScalarClass, otherThan excluded: ScalarClass) {
        let rest = ScalarSet([classes, excluded], isNegated: true)
        let runs: [Node] = [ScalarSet(classes), rest].map {
            .run($0, minimum: 1, maximum: .max, isPossessive: false)
        }
        program = Self.compile(.alternatives(runs))
    }

    /// The matches from left to right, none of them empty.
    func matches(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        var stack: [Frame] = []
        var position = 0
        while position < text.count {
            if let end = match(at: position, in: text, stack: &stack), end > position {
                body(position..<end)
                position = end
            } else {
                position = text.scalar(at: position).end
            }
        }
    }

    // MARK: Matching

    /// Where to go on after a failure; a run may go back as far as `floor`.
    private struct Frame {
        let instruction: Int
        var position: Int
        let floor: Int
    }

    private func match(at start: Int, in text: UnsafeBufferPointer<UInt8>, stack: inout [Frame]) -> Int? {
        stack.removeAll(keepingCapacity: true)
        var position = start
        var index = 0
        while true {
            var succeeded = true
            switch program[index] {
            case .one(let set):
                succeeded = position < text.count
                if succeeded {
                    let (value, end) = text.scalar(at: position)
                    succeeded = set.contains(value)
                    position = end
                }
                index += 1
            case .run(let set, let minimum, let maximum, let isPossessive):
                index += 1
                let run = extent(of: set, minimum: minimum, maximum: maximum, from: position, in: text)
                succeeded = run.count >= minimum
                position = run.end
                if succeeded, !isPossessive, run.end > run.floor {
                    stack.append(Frame(instruction: index, position: run.end, floor: run.floor))
                }
            case .lookAhead(let set, let isNegative):
                let isMember = position < text.count && set.contains(text.scalar(at: position).value)
                succeeded = isMember != isNegative
                index += 1
            case .fork(let other):
                stack.append(Frame(instruction: other, position: position, floor: position))
                index += 1
            case .jump(let target):
                index = target
            case .accept:
                return position
            }
            if succeeded { continue }
            guard var frame = stack.popLast() else { return nil }
            if frame.position > frame.floor {
                frame.position = text.start(before: frame.position)
                if frame.position > frame.floor { stack.append(frame) }
            }
            index = frame.instruction
            position = frame.position
        }
    }

    /// The longest run, and the position behind its first `minimum` scalars.
    @inline(__always) private func extent(
        of set: ScalarSet, minimum: Int, maximum: Int, from start: Int, in text: UnsafeBufferPointer<UInt8>
    ) -> (count: Int, end: Int, floor: Int) {
        var count = 0
        var position = start
        var floor = start
        while position < text.count, count < maximum {
            let (value, end) = text.scalar(at: position)
            guard set.contains(value) else { break }
            position = end
            count += 1
            if count == minimum { floor = end }
        }
        return (count, position, floor)
    }

    // MARK: Compilation

    /// The parsed form.
    indirect enum Node {
        case run(ScalarSet, minimum: Int, maximum: Int, isPossessive: Bool)
        case lookAhead(ScalarSet, isNegative: Bool)
        case sequence([Node])
        case alternatives([Node])
        case optional(Node)
    }

    private static func compile(_ node: Node) -> [Instruction] {
        var program: [Instruction] = []
        append(node, to: &program)
        program.append(.accept)
        return program
    }

    private static func append(_ node: Node, to program: inout [Instruction]) {
        switch node {
        case .run(let set, 1, 1, _):
            program.append(.one(set))
        case .run(let set, let minimum, let maximum, let isPossessive):
            program.append(.run(set, minimum: minimum, maximum: maximum, isPossessive: isPossessive))
        case .lookAhead(let set, let isNegative):
            program.append(.lookAhead(set, isNegative: isNegative))
        case .sequence(let nodes):
            for node in nodes { append(node, to: &program) }
        case .optional(let node):
            let fork = program.count
            program.append(.fork(0))
            append(node, to: &program)
            program[fork] = .fork(program.count)
        case .alternatives(let nodes):
            var jumps: [Int] = []
            for (index, node) in nodes.enumerated() {
                let isLast = index == nodes.count - 1
                let fork = program.count
                if !isLast { program.append(.fork(0)) }
                append(node, to: &program)
                if isLast { break }
                jumps.append(program.count)
                program.append(.jump(0))
                program[fork] = .fork(program.count)
            }
            for jump in jumps { program[jump] = .jump(program.count) }
        }
    }
}

extension ScalarSet {
    init(only value: UInt32) {
        self.init()
        ranges = [value...value]
        seal()
    }
}

import CProduct
import Core
import Testing

/// Kernels of decoding, held to the plain loops and to sums in Double.
@Suite struct FewRowsKernelTests {
    var numbers = SeededNumbers(state: 11)

    private func narrowed(_ w: Matrix<Float>, _ format: StoredFormat) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: w.count * format.bytes + 1)
        let fits = bytes.withUnsafeMutableBytes {  // at an odd address, as in a file
            $0.baseAddress.map { format.narrow(w.base, into: $0 + 1, count: w.count) }
        }
        try #require(fits == true)
        return bytes
    }

    @Test(arguments: StoredFormat.allCases) mutating func products(format: StoredFormat) throws {
        for (out, inner) in [(8, 8), (19, 37), (24, 64), (7, 3), (40, 576), (16, 1), (9, 1536)] {
            let w = numbers.matrix(out, inner)
            let bytes = try narrowed(w, format)
            try bytes.withUnsafeBytes { raw in
                let base = try #require(raw.baseAddress) + 1
                let rows = StoredRows(base: base, format: format, columns: inner)
                let wide = Matrix<Double>(uninitialized: out, inner)
                Double.widen(base, format, into: wide.base, count: wide.count)
                let all = numbers.matrix(17, inner)
                for count in [1, 2, 3, 4, 5, 8, 11, 16, 17] {
                    let x = all.rows(0..<count)
                    let (fast, plain) = (Matrix<Float>(zeros: count, out), Matrix<Float>(zeros: count, out))
                    Vector.fewRowsProduct(x, rows, rows: 0..<out, into: fast)
                    Plain.fewRowsProduct(x, rows, rows: 0..<out, into: plain)
                    let exact = DoublePrecision.product(doubled(x.copied()), transposed: wide)
                    let bound = 4e-7 * Double(inner).squareRoot()
                    #expect(difference(fast, exact) < bound && difference(plain, exact) < 20 * bound)
                    // A row's bits depend neither on its neighbours nor on how the weight's rows are shared out.
                    let alone = Matrix<Float>(zeros: count, out)
                    for i in 0..<count {
                        Vector.fewRowsProduct(x.rows(i..<i + 1), rows, rows: 0..<out, into: alone.rows(i..<i + 1))
                    }
                    #expect(sameBits(fast, alone), "\(format), \(out) × \(inner), \(count) rows")
                    let parts = Matrix<Float>(zeros: count, out)
                    for start in stride(from: 0, to: out, by: 5) {
                        Vector.fewRowsProduct(x, rows, rows: start..<min(start + 5, out), into: parts)
                    }
                    #expect(sameBits(fast, parts), "\(format), \(out) × \(inner) in parts")
                }
            }
        }
    }

    /// Every bfloat16 kernel gives the same bits, which are the sums of rounded factors.
    @Test(arguments: StoredFormat.allCases) mutating func bfloat16Products(format: StoredFormat) throws {
        for (out, inner) in [(8, 8), (19, 37), (24, 64), (7, 3), (40, 576), (16, 1), (9, 1537)] {
            let w = numbers.matrix(out, inner)
            let bytes = try narrowed(w, format)
            try bytes.withUnsafeBytes { raw in
                let base = try #require(raw.baseAddress) + 1
                let rows = StoredRows(base: base, format: format, columns: inner)
                let wide = Matrix<Float>(uninitialized: out, inner)
                Float.widen(base, format, into: wide.base, count: wide.count)
                let all = numbers.matrix(9, inner)
                let exact = DoublePrecision.product(
                    doubled(BFloat16.rounded(all)), transposed: doubled(BFloat16.rounded(wide)))
                let expected = Matrix<Float>(zeros: 9, out)
                BFloat16.fewRowsProduct(all, rows, rows: 0..<out, into: expected)
                #expect(difference(expected, exact) < 4e-7 * Double(inner).squareRoot())
                for kernel in [MISP_ROWS_PLAIN, MISP_ROWS_AVX2, MISP_ROWS_NATIVE] {
                    for count in [1, 3, 4, 6, 9] {
                        let y = Matrix<Float>(zeros: count, out)
                        for start in stride(from: 0, to: out, by: 5) {
                            let part = start..<min(start + 5, out)
                            BFloat16.fewRowsProduct(all.rows(0..<count), rows, rows: part, into: y, by: kernel)
                        }
                        #expect(
                            sameBits(y, expected.rows(0..<count)), "\(kernel), \(format), \(out) × \(inner), \(count)")
                    }
                }
            }
        }
    }

    @Test mutating func mixtures() {
        for (count, rows, columns) in [(3, 77, 64), (1, 1, 8), (4, 130, 128), (2, 9, 80), (1, 5, 3), (3, 12, 71)] {
            let wide = numbers.matrix(rows, columns + 9)
            let (shares, values) = (numbers.matrix(count, rows), wide.columns(4..<4 + columns))
            let (fast, plain) = (Matrix<Float>(zeros: count, columns), Matrix<Float>(zeros: count, columns))
            Vector.mixRows(shares, values, into: fast)
            Plain.mixRows(shares, values, into: plain)
            let exact = DoublePrecision.product(doubled(shares), doubled(values.copied()))
            #expect(difference(fast, exact) < 4e-6 && difference(plain, exact) < 4e-6, "\(rows) × \(columns)")
            let rounded = [shares, values].map { doubled(BFloat16.rounded($0)) }
            BFloat16.mixRows(shares, values, into: fast)
            #expect(difference(fast, DoublePrecision.product(rounded[0], rounded[1])) < 4e-6, "\(rows) × \(columns)")
        }
    }

    @Test mutating func theFirstOfEquals() {
        for count in [1, 7, 8, 9, 64, 1001] {
            let x = numbers.matrix(1, count)
            #expect(Vector.firstLargest(x.base, count: count) == Plain.firstLargest(x.base, count: count))
            for place in [0, count / 2, count - 1] { x.base[place] = 5 }
            #expect(Vector.firstLargest(x.base, count: count) == 0)
            x.base[0] = -1
            #expect(Vector.firstLargest(x.base, count: count) == (count == 1 ? 0 : count / 2))
        }
    }

    /// Whatever the number of threads, a generator's tokens and a prompt's logits are the same to the bit.
    @Test(arguments: CheckpointGolden.names) func threads(name: String) throws {
        let checkpoint = try CheckpointGolden(name)
        let model = try checkpoint.model(CheckpointGolden.frozen)
        let groups = try checkpoint.groups()
        let prompts = groups.map { $0.prompt.tokens($0.image.place) }
        func logits(_ count: Int, threads: Int) throws -> Matrix<Float> {
            let tokens = prompts[0].tokens.filter { Int($0) < model.language.embedding.rows }
            let inputs = model.language.embed(Array(tokens.prefix(count)))
            let cache = model.language.makeCache(capacity: count)
            return model.language.decode(inputs, [.init(rows: 0..<count, cache: cache)], threads: threads)
        }
        for count in [1, 6] { #expect(try sameBits(logits(count, threads: 1), logits(count, threads: 3))) }
        let requests = try zip(groups, prompts).map { group, prompt in
            Generator<Vector>.Request(
                key: group.id, prompt: prompt,
                features: model.encoder.input(try checkpoint.picture(group.image.source.path)).fixedPart)
        }
        let answers = try [1, 3].map { threads in
            try Generator(model, sampler: TokenSampler(), stops: [], limit: 20, threads: threads).answers(requests)
        }
        #expect(answers[0] == answers[1])
    }
}

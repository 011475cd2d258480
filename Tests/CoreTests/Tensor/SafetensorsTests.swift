import Core
import Foundation
import TestSupport
import Testing

/// The bytes of a safetensors file with this header.
func safetensors(_ header: String, _ data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { Array($0) } + header.utf8 + data
}

@Suite struct SafetensorsTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func file(_ bytes: [UInt8]) throws -> URL {
        try Data(bytes).write(to: folder["x.safetensors"])
        return folder["x.safetensors"]
    }

    private func values(_ tensor: StoredTensor) -> [Double] {
        tensor.widened(Double.self, rows: 1, columns: tensor.count).elements
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let weight = Matrix<Float>(2, 3, [1, -0, -3.4028235e38, 3.4028235e38, .leastNonzeroMagnitude, -2.5])
        let wide = Matrix<Float>(2, 4, (0..<8).map { Float($0) })
        let url = folder["model.safetensors"]
        try SafetensorsWriter.write(
            [
                .init(name: "ä.weight", shape: [2, 1, 3], matrix: weight),
                .init(name: "view", shape: [2, 2], matrix: wide.columns(1..<3)),
                .init(name: "empty", shape: [0, 5], matrix: Matrix(zeros: 0, 5)),
            ], metadata: ["format": "pt", "note": "\"quoted\""], to: url)
        let read = try SafetensorsFile(contentsOf: url)
        #expect(read.metadata == ["format": "pt", "note": "\"quoted\""])
        #expect(Set(read.tensors.keys) == ["ä.weight", "view", "empty"])
        let tensor = try #require(read.tensors["ä.weight"])
        #expect(tensor.shape == [2, 1, 3] && tensor.format == .float32)
        let back = tensor.widened(Float.self, rows: 2, columns: 3)
        #expect(back.elements.map(\.bitPattern) == weight.elements.map(\.bitPattern))
        #expect(values(try #require(read.tensors["view"])) == [1, 2, 5, 6])
        #expect(read.tensors["empty"]?.count == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["model.safetensors"])
    }

    /// Header length, a header padded with spaces to eight bytes, then the tensors without gaps.
    @Test func layoutOfTheBytes() throws {
        let url = folder["model.safetensors"]
        try SafetensorsWriter.write(
            [.init(name: "a", shape: [2], matrix: Matrix(1, 2, [1, -2]))], metadata: [:], to: url)
        let header = #"{"__metadata__":{},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(try [UInt8](Data(contentsOf: url)) == safetensors(padded, [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]))
    }

    @Test func everyNumberFormat() throws {
        let header = """
            {"f":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"h":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},\
            "b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]},\
            "i":{"dtype":"I64","shape":[1],"data_offsets":[10,18]}}
            """
        let data: [UInt8] = [0, 0, 0x20, 0x41, 0, 0x3C, 1, 0, 0x20, 0xC1] + [UInt8](repeating: 7, count: 8)
        let read = try SafetensorsFile(contentsOf: try file(safetensors(header, data)))
        #expect(values(try #require(read.tensors["f"])) == [10])
        #expect(values(try #require(read.tensors["h"])) == [1, 0x1p-24])
        #expect(values(try #require(read.tensors["b"])) == [-10])
        #expect(read.unread == ["i": "I64"])
    }

    static let damaged: [(name: String, bytes: [UInt8], message: String)] = [
        ("no byte", [], "is empty"),
        ("seven bytes", [1, 2, 3, 4, 5, 6, 7], "is truncated"),
        ("header longer than the file", safetensors("{}", length: 3), "is truncated"),
        ("header longer than the format allows", safetensors("{}", length: 100_000_001), "no safetensors file"),
        ("header of 2⁶⁴ − 1 bytes", safetensors("{}", length: .max), "no safetensors file"),
        ("no header", safetensors(""), "header"),
        ("no JSON", safetensors("{\"a\":"), "header"),
        ("no object", safetensors("[]"), "no JSON object"),
        ("bytes that are no UTF-8", safetensors("").dropLast(8) + [2, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFE], "header"),
        ("no dtype", safetensors(#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]), "a: has no valid"),
        ("a tensor that is a number", safetensors(#"{"a":3}"#), "a: has no valid"),
        ("three offsets", entry(offsets: "[0,4,8]"), "a: has no valid"),
        ("offsets in reverse", entry(offsets: "[4,0]"), "a: has no valid"),
        ("a negative offset", entry(offsets: "[-4,0]"), "a: has no valid"),
        ("an offset that is a fraction", entry(offsets: "[0.5,4]"), "a: has no valid"),
        ("an offset behind the file", entry(offsets: "[4,8]"), "is truncated"),
        ("an offset far behind the file", entry(offsets: "[0,9223372036854775807]"), "is truncated"),
        ("an offset beyond 64 bits", entry(offsets: "[0,9223372036854775808]"), "a: has no valid"),
        ("data cut short", Array(entry().dropLast()), "is truncated"),
        ("a shape for more bytes", entry(shape: "[2]"), "a: has 4 bytes"),
        ("a dtype for fewer bytes", entry(type: "F16"), "a: has 4 bytes"),
        ("a negative dimension", entry(shape: "[-1]"), "impossible shape"),
        ("two negative dimensions", entry(shape: "[-1,-1]"), "impossible shape"),
        ("a dimension that is a string", entry(shape: #"["1"]"#), "impossible shape"),
        ("a shape of more than 2⁶³ elements", entry(shape: "[4294967296,4294967296]"), "impossible shape"),
        ("a shape whose bytes come to 4 modulo 2⁶⁴", entry(shape: "[4611686018427387905]"), "a: has 4 bytes"),
        ("two tensors in one place", pair("[0,4]", "[0,4]"), "begins at byte 0 of the data"),
        ("tensors that overlap", pair("[0,4]", "[2,6]"), "b: begins at byte 2 of the data"),
        ("tensors that overlap in another order", pair("[5,9]", "[4,8]"), "a: begins at byte 5 of the data"),
    ]

    /// Two tensors in nine bytes.
    private static func pair(_ a: String, _ b: String) -> [UInt8] {
        let tensor = #"{"dtype":"F32","shape":[1],"data_offsets":"#
        return safetensors(
            "{\"b\":\(tensor)\(b)},\"a\":\(tensor)\(a)}}", [UInt8](repeating: 0, count: 9))
    }

    private static func entry(
        type: String = "F32", shape: String = "[1]", offsets: String = "[0,4]"
    ) -> [UInt8] {
        safetensors(#"{"a":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}}"#, [0, 0, 0, 0])
    }

    @Test func damagedFilesAreRefusedInOneLine() throws {
        for (name, bytes, message) in Self.damaged {
            let url = try file(bytes)
            let error = #expect(throws: MISPError.self, "\(name)") { try SafetensorsFile(contentsOf: url) }
            let text = error?.description ?? ""
            #expect(text.contains(message), "\(name): \(text)")
            #expect(text.contains("x.safetensors") && !text.contains("\n"), "\(name): \(text)")
            #expect(error?.kind == .input)
        }
        #expect(throws: MISPError.self) { try SafetensorsFile(contentsOf: folder["absent"]) }
        #expect(throws: MISPError.self) { try SafetensorsFile(contentsOf: folder.url) }
        // What the damages start from is whole; bytes of no tensor do no harm.
        for bytes in [Self.pair("[0,4]", "[4,8]"), Self.pair("[5,9]", "[0,4]"), Self.pair("[1,5]", "[5,9]")] {
            #expect(try SafetensorsFile(contentsOf: try file(bytes)).tensors.count == 2)
        }
        #expect(try SafetensorsFile(contentsOf: try file(Self.entry())).tensors.count == 1)
    }

    /// A folder that refuses the file leaves no half of it.
    @Test func aFailedWriteNamesTheFile() {
        let error = #expect(throws: MISPError.self) {
            try SafetensorsWriter.write([], to: folder["absent/model.safetensors"])
        }
        #expect(error?.description.contains("model.safetensors") == true)
    }
}

/// Mutated files: refused or read within their bounds, never a crash.
@Suite struct SafetensorsFuzzTests {
    private static let seedFile: [UInt8] = {
        let header = """
            {"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
            "half":{"dtype":"F16","shape":[4],"data_offsets":[24,32]},"b":{"dtype":"BF16","shape":[],\
            "data_offsets":[32,34]}}
            """
        return safetensors(header, (0..<34).map { UInt8($0) })
    }()

    private static let snippets = [
        "9223372036854775807", "-1", "18446744073709551615", "4611686018427387905", "1e300", "NaN", "null", "{}", "[]",
        "\"", "[[[[[[", "0.5", "\\u0000", "F16", "F32", "BF16", "F8_E4M3", "I64", "shape", "dtype", "data_offsets",
    ]

    private func mutated(_ random: inout KeyedRandom) -> [UInt8] {
        var bytes = Self.seedFile
        for _ in 0...random.below(3) {
            let place = random.below(max(bytes.count, 1))
            switch random.below(7) {
            case 0: if !bytes.isEmpty { bytes[place] = UInt8(random.below(256)) }
            case 1: if !bytes.isEmpty { bytes[place] ^= 1 << UInt8(random.below(8)) }
            case 2: bytes.removeLast(random.below(bytes.count + 1))
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + random.below(8)))
            case 4:
                bytes.insert(
                    contentsOf: Self.snippets[random.below(Self.snippets.count)].utf8, at: min(place, bytes.count))
            case 5:
                let snippet = Array(Self.snippets[random.below(Self.snippets.count)].utf8)
                bytes.replaceSubrange(min(place, bytes.count)..<min(bytes.count, place + snippet.count), with: snippet)
            default: if bytes.count > 8 { bytes[random.below(8)] = UInt8(random.below(256)) }
            }
        }
        // Half the time the header's length fits again, so that what lies deeper is reached.
        if random.below(2) == 0, let end = bytes.lastIndex(of: UInt8(ascii: "}")), end >= 8 {
            withUnsafeBytes(of: UInt64(end - 7).littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
        }
        return bytes
    }

    @Test func thirtyThousandMutations() throws {
        let folder = try TemporaryFolder()
        let path = folder["x.safetensors"].path
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var random = KeyedRandom(2024, "fuzz")
        var (refused, accepted) = (0, 0)
        for _ in 0..<30_000 {
            let bytes = mutated(&random)
            // Overwritten in place: emptying a file first makes some file systems write it out at once.
            let written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
            try #require(written == bytes.count && ftruncate(descriptor, off_t(bytes.count)) == 0)
            do {
                for tensor in try SafetensorsFile(contentsOf: URL(filePath: path)).tensors.values {
                    // Every element lies in the file, so this many fit into it.
                    try #require(tensor.count <= bytes.count)
                    _ = tensor.widened(Float.self, rows: 1, columns: tensor.count)
                }
                accepted += 1
            } catch let error as MISPError {
                #expect(!error.description.contains("\n"))
                refused += 1
            }
        }
        #expect(refused > 10_000 && accepted > 1000, "refused \(refused), accepted \(accepted)")
    }
}

import Foundation

/// Writing safetensors files.
public enum SafetensorsWriter {
    /// A tensor to write, with its elements row by row: there already, or made when its turn comes.
    public struct Entry {
        /// In the file.
        public let name: String
        /// In the file, outermost dimension first.
        public let shape: [Int]
        private let make: () -> Matrix<Float>

        /// Elements that are there already; any rows × columns that holds as many as the shape says.
        public init(name: String, shape: [Int], matrix: Matrix<Float>) {
            self.init(name: name, shape: shape) { matrix }
        }

        /// - Parameter make: the elements, as many as the shape says; asked for once, and not kept
        public init(name: String, shape: [Int], make: @escaping () -> Matrix<Float>) {
            self.name = name
            self.shape = shape
            self.make = make
        }

        /// Elements that the shape asks for.
        public var count: Int { shape.reduce(1, *) }
        /// The elements; made anew at each call where they are made.
        public var matrix: Matrix<Float> { make() }
    }

    /// Writes beside the target first and renames, so that `url` is whole or absent.
    ///
    /// - Parameter format: what every element is rounded to, to nearest, ties to even
    /// - Throws: `MISPError` that names the tensor where a value is not finite or too large for the format, or the file
    ///   where it cannot be written; nothing is left of it then
    public static func write(
        _ entries: [Entry], as format: StoredFormat = .float32, metadata: [String: String] = ["format": "pt"],
        to url: URL
    ) throws {
        let partial = url.appendingPathExtension("partial")
        do {
            try writePartial(entries, format, metadata, to: partial)
        } catch {
            try? FileManager.default.removeItem(at: partial)
            throw error
        }
        try FileOutput.move(partial, to: url)
    }

    private static func writePartial(
        _ entries: [Entry], _ format: StoredFormat, _ metadata: [String: String], to url: URL
    ) throws {
        try FileOutput.create(url) { output in
            let text = header(entries, format, metadata)
            try withUnsafeBytes(of: UInt64(text.count).littleEndian) { try output.write($0) }
            try text.withUnsafeBytes { try output.write($0) }
            for entry in entries { try write(entry, as: format, to: output) }
        }
    }

    private static func header(_ entries: [Entry], _ format: StoredFormat, _ metadata: [String: String]) -> [UInt8] {
        var header = JSON.Object([
            ("__metadata__", .object(.init(metadata.sorted { $0.key < $1.key }.map { ($0, .string($1)) })))
        ])
        var offset = 0
        for entry in entries {
            let end = offset + format.bytes * entry.count
            header[entry.name] = [
                "dtype": .string(format.rawValue), "shape": .array(entry.shape.map { .integer($0) }),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            offset = end
        }
        var text: [UInt8] = []
        JSON.object(header).write(into: &text)
        while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
        return text
    }

    private static func write(_ entry: Entry, as format: StoredFormat, to output: FileOutput) throws {
        let matrix = entry.matrix
        precondition(matrix.count == entry.count, "\(entry.name): \(matrix.count) elements of \(entry.shape)")
        guard matrix.isFinite else {
            throw MISPError(
                "holds values that are not finite", at: entry.name,
                remedy: "nothing was written; what it was made from is damaged, or its training failed")
        }
        var row = [UInt8](repeating: 0, count: format == .float32 ? 0 : format.bytes * matrix.columns)
        for r in 0..<matrix.rows {
            guard format != .float32 else {
                try output.write(UnsafeRawBufferPointer(start: matrix.row(r), count: 4 * matrix.columns))
                continue
            }
            try row.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                guard format.narrow(matrix.row(r), into: base, count: matrix.columns) else {
                    throw MISPError(
                        "holds a value that is too large for \(format.configured)", at: entry.name,
                        remedy: "write bfloat16 or float32")
                }
                try output.write(UnsafeRawBufferPointer(bytes))
            }
        }
    }
}

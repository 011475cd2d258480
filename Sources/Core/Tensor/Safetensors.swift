import Foundation

/// A tensor as it lies in a mapped file: row-major, little-endian, in its stored number format.
public struct StoredTensor: @unchecked Sendable {
    public let name: String
    public let format: StoredFormat
    public let shape: [Int]
    public let file: MappedFile
    public let base: UnsafeRawPointer

    public var count: Int { shape.reduce(1, *) }

    /// All elements, widened.
    public func widened<S: Scalar>(_ type: S.Type = S.self, rows: Int, columns: Int) -> Matrix<S> {
        let matrix = Matrix<S>(uninitialized: rows, columns)
        S.widen(base, format, into: matrix.base, count: matrix.count)
        return matrix
    }

    /// Some rows of it, with `columns` elements in each.
    func rows(_ range: Range<Int>, columns: Int) -> StoredTensor {
        StoredTensor(
            name: name, format: format, shape: [range.count, columns], file: file,
            base: base + range.lowerBound * columns * format.bytes)
    }
}

/// Reading the safetensors format: eight bytes with the header's length, a JSON header, the tensors' bytes.
///
/// Only float32, float16 and bfloat16 tensors are offered; others (index buffers, say) are listed in `skipped`.
public struct SafetensorsFile: Sendable {
    public let tensors: [String: StoredTensor]
    public let skipped: [String]
    public let metadata: [String: String]

    /// The format's own limit on the header.
    static let longestHeader = 100_000_000

    public init(contentsOf url: URL) throws(MISPError) {
        let file = try MappedFile(url)
        guard file.count >= 8 else { throw Self.truncated(file, needs: 8) }
        let length = UInt64(littleEndian: file.base.loadUnaligned(as: UInt64.self))
        guard length <= Self.longestHeader else {
            throw MISPError("has a header of \(length) bytes, so it is no safetensors file", at: file.path)
        }
        let start = 8 + Int(length)
        guard start <= file.count else { throw Self.truncated(file, needs: start) }
        let header = try JSON(
            parsing: UnsafeRawBufferPointer(start: file.base + 8, count: Int(length)), at: "\(file.path): header")
        guard let entries = header.object else { throw MISPError("has a header that is no JSON object", at: file.path) }

        var tensors: [String: StoredTensor] = [:]
        var skipped: [String] = []
        var metadata: [String: String] = [:]
        for (name, entry) in entries.members {
            if name == "__metadata__" {
                for (key, value) in entry.object?.members ?? [] { metadata[key] = value.string }
            } else if let tensor = try Self.tensor(name, entry, file, start) {
                tensors[name] = tensor
            } else {
                skipped.append(name)
            }
        }
        self.tensors = tensors
        self.skipped = skipped
        self.metadata = metadata
    }

    private static func tensor(
        _ name: String, _ entry: JSON, _ file: MappedFile, _ start: Int
    ) throws(MISPError) -> StoredTensor? {
        let place = "\(file.path): \(name)"
        guard let type = entry["dtype"]?.string, let offsets = entry["data_offsets"]?.array?.map(\.int),
            let shape = entry["shape"]?.array?.map(\.int), offsets.count == 2, let begin = offsets[0],
            let end = offsets[1], 0 <= begin, begin <= end
        else { throw MISPError("has no valid dtype, shape and data_offsets", at: place) }
        var count = 1
        for dimension in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension ?? -1)
            guard let dimension, dimension >= 0, !overflow else {
                throw MISPError("has the impossible shape \(entry["shape"]?.description ?? "")", at: place)
            }
            count = product
        }
        guard end <= file.count - start else { throw truncated(file, needs: end.addingReportingOverflow(start).0) }
        guard let format = StoredFormat(rawValue: type) else { return nil }
        let (bytes, isTooLarge) = count.multipliedReportingOverflow(by: format.bytes)
        guard !isTooLarge, end - begin == bytes else {
            throw MISPError(
                "has \(end - begin) bytes, but its shape and dtype \(type) need \(count) elements", at: place)
        }
        return StoredTensor(
            name: name, format: format, shape: shape.compactMap { $0 }, file: file, base: file.base + start + begin)
    }

    private static func truncated(_ file: MappedFile, needs: Int) -> MISPError {
        MISPError(
            "is truncated: it has \(file.count) bytes and its header speaks of \(needs)", at: file.path,
            remedy: "copy or download the file again")
    }
}

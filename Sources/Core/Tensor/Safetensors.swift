import Foundation

/// A tensor as it lies in a mapped file: row-major, little-endian, in its stored number format.
public struct StoredTensor: @unchecked Sendable {
    /// As the file has it.
    public let name: String
    /// Of each element.
    public let format: StoredFormat
    /// Outermost dimension first; empty for a scalar.
    public let shape: [Int]
    /// Holds the bytes, and keeps them mapped.
    public let file: MappedFile
    /// The first element, at any address.
    public let base: UnsafeRawPointer

    /// Elements.
    public var count: Int { shape.reduce(1, *) }

    /// All elements, widened.
    public func widened<Element: Scalar>(
        _ type: Element.Type = Element.self, rows: Int, columns: Int
    ) -> Matrix<Element> {
        let matrix = Matrix<Element>(uninitialized: rows, columns)
        Element.widen(base, format, into: matrix.base, count: matrix.count)
        return matrix
    }

    /// Whether both hold the same numbers, whatever their formats.
    func hasValues(of other: StoredTensor) -> Bool {
        guard shape == other.shape else { return false }
        if format == other.format, memcmp(base, other.base, count * format.bytes) == 0 { return true }
        let columns = max(shape.last ?? 1, 1)
        let (one, two) = (Matrix<Float>(uninitialized: 1, columns), Matrix<Float>(uninitialized: 1, columns))
        return (0..<count / columns).allSatisfy { row in
            for (tensor, matrix) in [(self, one), (other, two)] {
                let start = tensor.base + row * columns * tensor.format.bytes
                Float.widen(start, tensor.format, into: matrix.base, count: columns)
            }
            return UnsafeBufferPointer(start: one.base, count: columns)
                .elementsEqual(UnsafeBufferPointer(start: two.base, count: columns))
        }
    }

    /// Whether no element is infinite or NaN; a block at a time.
    public var isFinite: Bool {
        let block = Matrix<Float>(uninitialized: 1, min(count, 1 << 16))
        return stride(from: 0, to: count, by: block.columns).allSatisfy { start in
            let part = min(block.columns, count - start)
            Float.widen(base + start * format.bytes, format, into: block.base, count: part)
            return block.columns(0..<part).isFinite
        }
    }
}

/// Reading the safetensors format: eight bytes with the header's length, a JSON header, the tensors' bytes.
///
/// Only float32, float16 and bfloat16 tensors are offered; others (index buffers, say) are listed in `unread`.
public struct SafetensorsFile: Sendable {
    /// By the names that the file gives.
    public let tensors: [String: StoredTensor]
    /// Tensors of other number formats: name and format.
    public let unread: [String: String]
    /// The texts of the header's `__metadata__`.
    public let metadata: [String: String]

    /// The format's own limit on the header.
    static let longestHeader = 100_000_000

    /// Maps the file and reads its header; the pages of a tensor are read when it is used.
    ///
    /// - Throws: `MISPError` for a file that cannot be mapped, is truncated, is a git-LFS pointer or no safetensors,
    ///   and for a tensor whose shape and bytes do not agree, or whose bytes are another's
    public init(contentsOf url: URL) throws(MISPError) {
        let file = try MappedFile(url)
        guard file.count >= 8 else { throw Self.truncated(file, needs: 8) }
        let length = UInt64(littleEndian: file.base.loadUnaligned(as: UInt64.self))
        guard !LargeFilePointer.isStart(UnsafeRawBufferPointer(start: file.base, count: file.count)) else {
            throw LargeFilePointer.failure(at: file.path)
        }
        guard length <= Self.longestHeader else {
            throw MISPError("has a header of \(length) bytes, so it is no safetensors file", at: file.path)
        }
        let start = 8 + Int(length)
        guard start <= file.count else { throw Self.truncated(file, needs: start) }
        let header = try JSON(
            parsing: UnsafeRawBufferPointer(start: file.base + 8, count: Int(length)), at: "\(file.path): header")
        guard let entries = header.object else { throw MISPError("has a header that is no JSON object", at: file.path) }

        var tensors: [String: StoredTensor] = [:]
        var unread: [String: String] = [:]
        var metadata: [String: String] = [:]
        for (name, entry) in entries.members {
            if name == "__metadata__" {
                for (key, value) in entry.object?.members ?? [] { metadata[key] = value.string }
            } else if let tensor = try Self.tensor(name, entry, file, start) {
                tensors[name] = tensor
            } else {
                unread[name] = entry["dtype"]?.string ?? "of no dtype"
            }
        }
        try Self.checkLayout(entries, file)
        self.tensors = tensors
        self.unread = unread
        self.metadata = metadata
    }

    /// No two tensors share bytes: their offsets are not those that were written, and their numbers may be any. Bytes
    /// that belong to none are passed over, so that a tensor which a header lacks is missed by name where it is needed.
    private static func checkLayout(_ entries: JSON.Object, _ file: MappedFile) throws(MISPError) {
        let spans = entries.members.filter { $0.key != "__metadata__" }.compactMap { name, entry in
            entry["data_offsets"]?[0]?.int.flatMap { begin in
                entry["data_offsets"]?[1]?.int.map { (name: name, begin: begin, end: $0) }
            }
        }.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var end = 0
        for span in spans where span.begin < span.end {
            guard span.begin >= end else {
                throw MISPError(
                    "begins at byte \(span.begin) of the data, but the tensors before it end at \(end)",
                    at: "\(file.path): \(span.name)",
                    remedy: "copy or download the file again, or save it anew with safetensors")
            }
            end = span.end
        }
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

    /// The error about a tensor in a format that is not read.
    static func unreadable(_ name: String, _ format: String, at place: String) -> MISPError {
        let isQuantised = ["U8", "I8"].contains(format) || format.hasPrefix("F8") || format.hasPrefix("F4")
        return MISPError(
            "the tensor \(name) is \(format), which is not read"
                + (isQuantised ? " (quantised weights)" : "") + "; F32, F16 and BF16 are", at: place,
            remedy: "give the model in float32, float16 or bfloat16, as transformers' save_pretrained writes it after "
                + "from_pretrained(folder, dtype=\"float32\")")
    }

    private static func truncated(_ file: MappedFile, needs: Int) -> MISPError {
        MISPError(
            "is truncated: it has \(file.count) bytes and its header speaks of \(needs)", at: file.path,
            remedy: "copy or download the file again")
    }
}

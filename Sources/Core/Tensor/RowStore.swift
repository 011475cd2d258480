import Foundation

/// Rows of floats kept on disk by the content they were computed from: embeddings, image features, log-probabilities.
///
/// A folder of files that are written once and never changed, each whole or absent. A file is named by its content, so
/// that ranks and runs may write to one folder at the same time. Reading maps the files: the ranks of a host share one
/// copy. A key must name everything that the row depends on, such as an image's bytes and the embedder; a row that is
/// written twice is the same row.
///
/// Each row has a checksum, which is looked at when the row is first read: a damaged row counts as absent.
///
/// A file: a header of 64 bytes (8 of magic, then format, width and number of rows as 64-bit little-endian integers,
/// zeros), the keys (32 bytes each), the rows (width × float32), the rows' checksums (8 bytes each, over key and row).
public final class RowStore {
    /// Where the files lie.
    public let folder: URL
    private struct Place {
        let file: MappedFile
        let offset: Int
        let width: Int
        let checksum: UInt64
        var isVerified = false
    }

    /// Where a row lies: in more than one file where an earlier one turned out damaged.
    private var places: [Digest: [Place]] = [:]
    /// Files and rows that cannot be used, with what is wrong; they count as absent.
    public private(set) var damaged: [String] = []

    fileprivate static let magic = Array("MISPROWS".utf8)
    fileprivate static let format: UInt64 = 2
    fileprivate static let headerSize = 64
    fileprivate static let suffix = ".rows"

    /// Maps what is in the folder, which need not exist yet.
    public init(_ folder: URL) throws(MISPError) {
        self.folder = folder
        guard FileManager.default.fileExists(atPath: folder.path) else { return }
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            for name in names.filter({ $0.hasSuffix(Self.suffix) }).sorted() { map(name) }
        } catch {
            throw MISPError("cannot be listed (\(SystemReason.text(error)))", at: folder.relativePath)
        }
    }

    /// How many rows there are.
    public var count: Int { places.count }

    /// Whether a file lists the key. Its row may still turn out damaged when it is read.
    public func contains(_ key: Digest) -> Bool { places[key] != nil }

    /// 1 × width, a view of the file; nil for an unknown key, and for a row that is not what was written.
    public subscript(key: Digest) -> Matrix<Float>? {
        guard let place = verified(key) else { return nil }
        let base = UnsafeMutableRawPointer(mutating: place.file.base + place.offset).assumingMemoryBound(to: Float.self)
        return Matrix(owner: place.file, base: base, rows: 1, columns: place.width)
    }

    /// The first place of a row that holds what was written there. Those before it are forgotten.
    private func verified(_ key: Digest) -> Place? {
        while let place = places[key]?.first {
            if place.isVerified { return place }
            let row = UnsafeRawBufferPointer(start: place.file.base + place.offset, count: 4 * place.width)
            if Self.checksum(key, row) == place.checksum {
                places[key]?[0].isVerified = true
                return place
            }
            damaged.append("\(URL(filePath: place.file.path).lastPathComponent): a row is not what was written")
            places[key]?.removeFirst()
            if places[key]?.isEmpty == true { places[key] = nil }
        }
        return nil
    }

    fileprivate static func checksum(_ key: Digest, _ row: UnsafeRawBufferPointer) -> UInt64 {
        var checksum = Checksum()
        key.bytes.withUnsafeBytes { checksum.add($0) }
        checksum.add(row)
        return checksum.value
    }

    /// Maps a file that a writer, here or on another rank, has told the name of.
    public func add(_ name: String) throws(MISPError) {
        let before = damaged.count
        map(name)
        guard damaged.count == before else { throw MISPError(damaged[before], at: folder.relativePath) }
    }

    private func map(_ name: String) {
        do throws(MISPError) {
            let file = try MappedFile(folder.appending(path: name))
            let (width, rows) = try Self.shape(of: file)
            let keys = file.base + Self.headerSize
            let first = Self.headerSize + Digest.size * rows
            let checksums = file.base + first + 4 * width * rows
            for row in 0..<rows {
                let key = Digest(bytes: UnsafeRawBufferPointer(start: keys + Digest.size * row, count: Digest.size))
                let checksum = UInt64(
                    littleEndian: checksums.loadUnaligned(fromByteOffset: 8 * row, as: UInt64.self))
                places[key, default: []].append(
                    Place(file: file, offset: first + 4 * width * row, width: width, checksum: checksum))
            }
        } catch {
            damaged.append("\(name): \(error.what)")
        }
    }

    private static func shape(of file: MappedFile) throws(MISPError) -> (width: Int, rows: Int) {
        guard file.count >= headerSize,
            Array(UnsafeRawBufferPointer(start: file.base, count: 8)) == magic
        else { throw MISPError("is no file of rows", at: file.path) }
        func number(_ index: Int) -> UInt64 {
            UInt64(littleEndian: file.base.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        guard number(1) == format else {
            throw MISPError("has format \(number(1)) of another version, not \(format)", at: file.path)
        }
        let (width, rows) = (Int(clamping: number(2)), Int(clamping: number(3)))
        let (row, isWide) = width.multipliedReportingOverflow(by: 4)
        let (bytes, isLong) = rows.multipliedReportingOverflow(by: row.addingReportingOverflow(Digest.size + 8).0)
        guard !isWide, !isLong, width > 0, file.count - headerSize == bytes else {
            throw MISPError("has \(file.count) bytes, but speaks of \(rows) rows of \(width) floats", at: file.path)
        }
        return (width, rows)
    }
}

extension RowStore {
    /// Collects rows and writes them in files of some megabytes, and at least once a minute, so that what an abrupt end
    /// loses is little.
    ///
    /// Each rank has its own. Rows that were added are on the disk after `flush`. Rows of a width are in files of their
    /// own.
    public final class Writer {
        private static let interval = Duration.seconds(60)

        /// Rows of one width that no file holds yet.
        private struct Pending {
            var keys: [Digest] = []
            var rows: [Float] = []
        }

        private let folder: URL
        private let limit: Int
        private var pending: [Int: Pending] = [:]
        private var floats = 0
        private var lastWrite = ContinuousClock.now
        /// Files written so far: what `RowStore.add` takes, on every rank.
        public private(set) var names: [String] = []

        /// - Parameter bytes: when this much is collected it is written
        public init(_ folder: URL, bytes: Int = 16 << 20) {
            self.folder = folder
            limit = max(bytes / 4, 1)
        }

        /// Takes a row, which is a matrix of one row.
        public func add(_ row: Matrix<Float>, for key: Digest) throws {
            pending[row.count, default: Pending()].keys.append(key)
            pending[row.count]?.rows += row.elements
            floats += row.count
            if floats >= limit || ContinuousClock.now - lastWrite > Self.interval { try flush() }
        }

        /// Does work that adds rows, and writes what it added even where it fails or is stopped.
        public func flushing(_ work: () throws -> Void) throws {
            let outcome = Result { try work() }
            try flush()
            try outcome.get()
        }

        /// Writes what was added since the last files.
        public func flush() throws {
            lastWrite = .now
            for width in pending.keys.sorted() {
                if let part = pending.removeValue(forKey: width) { try write(part, width) }
            }
            floats = 0
        }

        private func write(_ part: Pending, _ width: Int) throws {
            let name = Self.fileName(part)
            do {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            } catch {
                throw MISPError("cannot be made (\(SystemReason.text(error)))", at: folder.relativePath)
            }
            let partial = folder.appending(path: "\(UUID().uuidString).partial")
            try FileOutput.create(partial) { try Self.write(part, width, to: $0) }
            try FileOutput.move(partial, to: folder.appending(path: name))
            try FileOutput.synchronize(folder: folder)
            names.append(name)
        }

        private static func fileName(_ part: Pending) -> String {
            var hash = SHA256()
            for key in part.keys { hash.add(key) }
            part.rows.withUnsafeBytes { hash.add($0) }
            return hash.finish().description.prefix(32) + RowStore.suffix
        }

        private static func write(_ part: Pending, _ width: Int, to output: FileOutput) throws {
            var header = RowStore.magic
            for number in [RowStore.format, UInt64(width), UInt64(part.keys.count)] {
                withUnsafeBytes(of: number.littleEndian) { header += $0 }
            }
            header += [UInt8](repeating: 0, count: RowStore.headerSize - header.count)
            try header.withUnsafeBytes { try output.write($0) }
            for key in part.keys { try key.bytes.withUnsafeBytes { try output.write($0) } }
            try part.rows.withUnsafeBytes { rows in
                try output.write(rows)
                for (index, key) in part.keys.enumerated() {
                    let row = UnsafeRawBufferPointer(rebasing: rows[4 * width * index..<4 * width * (index + 1)])
                    try withUnsafeBytes(of: RowStore.checksum(key, row).littleEndian) { try output.write($0) }
                }
            }
        }
    }
}

import Core
import Foundation
import TestSupport
import Testing

@Suite struct RowStoreTests {
    private let folder: TemporaryFolder
    private var place: URL { folder["rows"] }

    init() throws { folder = try TemporaryFolder() }

    private func row(_ index: Int, width: Int = 3) -> Matrix<Float> {
        Matrix(1, width, (0..<width).map { Float(index) + Float($0) / 8 })
    }

    private func key(_ index: Int) -> Digest { SHA256.digest("row \(index)") }

    private func write(_ indices: Range<Int>, width: Int = 3, bytes: Int = 16 << 20) throws -> [String] {
        let writer = RowStore.Writer(place, bytes: bytes)
        for index in indices { try writer.add(row(index, width: width), for: key(index)) }
        try writer.flush()
        return writer.names
    }

    private var files: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: place.path).sorted() }
    }

    @Test func aLaterRunFindsEveryRow() throws {
        #expect(try RowStore(place).count == 0)
        // Three rows of 12 bytes reach the limit.
        #expect(try write(0..<7, bytes: 36).count == 3)
        let store = try RowStore(place)
        #expect(store.count == 7 && store.damaged.isEmpty)
        for index in 0..<7 { #expect(store[key(index)]?.elements == row(index).elements) }
        #expect(store[key(7)] == nil && !store.contains(key(7)) && store.contains(key(6)))
    }

    @Test func rowsOfOtherWidthsAndOtherRunsAreAdded() throws {
        let store = try RowStore(place)
        let first = try write(0..<2)
        let second = try write(2..<4, width: 5)
        #expect(store.count == 0)
        for name in first + second + first { try store.add(name) }
        #expect(store.count == 4)
        #expect(store[key(1)]?.columns == 3 && store[key(3)]?.elements == row(3, width: 5).elements)
        // The same rows are the same file, however often they are written.
        let before = try files
        #expect(try write(0..<2) == first)
        #expect(try files == before && before.count == 2)
    }

    /// Pictures of different shapes have features of different widths.
    @Test func aWriterPutsRowsOfEachWidthIntoFilesOfTheirOwn() throws {
        let writer = RowStore.Writer(place)
        for index in 0..<6 { try writer.add(row(index, width: 2 + index % 3), for: key(index)) }
        try writer.flush()
        #expect(writer.names.count == 3)
        #expect(try files == writer.names.sorted())
        let store = try RowStore(place)
        #expect(store.count == 6 && store.damaged.isEmpty)
        for index in 0..<6 { #expect(store[key(index)]?.elements == row(index, width: 2 + index % 3).elements) }
        // The limit is on all widths together.
        let small = RowStore.Writer(folder["small"], bytes: 4 * 9)
        for (index, width) in [2, 3, 4, 5].enumerated() { try small.add(row(index, width: width), for: key(index)) }
        #expect(small.names.count == 3)
        try small.flush()
        #expect(small.names.count == 4)
        // Nothing is left to write.
        try small.flush()
        #expect(small.names.count == 4)
    }

    /// What an abrupt end or a bad disk leaves is absent, and everything else is still there.
    @Test func damagedFilesCountAsAbsent() throws {
        let (whole, cut) = (try write(0..<2)[0], try write(2..<4)[0])
        let file = place.appending(path: cut)
        let bytes = try Data(contentsOf: file)
        for length in [0, 10, 64, bytes.count - 1] {
            try bytes.prefix(length).write(to: file)
            let store = try RowStore(place)
            #expect(store.count == 2 && store.contains(key(0)) && !store.contains(key(2)), "\(length) bytes")
            #expect(store.damaged.count == 1 && store.damaged[0].hasPrefix(cut))
            #expect(throws: MISPError.self) { try store.add(cut) }
        }
        try Data("half a file".utf8).write(to: place.appending(path: "x.partial"))
        try bytes.write(to: file)
        let store = try RowStore(place)
        #expect(store.count == 4 && store.damaged.isEmpty)
        try store.add(whole)
    }

    /// Writers at the same time, some with the same rows: nothing is lost and nothing half there.
    @Test func writersDoNotClash() async throws {
        let place = place
        try await withThrowingTaskGroup(of: Void.self) { group in
            for start in [0, 40, 20, 0, 60, 40] {
                group.addTask {
                    let writer = RowStore.Writer(place, bytes: 100)
                    for index in start..<start + 40 {
                        let row = Matrix<Float>(1, 4, [Float](repeating: Float(index), count: 4))
                        try writer.add(row, for: SHA256.digest("row \(index)"))
                    }
                    try writer.flush()
                }
            }
            try await group.waitForAll()
        }
        let store = try RowStore(place)
        #expect(store.count == 100 && store.damaged.isEmpty)
        for index in 0..<100 { #expect(store[key(index)]?[0, 3] == Float(index)) }
        #expect(try files.allSatisfy { $0.hasSuffix(".rows") })
    }

    @Test func aFolderThatCannotBeMadeIsNamed() throws {
        try Data("in the way".utf8).write(to: place)
        #expect { try write(0..<1) } throws: { ($0 as? MISPError)?.place?.hasSuffix("rows") == true }
    }

    /// A row that is not what was written is absent, wherever it was hit; those beside it are there, and one that is
    /// written again is found, even in a file of the same name.
    @Test(arguments: [0, 1, 2]) func damagedRowsCountAsAbsent(victim: Int) throws {
        let name = try write(0..<3)[0]
        let file = place.appending(path: name)
        let whole = try Data(contentsOf: file)
        // In the row's numbers, in its key, in its checksum.
        for offset in [64 + 96 + 12 * victim + 5, 64 + 32 * victim + 7, 64 + 96 + 36 + 8 * victim + 2] {
            var bytes = whole
            bytes[offset] ^= 16
            try bytes.write(to: file)
            let store = try RowStore(place)
            for index in 0..<3 {
                #expect(store[key(index)]?.elements == (index == victim ? nil : row(index).elements), "\(offset)")
            }
            #expect(store[key(victim)] == nil)
            let isKey = offset < 64 + 96
            #expect(store.damaged.count == (isKey ? 0 : 1))
            #expect(store.damaged.allSatisfy { $0 == "\(name): a row is not what was written" })
            try whole.write(to: file)
            try store.add(name)
            for index in 0..<3 { #expect(store[key(index)]?.elements == row(index).elements) }
        }
    }

    /// A second copy of a damaged row is taken.
    @Test func anotherCopyOfADamagedRow() throws {
        let names = [try write(0..<2)[0], try write(1..<3)[0]].sorted()
        for name in names {
            let file = place.appending(path: name)
            let whole = try Data(contentsOf: file)
            var bytes = whole
            for offset in 128..<152 { bytes[offset] ^= 1 }
            try bytes.write(to: file)
            let store = try RowStore(place)
            #expect(store[key(1)]?.elements == row(1).elements, "\(name)")
            try whole.write(to: file)
        }
    }

    /// What an earlier version wrote, without checksums, is told by its format and never misread.
    @Test func filesOfAnotherFormatCountAsAbsent() throws {
        let name = try write(0..<2)[0]
        let file = place.appending(path: name)
        let whole = try Data(contentsOf: file)
        for (format, length) in [(1, whole.count - 16), (3, whole.count), (255, whole.count + 40)] {
            var bytes = Data((whole + Data(count: 40)).prefix(length))
            bytes[8] = UInt8(format)
            try bytes.write(to: file)
            let store = try RowStore(place)
            #expect(store.count == 0 && store[key(0)] == nil)
            #expect(store.damaged == ["\(name): has format \(format) of another version, not 2"])
        }
    }

    /// What was added before work fails or is stopped is on the disk.
    @Test func failedWorkKeepsItsRows() throws {
        let writer = RowStore.Writer(place)
        #expect(throws: MISPError.self) {
            try writer.flushing {
                for index in 0..<5 {
                    if index == 4 { throw MISPError("stopped") }
                    try writer.add(row(index), for: key(index))
                }
            }
        }
        #expect(try RowStore(place).count == 4)
    }
}

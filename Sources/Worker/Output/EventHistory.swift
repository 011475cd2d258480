import Core
import Foundation

/// Event files that earlier starts of a run have left in its folder.
enum EventHistory {
    /// Removes the events of steps after `step`, and a record that an abrupt end cut short, as `MetricsWriter` does
    /// with lines. A file of which no more is left than its head goes.
    static func cut(_ folder: URL, after step: Int) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        for name in names where name.hasPrefix("events.out.tfevents.") {
            let file = folder.appending(path: name)
            guard let bytes = try? [UInt8](Data(contentsOf: file)) else { continue }
            let kept = records(of: bytes).filter { self.step(of: bytes[$0.dropFirst(12).dropLast(4)]) <= step }
            if kept.count <= 1 {
                try? FileManager.default.removeItem(at: file)
            } else if kept.reduce(0, { $0 + $1.count }) < bytes.count {
                // TensorBoard takes any name with tfevents in it for an event file.
                let draft = folder.appending(path: "\(UUID().uuidString).partial")
                try FileOutput.create(draft) { output in
                    for record in kept { try bytes[record].withUnsafeBytes { try output.write($0) } }
                }
                try FileOutput.move(draft, to: file)
            }
        }
    }

    /// Where the whole records are: length, its checksum, event, its checksum.
    private static func records(of bytes: [UInt8]) -> [Range<Int>] {
        var records: [Range<Int>] = []
        var start = 0
        while start + 16 <= bytes.count {
            let length = Int(truncatingIfNeeded: number(bytes[start..<start + 8]))
            let end = start + 16
            guard number(bytes[start + 8..<start + 12]) == EventFile.checksum(bytes[start..<start + 8]),
                (0...bytes.count - end).contains(length)
            else { break }
            let event = bytes[start + 12..<start + 12 + length]
            guard number(bytes[event.endIndex..<event.endIndex + 4]) == EventFile.checksum(event) else { break }
            records.append(start..<end + length)
            start = end + length
        }
        return records
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// After the time, nine bytes, an event of ours has its step, which zero leaves out.
    private static func step(of event: ArraySlice<UInt8>) -> Int {
        let rest = event.dropFirst(9)
        guard rest.first == 2 << 3 else { return 0 }
        var (step, shift) = (0, 0)
        for byte in rest.dropFirst().prefix(8) {
            step |= Int(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { break }
        }
        return step
    }
}

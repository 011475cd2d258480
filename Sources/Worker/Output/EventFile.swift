import Core
import Foundation

/// Scalars for TensorBoard: an event file, a record per step.
///
/// An event is a protocol buffer of four fields, written here by hand: a dependency for them would be larger than this
/// program. Field numbers: tensorflow/core/util/event.proto and framework/summary.proto; the framing of records:
/// tensorflow/core/lib/io/record_writer.h.
package final class EventFile {
    private let file: FileOutput

    /// Starts a file of its own: TensorBoard reads all of a folder.
    ///
    /// - Parameter step: the step that a resumed run continues from. Later ones go from earlier files, and a
    ///   TensorBoard that has read them is told to forget them.
    package init(in folder: URL, continuingAfter step: Int, time: Date = Date()) throws {
        let name =
            "events.out.tfevents.\(Int(time.timeIntervalSince1970)).\(ProcessInfo.processInfo.hostName)."
            + "\(ProcessInfo.processInfo.processIdentifier)"
        let url = folder.appending(path: name)
        try OutputFolder.make(folder)
        try EventHistory.cut(folder, after: step)
        file = try FileOutput(url)
        var version = Message(time: time, step: 0)
        version.add(3, "brain.Event:2")
        try write(version)
        var start = Message(time: time, step: step + 1)
        var session = Message()
        session.add(1, UInt64(1))  // START
        start.add(7, session)
        try write(start)
    }

    /// Values that are not finite are left out.
    package func append(_ scalars: [(name: String, value: Double)], step: Int, time: Date = Date()) throws {
        var summary = Message()
        for (name, value) in scalars where value.isFinite {
            var scalar = Message()
            scalar.add(1, name)
            scalar.add(2, Float(value))
            summary.add(1, scalar)
        }
        var event = Message(time: time, step: step)
        event.add(5, summary)
        try write(event)
    }

    private func write(_ message: Message) throws {
        var record: [UInt8] = []
        func add<Value: FixedWidthInteger>(_ value: Value) { withUnsafeBytes(of: value.littleEndian) { record += $0 } }
        add(UInt64(message.bytes.count))
        add(Self.checksum(record[...]))
        record += message.bytes
        add(Self.checksum(message.bytes[...]))
        try file.append(record)
    }

    /// CRC-32C, turned and shifted as records have it.
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
        }
        sum = ~sum
        return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
    }

    /// A protocol buffer on its way to bytes.
    private struct Message {
        private(set) var bytes: [UInt8] = []

        init() {}

        /// An event.
        init(time: Date, step: Int) {
            tag(1, 1)
            withUnsafeBytes(of: time.timeIntervalSince1970.bitPattern.littleEndian) { bytes += $0 }
            // Protocol buffers leave zeros out.
            if step != 0 { add(2, UInt64(step)) }
        }

        mutating func add(_ field: Int, _ value: UInt64) {
            tag(field, 0)
            varint(value)
        }

        mutating func add(_ field: Int, _ value: Float) {
            tag(field, 5)
            withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
        }

        mutating func add(_ field: Int, _ text: String) { add(field, Array(text.utf8)) }

        mutating func add(_ field: Int, _ message: Message) { add(field, message.bytes) }

        private mutating func add(_ field: Int, _ content: [UInt8]) {
            tag(field, 2)
            varint(UInt64(content.count))
            bytes += content
        }

        private mutating func tag(_ field: Int, _ wire: Int) { varint(UInt64(field << 3 | wire)) }

        private mutating func varint(_ value: UInt64) {
            var value = value
            while value >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
                value >>= 7
            }
            bytes.append(UInt8(value))
        }
    }
}

import Foundation

/// Buffered writing whose every failure (a full disk, a read-only folder) becomes an error that names the file.
public final class FileOutput {
    private let descriptor: Int32
    private let path: String
    private var buffer: [UInt8] = []

    /// Creates or replaces the file, or with `appending` adds to the one that is there. What is written is on the disk
    /// after `synchronize`.
    public init(_ url: URL, appending: Bool = false) throws(MISPError) {
        path = url.relativePath
        descriptor = open(url.path, O_WRONLY | O_CREAT | (appending ? O_APPEND : O_TRUNC), 0o644)
        guard descriptor >= 0 else { throw Self.failure("cannot be written", path) }
    }

    deinit { close(descriptor) }

    /// Creates or replaces the file, lets `body` write, and returns when the bytes are on the disk.
    ///
    /// - Parameter isDurable: false returns when the system has the bytes. For thousands of files that can be made
    ///   again.
    public static func create(_ url: URL, isDurable: Bool = true, _ body: (FileOutput) throws -> Void) throws {
        let output = try FileOutput(url)
        try body(output)
        if isDurable { try output.synchronize() } else { try output.flush() }
    }

    /// Returns when the bytes are on the disk.
    public func synchronize() throws {
        try flush()
        try Self.synchronize(descriptor, path)
    }

    /// Returns when the names in a folder are on the disk.
    public static func synchronize(folder: URL) throws {
        let descriptor = open(folder.path, O_RDONLY)
        guard descriptor >= 0 else { throw failure("cannot be read", folder.relativePath) }
        defer { close(descriptor) }
        try synchronize(descriptor, folder.relativePath)
    }

    /// Some file systems cannot be asked to.
    private static func synchronize(_ descriptor: Int32, _ path: String) throws {
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure("cannot be written", path) }
    }

    /// Creates or replaces a file of UTF-8 text, and returns when it is on the disk.
    ///
    /// - Throws: `MISPError` that names the file
    public static func write(_ text: String, to url: URL) throws {
        try create(url) { output in try Array(text.utf8).withUnsafeBytes { try output.write($0) } }
    }

    /// An atomic rename, replacing what is there.
    public static func move(_ source: URL, to target: URL) throws {
        guard rename(source.path, target.path) == 0 else { throw failure("cannot be renamed to", target.relativePath) }
    }

    /// Adds bytes, which may stay in a buffer of 1 MiB until `flush` or `synchronize`.
    ///
    /// - Throws: `MISPError` that names the file
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        if buffer.count + bytes.count > 1 << 20 { try flush() }
        if bytes.count > 1 << 20 { try put(bytes) } else { buffer.append(contentsOf: bytes) }
    }

    /// Returns when the system has the bytes, so that others who read the file find them.
    public func flush() throws {
        try buffer.withUnsafeBytes { try put($0) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let written = Foundation.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if written > 0 { done += written } else if errno != EINTR { throw Self.failure("cannot be written", path) }
        }
    }

    private static func failure(_ what: String, _ path: String) -> MISPError {
        MISPError("\(what): \(String(cString: strerror(errno)))", at: path)
    }
}

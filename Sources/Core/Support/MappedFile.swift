import Foundation

/// A file mapped read-only: its pages come from the system's cache, which all ranks of a host share.
public final class MappedFile: @unchecked Sendable {
    /// As errors name it.
    public let path: String
    /// The first byte; valid as long as this object.
    public let base: UnsafeRawPointer
    /// Bytes, at least 1.
    public let count: Int

    /// - Throws: `MISPError` for a file that cannot be opened or mapped, is empty, or no regular file
    public init(_ url: URL) throws(MISPError) {
        path = url.relativePath
        var status = stat()
        // Before it is opened: a pipe would wait for a writer.
        if stat(url.path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw MISPError("is not a regular file", at: path)
        }
        let descriptor = open(url.path, O_RDONLY)
        guard descriptor >= 0 else {
            throw MISPError("cannot be opened: \(String(cString: strerror(errno)))", at: path)
        }
        defer { close(descriptor) }
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw MISPError("is not a regular file", at: path)
        }
        count = Int(status.st_size)
        guard count > 0 else { throw MISPError("is empty", at: path) }
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw MISPError("cannot be mapped: \(String(cString: strerror(errno)))", at: path)
        }
        base = UnsafeRawPointer(address)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: base), count) }
}

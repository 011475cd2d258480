import Coordinator
import Core
import Foundation

/// Keeps others out of an output folder while one run writes there.
///
/// The lock is flock(2)'s on a file in the folder. The kernel gives it back when its owner ends, however that ends, so
/// that nothing is left to clear away; NFS clients carry it to the server, which gives it back once a lost client's
/// lease is over. File systems without such locks are told of and used without one.
final class OutputLock {
    static let name = ".lock"

    private let file: URL
    private let descriptor: Int32
    /// Folders that were made for the lock, the innermost first: what stays empty goes with it.
    private let made: [URL]

    /// Nil where a folder cannot be written or its file system has no locks.
    ///
    /// - Parameter seconds: to wait for another owner that is about to end
    private static func take(_ folder: URL, within seconds: Double) throws -> OutputLock? {
        let made = try makeFolder(folder)
        let file = folder.appending(path: name)
        let end = ContinuousClock.now + .seconds(seconds)
        var isTold = false
        while true {
            let descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            if descriptor < 0 {
                // What the run writes first will say so.
                if [EROFS, EACCES, EPERM].contains(errno) { return nil }
                throw MISPError("cannot be made: \(String(cString: strerror(errno)))", at: file.relativePath)
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                // Between opening and locking, the owner before may have taken the file away.
                if isSame(descriptor, file) { return OutputLock(file, descriptor, made) }
                close(descriptor)
                continue
            }
            let error = errno
            let owner = owner(descriptor)
            close(descriptor)
            guard error == EWOULDBLOCK else {
                Console.say("\(folder.relativePath) cannot be locked: see to it that nothing else writes there")
                return nil
            }
            guard ContinuousClock.now < end, !Interruption.isAsked else {
                throw MISPError(
                    "is in use by \(owner)", at: folder.relativePath,
                    remedy: "wait for its end, or choose another output")
            }
            if !isTold { Console.say("waiting for the end of \(owner), which uses \(folder.relativePath)") }
            isTold = true
            usleep(200_000)
        }
    }

    private init(_ file: URL, _ descriptor: Int32, _ made: [URL]) {
        (self.file, self.descriptor, self.made) = (file, descriptor, made)
        let owner = Array("process \(getpid()) on host \(Heartbeat.hostName)\n".utf8)
        ftruncate(descriptor, 0)
        _ = owner.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    /// The file goes while the lock is held, so that nobody can lock what is about to go.
    deinit {
        unlink(file.path)
        close(descriptor)
        for folder in made where rmdir(folder.path) != 0 { break }
    }

    private static func makeFolder(_ folder: URL) throws -> [URL] {
        var missing: [URL] = []
        var place = folder.standardizedFileURL
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" {
            missing.append(place)
            place = place.deletingLastPathComponent()
        }
        try OutputFolder.make(folder)
        return missing
    }

    private static func isSame(_ descriptor: Int32, _ file: URL) -> Bool {
        var (own, there) = (stat(), stat())
        guard fstat(descriptor, &own) == 0, stat(file.path, &there) == 0 else { return false }
        return own.st_ino == there.st_ino && own.st_dev == there.st_dev
    }

    private static func owner(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 400)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).prefix { $0 != "\n" }
        let isPlain = text.unicodeScalars.allSatisfy { (32..<127).contains($0.value) }
        return text.isEmpty || !isPlain ? "another run" : "another run: \(text)"
    }
}

extension OutputLock {
    /// Collective. Does the work of a command that writes into a folder, in which no other may meanwhile: rank 0 holds
    /// the lock.
    ///
    /// - Parameter patience: seconds to wait for an owner that is ending; 0 refuses at once
    static func holding<Result>(
        _ folder: URL, _ communicator: any Communicator, patience: Double = 0, _ work: () throws -> Result
    ) throws -> Result {
        let lock = try communicator.agree { communicator.rank == 0 ? try take(folder, within: patience) : nil }
        return try withExtendedLifetime(lock) { try work() }
    }
}

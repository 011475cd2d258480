import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A server of HTTP/1.1 on a port of its own: a thread for each connection, a request on each.
package final class HTTPServer: Sendable {
    package struct Request: Sendable {
        /// Counted from 1, in the order in which they came.
        package fileprivate(set) var number = 0
        package let path: String
        /// By names in lower case.
        package let headers: [String: String]
        package let body: Data
    }

    package enum Reply: Sendable {
        case reply(Int, String, headers: [String: String] = [:])
        /// Closes the connection without a word.
        case hangUp
    }

    private struct State {
        var requests: [Request] = []
        var underWay = 0
        var most = 0
        var isStopped = false
    }

    package let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())
    private let answer: @Sendable (HTTPServer, Request) -> Reply

    /// - Parameter answer: called on the connection's thread, and may take its time
    package init(_ answer: @escaping @Sendable (HTTPServer, Request) -> Reply) throws {
        self.answer = answer
        (listener, port) = try Self.listen()
        Thread.detachNewThread { [self] in accept() }
    }

    /// Lets its threads end. To be called at the end of a test.
    package func stop() {
        state.withLock { $0.isStopped = true }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    package var url: String { "http://127.0.0.1:\(port)/v1" }
    /// All so far, in the order in which they came.
    package var requests: [Request] { state.withLock(\.requests) }
    /// Requests that wait for their reply.
    package var underWay: Int { state.withLock(\.underWay) }
    /// The most that waited at the same time.
    package var most: Int { state.withLock(\.most) }
    package var isStopped: Bool { state.withLock(\.isStopped) }

    /// Waits until something is so, for half a minute at most; false if it never was, or the server stopped.
    package func wait(until isSo: (HTTPServer) -> Bool) -> Bool {
        for _ in 0..<3000 where !isStopped {
            if isSo(self) { return true }
            usleep(10_000)
        }
        return false
    }

    /// A port at which nobody listens.
    package static func deadPort() throws -> UInt16 {
        let (socket, port) = try listen()
        close(socket)
        return port
    }

    private static func listen() throws -> (Int32, UInt16) {
        #if canImport(Glibc)
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let socket = Darwin.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        guard isBound, Foundation.listen(socket, 128) == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        return (socket, UInt16(bigEndian: address.sin_port))
    }

    private func accept() {
        while !isStopped {
            let connection = Foundation.accept(listener, nil, nil)
            guard connection >= 0 else { return }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            Thread.detachNewThread { [self] in serve(connection) }
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        guard var request = Self.read(connection) else { return }
        state.withLock {
            request.number = $0.requests.count + 1
            $0.requests.append(request)
            $0.underWay += 1
            $0.most = max($0.most, $0.underWay)
        }
        let reply = answer(self, request)
        state.withLock { $0.underWay -= 1 }
        guard case .reply(let status, let body, let headers) = reply else { return }
        var text = "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        Self.write(Array("\(text)\r\n\(body)".utf8), to: connection)
    }

    private static func read(_ connection: Int32) -> Request? {
        var bytes = Data()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        func more() -> Bool {
            let count = recv(connection, &chunk, chunk.count, 0)
            if count > 0 { bytes.append(contentsOf: chunk[..<count]) }
            return count > 0
        }
        let end = Data("\r\n\r\n".utf8)
        while bytes.range(of: end) == nil { guard more() else { return nil } }
        guard let head = bytes.range(of: end) else { return nil }
        let lines = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        let count = headers["content-length"].flatMap { Int($0) } ?? 0
        while bytes.count < head.upperBound + count { guard more() else { return nil } }
        let path = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
        return Request(path: path, headers: headers, body: Data(bytes[head.upperBound...]))
    }

    #if canImport(Glibc)
        private static let quietly = Int32(MSG_NOSIGNAL)
    #else
        private static let quietly: Int32 = 0
    #endif

    private static func write(_ bytes: [UInt8], to connection: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // A client that has gone is no signal for the tests' process.
            let sent = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, quietly) }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }
}

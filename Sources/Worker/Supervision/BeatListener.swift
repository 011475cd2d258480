import Coordinator
import Core
import Foundation

/// Takes the ranks' datagrams, on a port that the system chooses.
final class BeatListener {
    private let descriptor: Int32
    private let token = String(UInt64.random(in: .min ... .max), radix: 36)
    private let port: UInt16
    private let isLocal: Bool

    /// - Parameter isLocal: whether all ranks are on this host: then nothing from outside can reach the port.
    init(isLocal: Bool) throws {
        self.isLocal = isLocal
        let socket = Heartbeat.datagramSocket()
        descriptor = socket
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = (isLocal ? INADDR_LOOPBACK : INADDR_ANY).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isOpen = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard socket >= 0, isOpen else {
            throw MISPError("no UDP socket (\(String(cString: strerror(errno))))", at: "supervise", kind: .defect)
        }
    }

    deinit { close(descriptor) }

    /// What the ranks need to find this listener: the value of `Heartbeat.variable`.
    var whereabouts: String {
        let addresses = isLocal ? ["127.0.0.1"] : Self.addresses + ["127.0.0.1"]
        return token + "@" + addresses.map { "\($0):\(port)" }.joined(separator: ",")
    }

    /// Waits for a beat, at most so long.
    func next(within milliseconds: Int32) -> Beat? {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0, let beat = try? JSONDecoder().decode(Beat.self, from: Data(bytes[..<count])),
            beat.token == token
        else { return nil }
        return beat
    }

    /// This host's IPv4 addresses.
    private static var addresses: [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        return sequence(first: list) { $0?.pointee.ifa_next }.prefix { $0 != nil }.compactMap { entry in
            guard let address = entry?.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) else {
                return nil
            }
            var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
            let isRead = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                inet_ntop(AF_INET, &$0.pointee.sin_addr, &text, socklen_t(INET_ADDRSTRLEN)) != nil
            }
            let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return isRead && !name.hasPrefix("127.") ? name : nil
        }
    }
}

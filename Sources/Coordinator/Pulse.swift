import Foundation
import Synchronization

/// How far this process has come, for a watcher to see that it moves: one process is one rank.
///
/// Noting costs an atomic addition. What is noted is sent by `Heartbeat`, where somebody listens.
public enum Pulse {
    /// A part of the work is done: a group scored, a gradient added.
    public static func note() { pulse.work.wrappingAdd(1, ordering: .relaxed) }

    /// From here on the run can be gone on with: what an earlier one left in its output is out of the way.
    public static func noteBeginning() { pulse.hasBegun.store(true, ordering: .relaxed) }

    /// So many optimiser steps are done.
    public static func note(step: Int) {
        pulse.step.store(step, ordering: .relaxed)
        note()
    }

    /// The checkpoint of so many steps is on the disk.
    public static func note(saved step: Int) { pulse.saved.store(step, ordering: .relaxed) }

    /// Around a call that ends only when other ranks make it too.
    static func waiting<Result>(_ call: () throws -> Result) rethrows -> Result {
        pulse.calls.wrappingAdd(1, ordering: .relaxed)
        pulse.isWaiting.store(true, ordering: .relaxed)
        defer { pulse.isWaiting.store(false, ordering: .relaxed) }
        return try call()
    }
}

private struct Counters: ~Copyable {
    let work = Atomic<Int>(0)
    let calls = Atomic<Int>(0)
    let step = Atomic<Int>(0)
    let saved = Atomic<Int>(0)
    let isWaiting = Atomic<Bool>(false)
    let hasBegun = Atomic<Bool>(false)
}

private let pulse = Counters()

/// What one rank tells its watcher, about once a second.
package struct Beat: Codable, Equatable, Sendable {
    package var token: String
    package var rank: Int
    package var host: String
    package var process: Int32
    /// Parts of the work done, and collective calls begun.
    package var work = 0
    package var calls = 0
    /// Whether it is within a collective call.
    package var isWaiting = false
    package var hasBegun = false
    package var step = 0
    /// On rank 0: the step of the last checkpoint written, or read.
    package var saved = 0
    /// The last beat of a rank that ends by itself.
    package var isLast = false
    /// With the last beat: the exit status to come.
    package var status: Int32?

    package init(token: String, rank: Int, host: String, process: Int32) {
        (self.token, self.rank, self.host, self.process) = (token, rank, host, process)
    }
}

/// Sends a rank's beats as datagrams to the addresses that `MISP_WATCHER` names.
///
/// Datagrams, as a rank must never wait for its watcher, and because hosts need no common file system.
package final class Heartbeat: Sendable {
    /// `token@address:port,address:port`: all addresses of one watcher, of which not each need be within reach.
    package static let variable = "MISP_WATCHER"
    private static let interval: UInt32 = 500_000

    private let socket: Int32
    private let addresses: [sockaddr_in]
    private let template: Beat

    /// Starts to beat where there is a watcher, before MPI starts: that may hang too.
    package static func begin(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Heartbeat? {
        guard let parts = environment[variable]?.split(separator: "@"), parts.count == 2 else { return nil }
        let addresses = parts[1].split(separator: ",").compactMap { address(String($0)) }
        let rank = LaunchEnvironment(variables: environment).rank ?? 0
        let template = Beat(token: String(parts[0]), rank: rank, host: hostName, process: getpid())
        guard let heart = Heartbeat(addresses, template) else { return nil }
        Thread.detachNewThread {
            while true {
                heart.send()
                usleep(interval)
            }
        }
        return heart
    }

    private init?(_ addresses: [sockaddr_in], _ template: Beat) {
        socket = Self.datagramSocket()
        guard socket >= 0, !addresses.isEmpty else { return nil }
        (self.addresses, self.template) = (addresses, template)
    }

    /// Tells the watcher that no more is to be expected, and what this rank ends with: of several ranks the launcher
    /// reports one.
    package func end(status: Int32) { send(last: status) }

    private func send(last status: Int32? = nil) {
        var beat = template
        beat.work = pulse.work.load(ordering: .relaxed)
        beat.calls = pulse.calls.load(ordering: .relaxed)
        beat.isWaiting = pulse.isWaiting.load(ordering: .relaxed)
        beat.hasBegun = pulse.hasBegun.load(ordering: .relaxed)
        beat.step = pulse.step.load(ordering: .relaxed)
        beat.saved = pulse.saved.load(ordering: .relaxed)
        (beat.isLast, beat.status) = (status != nil, status)
        guard let data = try? JSONEncoder().encode(beat) else { return }
        for address in addresses {
            var address = address
            data.withUnsafeBytes { bytes in
                withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        _ = sendto(
                            socket, bytes.baseAddress, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
            }
        }
    }

    package static func datagramSocket() -> Int32 {
        #if canImport(Glibc)
            Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        #else
            Darwin.socket(AF_INET, SOCK_DGRAM, 0)
        #endif
    }

    package static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func address(_ text: String) -> sockaddr_in? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        return inet_pton(AF_INET, String(parts[0]), &address.sin_addr) == 1 ? address : nil
    }
}

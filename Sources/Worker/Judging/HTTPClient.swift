import CCurl
import Core
import Foundation

/// POST requests of JSON that run at the same time in one thread, by libcurl.
final class HTTPClient {
    /// Bytes of a reply that are read at most.
    static let longestReply = 4 << 20

    /// A request that is under way.
    typealias Ticket = OpaquePointer

    enum Outcome {
        /// - Parameter wait: seconds that the server asks to wait before the next request
        case reply(status: Int, body: Data, wait: Double?)
        /// No whole reply came; why, and what to make of it.
        case failure(String, Failure)
    }

    enum Failure { case cut, unknownHost, hopeless, tooLong }

    private let http: OpaquePointer
    private var underWay: Set<Ticket> = []

    init() throws(MISPError) {
        guard let http = misp_http_new() else { throw MISPError("cannot start", at: "libcurl", kind: .defect) }
        self.http = http
    }

    deinit {
        underWay.forEach(misp_http_request_free)
        misp_http_free(http)
    }

    /// Starts a request.
    ///
    /// - Parameters:
    ///   - authorization: the value of the header, or nil for none
    ///   - timeout: seconds for the whole of it
    func post(_ body: [UInt8], to url: String, authorization: String?, timeout: Double) throws(MISPError) -> Ticket {
        let header = authorization.map { "Authorization: \($0)" }
        let ticket = body.withUnsafeBufferPointer { bytes in
            misp_http_post(
                http, url, header, bytes.baseAddress, bytes.count, Int(timeout * 1000), Self.longestReply)
        }
        guard let ticket else { throw MISPError("is no address that libcurl takes", at: url) }
        underWay.insert(ticket)
        return ticket
    }

    /// Moves bytes, and waits up to so many milliseconds for some to move.
    ///
    /// - Returns: the requests that ended
    func wait(milliseconds: Int32) throws(MISPError) -> [(Ticket, Outcome)] {
        if let reason = misp_http_run(http, milliseconds) {
            throw MISPError("failed: \(String(cString: reason))", at: "libcurl", kind: .defect)
        }
        var ended: [(Ticket, Outcome)] = []
        while let ticket = misp_http_next(http) {
            ended.append((ticket, Self.outcome(of: ticket)))
            underWay.remove(ticket)
            misp_http_request_free(ticket)
        }
        return ended
    }

    private static func outcome(of ticket: Ticket) -> Outcome {
        let failure: Failure
        switch misp_http_request_end(ticket) {
        case MISP_HTTP_REPLIED:
            let bytes = UnsafeRawBufferPointer(
                start: misp_http_request_bytes(ticket), count: misp_http_request_count(ticket))
            let wait = misp_http_request_wait(ticket)
            return .reply(
                status: misp_http_request_status(ticket), body: Data(bytes), wait: wait < 0 ? nil : Double(wait))
        case MISP_HTTP_UNKNOWN_HOST: failure = .unknownHost
        case MISP_HTTP_HOPELESS: failure = .hopeless
        case MISP_HTTP_TOO_LONG: return .failure("it is longer than \(longestReply >> 20) MiB", .tooLong)
        default: failure = .cut
        }
        return .failure(String(cString: misp_http_request_reason(ticket)), failure)
    }
}

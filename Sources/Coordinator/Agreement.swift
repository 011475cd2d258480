import Core
import Foundation

/// A failure that every rank knows of: all throw it from the same call, and one of them prints it.
public struct AgreedFailure: Error, CustomStringConvertible, Sendable {
    /// What the lowest failing rank met.
    public let error: MISPError
    /// The lowest rank that failed.
    public let failingRank: Int
    /// The failing rank and its host, `rank 3, host b`, where others did not fail alike.
    public let whereabouts: String?
    /// True on rank 0 alone.
    public let isMineToPrint: Bool

    /// The error's line and, where it is known, whose it is.
    public var description: String { error.description + (whereabouts.map { " (\($0))" } ?? "") }

    /// The same failure in other words.
    public func saying(_ error: MISPError) -> AgreedFailure {
        AgreedFailure(error: error, failingRank: failingRank, whereabouts: nil, isMineToPrint: isMineToPrint)
    }
}

extension Communicator {
    /// Brings the ranks together after work that may have failed on some of them.
    ///
    /// Collective: every rank comes here, with its value or its error, so that none is left waiting in a later call.
    /// Work that itself makes collective calls must not fail between them on one rank alone.
    /// - Returns: this rank's own value, if no rank failed.
    /// - Throws: `AgreedFailure` on every rank, with the error of the lowest rank that failed.
    public func agree<Value>(on result: Result<Value, any Error>) throws -> Value {
        var failure: (error: MISPError, whereabouts: String?)?
        if case .failure(let error) = result { failure = Self.describe(error) }
        // The lowest rank that failed; and whether all failed alike: the greatest and the least of what they say.
        let words = failure.map { Self.number($0.error.description) } ?? 0
        let merged = try max([failure == nil ? -Double.infinity : -Double(rank), words, -words])
        guard merged[0].isFinite else { return try result.get() }
        let first = Int(-merged[0])
        var message = Data()
        if let failure {
            // What only the first rank does is done where its host is known.
            let isPlain = merged[1] == -merged[2] || (rank == 0 && hostCount == 1) || failure.error.kind.isEnd
            message = try JSONEncoder().encode(
                Message(failure.error, failure.whereabouts ?? (isPlain ? nil : whereabouts)))
        }
        let told = try JSONDecoder().decode(Message.self, from: broadcast(message, from: first))
        throw AgreedFailure(
            error: told.error, failingRank: first, whereabouts: told.whereabouts, isMineToPrint: rank == 0)
    }

    /// `agree(on:)` over what `work` returns or throws.
    public func agree<Value>(on work: () throws -> Value) throws -> Value {
        try agree(on: Result(catching: work))
    }

    /// This rank and its host as a message names them.
    public var whereabouts: String { "rank \(rank), host \(Heartbeat.hostName)" }

    private static func describe(_ error: any Error) -> (error: MISPError, whereabouts: String?) {
        switch error {
        case let error as MISPError: (error, nil)
        case let agreed as AgreedFailure: (agreed.error, agreed.whereabouts)
        default: (MISPError("\(error)", kind: .defect), nil)
        }
    }

    /// A text as a number that a Double holds exactly: the first six bytes of its SHA-256.
    private static func number(_ text: String) -> Double {
        SHA256.digest(text).bytes.prefix(6).reduce(1) { 256 * $0 + Double($1) }
    }
}

/// A `MISPError` on its way between ranks.
private struct Message: Codable {
    let what: String
    let place: String?
    let remedy: String?
    let kind: Int32
    let whereabouts: String?

    init(_ error: MISPError, _ whereabouts: String?) {
        (what, place, remedy, kind) = (error.what, error.place, error.remedy, error.kind.rawValue)
        self.whereabouts = whereabouts
    }

    var error: MISPError { .init(what, at: place, remedy: remedy, kind: .init(rawValue: kind) ?? .defect) }
}

import Core
import Foundation

/// A failure that every rank knows of: all throw it from the same call, and one of them prints it.
public struct AgreedFailure: Error, CustomStringConvertible, Sendable {
    /// What the lowest failing rank met.
    public let error: MISPError
    public let failingRank: Int
    /// True on rank 0 alone.
    public let isMineToPrint: Bool

    public var description: String { error.description }
}

extension Communicator {
    /// Brings the ranks together after work that may have failed on some of them.
    ///
    /// Collective: every rank comes here, with its value or its error, so that none is left waiting in a later call.
    /// Work that itself makes collective calls must not fail between them on one rank alone.
    /// - Returns: this rank's own value, if no rank failed.
    /// - Throws: `AgreedFailure` on every rank, with the error of the lowest rank that failed.
    public func agree<Value>(on result: Result<Value, any Error>) throws -> Value {
        var failure: MISPError?
        if case .failure(let error) = result { failure = Self.describe(error) }
        let lowest = try -max([failure == nil ? -Double.infinity : -Double(rank)])[0]
        guard lowest.isFinite else { return try result.get() }
        let first = Int(lowest)
        let message = try failure.map { try JSONEncoder().encode(Message($0)) } ?? Data()
        let told = try JSONDecoder().decode(Message.self, from: broadcast(message, from: first))
        throw AgreedFailure(error: told.error, failingRank: first, isMineToPrint: rank == 0)
    }

    /// `agree(on:)` over what `work` returns or throws.
    public func agree<Value>(on work: () throws -> Value) throws -> Value {
        try agree(on: Result(catching: work))
    }

    private static func describe(_ error: any Error) -> MISPError {
        switch error {
        case let error as MISPError: error
        case let agreed as AgreedFailure: agreed.error
        default: MISPError("\(error)", kind: .defect)
        }
    }
}

/// A `MISPError` on its way between ranks.
private struct Message: Codable {
    let what: String
    let place: String?
    let remedy: String?
    let kind: Int32

    init(_ error: MISPError) {
        (what, place, remedy, kind) = (error.what, error.place, error.remedy, error.kind.rawValue)
    }

    var error: MISPError { .init(what, at: place, remedy: remedy, kind: .init(rawValue: kind) ?? .defect) }
}

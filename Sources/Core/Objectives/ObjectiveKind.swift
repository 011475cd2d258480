/// The objectives that a configuration can name.
public struct ObjectiveKind: Sendable, RawRepresentable, CaseIterable, Equatable {
    /// A line for each objective.
    private static let types: [any Objective.Type] = [
        SFT.self, DPO.self, MDPO.self, CHiP.self, SDPO.self, MISP.self, LPOI.self,
    ]

    public static var allCases: [ObjectiveKind] { types.map { ObjectiveKind($0) } }

    private let type: any Objective.Type

    public init(_ type: any Objective.Type) { self.type = type }

    public init?(rawValue: String) {
        guard let type = Self.types.first(where: { $0.name == rawValue }) else { return nil }
        self.init(type)
    }

    public static func == (a: ObjectiveKind, b: ObjectiveKind) -> Bool { a.rawValue == b.rawValue }

    public var rawValue: String { type.name }
    public var defaults: ObjectiveSettings { type.defaults }

    public func objective(_ settings: ObjectiveSettings) -> any Objective { type.init(settings) }
}

/// The objectives that a configuration can name.
public struct ObjectiveKind: Sendable, RawRepresentable, CaseIterable, Equatable {
    /// A line for each objective.
    private static let types: [any Objective.Type] = [
        SFT.self, DPO.self, MDPO.self, CHiP.self, SDPO.self, MISP.self, LPOI.self,
    ]

    /// Every objective there is.
    public static var allCases: [ObjectiveKind] { types.map { ObjectiveKind($0) } }

    private let type: any Objective.Type

    /// Of an objective, be it in the list or not.
    public init(_ type: any Objective.Type) { self.type = type }

    /// By the name in `objective.kind`; nil for an unknown one.
    public init?(rawValue: String) {
        guard let type = Self.types.first(where: { $0.name == rawValue }) else { return nil }
        self.init(type)
    }

    /// By name.
    public static func == (a: ObjectiveKind, b: ObjectiveKind) -> Bool { a.rawValue == b.rawValue }

    /// As `objective.kind` names it.
    public var rawValue: String { type.name }
    /// The objective's own, for what a configuration leaves out.
    public var defaults: ObjectiveSettings { type.defaults }

    /// The objective with these settings.
    public func objective(_ settings: ObjectiveSettings) -> any Objective { type.init(settings) }
}

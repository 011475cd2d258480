/// What a run sets of its pictures; nil: as the model's folder says.
public struct PictureSettings: Sendable, Equatable {
    /// The largest number of pixels that can be set.
    package static let mostPixels = 100_000_000
    /// Of height · width, for families whose pictures are about as large as they come.
    public var least, most: Int?
    /// Whether pictures are cut into tiles, for families that can.
    public var splits: Bool?

    /// Unless told otherwise, the folder's own.
    public init(least: Int? = nil, most: Int? = nil, splits: Bool? = nil) {
        (self.least, self.most, self.splits) = (least, most, splits)
    }

    /// For a family that has none of the settings.
    ///
    /// - Throws: `MISPError` that names one which is set
    func refuse(_ family: String) throws(MISPError) {
        for (key, isSet) in [
            ("min_pixels", least != nil), ("max_pixels", most != nil), ("image_splitting", splits != nil),
        ] where isSet { throw Self.refusal(key, family) }
    }

    /// What tells that a family has no such setting.
    static func refusal(_ key: String, _ family: String) -> MISPError {
        MISPError(
            "is set, but models of the \(family) family have no such setting", at: "model.\(key)",
            remedy: "leave it out")
    }
}

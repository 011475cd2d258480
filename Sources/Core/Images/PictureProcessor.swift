/// What a picture is before it enters the vision tower: one tile or several, all of height × width pixels.
public struct PictureShape: Hashable, Sendable, Codable {
    /// Of each tile, in pixels.
    public let height, width: Int
    /// Rows and columns of tiles. Where there are several, the whole picture follows them as one more.
    public let tileRows, tileColumns: Int

    /// Unless told otherwise, a single tile.
    public init(height: Int, width: Int, tileRows: Int = 1, tileColumns: Int = 1) {
        (self.height, self.width) = (height, width)
        (self.tileRows, self.tileColumns) = (tileRows, tileColumns)
    }

    /// The tiles, with the whole picture where it follows them.
    public var tiles: Int {
        let grid = tileRows * tileColumns
        return grid > 1 ? grid + 1 : 1
    }

    /// Values of all tiles.
    public var count: Int { tiles * 3 * height * width }
}

/// `pixel_values` of one picture.
public struct ProcessedPicture: Sendable {
    /// How many pixels there are of it.
    public let shape: PictureShape
    /// `[tiles, 3, height, width]`: of each tile the red, green and blue planes.
    public let values: [Float]

    /// As many values as the shape says.
    public init(_ values: [Float], shape: PictureShape) {
        self.values = values
        self.shape = shape
    }
}

/// A picture's way to `pixel_values`, as a model family's processor in transformers goes it.
public protocol PictureProcessor: Sendable {
    /// How the files that it is to be given are read.
    var transparency: Transparency { get set }
    /// The shape that all pictures get; nil where it depends on their size.
    var commonShape: PictureShape? { get }
    /// The shape that a picture of that many pixels gets.
    ///
    /// - Throws: `MISPError` for a size that the family refuses
    func shape(height: Int, width: Int) throws(MISPError) -> PictureShape
    /// A picture of any size that `shape` takes.
    func picture(_ image: RGBImage) throws(MISPError) -> ProcessedPicture
    /// What is done to a picture, in words that name every setting: part of the key of what is kept.
    var settings: String { get }
}

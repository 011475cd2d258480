/// What pictures become in sequences, which for some families depends on their size.
///
/// Sizes that are not known come from the files' headers; `knowing` takes those that ranks have read together.
public struct PicturePlaces: Sendable {
    /// Gives pictures their shape.
    public let processor: any PictureProcessor
    private let family: any ModelFamily
    private let tokenizer: Tokenizer
    private let common: PicturePlace?
    /// Height and width of files' pictures, by path.
    private var sizes: [String: PixelSize] = [:]
    /// By shape: what pictures of the sizes that are known become, so that equal ones share memory.
    private var known: [PictureShape: PicturePlace] = [:]

    /// For a model's family and tokenizer.
    public init(_ folder: ModelFolder) throws(MISPError) {
        (processor, family, tokenizer) = (folder.processor, folder.configuration.family, folder.tokenizer)
        if let shape = processor.commonShape { common = try family.place(shape, tokenizer) } else { common = nil }
    }

    /// Whether a picture's place depends on its size, so that sizes are to be known.
    public var dependOnSize: Bool { common == nil }

    /// The same with the sizes of some files' pictures.
    ///
    /// - Throws: `MISPError` with the path of a picture whose size the family refuses
    public func knowing(_ sizes: [String: PixelSize]) throws(MISPError) -> PicturePlaces {
        var result = self
        result.sizes.merge(sizes) { $1 }
        for path in sizes.keys.sorted() {
            let shape = try result.shape(of: ImageSource(path: path))
            if result.known[shape] == nil { result.known[shape] = try family.place(shape, tokenizer) }
        }
        return result
    }

    /// The shape of a picture before the vision tower.
    ///
    /// - Throws: `MISPError` for a file that cannot be read, or a size that the family refuses
    public func shape(of image: ImageSource) throws(MISPError) -> PictureShape {
        try image.shape(processor, size: sizes[image.path].map { ($0.height, $0.width) })
    }

    /// What a picture becomes.
    ///
    /// - Throws: as `shape(of:)`
    public func placed(_ image: ImageSource) throws(MISPError) -> PlacedImage {
        let shape = try shape(of: image)
        if let place = common ?? known[shape] { return PlacedImage(image, place, shape: shape) }
        return PlacedImage(image, try family.place(shape, tokenizer), shape: shape)
    }
}

/// Pixels of a file's picture.
public struct PixelSize: Hashable, Sendable, Codable {
    /// Pixels.
    public let height, width: Int

    /// As the file's header says.
    public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }
}

/// A picture with what it becomes in a sequence.
public struct PlacedImage: Sendable, Equatable {
    /// What is shown.
    public let source: ImageSource
    /// Its rows.
    public let place: PicturePlace
    /// Its pixels before the vision tower.
    public let shape: PictureShape

    /// A place that the shape has.
    public init(_ source: ImageSource, _ place: PicturePlace, shape: PictureShape) {
        (self.source, self.place, self.shape) = (source, place, shape)
    }
}

import Foundation

/// A picture that a sequence shows: a file, a crop of it, or the file under noise.
public struct ImageSource: Hashable, Sendable {
    /// Of the file.
    public let path: String
    /// Cut out before preprocessing; nil: the whole picture.
    public let crop: CropRegion?
    /// Added after preprocessing; nil: none.
    public let noise: DiffusionNoise?

    /// Unless told otherwise, the file as it is.
    public init(path: String, crop: CropRegion? = nil, noise: DiffusionNoise? = nil) {
        self.path = path
        self.crop = crop
        self.noise = noise
    }

    /// `pixel_values` as the vision tower reads them.
    public func picture(_ processor: any PictureProcessor) throws(MISPError) -> ProcessedPicture {
        let image = try load(processor.transparency)
        let picture: ProcessedPicture
        do throws(MISPError) { picture = try processor.picture(image) } catch {
            throw MISPError(error.what, at: path, remedy: error.remedy)
        }
        guard let noise else { return picture }
        return ProcessedPicture(noise.added(to: picture.values), shape: picture.shape)
    }

    /// The shape that a processor gives it, from the size of the file's picture.
    ///
    /// - Parameter size: height and width of the file's picture; nil: as its header says
    public func shape(
        _ processor: any PictureProcessor, size: (height: Int, width: Int)? = nil
    ) throws(MISPError) -> PictureShape {
        if let common = processor.commonShape { return common }
        var (height, width) = (0, 0)
        if let size {
            (height, width) = size
        } else {
            let header = try ImageDecoder.header(contentsOf: URL(fileURLWithPath: path))
            (height, width) = (header.height, header.width)
        }
        if let crop {
            let part = crop.range(width: width, height: height)
            (height, width) = (part.rows.count, part.columns.count)
        }
        do throws(MISPError) { return try processor.shape(height: height, width: width) } catch {
            throw MISPError(error.what, at: path, remedy: error.remedy)
        }
    }

    /// Decodes the file and cuts the crop out of it.
    public func load(_ transparency: Transparency = .white) throws(MISPError) -> RGBImage {
        let image = try RGBImage(contentsOf: URL(fileURLWithPath: path), transparency: transparency)
        guard let crop else { return image }
        let (columns, rows) = crop.range(width: image.width, height: image.height)
        return image.part(columns: columns, rows: rows)
    }
}

/// A rectangle of a picture of any size.
public struct CropRegion: Hashable, Sendable {
    /// Share of the picture's area, in (0, 1].
    public let area: Double
    /// Width over height.
    public let aspect: Double
    /// Where the rectangle lies in the room that is left, in [0, 1].
    public let x, y: Double

    /// Nothing is checked: `area` is above 0 and at most 1, `aspect` above 0, `x` and `y` from 0 to 1.
    public init(area: Double, aspect: Double, x: Double, y: Double) {
        (self.area, self.aspect, self.x, self.y) = (area, aspect, x, y)
    }

    /// mDPO's crop: 1–20 % of the area, aspect ratio log-uniform in 3/4…4/3; a pure function of (seed, group id),
    /// so that policy and reference see the same one in every epoch.
    public static func random(seed: UInt64, group: String) -> CropRegion {
        var random = KeyedRandom(seed, "crop", group)
        let area = 0.01 + 0.19 * random.uniform()
        let bound = Double.naturalLogarithm(4.0 / 3)
        let aspect = Double.exponential(bound * (2 * random.uniform() - 1))
        return CropRegion(area: area, aspect: aspect, x: random.uniform(), y: random.uniform())
    }

    /// At least one pixel, at most the whole picture.
    package func range(width: Int, height: Int) -> (columns: Range<Int>, rows: Range<Int>) {
        let pixels = area * Double(width) * Double(height)
        func side(_ length: Double, _ limit: Int) -> Int { min(max(Int(length.rounded()), 1), limit) }
        let across = side((pixels * aspect).squareRoot(), width)
        let down = side((pixels / aspect).squareRoot(), height)
        let left = Int((x * Double(width - across)).rounded())
        let top = Int((y * Double(height - down)).rounded())
        return (left..<left + across, top..<top + down)
    }
}

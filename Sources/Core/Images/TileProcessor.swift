import Foundation

/// The way of pictures in the Idefics3 family, SmolVLM included: square tiles and the whole picture behind them, as
/// `Idefics3ImageProcessorPil` of transformers does it. Every step starts from the 8-bit picture of the step before.
package struct TileProcessor: PictureProcessor {
    package var transparency = Transparency.white
    /// L: what the longest side becomes first.
    private let longest: Int
    /// M: a tile's side.
    let side: Int
    private let splits: Bool
    private let resampling: Resampling
    private let table: PixelTable

    /// No side of a picture becomes longer.
    private static let mostSide = 4096

    /// Reads preprocessor_config.json or processor_config.json.
    ///
    /// - Parameter tile: the side of the pictures that the tower has positions for
    package init(modelDirectory folder: URL, _ settings: PictureSettings, tile: Int) throws(MISPError) {
        let field = try ImageProcessorConfiguration.section(of: folder)
        let name = try ImageProcessorConfiguration.className(field)
        guard ["Idefics3ImageProcessor", "SmolVLMImageProcessor"].contains(name) else {
            throw field["image_processor_type"].failure(
                "is \(name), but models of this family need SmolVLMImageProcessor or Idefics3ImageProcessor")
        }
        try KeyTable.tileProcessor.check(field)
        for key in ["size", "max_image_size"] { try KeyTable.tileSide.check(field[key]) }
        side = try field["max_image_size"]["longest_edge"].size(default: 364, to: Self.mostSide)
        guard side == tile else {
            throw field["max_image_size"].failure(
                "makes tiles of \(side) pixels, but the tower has positions for \(tile)",
                remedy: "take both files from one checkpoint")
        }
        longest = try field["size"]["longest_edge"].size(default: 4 * 364, to: SizeLimit.side)
        let splitting = try field["do_image_splitting"].bool(default: true)
        splits = settings.splits ?? splitting
        resampling = try ImageProcessorConfiguration.filter(field["resample"], default: .lanczos)
        let half = [0.5, 0.5, 0.5]
        table = try ImageProcessorConfiguration.table(field, mean: half, deviation: half)
    }

    /// Without splitting every picture is one tile.
    package var commonShape: PictureShape? { splits ? nil : PictureShape(height: side, width: side) }
    package var settings: String { "tiles of \(side), \(splits ? "split" : "whole")" }

    /// The longest side at L, the other in proportion and even.
    private func first(height: Int, width: Int) -> (height: Int, width: Int) {
        let aspect = Double(width) / Double(height)
        var (tall, wide) = (longest, longest)
        if width >= height {
            tall = Int(Double(longest) / aspect)
            tall += tall % 2
        } else {
            wide = Int(Double(longest) * aspect)
            wide += wide % 2
        }
        (tall, wide) = (max(tall, 1), max(wide, 1))
        let second = Double(wide) / Double(tall)
        if wide >= tall, wide > Self.mostSide {
            (tall, wide) = (Int(Double(Self.mostSide) / second), Self.mostSide)
        } else if tall > wide, tall > Self.mostSide {
            (tall, wide) = (Self.mostSide, Int(Double(Self.mostSide) * second))
        }
        return (max(tall, 1), max(wide, 1))
    }

    /// Tiles down and across: the longer side goes up to a multiple of M, the other follows in proportion.
    private func tiles(height: Int, width: Int) -> (rows: Int, columns: Int) {
        func count(_ length: Int) -> Int { (length + side - 1) / side }
        let aspect = Double(width) / Double(height)
        if width >= height {
            let columns = count(width)
            return (count(Int(Double(columns * side) / aspect)), columns)
        }
        let rows = count(height)
        return (rows, count(Int(Double(rows * side) * aspect)))
    }

    package func shape(height: Int, width: Int) throws(MISPError) -> PictureShape {
        guard splits else { return PictureShape(height: side, width: side) }
        let size = first(height: height, width: width)
        let (rows, columns) = tiles(height: size.height, width: size.width)
        guard rows > 0, columns > 0 else {
            throw MISPError(
                "a picture of \(width) × \(height) pixels is too long to be cut into tiles",
                remedy: "crop the picture, or set model.image_splitting to false")
        }
        return PictureShape(height: side, width: side, tileRows: rows, tileColumns: columns)
    }

    package func picture(_ image: RGBImage) throws(MISPError) -> ProcessedPicture {
        let shape = try shape(height: image.height, width: image.width)
        let size = first(height: image.height, width: image.width)
        var whole = image.resized(width: size.width, height: size.height, filter: resampling)
        var values: [Float] = []
        values.reserveCapacity(shape.count)
        if splits {
            let (height, width) = (shape.tileRows * side, shape.tileColumns * side)
            whole = whole.resized(width: width, height: height, filter: resampling)
        }
        if shape.tiles > 1 {
            for row in 0..<shape.tileRows {
                for column in 0..<shape.tileColumns {
                    let tile = whole.part(
                        columns: column * side..<(column + 1) * side, rows: row * side..<(row + 1) * side)
                    table.append(tile, to: &values)
                }
            }
        }
        table.append(whole.resized(width: side, height: side, filter: resampling), to: &values)
        return ProcessedPicture(values, shape: shape)
    }
}

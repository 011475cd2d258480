import Foundation

/// The way of pictures in the Qwen2-VL family: about as large as they are, with sides that are multiples of a cell, as
/// `Qwen2VLImageProcessorPil` of transformers does it.
package struct CellProcessor: PictureProcessor {
    package var transparency = Transparency.white
    /// A cell's side, in pixels.
    private let side: Int
    /// Pixels that a picture has at least and at most.
    private let least, most: Int
    private let resampling: Resampling
    private let table: PixelTable

    /// The widest against the narrowest side that the family takes.
    private static let mostAspect = 200.0

    /// Reads preprocessor_config.json or processor_config.json.
    ///
    /// - Parameters:
    ///   - patch: a patch's side in the tower, in pixels
    ///   - merge: patches along a cell's side there
    package init(modelDirectory folder: URL, _ settings: PictureSettings, patch: Int, merge: Int) throws(MISPError) {
        let field = try ImageProcessorConfiguration.section(of: folder)
        let name = try ImageProcessorConfiguration.className(field)
        // The second stood for the same class in the first release of Qwen2.5-VL.
        guard ["Qwen2VLImageProcessor", "Qwen2_5_VLImageProcessor"].contains(name) else {
            throw field["image_processor_type"].failure(
                "is \(name), but models of this family need Qwen2VLImageProcessor")
        }
        try KeyTable.cellProcessor.check(field)
        for (key, own, standard) in [("patch_size", patch, 14), ("merge_size", merge, 2)] {
            let value = try field[key].size(default: standard, to: SizeLimit.side)
            guard value == own else {
                throw field[key].failure(
                    "is \(value), but the tower's is \(own)", remedy: "take both files from one checkpoint")
            }
        }
        side = patch * merge
        let size = field["size"]
        try KeyTable.cellLimits.check(size)
        func limit(_ own: Int?, _ key: String, _ edge: String, default value: Int) throws(MISPError) -> Int {
            if let own { return own }
            for place in [field[key], size[edge], size[key]] where place.isPresent {
                return try place.size(default: value, to: 1 << 40)
            }
            return value
        }
        least = try limit(settings.least, "min_pixels", "shortest_edge", default: 3136)
        most = try limit(settings.most, "max_pixels", "longest_edge", default: 1_003_520)
        guard least <= most, most >= side * side else {
            throw MISPError(
                "pictures of at least \(least) and at most \(most) pixels cannot be: a cell has \(side * side)",
                at: field.file, remedy: "set model.min_pixels and model.max_pixels")
        }
        resampling = try ImageProcessorConfiguration.filter(field["resample"], default: .bicubic)
        table = try ImageProcessorConfiguration.table(
            field, mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])
    }

    package var commonShape: PictureShape? { nil }
    package var settings: String { "cells of \(side), \(least) to \(most) pixels" }

    /// `smart_resize`: the nearest multiples of a cell, made smaller or larger where these are too many pixels or too
    /// few.
    package func shape(height: Int, width: Int) throws(MISPError) -> PictureShape {
        let (tall, wide, cell) = (Double(height), Double(width), Double(side))
        guard max(tall, wide) / min(tall, wide) <= Self.mostAspect else {
            throw MISPError(
                "a picture of \(width) × \(height) pixels is too long: one side may be at most 200 times the other",
                remedy: "crop the picture, or leave the group out")
        }
        var rows = (tall / cell).rounded(.toNearestOrEven)
        var columns = (wide / cell).rounded(.toNearestOrEven)
        let pixels = rows * columns * cell * cell
        if pixels > Double(most) {
            let factor = (tall * wide / Double(most)).squareRoot()
            rows = max(1, (tall / factor / cell).rounded(.down))
            columns = max(1, (wide / factor / cell).rounded(.down))
        } else if pixels < Double(least) {
            let factor = (Double(least) / (tall * wide)).squareRoot()
            rows = (tall * factor / cell).rounded(.up)
            columns = (wide * factor / cell).rounded(.up)
        }
        return PictureShape(height: Int(rows) * side, width: Int(columns) * side)
    }

    package func picture(_ image: RGBImage) throws(MISPError) -> ProcessedPicture {
        let shape = try shape(height: image.height, width: image.width)
        var values: [Float] = []
        values.reserveCapacity(shape.count)
        table.append(image.resized(width: shape.width, height: shape.height, filter: resampling), to: &values)
        return ProcessedPicture(values, shape: shape)
    }
}

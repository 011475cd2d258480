import Coordinator
import Core
import Foundation

/// The sizes of pictures, for families whose pictures take more rows or fewer by their size.
enum PictureSizes {
    /// Collective. The sizes of all pictures that the files name, each read from its header by one rank; nothing where
    /// the model brings all pictures to one size.
    static func read(
        _ files: [PreferenceFile], for places: PicturePlaces, _ communicator: any Communicator
    ) throws -> [String: PixelSize] {
        guard places.dependOnSize else { return [:] }
        let groups = files.flatMap(\.groups).map(\.group)
        let paths = Set(groups.flatMap { [$0.image] + $0.negatives.map(\.image) }).sorted()
        let sizes = try communicator.share(paths.count) { index in
            Pulse.note()
            try Interruption.check("while the sizes of pictures were read")
            let header = try ImageDecoder.header(contentsOf: URL(fileURLWithPath: paths[index]))
            return PixelSize(height: header.height, width: header.width)
        }
        return Dictionary(uniqueKeysWithValues: zip(paths, sizes))
    }
}

import Core
import Foundation

/// What a look at a picture's header, and where that tells of transparency at the picture, has found.
struct PictureLook: Codable {
    var fault = PossibleFault(nil)
    var isTransparent = false
}

/// The headers of all pictures that files of groups name, each once.
struct PictureCheck {
    private let pictures: [(path: String, place: String)]

    init(_ files: [PreferenceFile]) {
        var seen: Set<String> = []
        var pictures: [(String, String)] = []
        for file in files {
            for (line, group) in file.groups {
                for path in [group.image] + group.negatives.map(\.image) where seen.insert(path).inserted {
                    pictures.append((path, "\(file.url.relativePath):\(line)"))
                }
            }
        }
        self.pictures = pictures
    }

    var count: Int { pictures.count }

    /// What is wrong with a picture, as its header tells; the place is the first line that names it.
    func look(_ index: Int) -> PictureLook {
        let (path, place) = pictures[index]
        guard FileManager.default.fileExists(atPath: path) else {
            let error = MISPError(
                "the image \(path) does not exist", at: place, remedy: "relative paths start from data.images")
            return PictureLook(fault: PossibleFault(error))
        }
        do throws(MISPError) {
            return PictureLook(isTransparent: try ImageDecoder.isTransparent(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            let error = MISPError("the image \(path): \(error.what)", at: place, remedy: error.remedy)
            return PictureLook(fault: PossibleFault(error))
        }
    }
}

import Core
import Foundation

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
    func fault(_ index: Int) -> MISPError? {
        let (path, place) = pictures[index]
        guard FileManager.default.fileExists(atPath: path) else {
            return MISPError(
                "the image \(path) does not exist", at: place, remedy: "relative paths start from data.images")
        }
        do throws(MISPError) {
            _ = try ImageDecoder.header(contentsOf: URL(fileURLWithPath: path))
            return nil
        } catch {
            return MISPError("the image \(path): \(error.what)", at: place, remedy: error.remedy)
        }
    }
}
